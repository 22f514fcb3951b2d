"""Signatures and tokens of pushed messages, compared in constant time."""

import base64
import hashlib
import hmac
from typing import Literal

Algorithm = Literal["sha1", "sha256", "sha512"]


def signature_of(body: bytes, key: str, algorithm: Algorithm) -> str:
    """HMAC of the raw bytes under the key, in base64 (RFC 2104, RFC 4648)."""
    return base64.b64encode(hmac.digest(key.encode(), body, getattr(hashlib, algorithm))).decode("ascii")


def is_signed(body: bytes, signature: str | None, key: str, algorithm: Algorithm) -> bool:
    """Whether ``signature`` is the one of exactly these bytes; no signature is a wrong one."""
    return is_same(signature, signature_of(body, key, algorithm))


def is_same(given: str | None, secret: str) -> bool:
    """Whether a secret was given right, in a time that does not tell where it differs."""
    return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode("utf-8"))
