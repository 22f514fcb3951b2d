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

CASE_TYPES: Final = ("cleanliness", "green_space", "lighting", "road", "to_be_classified")
"""What a fresh intake knows; a stand-in is told others with ``--case-types``."""
