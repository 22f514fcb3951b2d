"""How labels of categories are compared: without case, accents or spacing."""

import unicodedata
from functools import lru_cache


@lru_cache(maxsize=8192)
def normalised(label: str) -> str:
    """The label as it is compared: ``Éclairage  public`` and ``eclairage public`` are the same."""
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", label) if not unicodedata.combining(mark))
    return " ".join(plain.casefold().split())
