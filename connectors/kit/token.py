"""Access tokens by OAuth2 client credentials (RFC 6749, 4.4): fetched once, shared, renewed before they run out."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import httpx
from pydantic import SecretStr

from connectors.kit.errors import MisconfiguredError, TemporaryError
from connectors.kit.http import Answer, error_for_status, exchange
from connectors.kit.strict_json import MalformedJsonError, parse

UNSTATED_LIFE: Final = timedelta(minutes=5)
LONGEST_LIFE: Final = timedelta(days=1)
LARGEST_ANSWER: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and how long it was said to live."""

    value: str = field(repr=False)
    life: timedelta


FetchToken = Callable[[], Awaitable[Token]]


def client_credentials(
    client: httpx.AsyncClient, token_url: str, *, key: str, secret: SecretStr, scope: str | None, within: timedelta
) -> FetchToken:
    """How to ask ``token_url`` for a token with HTTP Basic credentials.

    The call raises MisconfiguredError where they are refused (400, 401, 403), otherwise as the table of outcomes says.
    """

    async def fetch() -> Token:
        form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        authorization = httpx.BasicAuth(key, secret.get_secret_value())
        request = next(authorization.auth_flow(client.build_request("POST", token_url, data=form)))
        # Asking for a token changes nothing there, so a lost answer is asked for again.
        answer = await exchange(client, request, writing=False, limit=LARGEST_ANSWER, within=within)
        return _token_from(answer)

    return fetch


class TokenHolder:
    """One token for everybody: many who ask at once cause one fetch.

    A token is renewed when a tenth of its life, at most a minute, is left. ``clock`` counts seconds, never back.
    """

    def __init__(self, fetch: FetchToken, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._value: str | None = None
        self._renew_at = 0.0

    async def send(self, request: Callable[[str], Awaitable[Answer]]) -> Answer:
        """The answer to a request made with the current token; a 401 is tried once more with a new one."""
        token = await self._current(refused=None)
        answer = await request(token)
        if answer.status != httpx.codes.UNAUTHORIZED:
            return answer
        return await request(await self._current(refused=token))

    async def _current(self, *, refused: str | None) -> str:
        async with self._lock:
            if self._value is not None and self._value != refused and self._clock() < self._renew_at:
                return self._value
            token = await self._fetch()
            life = token.life.total_seconds()
            self._value = token.value
            self._renew_at = self._clock() + life - min(life / 10, 60)
            return self._value


def _token_from(answer: Answer) -> Token:
    refused = "the token endpoint refuses our credentials"
    if answer.status in (400, 401, 403):
        raise MisconfiguredError(refused, code=f"token_http_{answer.status}")
    error = error_for_status(answer.status, answer.headers, writing=False, reason="the token endpoint gives no token")
    if error is not None:
        raise error
    try:
        document = parse(answer.body)
    except MalformedJsonError:
        document = None
    value = document.get("access_token") if isinstance(document, dict) else None
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
        raise TemporaryError("the token endpoint's answer holds no token", code="token_unreadable")
    return Token(value, _life(document.get("expires_in") if isinstance(document, dict) else None))


def _life(stated: object) -> timedelta:
    """RFC 6749 lets a server leave the life out; some state it as a text."""
    if isinstance(stated, str) and stated.isascii() and stated.isdigit():
        stated = int(stated[:9])
    if isinstance(stated, bool) or not isinstance(stated, (int, float)):
        return UNSTATED_LIFE
    return timedelta(seconds=min(max(float(stated), 0.0), LONGEST_LIFE.total_seconds()))
