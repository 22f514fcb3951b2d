"""The accounts that both stand-ins would give of a small day on which all went well, for tests to spoil."""

import json
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

DAY = "2026-03-10"
CITY = ["1000", "1020", "1120", "1130"]
PERSON = {
    "type": "citizen",
    "firstName": "",
    "lastName": "Kenza Verzonnen",
    "phone": "0470 00 12 34",
    "email": "citizen7@example.org",
}


def a_comment(text: str, at: str = "09:00:01.500250", name: str = "Kenza Verzonnen") -> dict[str, str]:
    return {"createdAt": f"{DAY}T{at}", "name": name, "text": text}


def a_version(public_status: str = "CREATED", **different: Any) -> dict[str, Any]:
    return {
        "public_status": public_status,
        "declared_resolved": False,
        "visibility": "listed",
        "category": 3026,
        "category_path": [1001, 2060, 3026],
        "street_fr": "Rue Haute",
        "number": "12",
        "postal_code": "1000",
        "point": [148880.0, 169700.0],
        "duplicates": 0,
        "department": 9100,
    } | different


@dataclass
class ReportScript:
    """A report as Fix My Street tells it; ``pushes`` are the version told, the comments in it, and the answer."""

    number: int
    versions: list[dict[str, Any]]
    in_crm: str = "yes"
    pushes: list[tuple[dict[str, Any], list[dict[str, str]], bool]] = field(default_factory=list)
    language: str = "fr"
    created: str = f"{DAY}T08:00:00+00:00"

    def webhooks(self) -> list[dict[str, Any]]:
        return [
            {
                "report": self.number,
                "event": f"transfer.request:{self.number}:{index}",
                "ok": ok,
                "body": json.dumps({"data": {"report": self._told(version, comments)}}),
            }
            for index, (version, comments, ok) in enumerate(self.pushes)
        ]

    def incident(self) -> dict[str, Any]:
        accepted = [comment for _, comments, ok in self.pushes if ok for comment in comments]
        others = [comment for _, comments, ok in self.pushes if not ok for comment in comments]
        return {
            "id": self.number,
            "created_at": self.created,
            "expected": {"in_crm": self.in_crm, "comments": _once(accepted), "comments_perhaps": _once(others)},
            "final": self.versions[-1],
            "creator": {"type": "citizen", "language": self.language},
            "versions": [{"content": version} for version in self.versions],
        }

    def _told(self, version: dict[str, Any], comments: list[dict[str, str]]) -> dict[str, Any]:
        return {
            "category": {"ids": [*version["category_path"], ""]},
            "address": {"street": {"fr": version["street_fr"]}, "number": version["number"]},
            "creator": PERSON | {"language": self.language},
            "comments": comments,
            "pdfUrl": {name: f"https://fms.example/{name}/{self.number}.pdf" for name in ("fr", "nl")},
        }


@dataclass
class CaseScript:
    """A case as CRM-CMT holds it; ``states`` are its fields after each write, with the version they were written as."""

    id: str
    states: list[dict[str, Any]]
    notes: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    versions: list[int] | None = None
    changes: list[str] | None = None

    @property
    def last(self) -> dict[str, Any]:
        return self.states[-1]

    def everywhere(self, **members: Any) -> None:
        """Let the case have been like this from the first write on."""
        for state in self.states:
            state.update(deepcopy(members))

    def whole(self) -> dict[str, Any]:
        return {"id": self.id, **self.last, "notes": self.notes, "attachments": self.attachments}

    def writes(self) -> list[dict[str, Any]]:
        numbers = self.versions or list(range(1, len(self.states) + 1))
        keys = self.changes or [f"{self.id}.{number}" for number in numbers]
        return [
            {
                "operation": "update" if index else "create",
                "id": self.id,
                "version": numbers[index],
                "idempotencyKey": keys[index],
                "changed": _changed(self.states[index - 1], state) if index else {},
            }
            for index, state in enumerate(self.states)
        ]


def pushed_state(number: int, version: dict[str, Any], **members: Any) -> dict[str, Any]:
    """The fields of a case that was only pushed so far."""
    return _common(number, version) | {"status": "received", "source": _source(number)} | members


def polled_state(number: int, version: dict[str, Any], **members: Any) -> dict[str, Any]:
    """The fields of a case whose report was read from the lists."""
    status = {"CREATED": "received", "PROCESSING": "in_progress", "CLOSED": "closed"}[version["public_status"]]
    if version["declared_resolved"]:
        status = "resolved"
    extra = {"duplicates": version["duplicates"], "responsibleDepartment": {"id": version["department"]}}
    source = _source(number) | {"status": version["public_status"]}
    return _common(number, version) | {"status": status, "source": source, "extra": extra} | members


def reporter(**different: Any) -> list[dict[str, Any]]:
    person = {"role": "reporter", "name": PERSON["lastName"], "email": PERSON["email"], "phone": PERSON["phone"]}
    return [person | different]


def a_note(key: str, comment: dict[str, str]) -> dict[str, Any]:
    # Brussels is an hour ahead of UTC in March.
    hour, _, rest = comment["createdAt"].removeprefix(f"{DAY}T").partition(":")
    return {
        "key": key,
        "text": comment["text"],
        "author": comment["name"],
        "writtenAt": f"{DAY}T{int(hour) - 1:02d}:{rest}Z",
    }


