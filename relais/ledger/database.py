"""One way to run a transaction on SQLite and on PostgreSQL; the same statements for both."""

import asyncio
import os
import sqlite3
import time
from collections import namedtuple
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

from sqlalchemy import Connection, Row, TextClause, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import StaticPool

from relais.ledger.away import LedgerAwayError as LedgerAwayError
from relais.ledger.away import away_on_failure, is_deadlock
from relais.ledger.write_lock import WriteLock

_T = TypeVar("_T")

_STRANGER_SECONDS: Final = 0.25
_STRANGER_LOOK_SECONDS: Final = 0.02

_TRIES: Final = 5
"""How often a transaction is tried that the database breaks off for the sake of another."""


class Transaction(Protocol):
    """What runs inside one transaction."""

    async def rows(self, statement: TextClause, parameters: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Run a statement and return its rows."""

    async def run(
        self, statement: TextClause, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> int:
        """Run a statement, once or for each set of parameters, and return how many rows it touched."""


class Database(Protocol):
    """A relational database with a clock; ``now`` is the SQL of the present moment in milliseconds."""

    dialect: str
    now: str

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that only reads. Raises LedgerAwayError."""

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that writes: committed when the block ends, rolled back when it raises.

        Raises LedgerAwayError.
        """

    async def run_sync(self, action: Callable[[Connection], _T]) -> _T:
        """Run a plain function with a plain SQLAlchemy connection (migrations)."""

    async def close(self) -> None:
        """Let go of every connection."""


async def write(database: Database, action: Callable[[Transaction], Awaitable[_T]]) -> _T:
    """Run ``action`` in a transaction that writes, and again where the database broke it off to undo a deadlock.

    Locks are taken in one order wherever that can be said beforehand; two intakes that meet new cases cannot always.
    ``action`` may do nothing outside its transaction. Raises LedgerAwayError.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            async with database.writing() as transaction:
                return await action(transaction)
        except LedgerAwayError as error:
            if not (tries_left and is_deadlock(error)):
                raise
    raise AssertionError("the last try returns or raises")


def record_set(dialect: str, parameter: str, **columns: str) -> str:
    """The SQL that reads a JSON array of objects, bound as ``:parameter``, as a table of these columns.

    ``columns`` gives each its PostgreSQL type; SQLite takes the type from the value. Use it as ``FROM <this> AS r``.
    """
    if dialect == "sqlite":
        # JSON true and false arrive as 1 and 0, numbers as numbers, strings as strings, null as NULL
        fields = ", ".join(f"value ->> '$.{name}' AS {name}" for name in columns)
        return f"(SELECT {fields} FROM json_each(:{parameter}))"
    types = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    names = ", ".join(columns)
    return f"(SELECT {names} FROM jsonb_to_recordset(CAST(:{parameter} AS jsonb)) AS _({types}))"


class _PlainTransaction:
    """A transaction on the driver's own connection, run on the event loop.

    For SQLite that is faster than a thread, and going past SQLAlchemy's execution faster than through it: it was four
    fifths of a statement's cost. The driver binds ``:name`` as SQLAlchemy's texts write it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def rows(self, statement: TextClause, parameters: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        with _told_as_sqlalchemy_would():
            cursor = self._connection.execute(statement.text, parameters or {})
            found = cursor.fetchall()
            made = _row_class(tuple(column[0] for column in cursor.description))._make
        return cast("Sequence[Row[Any]]", [made(row) for row in found])

    async def run(
        self, statement: TextClause, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> int:
        with _told_as_sqlalchemy_would():
            if parameters is None or isinstance(parameters, Mapping):
                return self._connection.execute(statement.text, parameters or {}).rowcount
            return self._connection.executemany(statement.text, parameters).rowcount


@cache
def _row_class(columns: tuple[str, ...]) -> Any:
    """A row whose values have names, as SQLAlchemy's rows do."""
    return namedtuple("Row", columns, rename=True)  # the columns are known only to the database


@contextmanager
def _told_as_sqlalchemy_would() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance("", None, error, sqlite3.Error, hide_parameters=True) from error


class SqliteDatabase:
    """SQLite with write-ahead log and full synchronisation; one writer at a time among all processes."""

    dialect = "sqlite"

    def __init__(self, path: Path, *, now: str | None = None, lock_timeout_seconds: float = 10.0) -> None:
        self.now = now or "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
        self._lock = WriteLock(path, lock_timeout_seconds)
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)),
            poolclass=StaticPool,
            hide_parameters=True,
            # the event loop's thread is the only one in steady state; migrations may come from another
            connect_args={"check_same_thread": False, "timeout": 1.0, "isolation_level": None},
        )
        event.listen(self._engine, "do_connect", lambda *_: _make_private(path))
        event.listen(self._engine, "connect", _set_pragmas)
        event.listen(self._engine, "begin", _begin_nothing)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        async with self._turn:
            with away_on_failure(), self._connection() as connection:
                connection.execute("BEGIN")
                try:
                    yield _PlainTransaction(connection)
                finally:
                    connection.execute("ROLLBACK")

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        async with self._turn, self._lock.held():
            with away_on_failure(), self._connection() as connection:
                await _begin_to_write(connection)
                try:
                    yield _PlainTransaction(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        pooled = self._engine.raw_connection()
        try:
            with _told_as_sqlalchemy_would():
                yield cast("sqlite3.Connection", pooled.driver_connection)
        finally:
            pooled.close()

    async def run_sync(self, action: Callable[[Connection], _T]) -> _T:
        async with self._turn, self._lock.held():
            with away_on_failure(), self._engine.connect() as connection:
                return action(connection)

    async def close(self) -> None:
        self._engine.dispose()
        self._lock.close()


async def _begin_to_write(connection: sqlite3.Connection) -> None:
    """Only somebody who does not know of the write lock can be in the way; SQLite itself would wait on the loop."""
    deadline = time.monotonic() + _STRANGER_SECONDS
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        else:
            return
        await asyncio.sleep(_STRANGER_LOOK_SECONDS)


def _make_private(path: Path) -> None:
    """A new ledger is its owner's alone; SQLite gives its other files the same rights. An old one keeps its own."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _set_pragmas(connection: Any, _record: Any) -> None:
    # the last one: what opening needs is waited for a second, what comes later is waited for elsewhere
    for pragma in (
        "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY", "cache_size=-16000",
        "busy_timeout=10",
    ):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}")


def _begin_nothing(_connection: Connection) -> None:
    """Transactions are begun by hand, because a write must say so at its start."""


class _AsyncTransaction:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, statement: TextClause, parameters: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        return (await self._connection.execute(statement, parameters or {})).all()

    async def run(
        self, statement: TextClause, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> int:
        return (await self._connection.execute(statement, parameters or {})).rowcount


class PostgresDatabase:
    """PostgreSQL through asyncpg; each transaction on a connection of the pool, read committed."""

    dialect = "postgresql"

    def __init__(self, url: URL, *, now: str | None = None, pool_size: int = 5) -> None:
        self.now = now or "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
        self._engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,
            pool_pre_ping=False,
            hide_parameters=True,
            connect_args={"timeout": 5, "command_timeout": 30},
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        async with self.writing() as transaction:
            yield transaction

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        with away_on_failure():
            async with self._engine.begin() as connection:
                yield _AsyncTransaction(connection)

    async def run_sync(self, action: Callable[[Connection], _T]) -> _T:
        with away_on_failure():
            async with self._engine.connect() as connection:
                result = await connection.run_sync(action)
                await connection.commit()
                return result

    async def close(self) -> None:
        await self._engine.dispose()


def open_database(url: str, *, now: str | None = None) -> Database:
    """The database behind an address: ``sqlite:///file`` or ``postgresql://…``. Nothing is connected yet.

    ``now`` replaces the SQL of the present moment, so that a test can move the clock.
    Raises ValueError for any other address, LedgerAwayError where the file's folder cannot be made.
    """
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        # what the library says repeats a part of the address, which may be its password
        raise ValueError("not a database address") from None
    match parsed.get_backend_name():
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            path = Path(parsed.database)
            with away_on_failure():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return SqliteDatabase(path, now=now)
        case "postgresql":
            return PostgresDatabase(parsed.set(drivername="postgresql+asyncpg"), now=now)
        case _:
            raise ValueError("the ledger lives in sqlite:///<file> or postgresql://<address>")
