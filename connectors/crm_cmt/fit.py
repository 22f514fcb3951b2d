"""What the contract has room for: texts are shortened, values that do not fit are left out, and remarks say so."""

import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from schemas.text import Localised

SHORT_TEXT: Final = 300
LONG_TEXT: Final = 20_000
NAME: Final = 200

_LANGUAGES: Final = ("fr", "nl", "de", "en")
_ADDRESS: Final = re.compile(r"https?://[!-~]+")
_LONGEST_ADDRESS: Final = 2000
_NO_WORD: Final = re.compile(r"[^a-z0-9_.-]")

_Item = TypeVar("_Item")


class Fitting:
    """Makes facts fit, and keeps a remark for whatever did not fit as it was.

    The steps of a path are those of the contract (``people``, 0, ``email``).
    """

    def __init__(self) -> None:
        self.remarks: list[dict[str, Any]] = []

    def text(self, text: str | None, limit: int, *path: str | int) -> str | None:
        """The text, its end cut off where it is too long; None for an empty one."""
        text = _sayable(text)
        if text is None or len(text) <= limit:
            return text
        self.remark("text_cut", *path)
        return text[: limit - 1] + "…"

    def value(self, value: str | None, limit: int, *path: str | int) -> str | None:
        """A value that half of would be wrong: whole or not at all; None for an empty one."""
        value = _sayable(value)
        if value is None or len(value) <= limit:
            return value
        self.remark("value_left_out", *path)
        return None

    def texts(self, texts: Localised | None, limit: int, *path: str | int) -> dict[str, Any] | None:
        """A text by language, languages without one left out; None when there is none at all."""
        if texts is None:
            return None
        fitting = {}
        for language in _LANGUAGES:
            text = getattr(texts, language)
            # Nearly every text fits as it is; only the others are worth a closer look.
            if text and (len(text) > limit or "\x00" in text):
                text = self.text(text, limit, *path, language)
            if text:
                fitting[language] = text
        return fitting or None

    def items(self, items: Sequence[_Item], limit: int, *path: str | int) -> Sequence[_Item]:
        """The first of them, as many as there is room for."""
        if len(items) <= limit:
            return items
        self.remark("list_cut", *path)
        return items[:limit]

    def remark(self, code: str, *path: str | int) -> None:
        """Say that something about a field is remarkable."""
        self.remarks.append({"code": code, "field": ".".join(map(str, path))})


def beginning(text: str | None, limit: int) -> str | None:
    """As much of a text as there is room for, without a remark; None for an empty one."""
    text = _sayable(text)
    return text and text[:limit]


def known(**members: Any) -> dict[str, Any] | None:
    """An object of the members that are known; None when none is."""
    found = {name: value for name, value in members.items() if value is not None}
    return found or None


def moment(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return None if moment is None else moment.isoformat()[:-6] + "Z"


def spelled(value: StrEnum | None) -> str | None:
    """A word of our vocabulary as plain text, which is written far faster than the member of an enumeration."""
    return None if value is None else value.value


def word(text: str) -> str:
    """The text as a word of an open vocabulary."""
    return _NO_WORD.sub("_", text.lower()).lstrip("_.-")[:64] or "other"


def is_address(text: str) -> bool:
    """Whether it is an http or https address as the contract takes it."""
    return len(text) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


def _sayable(text: str | None) -> str | None:
    """The text without NUL, which the contract refuses; None for an empty one."""
    return text.replace("\x00", "") or None if text else None