@dataclass
class Day:
    """Both sides of one day."""

    reports: dict[int, ReportScript]
    cases: dict[int, CaseScript]
    further_cases: list[CaseScript] = field(default_factory=list)

    def upstream(self) -> dict[str, Any]:
        reports = self.reports.values()
        return {
            "scope": {"postal_codes": CITY, "since": DAY},
            "incidents": [report.incident() for report in reports],
            "webhooks": [webhook for report in reports for webhook in report.webhooks()],
        }

    def crm(self) -> dict[str, Any]:
        cases = [*self.cases.values(), *self.further_cases]
        writes = [write for case in cases for write in case.writes()]
        return {
            "cases": [case.whole() for case in cases],
            "history": [write | {"sequence": number} for number, write in enumerate(writes, 1)],
        }


FOLLOWED, UNPUSHED, DELETED, REFUSED, PRIVATE, ELSEWHERE, EARLIER = range(700_001, 700_008)
FIRST_WORDS = a_comment("Un trou profond.")
LATER_WORDS = a_comment("Toujours là ce matin.", at="11:30:00.250000", name="Jef Proefman")


def a_good_day() -> Day:
    """Seven reports, of which five have a case, and everything is as it should be."""
    received, accepted = a_version(), a_version("PROCESSING")
    doubled, resolved = accepted | {"duplicates": 1}, accepted | {"duplicates": 1, "declared_resolved": True}
    closed = a_version("CLOSED", duplicates=1)
    moved = a_version(category=3040, category_path=[1001, 2072, 3040], postal_code="1020", number="")
    reports = [
        ReportScript(
            FOLLOWED,
            [received, accepted, doubled, resolved, closed],
            pushes=[(received, [FIRST_WORDS], True), (accepted, [FIRST_WORDS, LATER_WORDS], True)],
        ),
        ReportScript(UNPUSHED, [a_version(postal_code="1020", number=""), moved], language="nl"),
        ReportScript(DELETED, [received, accepted, accepted | {"visibility": "none"}], in_crm="may"),
        ReportScript(REFUSED, [received, a_version("CLOSED", visibility="detail")], in_crm="may"),
        ReportScript(
            PRIVATE, [received | {"visibility": "none"}], pushes=[(received, [FIRST_WORDS], True)], language="nl"
        ),
        ReportScript(ELSEWHERE, [a_version(postal_code="1050")], in_crm="no"),
        ReportScript(EARLIER, [received], in_crm="no", created="2026-03-09T22:59:59+00:00"),
    ]
    said = {"description": {"fr": FIRST_WORDS["text"]}, "people": reporter(), "language": "fr"}
    cases = {
        FOLLOWED: CaseScript(
            "CMT-1",
            [
                pushed_state(FOLLOWED, received, **said),
                polled_state(FOLLOWED, accepted, **said),
                polled_state(FOLLOWED, resolved, **said),
                polled_state(FOLLOWED, closed, **said),
            ],
            notes=[a_note("k1", LATER_WORDS)],
            attachments=documents_of(FOLLOWED),
        ),
        UNPUSHED: CaseScript("CMT-2", [polled_state(UNPUSHED, reports[1].versions[0]), polled_state(UNPUSHED, moved)]),
        DELETED: CaseScript(
            "CMT-3", [polled_state(DELETED, received), polled_state(DELETED, received, status="removed")]
        ),
        REFUSED: CaseScript("CMT-4", [polled_state(REFUSED, version) for version in reports[3].versions]),
        PRIVATE: CaseScript(
            "CMT-5",
            [
                pushed_state(
                    PRIVATE, received, people=reporter(), language="nl", description={"nl": FIRST_WORDS["text"]}
                )
            ],
            attachments=documents_of(PRIVATE),
        ),
    }
    return deepcopy(Day({report.number: report for report in reports}, cases))


def documents_of(number: int) -> list[dict[str, Any]]:
    return [
        {"key": f"pdf-{language}", "url": f"https://fms.example/{language}/{number}.pdf"} for language in ("fr", "nl")
    ]


def _common(number: int, version: dict[str, Any]) -> dict[str, Any]:
    address = {"street": {"fr": version["street_fr"]}, "postalCode": version["postal_code"]}
    if version["number"]:
        address["number"] = version["number"]
    x, y = version["point"]
    return {
        "tenant": "21004",
        "caseType": "road-surface",
        "category": {"path": [{"id": str(step)} for step in version["category_path"]]},
        "title": {"fr": "Nid de poule", "nl": "Gat in de weg"},
        "place": {"address": address, "point": {"lambert72": {"x": x, "y": y}}},
        "tags": ["danger"],
        "test": False,
    }


def _source(number: int) -> dict[str, Any]:
    return {"system": "fixmystreet", "id": str(number)}


def _changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    names = before.keys() | after.keys()
    return {
        name: {"from": before.get(name), "to": after.get(name)}
        for name in sorted(names)
        if before.get(name) != after.get(name)
    }


def _once(comments: list[dict[str, str]]) -> list[dict[str, str]]:
    return [comment for index, comment in enumerate(comments) if comment not in comments[:index]]
