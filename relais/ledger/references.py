"""The name of a case on the CRM's side, made from the name its source gives it."""

import re
from hashlib import sha256
from typing import Final

_ALLOWED: Final = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST: Final = 40
_DIGEST_DIGITS: Final = 16


def reference_for(key: str) -> str:
    """The reference of a case key: ``[A-Za-z0-9_-]{1,40}``, the same for ever, different for different keys.

    A key that fits keeps its words (``fixmystreet:123`` becomes ``fixmystreet-123``); any other ends in a digest of
    itself.
    """
    source, _, external_id = key.partition(":")
    plain = f"{source}-{external_id}"
    if len(plain) <= _LONGEST and not _ALLOWED.search(plain) and "-" not in source + external_id:
        return plain
    digest = sha256(key.encode()).hexdigest()[:_DIGEST_DIGITS]
    # two hyphens mark a reference that was shortened: a plain one never has them
    return f"{_ALLOWED.sub('_', plain)[: _LONGEST - _DIGEST_DIGITS - 2]}--{digest}"
