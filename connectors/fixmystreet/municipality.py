"""The nineteen municipalities of the Brussels Region, by postal code."""

from functools import cache
from typing import Final

from connectors.fixmystreet.remarks import Remarks
from schemas.text import Localised

NAMES: Final = {
    # NIS codes and names as in Statbel's REFNIS.
    "21001": ("Anderlecht", "Anderlecht"),
    "21002": ("Auderghem", "Oudergem"),
    "21003": ("Berchem-Sainte-Agathe", "Sint-Agatha-Berchem"),
    "21004": ("Bruxelles", "Brussel"),
    "21005": ("Etterbeek", "Etterbeek"),
    "21006": ("Evere", "Evere"),
    "21007": ("Forest", "Vorst"),
    "21008": ("Ganshoren", "Ganshoren"),
    "21009": ("Ixelles", "Elsene"),
    "21010": ("Jette", "Jette"),
    "21011": ("Koekelberg", "Koekelberg"),
    "21012": ("Molenbeek-Saint-Jean", "Sint-Jans-Molenbeek"),
    "21013": ("Saint-Gilles", "Sint-Gillis"),
    "21014": ("Saint-Josse-ten-Noode", "Sint-Joost-ten-Node"),
    "21015": ("Schaerbeek", "Schaarbeek"),
    "21016": ("Uccle", "Ukkel"),
    "21017": ("Watermael-Boitsfort", "Watermaal-Bosvoorde"),
    "21018": ("Woluwe-Saint-Lambert", "Sint-Lambrechts-Woluwe"),
    "21019": ("Woluwe-Saint-Pierre", "Sint-Pieters-Woluwe"),
}

CANDIDATES: Final = {
    # The first is the municipality that the code is known for. The City of Brussels reaches into 1040 (European
    # quarter) and 1050 (avenue Louise), so there the code alone does not decide.
    "1000": ("21004",),
    "1020": ("21004",),
    "1030": ("21015",),
    "1040": ("21005", "21004"),
    "1050": ("21009", "21004"),
    "1060": ("21013",),
    "1070": ("21001",),
    "1080": ("21012",),
    "1081": ("21011",),
    "1082": ("21003",),
    "1083": ("21008",),
    "1090": ("21010",),
    "1120": ("21004",),
    "1130": ("21004",),
    "1140": ("21006",),
    "1150": ("21019",),
    "1160": ("21002",),
    "1170": ("21017",),
    "1180": ("21016",),
    "1190": ("21007",),
    "1200": ("21018",),
    "1210": ("21014",),
}


def nis_code_of(postal_code: str | None, said: Localised | None, remarks: Remarks) -> str | None:
    """The municipality's NIS code: by postal code, and by the name that was ``said`` where the code is shared."""
    if not postal_code:
        return None
    candidates = CANDIDATES.get(postal_code, ())
    if not candidates:
        remarks.add("postal_code_unknown", "place.address.postal_code")
        return None
    if len(candidates) == 1:
        return candidates[0]
    by_name = [code for code in candidates if said and _names(said) & _names(name_of(code))]
    if len(by_name) == 1:
        return by_name[0]
    remarks.add("postal_code_shared", "place.address.nis_code")
    return candidates[0]


@cache
def name_of(nis_code: str) -> Localised:
    """The name of a municipality in both languages."""
    fr, nl = NAMES[nis_code]
    return Localised(fr=fr, nl=nl)


def _names(name: Localised) -> set[str]:
    return {text.strip().casefold() for text in (name.fr, name.nl) if text}
