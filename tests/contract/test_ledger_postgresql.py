"""The ledger's promises on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from relais.ledger.database import open_database
from relais.ledger.migrating import LedgerUnsuitableError, migrate
from relais.ledger.revision import REVISION, revision_of
from relais.ledger.tables import metadata
from tests.contract.ledger_contract import LedgerContract
from tests.contract.ledger_world import START_MS, World, prepare, prepared_world
from tests.services.postgresql import PostgresqlServer

pytestmark = pytest.mark.postgres


@pytest.fixture
def empty_url(postgresql_url: str) -> str:
    return postgresql_url


@pytest.fixture(scope="module")
def shared_url(postgresql_server: PostgresqlServer) -> str:
    """One ledger for all promises: emptying it is ten times quicker than making it."""

    async def make() -> str:
        url = postgresql_server.url_of(await postgresql_server.create_database())
        await prepare(url)
        return url

    return asyncio.run(make())


async def _empty(url: str) -> None:
    tables = ", ".join(table.name for table in metadata.sorted_tables)
    database = open_database(url)
    try:
        async with database.writing() as transaction:
            await transaction.run(text(f"TRUNCATE {tables}"))
            await transaction.run(text("UPDATE test_clock SET ms = :ms"), {"ms": START_MS})
            await transaction.run(text("UPDATE alembic_version SET version_num = :wanted"), {"wanted": REVISION})
    finally:
        await database.close()


class TestLedgerOnPostgresql(LedgerContract):
    """Every promise of a ledger."""

    @pytest_asyncio.fixture
    async def world(self, shared_url: str) -> AsyncIterator[World]:
        await _empty(shared_url)
        async with prepared_world(shared_url) as world:
            yield world


async def test_a_database_that_does_not_keep_utf_8_is_refused(postgresql_server: PostgresqlServer) -> None:
    database = open_database(postgresql_server.url_of(await postgresql_server.create_database(encoding="LATIN1")))
    try:
        with pytest.raises(LedgerUnsuitableError, match="LATIN1"):
            await migrate(database)
        assert await revision_of(database) is None
    finally:
        await database.close()


async def test_a_fault_of_ours_is_not_taken_for_an_absent_ledger(shared_url: str) -> None:
    database = open_database(shared_url)
    try:
        with pytest.raises(DBAPIError):
            async with database.writing() as transaction:
                await transaction.rows(text("SELECT convert_from(decode('ff', 'hex'), 'UTF8')"))
    finally:
        await database.close()
