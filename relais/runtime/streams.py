"""The streams and the consumer that we ask JetStream to keep, declared by us and looked for again and again."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError, NotFoundError

from schemas.channels import FEEDS, INBOUND

FEEDS_STREAM: Final = "RELAIS_FEEDS"
INBOUND_STREAM: Final = "RELAIS_INBOUND"
INBOUND_READER: Final = "relais-intake"

INBOUND_BATCH: Final = 64
"""How many messages of the bus are taken at a time: with the broker's largest message, what bounds the memory."""

ACK_WAIT: Final = timedelta(seconds=60)
"""How long a message of the bus may be held before it is given to somebody else; longer than any ledger's timeout."""

_DUPLICATES: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """How much the broker keeps. The feeds drop the oldest; the bus refuses the newest, so that nothing is lost."""

    feeds_age: timedelta = timedelta(days=7)
    feeds_bytes: int = 256 * 1024 * 1024
    inbound_bytes: int = 256 * 1024 * 1024
    replicas: int = 1


async def declare_feeds(jetstream: JetStreamContext, limits: StreamLimits, *, anew: bool) -> None:
    """See that the stream of the feeds is there; ``anew`` also brings its limits in step."""
    await _declare(
        jetstream,
        StreamConfig(
            name=FEEDS_STREAM,
            description="What others may know of the cases: no personal data",
            subjects=[feed.pattern for feed in FEEDS],
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            max_age=limits.feeds_age.total_seconds(),
            max_bytes=limits.feeds_bytes,
            storage=StorageType.FILE,
            num_replicas=limits.replicas,
            duplicate_window=_DUPLICATES.total_seconds(),
        ),
        anew=anew,
    )


async def declare_inbound(jetstream: JetStreamContext, limits: StreamLimits, *, anew: bool) -> None:
    """See that the stream of the bus and its one reader are there.

    A message goes when it is acknowledged, because it holds personal data that erasure could not reach; no age ends
    it before.
    """
    await _declare(
        jetstream,
        StreamConfig(
            name=INBOUND_STREAM,
            description="Events on their way into the ledger; each goes once it is there",
            subjects=[INBOUND.pattern],
            retention=RetentionPolicy.WORK_QUEUE,
            discard=DiscardPolicy.NEW,
            max_bytes=limits.inbound_bytes,
            storage=StorageType.FILE,
            num_replicas=limits.replicas,
        ),
        anew=anew,
    )
    if anew or not await _is_there(jetstream):
        await jetstream.add_consumer(INBOUND_STREAM, config=inbound_reader())


def inbound_reader() -> ConsumerConfig:
    """The durable consumer that every intake reads through. Nothing is ever given up: there is no largest count."""
    return ConsumerConfig(
        name=INBOUND_READER,
        durable_name=INBOUND_READER,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT.total_seconds(),
        max_deliver=-1,
        max_ack_pending=INBOUND_BATCH,
        filter_subject=INBOUND.pattern,
    )


async def _is_there(jetstream: JetStreamContext) -> bool:
    try:
        await jetstream.consumer_info(INBOUND_STREAM, INBOUND_READER)
    except NotFoundError:
        return False
    return True


async def _declare(jetstream: JetStreamContext, config: StreamConfig, *, anew: bool) -> None:
    try:
        if not anew:
            await jetstream.stream_info(str(config.name))
            return
    except NotFoundError:
        pass
    try:
        await jetstream.add_stream(config)
    except BadRequestError:
        # it exists with other limits; what cannot be changed in place raises again
        await jetstream.update_stream(config)
