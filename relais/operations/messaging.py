"""The broker as a human's command meets it: one short visit, which may fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import nats
import nats.errors
from nats.aio.client import Client

from schemas.channels import WAKE, WakeUp


@asynccontextmanager
async def open_visit(url: str, *, within: timedelta) -> AsyncIterator[Client]:
    """A connection to the broker for a moment; ``url`` may name several servers by commas.

    Raises OSError, TimeoutError or ``nats.errors.Error`` where it does not come about.
    """

    async def failed(_error: Exception) -> None:
        """The caller sees it by the exception; the library's own text may repeat an address with its password."""

    # the library tries again for ever unless it is told a number of tries, and 0 is none
    async with asyncio.timeout(within.total_seconds()):
        client = await nats.connect(
            url.split(","),
            name="relais operations",
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            error_cb=failed,
        )
    try:
        yield client
    finally:
        await client.close()


async def wake_workers(url: str, count: int, *, within: timedelta = timedelta(seconds=2)) -> bool:
    """Tell running workers that cases are ready; whether the broker was told. They look by themselves anyway."""
    try:
        async with open_visit(url, within=within) as client:
            await client.publish(WAKE.address, WakeUp(count=count).model_dump_json().encode())
            await client.flush(timeout=max(1, int(within.total_seconds())))
    except (nats.errors.Error, OSError, TimeoutError):
        return False
    return True
