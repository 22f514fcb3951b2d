"""A report as the current public API writes it."""

from typing import Any

from mocks.fixmystreet import times
from mocks.fixmystreet.categories import Category
from mocks.fixmystreet.places import Department
from mocks.fixmystreet.records import Report
from mocks.fixmystreet.shape import Shape
from mocks.fixmystreet.world import World

UNKNOWN_CATEGORY_OFFSET = 900_000
UNKNOWN_STATUS = "ON_HOLD"


def _applies(every: int, report: Report) -> bool:
    return every > 0 and report.id % every == 0


def _names(fr: str, nl: str, en: str, shape: Shape) -> dict[str, str]:
    return {"nameFr": fr, "nameNl": nl} | ({"nameEn": en} if shape.english_names else {})


def status_text(report: Report, shape: Shape) -> str:
    """The public word for the status, or a word nobody knows where the switch asks for it."""
    if _applies(shape.unknown_status_every, report):
        return UNKNOWN_STATUS
    return shape.refused_status if report.status.name == "REFUSED" else report.public_status


def _category_node(node: Category, shape: Shape) -> dict[str, Any]:
    return {"id": node.id, **_names(node.fr, node.nl, node.en, shape), "public": node.public}


def category_json(report: Report, world: World) -> dict[str, Any]:
    """The category with its nested category, which is the parent or the leaf: the sources do not say."""
    shape = world.shape
    path = world.tree.path(report.category_id)
    leaf = _category_node(path[-1], shape)
    if _applies(shape.unknown_category_every, report):
        leaf |= {
            "id": report.category_id + UNKNOWN_CATEGORY_OFFSET,
            "nameFr": "Catégorie récente",
            "nameNl": "Recente categorie",
        }
    parent = _category_node(path[-2], shape) if len(path) > 1 else None
    match shape.nested_category:
        case "parent":
            return leaf | {"category": parent}
        case "leaf":
            return (parent or leaf) | {"category": leaf}
        case "absent":
            return leaf


def _department_json(department: Department, shape: Shape) -> dict[str, Any]:
    return {
        "id": department.id,
        **_names(department.fr, department.nl, department.en, shape),
        "contact": {"emailAddress": department.email, "phoneNumber": department.phone},
    }


def _coordinates(report: Report, shape: Shape) -> dict[str, Any]:
    if report.point is not None and not _applies(shape.no_coordinates_every, report):
        return {"coordinates": {"x": report.point[0], "y": report.point[1]}}
    match shape.no_coordinates_as:
        case "null numbers":
            return {"coordinates": {"x": None, "y": None}}
        case "null object":
            return {"coordinates": None}
        case "absent":
            return {}


def incident_json(report: Report, world: World, base: str, *, detail: bool) -> dict[str, Any]:
    """One incident; `base` is the path of the door, for its link."""
    shape = world.shape
    street = report.address.street
    organisation = report.department.organisation

    def text(moment: Any) -> str | None:
        return None if moment is None else times.generation_2_text(moment, shape.dates, shape.precision)

    incident: dict[str, Any] = {
        "id": report.id,
        "status": status_text(report, shape),
        "creationDate": text(report.created_at),
        shape.updated_name_in_detail if detail else shape.updated_name_in_list: text(report.modified_at),
        "closedDate": text(report.closed_at),
        "duplicates": report.duplicates,
        "declaredResolved": report.status.name == "SOLVED",
        "severalOccurrence": report.several_occurrences,
        "thirdParty": report.third_party_responsibility,
        "privateLocation": report.private_property,
        "visibility": "PRIVATE" if report.private else "PUBLIC",
        "location": {
            **_coordinates(report, shape),
            "address": {
                "streetNameFr": street.fr,
                "streetNameNl": street.nl,
                "streetNumber": report.address.number,
                "postalCode": street.postal_code,
                "addressType": "REGIONAL" if street.regional else "MUNICIPALITY",
            },
        },
        "category": category_json(report, world),
        "responsibleOrganisation": {
            "id": organisation.id,
            **_names(organisation.fr, organisation.nl, organisation.en, shape),
            "type": organisation.type,
        },
        "responsibleDepartment": _department_json(report.department, shape),
        "_links": {"self": {"href": f"{base}/incidents/{report.id}"}},
    }
    if detail and report.merged_with is not None:
        incident["mergedWith"] = report.merged_with
    if shape.unknown_field:
        incident["weatherAtCreation"] = {"code": "RAIN", "celsius": 9.5}
    return incident
