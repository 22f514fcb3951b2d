"""Wrong settings stop the start and name the field."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.fixmystreet.settings import FixMyStreetSettings
from tests.unit.fixmystreet.world import SITE, some_settings


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"since": None}, "since"),
        ({"municipalities": ()}, "municipalities"),
        ({"municipalities": "1000,brussels"}, "municipalities"),
        ({"webhook_signature_key": ""}, "webhook_signature_key"),
        ({"access": "door"}, "access"),
        ({"access": "gateway", "consumer_secret": "word"}, "consumer_key"),
        ({"access": "gateway", "consumer_key": "key"}, "consumer_secret"),
        ({"base_url": "https://api.brussels/api/fixmystreet/1.0.0/"}, "base_url"),
        ({"base_url": "fixmystreet.brussels"}, "base_url"),
        ({"base_url": "https://name:word@fixmystreet.brussels"}, "base_url"),
        ({"base_url": "https://fixmystreet.brussels/api?key=1"}, "base_url"),
        ({"page_size": 0}, "page_size"),
        ({"rate_per_second": 0}, "rate_per_second"),
        ({"recent_every": "PT0S"}, "recent_every"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_setting_is_named_and_not_repeated(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as raised:
        some_settings(**changed)
    assert named in str(raised.value)
    assert "word" not in str(raised.value).replace("password", "")


def test_from_which_day_and_for_whom_are_required() -> None:
    with pytest.raises(ValidationError) as raised:
        FixMyStreetSettings.model_validate({"access": "site", "base_url": SITE, "webhook_signature_key": "key"})
    assert {error["loc"] for error in raised.value.errors()} == {("since",), ("municipalities",)}


def test_texts_from_the_environment_are_read() -> None:
    settings = some_settings(since="2026-05-01", municipalities="1000, 1020,1120", base_url="https://site.example/api/")
    assert settings.since == date(2026, 5, 1)
    assert settings.municipalities == ("1000", "1020", "1120")
    assert settings.base_url == "https://site.example/api"


def test_secrets_are_not_shown() -> None:
    assert "signature-key" not in repr(some_settings())


def test_every_setting_is_described() -> None:
    assert all(field.description for field in FixMyStreetSettings.model_fields.values())
