"""A ledger as a poll sees it: keeps pages with their cursor, knows what is news, and dies when told to."""

import json
from collections.abc import Mapping
from typing import Any

from connectors.kit.ports import Kept, Page, Poll


class KilledError(Exception):
    """The process ended here."""


class Keeper:
    """Keeps what one source's polls hand over, in memory."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self.contents: dict[str, str] = {}
        self.cursors: dict[str, Mapping[str, Any]] = {}
        self.dies_after: int | None = None

    async def run(self, poll: Poll) -> None:
        """One run of a poll from the cursor that was kept."""

        async def keep(page: Page) -> Kept:
            if self.dies_after is not None and len(self.pages) >= self.dies_after:
                raise KilledError
            self.pages.append(page)
            self.cursors[poll.name] = json.loads(json.dumps(dict(page.cursor)))
            changed = 0
            for seen in page.observations:
                changed += self.contents.get(seen.external_id) != seen.content
                self.contents[seen.external_id] = seen.content
            return Kept(changed)

        await poll.run(self.cursors.get(poll.name), keep)

    @property
    def ids(self) -> set[int]:
        """The numbers of all reports seen."""
        return {int(external_id) for external_id in self.contents}
