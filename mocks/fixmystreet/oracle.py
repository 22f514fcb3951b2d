"""The truth of this side, for whoever compares it with what the CRM holds at the end."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from mocks.fixmystreet import times
from mocks.fixmystreet.doors import SITE_BASE
from mocks.fixmystreet.places import CITY_POSTAL_CODES
from mocks.fixmystreet.records import Comment, Report, Version
from mocks.fixmystreet.shape import shape_as_json
from mocks.fixmystreet.wire import incident_json
from mocks.fixmystreet.world import World

Expectation = Literal["yes", "may", "no"]


@dataclass(frozen=True)
class Scope:
    """What the reader of the public door was told to take: postal codes, and creation days from `since` on."""

    postal_codes: tuple[str, ...] = CITY_POSTAL_CODES
    since: date | None = None


def truth_of(world: World, scope: Scope) -> dict[str, Any]:
    """Every report with its history and what must have become of it, every webhook sent, every hook received."""
    by_report: dict[int, list[dict[str, Any]]] = {}
    for entry in world.webhooks:
        by_report.setdefault(entry["report"], []).append(entry)
    return {
        "scope": {"postal_codes": scope.postal_codes, "since": scope.since.isoformat() if scope.since else None},
        "shape": shape_as_json(world.shape),
        "incidents": [
            truth_of_report(world, report, by_report.get(report.id, []), scope) for report in world.reports.values()
        ],
        "webhooks": world.webhooks,
        "hooks": world.hooks,
    }


def truth_of_report(world: World, report: Report, webhooks: Sequence[dict[str, Any]], scope: Scope) -> dict[str, Any]:
    """One report: `expected` for the judge, `final` facts, the public JSON where there is one, and all versions."""
    accepted = [entry for entry in webhooks if entry["ok"]]
    visible = world.visibility(report) != "none"
    return {
        "id": report.id,
        "created_at": report.created_at.isoformat(),
        "modified_at": report.modified_at.isoformat(),
        "expected": {
            "in_crm": _expectation(world, report, webhooks, scope),
            "comments": _comments_told(accepted),
            "comments_perhaps": _comments_told([entry for entry in webhooks if not entry["ok"]]),
            "events_accepted": list(dict.fromkeys(entry["event"] for entry in accepted)),
            "states": _states(report.versions),
            "last_public": _last_public(report.versions),
        },
        "final": world.content_of(report),
        "public": incident_json(report, world, SITE_BASE, detail=True) if visible else None,
        "creator": {"type": report.creator.type, "language": report.creator.language},
        "comments": [_comment_json(comment) for comment in report.comments],
        "versions": [_version_json(world, version) for version in report.versions],
        "webhooks": [entry["number"] for entry in webhooks],
    }


def _expectation(world: World, report: Report, webhooks: Sequence[dict[str, Any]], scope: Scope) -> Expectation:
    """`yes`: pushed and answered 200, or listed now; `may`: listed for a while only, or pushed and not answered 200."""
    if any(entry["ok"] for entry in webhooks):
        return "yes"
    recent = scope.since is None or times.local_day(report.created_at) >= scope.since
    in_scope = recent and report.postal_code in scope.postal_codes
    if in_scope and world.visibility(report) == "listed":
        return "yes"
    ever_listed = in_scope and any(version.content["visibility"] == "listed" for version in report.versions)
    return "may" if ever_listed or webhooks else "no"


def _comments_told(webhooks: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    told: dict[tuple[str, ...], dict[str, str]] = {}
    for entry in webhooks:
        for comment in json.loads(entry["body"])["data"]["report"]["comments"]:
            told.setdefault((comment["createdAt"], comment["name"], comment["text"]), comment)
    return list(told.values())


def _states(versions: Sequence[Version]) -> list[dict[str, Any]]:
    states: list[dict[str, Any]] = []
    for version in versions:
        content = version.content
        state = {name: content[name] for name in ("public_status", "declared_resolved", "visibility", "category")}
        if not states or {name: states[-1][name] for name in state} != state:
            states.append({"at": version.at.isoformat(), **state})
    return states


def _last_public(versions: Sequence[Version]) -> dict[str, Any] | None:
    """The facts that a reader of the public doors could know last; None if it was never shown."""
    shown = [version for version in versions if version.content["visibility"] != "none"]
    return {"number": shown[-1].number, **shown[-1].content} if shown else None


def _comment_json(comment: Comment) -> dict[str, str]:
    return {
        "createdAt": times.generation_1_text(comment.created_at),
        "name": comment.name,
        "text": comment.text,
        "security": comment.security,
        "type": comment.type,
    }


def _version_json(world: World, version: Version) -> dict[str, Any]:
    return {
        "number": version.number,
        "sequence": version.sequence,
        "at": version.at.isoformat(),
        "updatedDate": times.generation_2_text(version.at, world.shape.dates, world.shape.precision),
        "what": version.what,
        "content": version.content,
    }
