"""Where something is: an address in both languages and a point in both reference systems."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.base import Model
from schemas.text import Localised

PostalCode = Annotated[str, Field(pattern=r"^[1-9][0-9]{3}$")]
"""A Belgian postal code."""

NisCode = Annotated[str, Field(pattern=r"^[0-9]{5}$")]
"""A municipality by its NIS code (Statbel, REFNIS); the City of Brussels is 21004."""


class PointOrigin(StrEnum):
    """In which reference system the source gave the point; the other one is computed."""

    LAMBERT_72 = "lambert72"
    WGS_84 = "wgs84"


class Point(Model):
    """One point twice: Lambert 72 (EPSG:31370) in metres and WGS 84 (EPSG:4326) in degrees."""

    x: Annotated[float, Field(allow_inf_nan=False)]
    y: Annotated[float, Field(allow_inf_nan=False)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    latitude: Annotated[float, Field(ge=-90, le=90)]
    origin: PointOrigin


class RoadManager(StrEnum):
    """Who manages the road."""

    REGIONAL = "regional"
    MUNICIPAL = "municipal"


class Address(Model):
    """A postal address; street and municipality by language."""

    street: Localised | None = None
    number: str | None = None
    postal_code: PostalCode | None = None
    municipality: Localised | None = None
    nis_code: NisCode | None = None


class Place(Model):
    """Where a case is; each part may be missing."""

    address: Address | None = None
    point: Point | None = None
    road_manager: RoadManager | None = None
