"""The tree of categories that this process knows: the published one until the live one has been read, then that."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from connectors.fixmystreet.category import Tree, tree_from
from connectors.fixmystreet.client import Client
from connectors.kit.errors import ConnectorError, TemporaryError

READ_EVERY: Final = timedelta(days=1)
TRY_AGAIN_AFTER: Final = timedelta(hours=1)


class KnownCategories:
    """Reads the live tree at most once a day; what has gone from it stays known, so that old reports keep a path."""

    def __init__(self, client: Client, published: Tree, clock: Callable[[], datetime]) -> None:
        self.tree = published
        self._client = client
        self._clock = clock
        self._due_at: datetime | None = None

    async def read_if_due(self) -> str | None:
        """The live tree as canonical JSON text when it was due and has been read, else ``None``.

        Raises ConnectorError; it is not tried again within the hour.
        """
        now = self._clock()
        if self._due_at is not None and now < self._due_at:
            return None
        self._due_at = now + TRY_AGAIN_AFTER
        document = await self._client.categories()
        if not tree_from(document).nodes:
            raise TemporaryError("the tree of categories is empty or not one", code="unreadable_answer")
        self.tree = tree_from(document, known=self.tree)
        self._due_at = now + READ_EVERY
        return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def learn(self, catalogue: str) -> None:
        """Take in a tree that another process has read; one that is no tree changes nothing."""
        try:
            document = json.loads(catalogue)
        except ValueError:
            return
        if tree_from(document).nodes:
            self.tree = tree_from(document, known=self.tree)

    async def read_or_trouble(self) -> str | ConnectorError | None:
        """The same with the error as a value: a run goes on without the tree and tells at its end."""
        try:
            return await self.read_if_due()
        except ConnectorError as error:
            return error
