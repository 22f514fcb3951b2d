"""Texts from outside, made fit to be kept."""

import re
from typing import Final

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """The text without NUL and half surrogate pairs, which databases refuse."""
    return _UNSTORABLE.sub("\ufffd", text)
