"""The closed lists and limits of the intake, and the case types that its administrators set up."""

from typing import Final

STATUSES: Final = ("received", "accepted", "in_progress", "planned", "resolved", "closed", "refused", "removed")
PRIORITIES: Final = ("low", "normal", "high", "urgent")
LANGUAGES: Final = ("fr", "nl", "de", "en")
VISIBILITIES: Final = ("internal", "public")

MAX_BATCH: Final = 100
MAX_REFERENCES: Final = 100
MAX_BYTES: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 64
MAX_INVALID_PARAMS: Final = 50

CASE_TYPES: Final = {
    "abandoned-vehicle": ("Véhicule abandonné", "Achtergelaten voertuig"),
    "accessibility": ("Accessibilité de l'espace public", "Toegankelijkheid van de openbare ruimte"),
    "fountain": ("Fontaine", "Fontein"),
    "graffiti": ("Graffiti", "Graffiti"),
    "green-spaces": ("Espaces verts", "Groene ruimten"),
    "lighting": ("Éclairage public", "Openbare verlichting"),
    "monument": ("Monument", "Monument"),
    "public-cleanliness": ("Propreté publique", "Openbare netheid"),
    "road-surface": ("Revêtement de la voirie", "Wegdek"),
    "sewer": ("Avaloirs et taques", "Straatkolken en deksels"),
    "signage": ("Signalisation", "Signalisatie"),
    "street-furniture": ("Mobilier urbain", "Stadsmeubilair"),
    "to-be-classified": ("À classer", "Nog te klasseren"),
}
"""What a fresh intake knows, with its French and Dutch name; a stand-in is told others with ``--case-types``."""
