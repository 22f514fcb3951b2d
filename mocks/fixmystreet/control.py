"""The handles of the stand-in: switch shapes, make reports, send requests, play a day, start over."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mocks.fixmystreet import changes
from mocks.fixmystreet.backlog import fill
from mocks.fixmystreet.day import DayPlan
from mocks.fixmystreet.doors import AccessTokens
from mocks.fixmystreet.invent import a_report
from mocks.fixmystreet.operator import Operator
from mocks.fixmystreet.oracle import Scope, truth_of, truth_of_report
from mocks.fixmystreet.play import OpenClient, Pace, Play
from mocks.fixmystreet.records import Report
from mocks.fixmystreet.settings import WebhookTarget
from mocks.fixmystreet.shape import shape_as_json, shape_with
from mocks.fixmystreet.webhooks import WebhookSender, is_web_address, payload_of
from mocks.fixmystreet.world import World

_Kind = TypeVar("_Kind")
Endpoint = Callable[[Request], Awaitable[Response]]


class Control:
    """Everything under `/_control`, and the oracle; none of it exists in the real system."""

    def __init__(self, world: World, tokens: AccessTokens, open_client: OpenClient) -> None:
        self._world = world
        self._tokens = tokens
        self._open_client = open_client
        self._play: Play | None = None
        self._playing: asyncio.Task[None] | None = None

    def routes(self) -> list[Route]:
        """Its paths."""
        return [
            Route("/_oracle", _clear(self._oracle), methods=["GET"]),
            Route("/_control/shape", _clear(self._shape), methods=["GET", "POST"]),
            Route("/_control/target", _clear(self._target), methods=["POST"]),
            Route("/_control/categories", _clear(self._category), methods=["POST"]),
            Route("/_control/tokens", _clear(self._revoke), methods=["DELETE"]),
            Route("/_control/incidents", _clear(self._incident), methods=["POST"]),
            Route("/_control/webhook", _clear(self._webhook), methods=["POST"]),
            Route("/_control/play", _clear(self._start_play), methods=["POST"]),
            Route("/_control/play", _clear(self._progress), methods=["GET"]),
            Route("/_control/play", _clear(self._stop_play), methods=["DELETE"]),
            Route("/_control/reset", _clear(self._reset), methods=["POST"]),
        ]

    async def _oracle(self, request: Request) -> Response:
        codes = request.query_params.get("municipalities")
        since = request.query_params.get("since")
        scope = Scope(since=date.fromisoformat(since) if since else None)
        if codes is not None:
            scope = replace(scope, postal_codes=tuple(code for code in codes.split(",") if code))
        return JSONResponse(truth_of(self._world, scope))

    async def _shape(self, request: Request) -> Response:
        if request.method == "POST":
            self._world.shape = shape_with(self._world.shape, await _object(request))
            self._world.touch()
        return JSONResponse(shape_as_json(self._world.shape))

    async def _target(self, request: Request) -> Response:
        self._world.target = _target_from(await _object(request), None)
        return JSONResponse({"url": self._world.target.url if self._world.target else None})

    async def _category(self, request: Request) -> Response:
        given = await _object(request)
        category_id = given.pop("id")
        if type(category_id) is not int:
            raise ValueError("id is a whole number")
        node = self._world.tree.put(category_id, given)
        self._world.touch()
        return JSONResponse({"id": node.id, "parent": node.parent, "level": node.level})

    async def _revoke(self, _: Request) -> Response:
        return JSONResponse({"revoked": self._tokens.revoke()})

    async def _incident(self, request: Request) -> Response:
        given = await _object(request)
        world = self._world
        steps = given.pop("changes", [])
        report = world.reports[given["id"]] if "id" in given else self._made(given)
        for step in steps:
            details = dict(step)
            changes.apply(world, report, details.pop("kind"), world.moment(), details)
        entries = [entry for entry in world.webhooks if entry["report"] == report.id]
        return JSONResponse(truth_of_report(world, report, entries, Scope()))

    def _made(self, given: Mapping[str, Any]) -> Report:
        world = self._world
        report_id, at = world.reserve_ids(1)[0], world.moment()
        if "created_at" in given:
            at = _aware(given["created_at"])
        category_id = given.get("category")
        if category_id is not None and not world.tree.is_leaf(category_id):
            raise ValueError(f"{category_id!r} is not a leaf of the tree")
        report = a_report(
            random.Random(f"by hand {given.get('seed', report_id)}"),
            world.tree,
            report_id,
            at,
            postal_code=given.get("postal_code"),
            category_id=category_id,
            language=given.get("language"),
            other_share=0.0,
        )
        report.private = bool(given.get("private", False))
        if "point" in given:
            report.point = None if given["point"] is None else (float(given["point"][0]), float(given["point"][1]))
        for index, text in enumerate(given.get("comments", []), 1):
            details = {"text": str(text), "name": report.creator.last_name}
            changes.CHANGES["comment"](world, report, at + timedelta(seconds=index), details)
        return world.add(report)

    async def _webhook(self, request: Request) -> Response:
        """One request as it stands, without any change: `hook`, and `overrides` merged into its report."""
        given = await _object(request)
        target = _target_from(given, self._world.target)
        if target is None:
            raise ValueError("webhook_url is missing")
        report, hook = self._world.reports[given["incident"]], given.get("hook", "transfer")
        async with self._open_client() as client:
            sender = WebhookSender(self._world, client)
            if given.get("change", False):
                operator = Operator(self._world, sender, target)
                act = operator.assign if hook == "assignment" else operator.transfer
                return JSONResponse(await act(report, self._world.moment()))
            if hook not in {"transfer", "assignment"}:
                raise ValueError("hook is transfer or assignment")
            payload = payload_of(report, self._world, hook)
            payload["data"]["report"].update(given.get("overrides", {}))
            return JSONResponse([await sender.send(payload, target)])

    async def _start_play(self, request: Request) -> Response:
        if self._playing is not None and not self._playing.done():
            return JSONResponse({"error": "a day is being played"}, 409)
        given = await _object(request)
        given["day"] = date.fromisoformat(given["day"]) if "day" in given else self._world.settings.day
        target = _target_from(given, self._world.target)
        for name in ("webhook_url", "signature_key", "token"):
            given.pop(name, None)
        pace = _taken(Pace, given)
        plan = _taken(DayPlan, given)
        if given:
            raise ValueError(f"a play has no {', '.join(sorted(given))}")
        self._world.target = target
        self._play = Play(self._world, plan, pace, target, self._open_client)
        self._playing = asyncio.create_task(self._play.run())
        return JSONResponse(self._play.as_json(), 202)

    async def _progress(self, _: Request) -> Response:
        return JSONResponse(self._play.as_json() if self._play else {"done": True, "reports": 0, "changes": 0})

    async def _stop_play(self, _: Request) -> Response:
        await self._stop()
        return JSONResponse({"stopped": True})

    async def _stop(self) -> None:
        if self._playing is not None and not self._playing.done():
            self._playing.cancel()
            await asyncio.wait([self._playing])

    async def _reset(self, request: Request) -> Response:
        given = await _object(request)
        await self._stop()
        self._play = self._playing = None
        world = self._world
        if "day" in given:
            given["day"] = date.fromisoformat(given["day"])
        chosen = {name: given[name] for name in ("seed", "backlog", "day") if name in given}
        settings = replace(world.settings, **chosen)
        world.start_over(settings)
        fill(world)
        return JSONResponse({"incidents": len(world.reports)})


def _clear(endpoint: Endpoint) -> Endpoint:
    async def clear(request: Request) -> Response:
        try:
            return await endpoint(request)
        except KeyError as error:
            return JSONResponse({"error": f"missing or unknown: {error.args[0]!r}"}, 400)
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return clear


async def _object(request: Request) -> dict[str, Any]:
    body = await request.body()
    given = json.loads(body) if body else {}
    if not isinstance(given, dict):
        raise TypeError("a JSON object is expected")
    return given


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time with its offset is expected")
    return moment


def _target_from(given: Mapping[str, Any], otherwise: WebhookTarget | None) -> WebhookTarget | None:
    url = given.get("webhook_url")
    if url is None:
        return otherwise
    if not is_web_address(url):
        raise ValueError("webhook_url is an http address")
    return WebhookTarget(url, str(given.get("signature_key", "")), str(given.get("token", "")))


def _taken(kind: type[_Kind], given: dict[str, Any]) -> _Kind:
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: given.pop(name) for name in names if name in given})
