"""Migrating: the migrations make the tables, twice or side by side is harmless, the unknown is refused."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from relais.ledger.database import open_database
from relais.ledger.ledger import open_ledger
from relais.ledger.migrating import migrate, scripts
from relais.ledger.revision import REVISION, LedgerRevisionError, revision_of
from relais.ledger.tables import metadata
from tests.contract.ledger_world import World, an_arrival, masked


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, metadata))


class MigratingPromises:
    async def test_the_migrations_make_the_tables(self, empty_url: str) -> None:
        database = open_database(empty_url)
        try:
            assert await revision_of(database) is None
            assert await migrate(database) == (None, REVISION)
            assert await database.run_sync(differences) == []
        finally:
            await database.close()

    async def test_the_revision_that_is_used_is_the_newest_migration(self) -> None:
        assert scripts().get_current_head() == REVISION

    async def test_migrating_again_changes_nothing(self, world: World) -> None:
        await world.accept(an_arrival())

        assert await migrate(world.ledger.database) == (REVISION, REVISION)

        assert (await world.ledger.stories.backlog()).accepted == 1

    async def test_several_migrate_side_by_side(self, empty_url: str) -> None:
        databases = [open_database(empty_url) for _ in range(3)]
        try:
            results = await asyncio.gather(*(migrate(database) for database in databases))
        finally:
            for database in databases:
                await database.close()

        assert sorted(before is None for before, _ in results) == [False, False, True]

    async def test_a_ledger_that_was_never_migrated_is_refused(self, empty_url: str) -> None:
        with pytest.raises(LedgerRevisionError) as refusal:
            async with open_ledger(empty_url, masked=masked):
                pass
        assert (refusal.value.found, refusal.value.wanted) == (None, REVISION)

    async def test_a_revision_that_nobody_knows_is_refused_and_left_alone(self, world: World) -> None:
        await world.sql("UPDATE alembic_version SET version_num = '9999'")

        with pytest.raises(LedgerRevisionError) as refusal:
            async with world.another():
                pass
        assert refusal.value.found == "9999"
        with pytest.raises(LedgerRevisionError):
            await migrate(world.ledger.database)
        assert await revision_of(world.ledger.database) == "9999"

    async def test_a_migration_that_failed_leaves_nothing_behind_and_can_be_repeated(self, empty_url: str) -> None:
        database, other = open_database(empty_url), open_database(empty_url)
        try:
            async with database.writing() as transaction:
                await transaction.run(text("CREATE TABLE sinks (in_the_way integer)"))
            with pytest.raises(Exception, match=r"sinks|ledger"):
                await migrate(database)
            assert await revision_of(other) is None
            async with other.writing() as transaction:
                await transaction.run(text("DROP TABLE sinks"))

            # by another process, while the one that failed still lives
            assert await migrate(other) == (None, REVISION)
        finally:
            await database.close()
            await other.close()

    async def test_a_ledger_makes_its_own_digest_key_once(self, world: World) -> None:
        digests = []
        for _ in range(2):
            async with open_ledger(world.url, masked=masked) as ledger:
                digests.append(ledger.acceptance.digest(b"x"))

        assert digests[0] == digests[1] != world.ledger.acceptance.digest(b"x")
