"""Opening the ledger for a human's question, and who that human is."""

import getpass
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from relais.ledger.database import LedgerAwayError, open_database
from relais.ledger.ledger import Ledger, ledger_over
from relais.ledger.revision import LedgerRevisionError
from relais.personal.register_numbers import masking
from relais.settings import PREFIX, Settings


class UnavailableError(Exception):
    """What was asked cannot be done now. The message is one line for a human, without a secret."""


@asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[Ledger]:
    """The configured ledger, open until the end of the block. Nothing is migrated and no file is made.

    Raises UnavailableError where it cannot be reached or used, also when that happens inside the block.
    """
    url = settings.ledger_url.get_secret_value()
    file = ledger_file(url)
    if file is not None and not file.is_file():
        raise UnavailableError(f"there is no ledger at {file} yet: run 'relais migrate' or 'relais run'")
    key = settings.digest_key.get_secret_value().encode() if settings.digest_key else None
    try:
        database = open_database(url)
    except ValueError as error:
        raise UnavailableError(f"{PREFIX}LEDGER_URL: {error}") from None
    try:
        yield await ledger_over(database, masked=masking(settings.register_number_authorisation), digest_key=key)
    except (LedgerAwayError, LedgerRevisionError) as error:
        raise UnavailableError(str(error)) from error
    finally:
        await database.close()


def ledger_file(url: str) -> Path | None:
    """The file that an address of a ledger names; None for one that is no file."""
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        return None
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def operator_here() -> str:
    """Who sits at this machine, as the audit trail names them: ``user@host``."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number that has no name
        user = f"uid-{os.getuid()}"
    return f"{user[:40]}@{socket.gethostname()[:39]}"
