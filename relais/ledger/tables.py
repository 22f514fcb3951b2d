"""The ledger's tables. Every moment is a number of milliseconds since 1970 in UTC, read from the database's clock."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

# SQLite numbers rows by itself only for a column of the exact type INTEGER.
_Number: Final = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "uq": "uq_%(table_name)s_%(column_0_name)s"}
)

meta = Table(
    "ledger_meta",
    metadata,
    Column("key", String(60), primary_key=True),
    Column("value", Text, nullable=False),
)

# PostgreSQL numbers events with it; on SQLite the one writer counts on from the highest.
event_seq = Sequence("event_seq", metadata=metadata)

events = Table(
    "events",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("source", String(40), nullable=False),
    Column("door", String(40), nullable=False),
    Column("event_id", String(200), nullable=False),
    Column("case_id", _Number),
    Column("digest", String(32), nullable=False),
    Column("body", LargeBinary),
    Column("received_at", BigInteger, nullable=False),
    Column("test", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("source", "event_id", name="uq_events_source_event_id"),
    Index("ix_events_case_id", "case_id"),
)

conflicts = Table(
    "conflicts",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("source", String(40), nullable=False),
    Column("event_id", String(200), nullable=False),
    Column("digest", String(32), nullable=False),
    Column("body", LargeBinary),
    Column("received_at", BigInteger, nullable=False),
    UniqueConstraint("source", "event_id", "digest", name="uq_conflicts_source_event_id_digest"),
)

# The case row is the queue: what may run now is found by one small index over it.
_RUNNABLE: Final = text("pending > 0 AND owner IS NULL AND blocked_seq IS NULL")
_OWNED: Final = text("owner IS NOT NULL")

cases = Table(
    "cases",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("key", String(200), nullable=False),
    Column("reference", String(40), nullable=False, unique=True),
    Column("sink", String(40)),
    Column("remote_id", Text),
    Column("etag", Text),
    Column("link", Text),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column("state", Text),
    Column("pending", Integer, nullable=False, server_default="0"),
    Column("ready_at", BigInteger, nullable=False, server_default="0"),
    Column("ready_seq", BigInteger, nullable=False, server_default="0"),
    Column("last_seq", BigInteger, nullable=False, server_default="0"),
    Column("owner", String(80)),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("until", BigInteger),
    Column("doubt", BigInteger, nullable=False, server_default="0"),
    Column("prior_doubt", BigInteger, nullable=False, server_default="0"),
    Column("blocked_seq", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("failing_since", BigInteger),
    Column("last_error", Text),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_cases_ready", "ready_at", "ready_seq", sqlite_where=_RUNNABLE, postgresql_where=_RUNNABLE),
    Index("ix_cases_leased", "until", sqlite_where=_OWNED, postgresql_where=_OWNED),
)

case_keys = Table(
    "case_keys",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("case_id", _Number, nullable=False),
    Index("ix_case_keys_case_id", "case_id"),
)

# The states of a delivery. *In doubt* is no number of its own: it is open with a turn at or below the case's doubt.
OPEN: Final = 0
DELIVERED: Final = 1
PARKED: Final = 2
SKIPPED: Final = 3

# Which announcements are due on the feeds, as bits.
READY_DUE: Final = 1
OUTCOME_DUE: Final = 2

_OPEN: Final = text(f"state = {OPEN}")
_PARKED: Final = text(f"state = {PARKED}")
_DUE: Final = text("announce > 0")

deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("case_id", _Number),
    # the place in the lane and the version given to the CRM: the sequence, or a later number after a retry
    Column("turn", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("announce", SmallInteger, nullable=False),
    Column("how", String(20)),
    Column("code", Text),
    Column("reason", Text),
    Column("blocks", Boolean, nullable=False, server_default=text("false")),
    Column("rule", Text),
    Column("summary", Text),
    Column("done_at", BigInteger),
    Index("ix_deliveries_lane", "case_id", "turn", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_deliveries_open", "seq", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_deliveries_parked", "seq", sqlite_where=_PARKED, postgresql_where=_PARKED),
    Index("ix_deliveries_announce", "seq", sqlite_where=_DUE, postgresql_where=_DUE),
)

sinks = Table(
    "sinks",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("paused_at", BigInteger),
    Column("reason", Text),
)

polls = Table(
    "polls",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("owner", String(80)),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("until", BigInteger),
    Column("next_at", BigInteger, nullable=False, server_default="0"),
    Column("cursor", Text),
    Column("moved", BigInteger, nullable=False, server_default="0"),
    Column("succeeded_at", BigInteger),
    Column("last_error", Text),
)

observations = Table(
    "observations",
    metadata,
    Column("source", String(40), primary_key=True),
    Column("door", String(40), primary_key=True),
    Column("external_id", String(150), primary_key=True),
    Column("n", Integer, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("sweep", BigInteger, nullable=False, server_default="0"),
    Column("missed", Integer, nullable=False, server_default="0"),
    Column("settled", Boolean, nullable=False, server_default=text("false")),
    Column("gone", Boolean, nullable=False, server_default=text("false")),
)

catalogues = Table(
    "catalogues",
    metadata,
    Column("source", String(40), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("fetched_at", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("action", String(60), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("detail", Text),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
