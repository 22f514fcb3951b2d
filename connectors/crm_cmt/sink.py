"""CRM-CMT as a sink: cases are created, changed and found; in batches where several are ready."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from connectors.crm_cmt.client import Client
from connectors.crm_cmt.settings import CrmCmtSettings
from connectors.crm_cmt.translate import (
    attachment_from,
    batch_item_from,
    case_intake_from,
    case_patch_from,
    delivered_from,
    etag_of,
    faults_of,
    fits_a_batch,
    note_from,
    outcomes_from,
    remote_from,
    steps_of,
    with_additions,
)
from connectors.crm_cmt.wire import AdditionOutcome
from connectors.kit.errors import ConnectorError, RejectedError, TemporaryError
from connectors.kit.line import open_line
from connectors.kit.manifest import OpenTransport
from connectors.kit.ports import Capabilities, CaseChange, Delivered, Health, Outcome, Remote
from schemas.attachment import Attachment, Note

NAME: Final = "crm_cmt"

FIND_SIZE: Final = 100
"""References of one look-up: as many as the contract allows, an address of some 5 KB."""


class CrmCmt:
    """The sink; :func:`open_sink` makes one."""

    def __init__(self, client: Client, settings: CrmCmtSettings, clock: Callable[[], float]) -> None:
        self._client = client
        self._patience = settings.timeout_seconds
        self._clock = clock
        self._capabilities = Capabilities(
            batch_size=settings.batch_size,
            find_size=FIND_SIZE,
            settles_after=timedelta(seconds=settings.settles_after_seconds),
            concurrency=settings.concurrency,
            request_timeout=timedelta(seconds=settings.timeout_seconds),
        )

    @property
    def name(self) -> str:
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def find(self, references: Sequence[str]) -> Mapping[str, Remote]:
        if not references:
            return {}
        states = await self._client.find_cases(references)
        return {state.reference: remote_from(state) for state in states if state.reference in references}

    async def deliver(self, changes: Sequence[CaseChange]) -> Sequence[Outcome]:
        if len(changes) == 1:
            return [await self._alone(changes[0])]
        shared = [change for change in changes if fits_a_batch(change)]
        answered = iter(await self._together(shared, self._clock() + self._patience) if shared else ())
        return [next(answered) if fits_a_batch(change) else await self._alone(change) for change in changes]

    async def check(self) -> Health:
        try:
            caller = await self._client.who_am_i()
        except ConnectorError as error:
            return Health(ok=False, detail=f"{error.reason} ({error.code})")
        faults = faults_of(caller, batch_size=self._capabilities.batch_size, find_size=FIND_SIZE)
        if faults:
            return Health(ok=False, detail="; ".join(faults))
        return Health(ok=True, detail=f"may read and write, {len(caller.case_types)} case types are known")

    async def _alone(self, change: CaseChange) -> Outcome:
        """What became of a change sent by itself, together with what must be added afterwards."""
        write, notes, attachments = steps_of(change)
        try:
            delivered = Delivered(write) if isinstance(write, Remote) else await self._written(write)
            return await self._added(delivered, notes, attachments)
        except ConnectorError as error:
            return error

    async def _together(self, changes: Sequence[CaseChange], until: float) -> Sequence[Outcome]:
        """What became of each change of a batch.

        A batch that is refused as a whole was not written at all: it is halved until what spoils it stands alone, so
        that it speaks for nobody else. Whoever is not reached by ``until`` was not sent.
        """
        if len(changes) == 1:
            return [await self._alone(changes[0])]
        if self._clock() > until:
            return [TemporaryError("the batch was refused as a whole", code="batch_refused") for _ in changes]
        try:
            answer = await self._client.write_batch([batch_item_from(change) for change in changes])
        except RejectedError:
            middle = len(changes) // 2
            return [
                *await self._together(changes[:middle], until),
                *await self._together(changes[middle:], until),
            ]
        except ConnectorError as error:
            return [error] * len(changes)
        return outcomes_from(answer, changes)

    async def _written(self, change: CaseChange) -> Delivered:
        remote = change.remote
        if remote is None:
            receipt = await self._client.create_case(case_intake_from(change), idempotency_key=change.change_key)
        else:
            receipt = await self._client.update_case(
                remote.remote_id,
                case_patch_from(change),
                idempotency_key=change.change_key,
                if_match=etag_of(remote),
            )
        return delivered_from(receipt, change)

    async def _added(self, delivered: Delivered, notes: Sequence[Note], attachments: Sequence[Attachment]) -> Delivered:
        """The delivery with further additions, each of which the CRM knows by its key however often it is sent."""
        if not notes and not attachments:
            return delivered
        case_id = delivered.remote.remote_id
        judged_notes = [await _judgement(self._client.add_note(case_id, note_from(note))) for note in notes]
        judged_attachments = [
            await _judgement(self._client.add_attachment(case_id, attachment_from(attachment)))
            for attachment in attachments
        ]
        return with_additions(delivered, notes, judged_notes, attachments, judged_attachments)


@asynccontextmanager
async def open_sink(
    settings: CrmCmtSettings, open_transport: OpenTransport, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[CrmCmt]:
    """CRM-CMT at the address of the settings. ``clock`` counts seconds and never goes back."""
    async with open_line(
        settings.base_url,
        open_transport(),
        headers={"Authorization": f"Bearer {settings.token.get_secret_value()}", "Accept": "application/json"},
        within=timedelta(seconds=settings.timeout_seconds),
        limit=settings.response_limit_bytes,
    ) as line:
        yield CrmCmt(Client(line), settings, clock)


async def _judgement(answer: Awaitable[AdditionOutcome]) -> AdditionOutcome | RejectedError:
    """What became of one addition; that the CRM will not have it is an answer too."""
    try:
        return await answer
    except RejectedError as error:
        return error
