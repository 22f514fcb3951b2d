"""What bad input gets: a clear answer to each, nothing lost, and nobody else harmed."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy.exc import IntegrityError

from connectors.kit.ports import CaseChange
from relais.delivery.worker import DeliveryWorker, Pace
from schemas.case import Case, CaseFacts, Kind
from schemas.decision import Decision
from tests.broker.waiting import eventually
from tests.builders import a_decision
from tests.contract.ledger_world import prepare
from tests.doubles.scripted import ScriptedCrm
from tests.unit.runtime.webhook_world import AWAY, LIMIT, PATH, Street, a_push, a_street, encoded, headers_for

LONG = "9" * 5_000


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ledger that nobody has open."""
    folder = tmp_path_factory.mktemp("migrated")
    asyncio.run(prepare(f"sqlite:///{folder / 'ledger.db'}"))
    return folder / "ledger.db"


@pytest.fixture
async def door(tmp_path: Path, migrated: Path) -> AsyncIterator[Street]:
    async with a_street(tmp_path, template=migrated) as street:
        yield street


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def closed_door(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> AsyncIterator[Street]:
    """One door for all who do not get in: they must leave nothing behind, for each other neither."""
    async with a_street(tmp_path_factory.mktemp("closed"), template=migrated) as street:
        yield street
        assert await street.stored() == 0


together = pytest.mark.asyncio(loop_scope="module")


def assert_problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """A problem of RFC 9457 of our own."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert (problem["type"], problem["status"]) == (f"urn:relais:problem:{slug}", status)
    return problem


async def test_a_genuine_push_is_answered_with_exactly_200_once_it_is_stored(door: Street) -> None:
    answer = await door.push(a_push())
    assert door.statements.count("COMMIT") == 1
    assert (answer.status_code, answer.json()) == (200, {"detail": "accepted", "event": "new"})
    (row,) = await door.world.sql("SELECT event_id, body FROM events")
    assert row.event_id == "transfer.request:123456:2026-05-04T10:11:12"
    assert bytes(row.body) == encoded(a_push()), "kept as received"


async def test_nobody_is_answered_before_the_commit(door: Street) -> None:
    door.acceptance.open.clear()
    asking = asyncio.create_task(door.push(a_push()))
    await eventually(lambda: door.acceptance.asked > 0)
    assert (await door.client.get("/live")).status_code == 200, "others are answered meanwhile"
    assert not asking.done()
    door.acceptance.open.set()
    assert (await asking).status_code == 200
    assert await door.stored() == 1


# --- who may come in -------------------------------------------------------------------------------------------------


@together
@pytest.mark.parametrize(
    "headers",
    [
        {},
        headers_for(encoded(a_push()), key="another"),
        headers_for(encoded(a_push()) + b" "),
        headers_for(encoded(a_push()), token=None),
        headers_for(encoded(a_push()), token="Agreed"),
        headers_for(encoded(a_push())) | {"X-FMS-Signature": ""},
        headers_for(encoded(a_push())) | {"X-FMS-Signature": "A" * 5_000},
    ],
    ids=["nothing", "key", "bytes", "no token", "token", "empty", "long"],
)
async def test_who_is_not_known_gets_401_and_the_ledger_is_not_touched(
    closed_door: Street, headers: dict[str, str]
) -> None:
    before = len(closed_door.statements)
    answer = await closed_door.client.post(PATH, content=encoded(a_push()), headers=headers)
    assert_problem(answer, 401, "not-authenticated")
    assert (closed_door.acceptance.asked, len(closed_door.statements)) == (0, before)


async def test_a_signature_of_odd_bytes_is_a_wrong_one(door: Street) -> None:
    body = encoded(a_push())
    answer = await door.raw(
        b"POST %b HTTP/1.1\r\nHost: x\r\nX-FMS-Signature: \xff\xc3\x28\r\nAuthorization: Token \xe9\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (PATH.encode(), len(body), body)
    )
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_what_is_not_genuine_is_not_even_read_as_json(door: Street) -> None:
    answer = await door.client.post(PATH, content=b"{", headers=headers_for(b"{", key="another"))
    assert_problem(answer, 401, "not-authenticated")


# --- how much may come in --------------------------------------------------------------------------------------------


async def pieces_of(body: bytes, size: int = 1_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def of_size(size: int) -> bytes:
    """A sound push of so many bytes."""
    bare = len(encoded(a_push(padding="")))
    return encoded(a_push(padding="x" * (size - bare)))


async def test_a_body_of_the_limit_is_taken_and_one_byte_more_is_not(door: Street) -> None:
    assert (await door.push_bytes(of_size(LIMIT))).status_code == 200
    assert_problem(await door.push_bytes(of_size(LIMIT + 1)), 413, "body-too-large")
    assert await door.stored() == 1


async def test_a_body_without_a_declared_length_is_counted_as_it_comes(door: Street) -> None:
    for size, status in ((LIMIT, 200), (LIMIT + 1, 413), (40 * LIMIT, 413)):
        body = of_size(size)
        answer = await door.client.post(PATH, content=pieces_of(body), headers=headers_for(body))
        assert answer.status_code == status
    assert await door.stored() == 1


async def test_a_body_that_is_declared_too_large_is_refused_before_it_comes(door: Street) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {LIMIT + 1}\r\n\r\n"
    assert (await door.raw(head.encode())).startswith(b"HTTP/1.1 413 ")


async def test_the_end_of_a_body_is_where_its_length_says(door: Street) -> None:
    """A length that lies cuts the body, and the signature no longer fits; what is left over is no request."""
    body = encoded(a_push())
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers_for(body).items())
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {len(body) - 1}\r\n\r\n"
    assert (await door.raw(head.encode() + body)).startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 400 "))
    assert await door.stored() == 0


@together
@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 30, "9" * 5_000, "12, 13", "\xb2", ""])
async def test_a_length_that_is_none_is_refused(closed_door: Street, length: str) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\nx"
    assert (await closed_door.raw(head.encode("latin-1")))[:13] in (
        b"HTTP/1.1 400 ",
        b"HTTP/1.1 401 ",
        b"HTTP/1.1 413 ",
    )
    assert await closed_door.stored() == 0


async def test_a_slow_body_gets_408_and_others_are_not_kept_waiting(tmp_path: Path) -> None:
    async with a_street(tmp_path, body_seconds=0.2) as door:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{"
        asking = asyncio.create_task(door.raw(head.encode()))
        assert (await door.push(a_push())).status_code == 200
        answer = await asking
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"urn:relais:problem:body-too-slow" in answer


async def test_a_sender_who_goes_away_in_the_middle_harms_nobody(door: Street) -> None:
    for _ in range(5):
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
        await writer.drain()
        writer.transport.abort()
    assert (await door.push(a_push())).status_code == 200
    assert await door.stored() == 1


async def test_what_all_senders_together_may_have_in_memory_is_bounded(tmp_path: Path) -> None:
    """Also while it waits for its commit: then the bodies are complete, and as large as before."""
    async with a_street(tmp_path, buffer_limit=3 * LIMIT) as door:
        door.acceptance.open.clear()
        waiting = [asyncio.create_task(door.push_bytes(of_size(LIMIT - number))) for number in range(3)]
        await eventually(lambda: door.held() == 3)
        answer = await door.push_bytes(of_size(LIMIT - 10))
        assert_problem(answer, 503, "busy")
        assert answer.headers["retry-after"] == "5"
        door.acceptance.open.set()
        assert [one.status_code for one in await asyncio.gather(*waiting)] == [200] * 3
        assert (await door.push_bytes(of_size(LIMIT - 10))).status_code == 200, "it is given back"


# --- what is malformed -----------------------------------------------------------------------------------------------

SOUND = encoded(a_push())


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


MALFORMED = {
    "nothing": b"",
    "no JSON": b"hook=transfer&id=1",
    "cut": SOUND[:-1],
    "two": SOUND + SOUND,
    "a comment": b"{} // all",
    "duplicate keys": b'{"meta": 1, "meta": 2}',
    "duplicate keys below": SOUND.replace(b'"id": 123456', b'"id": 123456, "id": 123457'),
    "duplicate keys by escapes": b'{"a": 1, "\\u0061": 2}',
    "an escaped NUL": SOUND.replace(b"Lucie", b"Lu\\u0000cie"),
    "a NUL": SOUND.replace(b"Lucie", b"Lu\x00cie"),
    "a NUL in a key": b'{"\\u0000": 1}',
    "NaN": SOUND.replace(b"123456", b"NaN"),
    "Infinity": b'{"a": [-Infinity]}',
    "infinite by overflow": b'{"a": 1e999}',
    "nested too deep": nested(33),
    "nested far too deep": nested(LIMIT // 2),
    "objects nested too deep": b'{"a":' * 33 + b"1" + b"}" * 33,
    "a whole number of 5,000 digits": b'{"a": %b}' % LONG.encode(),
    "a fraction of 5,000 digits": b'{"a": 0.%b}' % LONG.encode(),
    "an exponent of 5,000 digits": b'{"a": 1e%b}' % LONG.encode(),
    "half a surrogate pair": SOUND.replace(b"Lucie", b"\\ud800"),
    "half a surrogate pair in a key": b'{"\\udc00": 1}',
    "a byte order mark": b"\xef\xbb\xbf" + SOUND,
    "UTF-16": SOUND.decode().encode("utf-16"),
    "Latin-1": SOUND.replace(b"Lucie", b"Ren\xe9e"),
    "an overlong encoding": b'{"a": "\xc0\xaf"}',
}


@together
@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_malformed_gets_400_and_is_not_stored(closed_door: Street, name: str) -> None:
    answer = await closed_door.push_bytes(MALFORMED[name])
    problem = assert_problem(answer, 400, "malformed-json")
    assert "Lucie" not in problem["detail"]
    assert (closed_door.acceptance.asked, await closed_door.stored()) == (0, 0)


@pytest.mark.parametrize(
    "body",
    [nested(32), b'{"a": "\\ud83d\\ude00"}', b'{"a": %b}' % (b"9" * 100), b" {} ", b'{"a": 1, "b": {"a": 1}}'],
    ids=["as deep as allowed", "a surrogate pair", "100 digits", "white space", "a key twice in two objects"],
)
async def test_what_is_just_well_formed_is_taken(door: Street, body: bytes) -> None:
    assert (await door.push_bytes(body)).status_code == 200
    assert await door.stored() == 1


# --- what is well formed and cannot be read, or not all of it --------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        {}, [], None, 1, "text", {"meta": None}, a_push(None), a_push("12 34"), a_push(-1), a_push(True),
        a_push(10**60), a_push() | {"meta": {}}, {"meta": a_push()["meta"], "data": {"report": [1]}},
    ],
)  # fmt: skip
async def test_a_well_formed_event_that_cannot_be_read_gets_200_and_is_parked_alone(
    door: Street, document: object
) -> None:
    answer = await door.push(document)
    assert (answer.status_code, answer.json()["event"]) == (200, "new")
    (parked,) = await door.world.ledger.stories.parked()
    assert (parked.code, parked.key) == ("unreadable", None)
    assert parked.reason
    assert (await door.push(a_push())).status_code == 200
    assert len(await door.world.claim()) == 1, "nobody else's case is in its way"


def to_the_crm(_source: str, _kind: Kind, _tenant: str | None, _facts: CaseFacts) -> Decision:
    return a_decision(destination="crm")


class SeeingCrm(ScriptedCrm):
    """Keeps the cases as they came."""

    def __init__(self) -> None:
        self.cases: list[Case] = []
        super().__init__(before=self._see)

    def _see(self, change: CaseChange) -> None:
        self.cases.append(change.case)


async def delivered(door: Street) -> SeeingCrm:
    """The CRM after everything that may run has run."""
    crm, wake, stop = SeeingCrm(), asyncio.Event(), asyncio.Event()
    worker = DeliveryWorker(
        ledger=door.world.ledger,
        sources={"fixmystreet": door.source},
        sinks={"crm": crm},
        route=to_the_crm,
        fingerprint=door.world.ledger.acceptance.fingerprint,
        emit=lambda _happening: None,
        owner="worker",
        wake=wake,
        pace=Pace(),
    )
    wake.set()
    running = asyncio.create_task(worker.run(stop))

    async def finished() -> bool:
        return (await door.world.ledger.stories.unfinished())[0] == 0

    await eventually(finished)
    stop.set()
    await running
    return crm


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (
            {"category": {"fr": "Neuf : chose", "nl": "Nieuw : ding", "ids": [1200, 2400, 987654, ""]}},
            "category_unknown",
        ),
        ({"category": 7}, "category_missing"),
        ({"invented": {"x": 1}}, "field_unknown"),
        ({"creator": "somebody"}, "field_unreadable"),
        ({"point": {"x": "far", "y": []}}, "field_unreadable"),
        ({"address": {"postalCode": "99"}}, "postal_code_unreadable"),
    ],
)
async def test_what_is_not_known_is_delivered_with_what_is_known_and_marked(
    door: Street, changed: dict[str, Any], code: str
) -> None:
    assert (await door.push(a_push(**changed))).json()["event"] == "new"
    crm = await delivered(door)
    (case,) = crm.cases
    assert code in {remark.code for remark in case.facts.remarks or ()}
    backlog = await door.world.ledger.stories.backlog()
    assert (backlog.delivered, backlog.parked) == (1, 0)


async def test_the_same_event_again_gets_200_and_nothing_more(door: Street) -> None:
    first, *again = [await door.push(a_push()) for _ in range(4)]
    assert first.json()["event"] == "new"
    assert [(one.status_code, one.json()["event"]) for one in again] == [(200, "same")] * 3
    assert await door.stored() == 1


async def test_the_same_event_from_many_at_once_is_stored_once(door: Street) -> None:
    answers = await asyncio.gather(*(door.push(a_push()) for _ in range(20)))
    assert sorted(one.json()["event"] for one in answers) == ["new"] + ["same"] * 19
    assert await door.stored() == 1


async def test_the_same_id_with_other_content_is_kept_as_a_conflict_and_never_delivered(door: Street) -> None:
    await door.push(a_push())
    for _ in range(2):
        answer = await door.push(a_push(comments=[{"name": "x", "text": "another", "createdAt": None}]))
        assert (answer.status_code, answer.json()["event"]) == (200, "conflict")
    assert (await door.world.ledger.stories.backlog()).conflicts == 1
    crm = await delivered(door)
    assert crm.creates.total() == 1
    assert list(crm.notes.values()) == [[]]
    assert await door.stored() == 2, "the event and what contradicts it"


# --- when we cannot --------------------------------------------------------------------------------------------------


async def test_while_the_ledger_is_away_the_answer_is_503_and_then_200_again(door: Street) -> None:
    door.acceptance.fault = AWAY
    answer = await door.push(a_push())
    assert_problem(answer, 503, "ledger-away")
    assert int(answer.headers["retry-after"]) > 0
    door.acceptance.fault = None
    assert (await door.push(a_push())).json()["event"] == "new"


async def test_before_the_ledger_is_found_the_answer_is_503(tmp_path: Path) -> None:
    async with a_street(tmp_path, opened=False) as door:
        answer = await door.push(a_push())
        assert_problem(answer, 503, "ledger-away")
        assert int(answer.headers["retry-after"]) > 0
        assert_problem(await door.push_bytes(b"{"), 400, "malformed-json")


async def test_a_full_intake_says_503_at_once(tmp_path: Path) -> None:
    async with a_street(tmp_path, capacity=2) as door:
        door.acceptance.open.clear()
        senders = [asyncio.create_task(door.push(a_push(number))) for number in range(1, 9)]
        done, _ = await asyncio.wait(senders, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        assert_problem(done.pop().result(), 503, "busy")
        door.acceptance.open.set()
        answers = [await sender for sender in senders]
    accepted = sum(one.status_code == 200 for one in answers)
    assert accepted >= 2
    assert {one.status_code for one in answers} == {200, 503}
    assert all("retry-after" in one.headers for one in answers if one.status_code == 503)


async def test_an_event_that_the_ledger_refuses_gets_500_alone(door: Street) -> None:
    door.acceptance.fault = IntegrityError("insert", {"body": "Lucie"}, Exception("Lucie"))
    answer = await door.push(a_push())
    assert_problem(answer, 500, "not-storable")
    assert "Lucie" not in answer.text
    door.acceptance.fault = None
    assert (await door.push(a_push())).status_code == 200


async def test_a_single_push_is_answered_well_inside_a_second(door: Street) -> None:
    """The other side blocks on us; this is a bound of decency, no measurement."""
    await door.push(a_push(1))
    started = time.monotonic()
    assert (await door.push(a_push(2))).status_code == 200
    assert time.monotonic() - started < 1


# --- other requests --------------------------------------------------------------------------------------------------


@together
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PATH, 405), ("PUT", PATH, 405), ("DELETE", PATH, 405), ("POST", "/ready", 405),
        ("POST", "/webhooks/fixmystreet/other", 404), ("POST", "/webhooks/nova/webhook", 404),
        ("POST", "/", 404), ("GET", f"{PATH}/", 404), ("POST", "/webhooks/fixmystreet/..%2f..", 404),
        ("GET", "/" + "a" * 8_000, 404),
    ],
)  # fmt: skip
async def test_another_path_or_method_gets_a_problem(closed_door: Street, method: str, path: str, status: int) -> None:
    answer = await closed_door.client.request(method, path)
    assert_problem(answer, status, "not-found" if status == 404 else "method-not-allowed")
    if status == 405:
        assert answer.headers["allow"]
    assert "aaaa" not in answer.text


async def test_very_many_or_very_long_headers_are_refused_and_do_not_pile_up(door: Street) -> None:
    start = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n".encode()
    for lines in (b"x: y\r\n" * 500_000, b"x: " + b"y" * 3_000_000, b"y" * 3_000_000):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(start + lines)
        async with asyncio.timeout(10):
            answer = await _until_closed(reader)
        assert answer[:13] in (b"HTTP/1.1 431 ", b"HTTP/1.1 400 ", b"")
        writer.close()
    assert (await door.push(a_push())).status_code == 200


async def _until_closed(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    try:
        while piece := await reader.read(65_536):
            answer += piece
    except ConnectionError:
        pass
    return answer


async def test_a_hundred_headers_are_nothing_special(door: Street) -> None:
    body = encoded(a_push())
    answer = await door.client.post(
        PATH, content=body, headers=headers_for(body) | {f"x-{number}": "y" * 100 for number in range(100)}
    )
    assert answer.status_code == 200


async def test_slow_headers_get_408_and_an_idle_connection_is_closed(tmp_path: Path) -> None:
    async with a_street(tmp_path, head_seconds=0.2) as door:
        assert (await door.raw(b"POST / HTTP/1.1\r\nHost:")).startswith(b"HTTP/1.1 408 ")
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_a_connection_serves_many_requests_also_slowly(tmp_path: Path) -> None:
    """The time for the headers of one request is not that of the next."""
    async with a_street(tmp_path, head_seconds=0.3) as door:
        for number in range(1, 6):
            assert (await door.push(a_push(number))).status_code == 200
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("letters", ["x" * 30, "x" * 31, "9" * 3_000, "é", "\u202e", " "])
async def test_a_hostile_event_id_is_stored_under_a_name_that_fits(door: Street, letters: str) -> None:
    push = a_push()
    push["meta"]["hook"] = letters
    assert (await door.push(push)).status_code == 200
    (row,) = await door.world.sql("SELECT event_id FROM events")
    assert len(row.event_id) <= 200
    assert row.event_id.isascii()


# --- personal data ---------------------------------------------------------------------------------------------------

MARK = "Zyxwvut"


def marked_pushes() -> Iterator[bytes]:
    """Sound, unreadable, repeated, contradicting and malformed pushes, with a mark wherever a person may stand."""
    person = {"firstName": MARK, "lastName": MARK, "email": f"{MARK}@mail.example", "phone": MARK}
    comments = [{"name": MARK, "text": MARK, "createdAt": "2026-05-04T10:11:12"}]
    sound = a_push(creator=person, comments=comments, address={"street": MARK})
    yield encoded(sound)
    yield encoded(sound)
    yield encoded(a_push(creator=person, comments=[*comments, *comments]))
    yield encoded(a_push(MARK, creator=person))
    yield encoded(a_push(7, modified_at=MARK, creator=person))
    yield encoded({"meta": {"hook": f"{MARK} {MARK}", "action": MARK}, MARK: MARK, "data": {"report": {"id": 8}}})
    yield encoded({MARK: MARK})
    yield f'{{"{MARK}": 1, "{MARK}": 2}}'.encode()
    yield f'{{"{MARK}": "{MARK}\\u0000"}}'.encode()
    yield f'{{"a": "{MARK}'.encode()
    yield encoded({"a": MARK * 3_000})


async def test_no_personal_value_is_in_a_log_line_a_metric_or_an_answer(door: Street) -> None:
    said = []
    for body in marked_pushes():
        said.append((await door.push_bytes(body)).text)
        said.append((await door.client.post(f"{PATH}?{MARK}", content=body, headers={"x-who": MARK})).text)
    said.append((await door.client.get(f"/{MARK}")).text)
    door.acceptance.fault = IntegrityError(MARK, {"body": MARK}, Exception(MARK))
    said.append((await door.push(a_push(9, creator={"lastName": MARK}))).text)
    door.acceptance.fault = ValueError(MARK)
    said.append((await door.push(a_push(10, creator={"lastName": MARK}))).text)
    said.append((await door.client.get("/metrics")).text)
    said.append((await door.client.get("/ready")).text)
    events = {line["event"] for line in door.lines()}
    assert events >= {"events_accepted", "push_refused", "arrival_unreadable", "event_conflicted", "handler_failed"}
    assert [text for text in (*said, door.log.getvalue()) if MARK.lower() in text.lower()] == []
