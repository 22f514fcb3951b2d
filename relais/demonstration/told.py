"""What Fix My Street said on the day, read from its stand-in's own account of it. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from relais.demonstration.case_types import as_told

Presence = Literal["yes", "may", "no"]

BRUSSELS: Final = ZoneInfo("Europe/Brussels")

CITY_STATUSES: Final = {"CREATED": "received", "PROCESSING": "in_progress", "CLOSED": "closed"}
"""The three public words, as the city says them."""

RESOLVED: Final = "resolved"

SERVICES: Final = frozenset({"Coordination"})
"""Who signs a comment without being a person: the name of a department, which stands elsewhere by right."""


@dataclass(frozen=True, slots=True)
class Comment:
    """One text on a report, told by a push. ``written_at`` is UTC."""

    written_at: datetime
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a report shows: everything that the doors say of it and that changes in a day."""

    status: str
    category: str
    street: str
    number: str
    duplicates: int | None = None
    department: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A report after one change. ``shown`` is false while nobody outside could see it."""

    look: Look
    shown: bool
    category_path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Push:
    """One request to the city, counted once however often it was sent; ``accepted`` when it was answered with 200."""

    event: str
    accepted: bool
    look: Look
    category_path: tuple[str, ...]
    comments: tuple[Comment, ...]
    person: Mapping[str, str]
    documents: frozenset[str]

    def private_texts(self) -> set[str]:
        """What identifies somebody, and what somebody wrote."""
        person = self.person
        name = f"{person.get('firstName', '')} {person.get('lastName', '')}".strip()
        said = {text for comment in self.comments for text in (comment.author, comment.text)} - SERVICES
        return {text for text in {name, person.get("email", ""), person.get("phone", ""), *said} if len(text) > 3}


@dataclass(frozen=True, slots=True)
class Report:
    """One report with all that was said of it. ``followed`` when it is in the lists that the city reads, at the end."""

    id: str
    presence: Presence
    followed: bool
    language: str
    postal_code: str
    point: tuple[float, float] | None
    versions: tuple[Version, ...]
    pushes: tuple[Push, ...]
    comments: tuple[Comment, ...]
    comments_perhaps: tuple[Comment, ...]

    @property
    def last(self) -> Version:
        """How it stands at the end."""
        return self.versions[-1]

    @property
    def accepted_pushes(self) -> tuple[Push, ...]:
        """Those that the city said yes to, in their order."""
        return tuple(push for push in self.pushes if push.accepted)

    def category_paths(self) -> dict[str, tuple[str, ...]]:
        """Every category that it ever had, with the way to it."""
        told = [(version.look.category, version.category_path) for version in self.versions]
        return dict([*told, *((push.look.category, push.category_path) for push in self.pushes)])


def reports_from(account: Mapping[str, Any]) -> dict[str, Report]:
    """Every report of the stand-in's account, by its number."""
    scope = account["scope"]
    since = date.fromisoformat(scope["since"]) if scope["since"] else None
    sent: dict[int, list[Mapping[str, Any]]] = {}
    for entry in account["webhooks"]:
        sent.setdefault(entry["report"], []).append(entry)
    return {
        str(incident["id"]): _report_from(incident, sent.get(incident["id"], ()), scope["postal_codes"], since)
        for incident in account["incidents"]
    }


def _report_from(
    incident: Mapping[str, Any], sent: Iterable[Mapping[str, Any]], postal_codes: Iterable[str], since: date | None
) -> Report:
    expected, final = incident["expected"], incident["final"]
    created = datetime.fromisoformat(incident["created_at"]).astimezone(BRUSSELS).date()
    ours = final["postal_code"] in postal_codes and (since is None or created >= since)
    return Report(
        id=str(incident["id"]),
        presence=expected["in_crm"],
        followed=ours and final["visibility"] == "listed",
        language=incident["creator"]["language"],
        postal_code=final["postal_code"],
        point=(final["point"][0], final["point"][1]) if final["point"] else None,
        versions=tuple(_version_from(version["content"]) for version in incident["versions"]),
        pushes=_pushes_from(sent),
        comments=tuple(_comment_from(comment) for comment in expected["comments"]),
        comments_perhaps=tuple(_comment_from(comment) for comment in expected["comments_perhaps"]),
    )


def _version_from(content: Mapping[str, Any]) -> Version:
    look = Look(
        status=_status_of(content),
        category=as_told(str(content["category"])),
        street=content["street_fr"],
        number=content["number"],
        duplicates=content["duplicates"],
        department=str(content["department"]),
    )
    return Version(look, content["visibility"] != "none", tuple(str(step) for step in content["category_path"]))


def _status_of(content: Mapping[str, Any]) -> str:
    status = CITY_STATUSES[content["public_status"]]
    return RESOLVED if status == CITY_STATUSES["PROCESSING"] and content["declared_resolved"] else status


def _pushes_from(sent: Iterable[Mapping[str, Any]]) -> tuple[Push, ...]:
    pushes: dict[str, Push] = {}
    for entry in sent:
        before = pushes.get(entry["event"])
        accepted = entry["ok"] or (before is not None and before.accepted)
        report = json.loads(entry["body"])["data"]["report"]
        # there are always four ids, empty where a category has fewer levels
        address, path = report["address"], [str(step) for step in report["category"]["ids"] if step]
        pushes[entry["event"]] = Push(
            event=entry["event"],
            accepted=accepted,
            look=Look(CITY_STATUSES["CREATED"], as_told(path[-1]), address["street"]["fr"], address["number"]),
            category_path=tuple(path),
            comments=tuple(_comment_from(comment) for comment in report["comments"]),
            person={name: text for name, text in report["creator"].items() if text},
            documents=frozenset(report["pdfUrl"].values()),
        )
    return tuple(pushes.values())


def _comment_from(comment: Mapping[str, str]) -> Comment:
    written_at = datetime.fromisoformat(comment["createdAt"]).replace(tzinfo=BRUSSELS).astimezone(UTC)
    return Comment(written_at, comment["name"].strip(), comment["text"].strip())
