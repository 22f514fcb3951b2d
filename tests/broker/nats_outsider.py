"""Somebody else at a NATS server, through the plain client."""

import nats
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import DeliverPolicy
from nats.js.errors import NoStreamResponseError

from relais.runtime.streams import FEEDS_STREAM, INBOUND_STREAM
from tests.broker.waiting import eventually


class NatsOutsider:
    """A sender on the bus and a reader of the feeds; a connection for each question."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def send(self, subject: str, body: bytes) -> None:
        async with await nats.connect(self._url) as client:
            jetstream = client.jetstream()

            async def taken() -> bool:
                try:
                    await jetstream.publish(subject, body)
                except NoStreamResponseError:
                    return False  # the stream is not declared yet
                return True

            await eventually(taken)

    async def feed(self) -> list[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        async with await nats.connect(self._url) as client:
            jetstream = client.jetstream()
            held = (await jetstream.stream_info(FEEDS_STREAM)).state.messages
            reader = await jetstream.subscribe(
                "cases.*", stream=FEEDS_STREAM, ordered_consumer=True, deliver_policy=DeliverPolicy.ALL
            )
            while len(found) < held:
                try:
                    message = await reader.next_msg(timeout=5)
                except NatsTimeoutError:
                    break
                found.append((message.subject, message.data))
        return found

    async def unread(self) -> int:
        async with await nats.connect(self._url) as client:
            return (await client.jetstream().stream_info(INBOUND_STREAM)).state.messages
