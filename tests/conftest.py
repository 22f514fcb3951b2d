"""What every test may ask for: real servers, each test with a database or a broker of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.services.nats import NatsServer, running_nats
from tests.services.postgresql import PostgresqlServer, running_postgresql
from tests.services.process import UnavailableError
from tests.services.skipped import SkippedSuites


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SkippedSuites(), "skipped-suites")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """One cluster for the whole run; its commits are not flushed to the disk."""
    try:
        with running_postgresql() as server:
            yield server
    except UnavailableError as reason:
        pytest.skip(str(reason))


@pytest.fixture
def postgresql_template() -> str:
    """The database that each test's own is a copy of: empty, until a suite names one that it prepared."""
    return "template0"


@pytest.fixture
async def postgresql_url(postgresql_server: PostgresqlServer, postgresql_template: str) -> AsyncIterator[str]:
    """The address of a fresh database, for this test alone, as ``postgresql+asyncpg://…``."""
    name = await postgresql_server.create_database(postgresql_template)
    try:
        yield postgresql_server.url_of(name)
    finally:
        await postgresql_server.drop_database(name)


@pytest.fixture
def nats_server() -> Iterator[NatsServer]:
    """A broker for this test alone, which may be killed, started again and robbed of its store."""
    try:
        with running_nats() as server:
            yield server
    except UnavailableError as reason:
        pytest.skip(str(reason))


@pytest.fixture
def nats_url(nats_server: NatsServer) -> str:
    """The address of a broker for this test alone, with JetStream on and nothing stored."""
    return nats_server.url
