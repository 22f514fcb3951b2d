"""Bringing a ledger to the revision that this program knows, under a lock."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from relais.ledger.database import Database

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x52454C41  # "RELA": any number that no other program takes as its advisory lock


class LedgerRevisionError(Exception):
    """The ledger is at a revision that this program does not know how to use."""

    def __init__(self, *, found: str | None, wanted: str) -> None:
        super().__init__(f"the ledger is at revision {found or 'none'}, needed is {wanted}: run 'relais migrate'")
        self.found = found
        self.wanted = wanted


def revision_wanted() -> str:
    """The revision that this program uses."""
    head = _scripts().get_current_head()
    if head is None:
        raise FileNotFoundError("the ledger's migrations are missing from the installation")
    return head


async def revision_of(database: Database) -> str | None:
    """The revision of a ledger; None for an empty database."""
    return await database.run_sync(_revision)


async def migrate(database: Database) -> tuple[str | None, str]:
    """Bring the ledger to the newest revision; from which one, to which one. Safe to run twice or side by side.

    All of it or nothing. Raises LedgerRevisionError for a revision that this program does not know, LedgerAwayError.
    """
    return await database.run_sync(_upgrade)


def _revision(connection: Connection) -> str | None:
    with connection.begin():
        return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    wanted = revision_wanted()
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    with connection.begin():
        if connection.dialect.name == "postgresql":
            # it ends with the transaction, however that ends
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        before = MigrationContext.configure(connection).get_current_revision()
        if before is not None and before not in {script.revision for script in _scripts().walk_revisions()}:
            raise LedgerRevisionError(found=before, wanted=wanted)
        command.upgrade(config, "head")
    return before, wanted


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_SCRIPTS))
