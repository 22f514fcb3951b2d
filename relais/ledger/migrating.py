"""Bringing a ledger to the revision that this program knows, under a lock."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from relais.ledger.database import Database
from relais.ledger.revision import REVISION, LedgerRevisionError

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x52454C41  # "RELA": any number that no other program takes as its advisory lock


class LedgerUnsuitableError(ValueError):
    """The database cannot hold a ledger, whatever its revision."""


async def migrate(database: Database) -> tuple[str | None, str]:
    """Bring the ledger to the newest revision; from which one, to which one. Safe to run twice or side by side.

    All of it or nothing. Raises LedgerRevisionError for a revision that this program does not know,
    LedgerUnsuitableError for a database whose texts are not UTF-8, LedgerAwayError.
    """
    return await database.run_sync(_upgrade)


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    with connection.begin():
        if connection.dialect.name == "postgresql":
            encoding = connection.execute(text("SHOW server_encoding")).scalar()
            if encoding != "UTF8":
                raise LedgerUnsuitableError(f"the database keeps texts as {encoding}, a ledger needs UTF8")
            # it ends with the transaction, however that ends
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        before = MigrationContext.configure(connection).get_current_revision()
        if before is not None and before not in {script.revision for script in scripts().walk_revisions()}:
            raise LedgerRevisionError(found=before, wanted=REVISION)
        command.upgrade(config, "head")
    return before, REVISION


def scripts() -> ScriptDirectory:
    """The migrations, newest first."""
    return ScriptDirectory(str(_SCRIPTS))
