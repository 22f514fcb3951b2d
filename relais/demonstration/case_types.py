"""Which case type somebody at the city would expect, by category: a small list of its own, independent of the rules."""

from collections.abc import Sequence
from typing import Final

TO_BE_CLASSIFIED: Final = "to-be-classified"

EXPECTED: Final = {
    "1001": "road-surface",
    "1002": "public-cleanliness",
    "1003": "sewer",
    "1004": "green-spaces",
    "1005": "signage",
    "1006": "lighting",
    "1007": "street-furniture",
    "1008": "fountain",
    "1010": "sewer",
    "1100": "monument",
    "5100": "abandoned-vehicle",
    "5200": "graffiti",
    "5400": "accessibility",
    # What stands elsewhere in the tree than where the city would look for it.
    "2204": "public-cleanliness",
    "3301": "public-cleanliness",
    "2311": "graffiti",
    "3031": "signage",
    "3310": "graffiti",
    "5600": "abandoned-vehicle",
}
"""The nearest of these on the way from a category to its root decides."""

UNPUBLISHED: Final = {"5911": "5910", "5921": "5920"}
"""Categories that occur in reports and in no catalogue, with their parents, which are in none either.

The lists tell both without saying which is the parent, so whoever reads them cannot know; nor can they know the root.
"""


def as_told(category: str) -> str:
    """A category by the name under which it can be compared: an unpublished one goes by its parent."""
    return UNPUBLISHED.get(category, category)


def expected_case_types(category_path: Sequence[str]) -> frozenset[str]:
    """The case types that fit a category, given as ids from the root to the leaf."""
    nearest = next((EXPECTED[step] for step in reversed(category_path) if step in EXPECTED), TO_BE_CLASSIFIED)
    return frozenset({nearest, TO_BE_CLASSIFIED} if UNPUBLISHED.keys() & set(category_path) else {nearest})
