"""What a connector's folder declares of itself."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import BaseModel

from connectors.kit.ports import Sink, Source

OpenTransport = Callable[[], httpx.AsyncBaseTransport]
"""Makes the transport that a connector's client sends through; the wiring chooses it, tests pass their own."""


@dataclass(frozen=True, slots=True)
class Connector:
    """A system: its name, its settings, and how to open it as a source, as a sink or as both.

    The settings class is a frozen pydantic model; its fields are read from ``RELAIS_<NAME>_<FIELD>``.
    """

    name: str
    title: str
    settings: type[BaseModel]
    open_source: Callable[[Any, OpenTransport], AbstractAsyncContextManager[Source]] | None = None
    open_sink: Callable[[Any, OpenTransport], AbstractAsyncContextManager[Sink]] | None = None
