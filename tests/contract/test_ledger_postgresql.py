"""The ledger's promises on PostgreSQL."""

import pytest

from tests.contract.ledger_contract import LedgerContract

pytestmark = pytest.mark.postgres


@pytest.fixture
def empty_url(postgresql_url: str) -> str:
    return postgresql_url


class TestLedgerOnPostgresql(LedgerContract):
    """Every promise of a ledger."""
