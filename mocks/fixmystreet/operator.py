"""The people of Fix My Street who send reports to the city, and what happens when the city does not answer 200."""

import copy
from datetime import datetime
from typing import Any

from mocks.fixmystreet import changes
from mocks.fixmystreet.places import CITY_CRM
from mocks.fixmystreet.records import Report
from mocks.fixmystreet.settings import WebhookTarget
from mocks.fixmystreet.webhooks import WebhookSender, payload_of
from mocks.fixmystreet.world import World


class Operator:
    """Transfers and assigns; without a target the changes are made and nobody is told."""

    def __init__(self, world: World, sender: WebhookSender, target: WebhookTarget | None) -> None:
        self._world = world
        self._sender = sender
        self._target = target

    async def announce(self, report: Report, *, repeat: bool = False) -> list[dict[str, Any]]:
        """Push a new report that dispatching has put with the city."""
        return await self._push_transfer(report, repeat=repeat)

    async def transfer(self, report: Report, at: datetime, *, repeat: bool = False) -> list[dict[str, Any]]:
        """Move the report to the city and push it; anything but 200 gives it back to who had it before."""
        changes.apply(self._world, report, "transfer", at)
        return await self._push_transfer(report, repeat=repeat)

    async def assign(self, report: Report, at: datetime, *, repeat: bool = False) -> list[dict[str, Any]]:
        """Make the city the contractor; anything but 200 aborts the save, so that nothing was ever assigned."""
        if not changes.allowed(report, "assign"):
            raise changes.NotAllowedError(f"assign is not possible from {report.status.name}")
        at = self._world.not_before(report, at)
        if self._target is None:
            changes.apply(self._world, report, "assign", at)
            return []
        draft = copy.copy(report)
        draft.contractor, draft.modified_at = CITY_CRM, at
        entries = await self._send(payload_of(draft, self._world, "assignment"), self._target, repeat=repeat)
        if entries[0]["ok"] and changes.allowed(report, "assign"):
            changes.apply(self._world, report, "assign", at)
        return entries

    async def _push_transfer(self, report: Report, *, repeat: bool) -> list[dict[str, Any]]:
        if self._target is None:
            return []
        entries = await self._send(payload_of(report, self._world, "transfer"), self._target, repeat=repeat)
        if not entries[0]["ok"] and report.department == CITY_CRM and changes.allowed(report, "give back"):
            changes.apply(self._world, report, "give back", self._world.moment())
        return entries

    async def _send(self, payload: dict[str, Any], target: WebhookTarget, *, repeat: bool) -> list[dict[str, Any]]:
        entries = [await self._sender.send(payload, target)]
        if repeat:
            entries.append(await self._sender.repeat(entries[0], target))
        return entries
