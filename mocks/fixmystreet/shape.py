"""What no source settles about the current API, as switches that can be turned while it is served."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mocks.fixmystreet.times import DateStyle, Precision


@dataclass(frozen=True)
class Shape:
    """The spelling of every answer; `every` fields apply to reports whose id divides by them, 0 means none."""

    updated_name_in_list: Literal["updatedDate", "updateDate"] = "updatedDate"
    updated_name_in_detail: Literal["updatedDate", "updateDate"] = "updateDate"
    english_names: bool = True
    nested_category: Literal["parent", "leaf", "absent"] = "parent"
    dates: DateStyle = "offset"
    precision: Precision = "milliseconds"
    order: Literal["created", "updated", "unordered"] = "created"
    max_size: int = 10_000
    no_coordinates_every: int = 0
    no_coordinates_as: Literal["null numbers", "null object", "absent"] = "null numbers"
    unknown_category_every: int = 0
    unknown_status_every: int = 0
    unknown_field: bool = False
    refused_is_listed: bool = False
    refused_status: str = "CLOSED"
    gateway_carries_private: bool = False


_HINTS = get_type_hints(Shape)


def shape_with(shape: Shape, changes: Mapping[str, Any]) -> Shape:
    """The shape with some switches turned; ValueError names the switch that does not exist or the value it refuses."""
    for name, value in changes.items():
        if name not in _HINTS:
            raise ValueError(f"no switch {name!r}; there are {', '.join(field.name for field in fields(Shape))}")
        allowed = _HINTS[name]
        if get_origin(allowed) is Literal:
            if value not in get_args(allowed):
                raise ValueError(f"{name} is one of {', '.join(get_args(allowed))}")
        elif type(value) is not allowed:
            raise ValueError(f"{name} is {allowed.__name__}")
    return replace(shape, **changes)


def shape_as_json(shape: Shape) -> dict[str, Any]:
    """Every switch with its value."""
    return asdict(shape)
