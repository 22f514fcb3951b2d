"""Streets, municipalities and the organisations that answer for them."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Organisation:
    """Who is responsible; ids 1 to 25 exist in the first generation, which commune has which id is a guess."""

    id: int
    fr: str
    nl: str
    en: str
    type: str


@dataclass(frozen=True)
class Department:
    """The group inside an organisation that holds a report; a third party of the webhooks is one of them."""

    id: int
    organisation: Organisation
    fr: str
    nl: str
    en: str
    email: str
    phone: str


@dataclass(frozen=True)
class Street:
    """A stretch of street in one postal code; x and y are a point near it in Lambert 72 metres."""

    postal_code: str
    fr: str
    nl: str
    x: int
    y: int
    regional: bool


MUNICIPALITIES: dict[str, tuple[int, str, str, str]] = {
    "1000": (4, "Bruxelles", "Brussel", "Brussels"),
    "1020": (4, "Bruxelles", "Brussel", "Brussels"),
    "1120": (4, "Bruxelles", "Brussel", "Brussels"),
    "1130": (4, "Bruxelles", "Brussel", "Brussels"),
    "1030": (15, "Schaerbeek", "Schaarbeek", "Schaerbeek"),
    "1040": (5, "Etterbeek", "Etterbeek", "Etterbeek"),
    "1050": (9, "Ixelles", "Elsene", "Ixelles"),
    "1060": (13, "Saint-Gilles", "Sint-Gillis", "Saint-Gilles"),
    "1070": (1, "Anderlecht", "Anderlecht", "Anderlecht"),
    "1080": (12, "Molenbeek-Saint-Jean", "Sint-Jans-Molenbeek", "Molenbeek-Saint-Jean"),
    "1081": (11, "Koekelberg", "Koekelberg", "Koekelberg"),
    "1082": (3, "Berchem-Sainte-Agathe", "Sint-Agatha-Berchem", "Berchem-Sainte-Agathe"),
    "1083": (8, "Ganshoren", "Ganshoren", "Ganshoren"),
    "1090": (10, "Jette", "Jette", "Jette"),
    "1140": (6, "Evere", "Evere", "Evere"),
    "1150": (19, "Woluwe-Saint-Pierre", "Sint-Pieters-Woluwe", "Woluwe-Saint-Pierre"),
    "1160": (2, "Auderghem", "Oudergem", "Auderghem"),
    "1170": (17, "Watermael-Boitsfort", "Watermaal-Bosvoorde", "Watermael-Boitsfort"),
    "1180": (16, "Uccle", "Ukkel", "Uccle"),
    "1190": (7, "Forest", "Vorst", "Forest"),
    "1200": (18, "Woluwe-Saint-Lambert", "Sint-Lambrechts-Woluwe", "Woluwe-Saint-Lambert"),
    "1210": (14, "Saint-Josse-ten-Noode", "Sint-Joost-ten-Node", "Saint-Josse-ten-Noode"),
}
CITY_POSTAL_CODES = ("1000", "1020", "1120", "1130")

CLEANLINESS_AGENCY = Organisation(23, "Bruxelles-Propreté", "Net Brussel", "Bruxelles-Propreté", "REGIONAL")
MOBILITY = Organisation(25, "Bruxelles Mobilité", "Brussel Mobiliteit", "Brussels Mobility", "REGIONAL")


def _department(department_id: int, organisation: Organisation, fr: str, nl: str, en: str) -> Department:
    phone = f"02 000 {department_id // 100 % 100:02d} {department_id % 100:02d}"
    return Department(department_id, organisation, fr, nl, en, f"service{department_id}@example.org", phone)


def commune(postal_code: str) -> Organisation:
    """The municipality of a postal code."""
    organisation_id, fr, nl, en = MUNICIPALITIES[postal_code]
    return Organisation(organisation_id, fr, nl, en, "MUNICIPALITY")


CITY_CRM = _department(
    9100,
    commune("1000"),
    "Ville de Bruxelles, gestion des demandes",
    "Stad Brussel, beheer van aanvragen",
    "City of Brussels, case handling",
)
CITY_COORDINATION = _department(9101, commune("1000"), "Coordination", "Coördinatie", "Coordination")
AGENCY_DISPATCH = _department(
    9230, CLEANLINESS_AGENCY, "Dispatching propreté", "Dispatching netheid", "Cleanliness dispatching"
)
MOBILITY_DISPATCH = _department(9250, MOBILITY, "Voiries régionales", "Gewestwegen", "Regional roads")

DEPARTMENTS: dict[int, Department] = {
    department.id: department
    for department in (
        CITY_CRM,
        CITY_COORDINATION,
        AGENCY_DISPATCH,
        MOBILITY_DISPATCH,
        *(
            _department(
                9000 + MUNICIPALITIES[code][0], commune(code), "Travaux publics", "Openbare werken", "Public works"
            )
            for code in MUNICIPALITIES
            if code not in CITY_POSTAL_CODES
        ),
    )
}


def commune_department(postal_code: str) -> Department:
    """Where a municipality takes in what is reported on its own streets."""
    if postal_code in CITY_POSTAL_CODES:
        return CITY_COORDINATION
    return DEPARTMENTS[9000 + MUNICIPALITIES[postal_code][0]]


@cache
def known_streets() -> tuple[Street, ...]:
    """The streets of streets.json."""
    rows: list[dict[str, Any]] = json.loads(Path(__file__).with_name("streets.json").read_text("utf-8"))
    return tuple(Street(**row) for row in rows)
