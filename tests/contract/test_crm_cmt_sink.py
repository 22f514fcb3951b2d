"""CRM-CMT as a sink, over a socket, against the stand-in that other hands wrote from the same contract."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from typing import ClassVar, Final

import pytest

from connectors.crm_cmt.settings import CrmCmtSettings
from connectors.crm_cmt.sink import CrmCmt, open_sink
from connectors.kit.http import fast_transport
from mocks.crm_cmt.api import READ, WRITE, Caller
from mocks.crm_cmt.app import StandIn, stand_in
from mocks.crm_cmt.intake import Intake
from mocks.crm_cmt.records import Request
from mocks.faults import Fault, Kind
from mocks.serving import served
from tests.contract.sink_contract import WAIT, Held, SinkContract, Subject, Trouble

CASE_TYPE: Final = "street_furniture"
SECONDS: Final = round(WAIT.total_seconds())
FAULTS: Final[dict[Trouble, Fault]] = {
    "busy": Fault(Kind.BUSY, retry_after=SECONDS),
    "unavailable": Fault(Kind.UNAVAILABLE, retry_after=SECONDS),
    "lost_answer": Fault(Kind.LOST_ANSWER),
    "lost_request": Fault(Kind.RESET),
    "gibberish": Fault(Kind.GIBBERISH),
    "gibberish_after": Fault(Kind.GIBBERISH, effect=True),
    "broken_after": Fault(Kind.SERVER_ERROR, effect=True),
}


class Crm:
    """The stand-in, seen from behind."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in

    async def cases(self) -> Sequence[Held]:
        return [
            Held(record.reference, record.fields["status"], list(record.notes), list(record.attachments))
            for record in self._stand_in.intake.cases
        ]

    def next_write_meets(self, trouble: Trouble) -> None:
        self._stand_in.faults.clear()
        self._stand_in.faults.add(replace(FAULTS[trouble], route="P* /api/v1/cases*", count=1))

    async def somebody_changes(self, reference: str) -> None:
        asked = Request("agent", "2026-05-20T10:00:00Z", "http://127.0.0.1")
        self._stand_in.intake.edit(reference, {"priority": "high"}, asked)


def a_sink(address: str, *, batch_size: int, token: str = "token-of-relais") -> AbstractAsyncContextManager[CrmCmt]:
    settings = CrmCmtSettings.model_validate({"base_url": address, "token": token, "batch_size": batch_size})
    return open_sink(settings, fast_transport)


class TestCrmCmt(SinkContract):
    """In batches."""

    batch_size: ClassVar = 50

    @pytest.fixture
    async def subject(self) -> AsyncIterator[Subject]:
        intake = Intake((CASE_TYPE,))
        app = stand_in(intake, {"token-of-relais": Caller("relais", (READ, WRITE))})
        async with AsyncExitStack() as stack:
            address = await stack.enter_async_context(served(app))
            sinks = [
                await stack.enter_async_context(sink)
                for sink in (
                    a_sink(address, batch_size=self.batch_size),
                    a_sink(address, batch_size=self.batch_size, token="token-of-nobody"),
                    a_sink("http://127.0.0.1:1", batch_size=self.batch_size),
                )
            ]
            yield Subject(sinks[0], Crm(app), CASE_TYPE, "a_type_that_nobody_set_up", sinks[1], sinks[2])


class TestCrmCmtOneByOne(TestCrmCmt):
    """Without batches."""

    batch_size: ClassVar = 1

    @pytest.fixture
    def companions(self) -> int:
        return 0


async def test_a_token_that_may_only_read_is_told_at_the_check() -> None:
    app = stand_in(Intake((CASE_TYPE,)), {"token-of-relais": Caller("reader", (READ,))})
    async with served(app) as address, a_sink(address, batch_size=50) as sink:
        health = await sink.check()
    assert (health.ok, health.detail) == (False, "the token lacks the right cases.write")
