"""Access tokens: fetched once, renewed in time, tried again once."""

import asyncio
from datetime import timedelta

import httpx
import pytest
import respx
from pydantic import SecretStr

from connectors.kit.errors import ConnectorError, MisconfiguredError, TemporaryError
from connectors.kit.http import Answer
from connectors.kit.token import Token, TokenHolder, client_credentials

TOKEN_URL = "https://gateway.example/token"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """Gives t1, t2, ... and counts."""

    def __init__(self, life: timedelta = timedelta(hours=1)) -> None:
        self.issued = 0
        self.life = life

    async def __call__(self) -> Token:
        self.issued += 1
        await asyncio.sleep(0)
        return Token(f"t{self.issued}", self.life)


async def accepted(token: str) -> Answer:
    return Answer(200, httpx.Headers(), token.encode())


async def test_many_who_ask_at_once_cause_one_fetch() -> None:
    issuer = Issuer()
    holder = TokenHolder(issuer, Clock())
    answers = await asyncio.gather(*(holder.send(accepted) for _ in range(20)))
    assert {answer.body for answer in answers} == {b"t1"}
    assert issuer.issued == 1


@pytest.mark.parametrize(("seconds", "token"), [(0, b"t1"), (3539, b"t1"), (3540, b"t2"), (9999, b"t2")])
async def test_a_token_is_renewed_shortly_before_it_runs_out(seconds: float, token: bytes) -> None:
    clock = Clock()
    holder = TokenHolder(Issuer(), clock)
    await holder.send(accepted)
    clock.now += seconds
    assert (await holder.send(accepted)).body == token


async def test_a_refused_token_is_renewed_once_and_the_request_sent_once_more() -> None:
    issuer = Issuer()
    holder = TokenHolder(issuer, Clock())
    tried: list[str] = []

    async def only_the_second(token: str) -> Answer:
        tried.append(token)
        return Answer(200 if token == "t2" else 401, httpx.Headers(), b"")

    assert (await holder.send(only_the_second)).status == 200
    assert tried == ["t1", "t2"]


async def test_a_request_refused_with_a_new_token_is_not_tried_for_ever() -> None:
    issuer = Issuer()
    holder = TokenHolder(issuer, Clock())

    async def refused(token: str) -> Answer:
        return Answer(401, httpx.Headers(), b"")

    assert (await holder.send(refused)).status == 401
    assert issuer.issued == 2


async def test_many_refused_at_once_renew_once() -> None:
    issuer = Issuer()
    holder = TokenHolder(issuer, Clock())

    async def first_is_refused(token: str) -> Answer:
        await asyncio.sleep(0)
        return Answer(401 if token == "t1" else 200, httpx.Headers(), b"")

    answers = await asyncio.gather(*(holder.send(first_is_refused) for _ in range(10)))
    assert {answer.status for answer in answers} == {200}
    assert issuer.issued == 2


async def fetched(response: httpx.Response, *, scope: str | None = "default") -> tuple[Token, httpx.Request]:
    with respx.mock() as router:
        route = router.post(TOKEN_URL).mock(return_value=response)
        async with httpx.AsyncClient() as client:
            fetch = client_credentials(
                client, TOKEN_URL, key="key", secret=SecretStr("secret"), scope=scope, within=timedelta(seconds=1)
            )
            token = await fetch()
        return token, route.calls.last.request


async def test_the_credentials_travel_as_basic_authorization_and_the_grant_as_a_form() -> None:
    token, request = await fetched(httpx.Response(200, json={"access_token": "abc", "expires_in": 3600}))
    assert token == Token("abc", timedelta(hours=1))
    assert request.headers["authorization"] == "Basic a2V5OnNlY3JldA=="
    assert request.content == b"grant_type=client_credentials&scope=default"


@pytest.mark.parametrize(
    ("stated", "life"),
    [
        ({"expires_in": 60}, timedelta(minutes=1)),
        ({"expires_in": "60"}, timedelta(minutes=1)),
        ({"expires_in": -1}, timedelta(0)),
        ({"expires_in": 10**9}, timedelta(days=1)),
        ({"expires_in": True}, timedelta(minutes=5)),
        ({}, timedelta(minutes=5)),
    ],
)
async def test_the_life_of_a_token_is_read_with_caution(stated: dict[str, object], life: timedelta) -> None:
    token, _ = await fetched(httpx.Response(200, json={"access_token": "abc"} | stated), scope=None)
    assert token.life == life


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(400, json={"error": "invalid_client"}), MisconfiguredError),
        (httpx.Response(401), MisconfiguredError),
        (httpx.Response(500), TemporaryError),
        (httpx.Response(200, text="hello"), TemporaryError),
        (httpx.Response(200, json=[]), TemporaryError),
        (httpx.Response(200, json={"access_token": ""}), TemporaryError),
        (httpx.Response(200, json={"access_token": "a\nb"}), TemporaryError),
    ],
)
async def test_no_token_says_what_to_do_next(response: httpx.Response, error: type[ConnectorError]) -> None:
    with pytest.raises(error) as raised:
        await fetched(response)
    assert "secret" not in str(raised.value)


def test_a_token_is_not_shown() -> None:
    assert "abc" not in repr(Token("abc", timedelta(hours=1)))
