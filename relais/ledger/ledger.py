"""The ledger as the rest of the engine holds it: one object, one part for each subject."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import text

from relais.ledger.accepting import Acceptance
from relais.ledger.announcing import Feeds
from relais.ledger.audit import AuditTrail
from relais.ledger.database import Database, open_database
from relais.ledger.lanes import Lanes
from relais.ledger.polling import Polls
from relais.ledger.revision import REVISION, LedgerRevisionError, revision_of
from relais.ledger.sinks import SinkStates
from relais.ledger.stories import Stories


@dataclass(frozen=True, slots=True)
class Ledger:
    """The parts of an open ledger, all over one database."""

    database: Database
    acceptance: Acceptance
    lanes: Lanes
    polls: Polls
    feeds: Feeds
    sinks: SinkStates
    stories: Stories
    audit: AuditTrail


@asynccontextmanager
async def open_ledger(
    url: str,
    *,
    masked: Callable[[bytes], bytes],
    digest_key: bytes | None = None,
    now: str | None = None,
) -> AsyncIterator[Ledger]:
    """Open a migrated ledger and close it at the end.

    ``digest_key`` keys the content digests; without one the ledger makes its own at the first opening and keeps it.
    Raises LedgerAwayError where it cannot be reached, LedgerRevisionError where its revision is not the one we know.
    """
    database = open_database(url, now=now)
    try:
        yield await ledger_over(database, masked=masked, digest_key=digest_key)
    finally:
        await database.close()


async def ledger_over(
    database: Database, *, masked: Callable[[bytes], bytes], digest_key: bytes | None = None
) -> Ledger:
    """The ledger in a database that is open already. Raises as ``open_ledger`` does."""
    found = await revision_of(database)
    if found != REVISION:
        raise LedgerRevisionError(found=found, wanted=REVISION)
    key = digest_key or await _own_digest_key(database)
    acceptance = Acceptance(database, key, masked)
    return Ledger(
        database=database,
        acceptance=acceptance,
        lanes=Lanes(database),
        polls=Polls(database, acceptance),
        feeds=Feeds(database),
        sinks=SinkStates(database),
        stories=Stories(database),
        audit=AuditTrail(database),
    )


async def _own_digest_key(database: Database) -> bytes:
    insert = text("INSERT INTO ledger_meta (key, value) VALUES ('digest_key', :value) ON CONFLICT (key) DO NOTHING")
    async with database.writing() as transaction:
        await transaction.run(insert, {"value": secrets.token_hex(32)})
        rows = await transaction.rows(text("SELECT value FROM ledger_meta WHERE key = 'digest_key'"))
    return bytes.fromhex(rows[0].value)
