"""The door that Fix My Street pushes to."""

from collections.abc import Mapping
from typing import Any

from connectors.fixmystreet.naming import WEBHOOK, arrival_of
from connectors.fixmystreet.settings import FixMyStreetSettings
from connectors.kit.ports import Arrival, UnauthenticatedError
from connectors.kit.signature import is_same, is_signed


class ReportWebhook:
    """Requests to take over a report: signed over the raw bytes, with a token beside it where one was agreed."""

    def __init__(self, settings: FixMyStreetSettings) -> None:
        self._settings = settings

    @property
    def door(self) -> str:
        return WEBHOOK

    @property
    def body_limit(self) -> int:
        return self._settings.body_limit

    def authenticate(self, headers: Mapping[str, str], body: bytes) -> None:
        key = self._settings.webhook_signature_key.get_secret_value()
        signed = is_signed(body, headers.get("x-fms-signature"), key, "sha1")
        token = self._settings.webhook_token
        known = token is None or is_same(headers.get("authorization"), f"Token {token.get_secret_value()}")
        # Both are looked at before either answer is given, so that the time tells nothing.
        if not (signed and known):
            raise UnauthenticatedError("the signature or the token is wrong")

    def arrival(self, document: Any, body: bytes) -> Arrival:
        return arrival_of(document, body)
