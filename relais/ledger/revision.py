"""Which revision of the tables this program uses, and which one a ledger is at."""

from typing import Final

from sqlalchemy import Connection, inspect, text

from relais.ledger.database import Database

REVISION: Final = "0001"
"""The newest migration; a test holds it to the scripts, so that nobody needs to load the migration tool to know it."""


class LedgerRevisionError(Exception):
    """The ledger is at a revision that this program does not know how to use."""

    def __init__(self, *, found: str | None, wanted: str) -> None:
        super().__init__(f"the ledger is at revision {found or 'none'}, needed is {wanted}: run 'relais migrate'")
        self.found = found
        self.wanted = wanted


async def revision_of(database: Database) -> str | None:
    """The revision of a ledger; None for an empty database. Raises LedgerAwayError."""
    return await database.run_sync(_revision)


def _revision(connection: Connection) -> str | None:
    with connection.begin():
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return revision
