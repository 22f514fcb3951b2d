"""Wrong settings stop the start and name the field."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.crm_cmt.settings import CrmCmtSettings
from tests.unit.crm_cmt.world import a_sink, some_settings


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"base_url": None}, "base_url"),
        ({"base_url": "crm.brussels"}, "base_url"),
        ({"base_url": "https://name:secretword@crm.brussels"}, "base_url"),
        ({"base_url": "https://crm.brussels/?key=secretword"}, "base_url"),
        ({"token": ""}, "token"),
        ({"token": "two secretword"}, "token"),
        ({"token": "secretword\r\nX-Header: 1"}, "token"),
        ({"token": "secretwörd"}, "token"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 101}, "batch_size"),
        ({"concurrency": 0}, "concurrency"),
        ({"settles_after_seconds": -1}, "settles_after_seconds"),
        ({"response_limit_bytes": 10}, "response_limit_bytes"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_setting_is_named_and_not_repeated(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as raised:
        some_settings(**changed)
    assert named in str(raised.value)
    assert "secretw" not in str(raised.value)


def test_every_setting_is_described() -> None:
    assert [name for name, field in CrmCmtSettings.model_fields.items() if not field.description] == []


def test_the_token_is_not_shown() -> None:
    assert "word-of-access" not in repr(some_settings())


async def test_the_settings_are_what_the_sink_says_it_can_do() -> None:
    async with a_sink(batch_size=1, concurrency=3, timeout_seconds=2.5, settles_after_seconds=4) as (sink, _):
        can = sink.capabilities
    assert (can.batch_size, can.concurrency) == (1, 3)
    assert can.request_timeout == timedelta(seconds=2.5)
    assert can.settles_after == timedelta(seconds=4)
    assert sink.name == "crm_cmt"
