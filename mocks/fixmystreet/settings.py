"""How one stand-in is set up: its keys, its patience and the size of its world."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class WebhookTarget:
    """Where the city receives its requests: the source's `WebhookConfig` row; empty keys leave the headers out."""

    url: str
    signature_key: str = ""
    token: str = ""


@dataclass(frozen=True)
class Settings:
    """Values the command line sets; durations are in seconds."""

    public_url: str = "http://127.0.0.1:9001"
    consumer_key: str = "relais"
    consumer_secret: str = "consumer-secret"  # noqa: S105 an invented one, for a stand-in
    scope: str = ""
    standing_key: str = ""
    access_token_seconds: int = 3600
    hook_token: str = "hook-token"  # noqa: S105 likewise
    accept_delay_seconds: float = 0.0
    webhook_timeout_seconds: float | None = 30.0
    target: WebhookTarget | None = None
    seed: int = 1
    backlog: int = 60
    day: date = date(2026, 3, 10)
