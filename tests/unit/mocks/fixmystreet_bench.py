"""A stand-in of Fix My Street in process, and a city that keeps what it is sent."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from mocks.fixmystreet.app import stand_in
from mocks.fixmystreet.settings import Settings, WebhookTarget
from mocks.fixmystreet.world import World

TARGET = WebhookTarget("http://city.example.org/hooks", "key of the signature", "token of the city")
TARGET_JSON = {"webhook_url": TARGET.url, "signature_key": TARGET.signature_key, "token": TARGET.token}


@dataclass
class City:
    """Answers every webhook by `answer`, 200 unless told otherwise."""

    answer: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(200)
    received: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.received.append(request)
        return self.answer(request)

    def open_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self))


@dataclass
class Bench:
    """The stand-in's world and a client that speaks to it."""

    world: World
    city: City
    client: httpx.AsyncClient

    async def control(self, name: str, **body: Any) -> Any:
        answer = await self.client.post(f"/_control/{name}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def site(self, path: str, **query: str | int) -> Any:
        answer = await self.client.get(f"/site/api/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def oracle(self, **query: str) -> Any:
        return (await self.client.get("/_oracle", params=query)).json()


@asynccontextmanager
async def a_stand_in(settings: Settings | None = None, city: City | None = None) -> AsyncIterator[Bench]:
    city = city or City()
    world = World(settings or Settings(backlog=0))
    app = stand_in(world.settings, city.open_client, world)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://fixmystreet") as client:
        yield Bench(world, city, client)
