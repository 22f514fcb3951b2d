"""Signatures of pushed messages."""

import pytest

from connectors.kit.signature import is_same, is_signed, signature_of


def test_the_signature_is_the_one_of_the_published_test_case() -> None:
    """RFC 2202, HMAC-SHA1 case 2: key ``Jefe``; the digest effcdf6a... is given there in hexadecimal."""
    assert signature_of(b"what do ya want for nothing?", "Jefe", "sha1") == "7/zfauXrL6LSdBbV8YTfnCWafHk="


@pytest.mark.parametrize(
    ("body", "signature", "signed"),
    [
        (b"{}", signature_of(b"{}", "key", "sha1"), True),
        (b"{} ", signature_of(b"{}", "key", "sha1"), False),
        (b"{}", signature_of(b"{}", "other", "sha1"), False),
        (b"{}", signature_of(b"{}", "key", "sha256"), False),
        (b"{}", "", False),
        (b"{}", "é\udcff", False),
        (b"{}", None, False),
    ],
)
def test_only_the_signature_of_exactly_these_bytes_counts(body: bytes, signature: str | None, signed: bool) -> None:
    assert is_signed(body, signature, "key", "sha1") is signed


def test_a_token_is_compared_whole() -> None:
    assert is_same("Token abc", "Token abc")
    assert not is_same("Token ab", "Token abc")
    assert not is_same(None, "Token abc")
