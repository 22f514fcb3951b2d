"""What the tests of the runtime may ask for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.runtime.polling_world import Street, a_street


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    async with a_street(f"sqlite:///{tmp_path / 'ledger.db'}") as street:
        yield street
