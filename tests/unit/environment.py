"""The environment of a process of ours, as a test wants it."""

import os
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]

ENOUGH: Final = {
    "RELAIS_FIXMYSTREET_CONSUMER_KEY": "a-key",
    "RELAIS_FIXMYSTREET_CONSUMER_SECRET": "a-secret",
    "RELAIS_FIXMYSTREET_WEBHOOK_SIGNATURE_KEY": "a-signature-key",
    "RELAIS_FIXMYSTREET_SINCE": "2026-01-01",
    "RELAIS_FIXMYSTREET_MUNICIPALITIES": "1000,1020",
    "RELAIS_CRM_CMT_BASE_URL": "https://crm.example",
    "RELAIS_CRM_CMT_TOKEN": "a-token",
}
"""The least that has to be said before the program starts."""


def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget every variable of ours that whoever runs the tests has set."""
    for name in os.environ:
        if name.upper().startswith("RELAIS_"):
            monkeypatch.delenv(name)
