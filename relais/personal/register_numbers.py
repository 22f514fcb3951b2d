"""National register numbers are masked before a body is kept, unless an authorisation is named."""

import re
from collections.abc import Callable
from typing import Final

_HEX: Final = rb"[0-9a-fA-F]"
# Looking back comes after two digits, because a search for digits is fast and a search for what is before them is not.
# No part of a longer number, of a fraction, of a telephone number behind its plus; an escape of JSON may end in digits.
_BEFORE: Final = rb"(?:(?<![\d.+]\d\d)|(?<=\\u%b{4}\d\d))" % _HEX
# An escape of JSON is one character, and no number begins within it.
_OUTSIDE: Final = b"".join(rb"(?<!\\u%b\d\d)" % (_HEX * digits) for digits in range(4))
# Eleven digits, bare or in the usual groups 00.00.00-000.00.
_CANDIDATE: Final = re.compile(
    rb"(\d{2})(?=([ .-]?)(\d{2})\2(\d{2})([ .-]?)(\d{3})([ .-]?)(\d{2})(?!\d))"
    + _BEFORE
    + _OUTSIDE
    + rb"\2\3\2\4\5\6\7\8"
)
# Most bodies hold no eleven digits with nothing but separators between them, which costs far less to find out.
_TO_NOUGHTS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_SEPARATORS: Final = b" .-"
_ELEVEN: Final = b"0" * 11


def mask_register_numbers(body: bytes) -> bytes:
    """The body with each national register number replaced by nines of the same length.

    A number counts as one when it has eleven digits, a possible month and day, and the right check digits (97 minus
    the rest of the first nine by 97, with a leading 2 for births from 2000 on; Royal Decree of 3 April 1984).
    """
    if _ELEVEN not in body.translate(_TO_NOUGHTS, _SEPARATORS) or not _CANDIDATE.search(body):
        return body
    return _CANDIDATE.sub(_masked, body)


def masking(authorisation: str | None) -> Callable[[bytes], bytes]:
    """The function that cleans bodies: none at all where an authorisation to keep the numbers is named."""
    return mask_register_numbers if not authorisation else lambda body: body


def _masked(found: "re.Match[bytes]") -> bytes:
    year, _, month, day, _, serial, _, check = found.groups()
    # foreigners' numbers add 20 or 40 to the month
    if int(month) % 20 > 12 or int(day) > 31:
        return found.group()
    first_nine = int(year + month + day + serial)
    expected = int(check)
    if expected not in (97 - first_nine % 97, 97 - (2_000_000_000 + first_nine) % 97):
        return found.group()
    # nines, not zeros: a JSON number may not begin with a zero, and no date has a month 99
    return re.sub(rb"\d", b"9", found.group())
