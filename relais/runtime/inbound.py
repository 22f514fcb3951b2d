"""What a broker of any make hands over from the bus, and how it is told to come again."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A message of the bus: the source that its subject names, and its bytes."""

    source: str
    body: bytes


class NotNowError(Exception):
    """What was received cannot be kept at present; the same messages are to be handed over again later."""


TakeInbound = Callable[[Sequence[InboundMessage]], Awaitable[None]]
"""Keeps messages in their order; they are acknowledged once it returns. Raises NotNowError to get them again."""
