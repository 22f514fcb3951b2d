"""What tests of operations may ask for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.unit.operations.world import Desk, a_desk


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A ledger for this test alone."""
    async with a_desk(f"sqlite:///{tmp_path / 'ledger.db'}") as desk:
        yield desk
