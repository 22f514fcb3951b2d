"""Workers are woken where there is a broker, and nobody minds where there is none."""

from datetime import timedelta

import nats

from relais.operations.messaging import wake_workers
from schemas.channels import WAKE, WakeUp


async def test_running_workers_hear_of_what_came(nats_url: str) -> None:
    client = await nats.connect(nats_url)
    try:
        subscription = await client.subscribe(WAKE.address)
        await client.flush()
        assert await wake_workers(nats_url, 7)
        heard = await subscription.next_msg(timeout=5)
    finally:
        await client.close()
    assert WakeUp.model_validate_json(heard.data) == WakeUp(count=7)


async def test_a_broker_that_is_away_is_no_fault() -> None:
    assert not await wake_workers("nats://127.0.0.1:1", 7, within=timedelta(seconds=1))
