"""What every ledger promises, whatever database it lives in; the promises themselves stand in ``ledger_promises``."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.contract.ledger_promises.accepting import AcceptingPromises
from tests.contract.ledger_promises.blocking import BlockingPromises
from tests.contract.ledger_promises.lanes import LanePromises
from tests.contract.ledger_promises.migrating import MigratingPromises
from tests.contract.ledger_promises.operating import OperatingPromises
from tests.contract.ledger_promises.polling import PollingPromises
from tests.contract.ledger_promises.sweeping import SweepingPromises
from tests.contract.ledger_world import World, a_world


class LedgerContract(
    AcceptingPromises,
    LanePromises,
    BlockingPromises,
    PollingPromises,
    SweepingPromises,
    OperatingPromises,
    MigratingPromises,
):
    """Inherit it, and give the fixture ``empty_url``: the address of a database with nothing in it."""

    @pytest_asyncio.fixture
    async def world(self, empty_url: str) -> AsyncIterator[World]:
        async with a_world(empty_url) as world:
            yield world
