"""The ledger's promises on SQLite."""

from pathlib import Path

import pytest

from tests.contract.ledger_contract import LedgerContract


@pytest.fixture
def empty_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


class TestLedgerOnSqlite(LedgerContract):
    """Every promise of a ledger."""
