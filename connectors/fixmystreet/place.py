"""Where a report is: its address in both languages, and its point in both reference systems."""

import math
import re
from functools import lru_cache
from typing import Final

from pyproj import Transformer

from connectors.fixmystreet.municipality import name_of, nis_code_of
from connectors.fixmystreet.remarks import Remarks
from connectors.fixmystreet.wire import Coordinates, IncidentAddress, Location, PostalAddress, Report
from schemas.place import Address, Place, Point, PointOrigin, RoadManager
from schemas.text import Localised

BELGIUM: Final = (2.3, 49.4, 6.5, 51.6)
"""West, south, east, north, in degrees; generous by some kilometres."""

ROAD_MANAGERS: Final = {"REGIONAL": RoadManager.REGIONAL, "MUNICIPALITY": RoadManager.MUNICIPAL}
_POSTAL_CODE: Final = re.compile(r"[1-9][0-9]{3}", re.ASCII)


def place_of_report(report: Report, remarks: Remarks) -> Place | None:
    """The place that a webhook tells."""
    address = _address_of_report(report.address, remarks) if report.address else None
    return _place(address, _point(report.point, remarks), None)


def place_of_incident(location: Location | None, remarks: Remarks) -> Place | None:
    """The place that the API tells."""
    if location is None:
        return _place(None, _point(None, remarks), None)
    address = _address_of_incident(location.address, remarks) if location.address else None
    return _place(address, _point(location.coordinates, remarks), _road_manager(location.address, remarks))


def _place(address: Address | None, point: Point | None, road_manager: RoadManager | None) -> Place | None:
    if address is None and point is None and road_manager is None:
        return None
    return Place(address=address, point=point, road_manager=road_manager)


def _address_of_report(address: PostalAddress, remarks: Remarks) -> Address | None:
    street = localised(fr=address.street.fr, nl=address.street.nl) if address.street else None
    said = localised(fr=address.municipality.fr, nl=address.municipality.nl) if address.municipality else None
    return _address(street, address.number, address.postal_code, said, remarks)


def _address_of_incident(address: IncidentAddress, remarks: Remarks) -> Address | None:
    street = localised(fr=address.street_name_fr, nl=address.street_name_nl, en=address.street_name_en)
    return _address(street, address.street_number, address.postal_code, None, remarks)


def _address(
    street: Localised | None, number: str | None, postal_code: str | None, said: Localised | None, remarks: Remarks
) -> Address | None:
    code = (postal_code or "").strip() or None
    if code and not _POSTAL_CODE.fullmatch(code):
        remarks.add("postal_code_unreadable", "place.address.postal_code")
        code = None
    nis_code = nis_code_of(code, said, remarks)
    number = (number or "").strip() or None
    municipality = said or (name_of(nis_code) if nis_code else None)
    if not (street or number or code or municipality):
        return None
    return Address(street=street, number=number, postal_code=code, municipality=municipality, nis_code=nis_code)


def _road_manager(address: IncidentAddress | None, remarks: Remarks) -> RoadManager | None:
    word = address.address_type.strip().upper() if address and address.address_type else ""
    if word and word not in ROAD_MANAGERS:
        remarks.add("address_type_unknown", "place.road_manager")
    return ROAD_MANAGERS.get(word)


def _point(coordinates: Coordinates | None, remarks: Remarks) -> Point | None:
    if coordinates is None or coordinates.x is None or coordinates.y is None:
        remarks.add("point_missing", "place.point")
        return None
    longitude, latitude = _to_wgs84().transform(coordinates.x, coordinates.y)
    if not (math.isfinite(longitude) and math.isfinite(latitude) and abs(longitude) <= 180 and abs(latitude) <= 90):
        remarks.add("point_unusable", "place.point")
        return None
    west, south, east, north = BELGIUM
    if not (west <= longitude <= east and south <= latitude <= north):
        remarks.add("point_outside_belgium", "place.point")
    return Point(
        x=coordinates.x,
        y=coordinates.y,
        # Seven decimals are a centimetre; more would differ from one PROJ to the next.
        longitude=round(longitude, 7),
        latitude=round(latitude, 7),
        origin=PointOrigin.LAMBERT_72,
    )


@lru_cache(maxsize=1)
def _to_wgs84() -> Transformer:
    """Belgian Lambert 72 to WGS 84 as longitude, latitude; pyproj keeps one for each thread underneath."""
    return Transformer.from_crs("EPSG:31370", "EPSG:4326", always_xy=True)


def localised(*, fr: str | None = None, nl: str | None = None, en: str | None = None) -> Localised | None:
    """A text by language, ``None`` where no language has one; blanks do not count."""
    fr, nl, en = _text(fr), _text(nl), _text(en)
    return Localised(fr=fr, nl=nl, en=en) if fr or nl or en else None


def _text(text: str | None) -> str | None:
    return (text.strip() or None) if text else None
