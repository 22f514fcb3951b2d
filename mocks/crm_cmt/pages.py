"""Pages for people: the list of cases, and one case with its history. No script, nothing from elsewhere."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from mocks.crm_cmt.intake import Intake
from mocks.crm_cmt.records import CaseRecord, Write
from mocks.crm_cmt.vocabulary import CASE_TYPES, LANGUAGES, STATUSES

SHOWN: Final = 200

STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --strong: #1f5fa8; }
@media (prefers-color-scheme: dark) { :root { --strong: #8fc1ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; font: 1rem/1.5 system-ui, sans-serif; }
header p { margin: 0; opacity: .75; }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
a { color: var(--strong); }
form { display: flex; flex-wrap: wrap; gap: 1rem; align-items: end; margin: 1.5rem 0 1rem; }
label { display: grid; gap: .25rem; font-size: .85rem; } select, button { font: inherit; padding: .35rem .6rem; }
label.tick { display: flex; align-items: center; gap: .4rem; padding: .35rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top;
  padding: .45rem .6rem; border-bottom: 1px solid var(--line); }
th { font-size: .85rem; font-weight: 600; }
tbody tr:hover { background: var(--soft); }
.mark { display: inline-block; padding: 0 .5rem; border-radius: 1rem; background: var(--soft); white-space: nowrap; }
.language { font-size: .75rem; font-weight: 600; opacity: .7; text-transform: uppercase; margin-right: .35rem; }
dl { display: grid; grid-template-columns: 12rem 1fr; gap: .25rem 1rem; margin: 0; }
dt { opacity: .7; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { overflow: auto; background: var(--soft); padding: 1rem; border-radius: .4rem; }
.empty { opacity: .7; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which cases to show; an empty word means all. Cases made to try something are shown when asked for."""

    case_type: str = ""
    language: str = ""
    status: str = ""
    tests: bool = False

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "Filter":
        """The filter that the form sends."""
        words = {name: query.get(name, "") for name in ("case_type", "language", "status")}
        return cls(**words, tests=query.get("tests") == "1")

    def takes(self, fields: Mapping[str, Any]) -> bool:
        """Whether a case is among those to show."""
        return (
            self.case_type in ("", fields["caseType"])
            and self.language in ("", fields.get("language") or "none")
            and self.status in ("", fields["status"])
            and (self.tests or not fields.get("test"))
        )


def list_page(intake: Intake, chosen: Filter) -> str:
    """The cases that the filter takes, newest first."""
    taken = [record for record in intake.cases if chosen.takes(record.fields)]
    rows = [_row(record) for record in islice(reversed(taken), SHOWN)]
    count = f"{len(taken)} of {len(intake.cases)} cases" + (f", the newest {SHOWN} shown" if len(taken) > SHOWN else "")
    languages = {language: language for language in (*LANGUAGES, "none")}
    case_types = {word: " / ".join(CASE_TYPES.get(word, (word,))) for word in intake.case_types}
    ticked = " checked" if chosen.tests else ""
    form = (
        '<form method="get" action="/">'
        + _choice("Type", "case_type", case_types, chosen.case_type)
        + _choice("Language", "language", languages, chosen.language)
        + _choice("Status", "status", dict(zip(STATUSES, STATUSES, strict=True)), chosen.status)
        + f'<label class="tick"><input type="checkbox" name="tests" value="1"{ticked}> test cases</label>'
        + "<button>Show</button></form>"
    )
    heads = ("Case", "Title", "Type", "Language", "Status", "Place", "Reference", "Version", "Changed")
    body = form + f"<p>{count}</p>" + _table(heads, rows, "No case here yet.")
    return _page("Cases", "What this stand-in for CRM-CMT holds. Everything in it is invented.", body)


def case_page(intake: Intake, record: CaseRecord) -> str:
    """One case: its fields, what was added, and each write in order."""
    fields = record.fields
    place = fields.get("place", {})
    facts: list[tuple[str, str]] = [
        ("Reference", escape(record.reference)),
        ("Status", _mark(fields["status"])),
        ("Type", _case_type(fields["caseType"])),
        (
            "Category",
            " › ".join(
                _texts(step.get("label") or {}) or escape(step["id"])
                for step in fields.get("category", {}).get("path", ())
            ),
        ),
        ("Department", escape(fields.get("department", ""))),
        ("Priority", escape(fields.get("priority", ""))),
        ("Deadline", escape(fields.get("deadline", ""))),
        ("Answer in", escape(fields.get("language") or "")),
        ("Address", _address(place.get("address", {}))),
        ("Description", f'<span class="text">{_texts(fields.get("description", {}), "<br>")}</span>'),
        ("Tags", escape(", ".join(fields.get("tags", ())))),
        ("Remarks", escape(", ".join(remark["code"] for remark in fields.get("remarks", ())))),
        ("Version", str(record.version)),
        ("ETag", escape(record.etag)),
        ("Created", escape(record.created_at)),
        ("Changed", escape(record.updated_at)),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts if value)
    notes = [
        (
            escape(note.get("writtenAt", "")),
            escape(note.get("author", "")),
            _in_language(note.get("language"), note["text"]),
            escape(note["key"]),
        )
        for note in record.notes.values()
    ]
    attachments = [
        (_texts(item.get("title", {})), escape(item.get("mediaType", "")), escape(item["url"]), escape(item["key"]))
        for item in record.attachments.values()
    ]
    writes = [_write_row(write) for write in intake.history if write.id == record.id]
    whole = escape(json.dumps(record.whole(), indent=2, ensure_ascii=False))
    body = (
        f"<dl>{listed}</dl>"
        + "<h2>Notes</h2>"
        + _table(("Written", "By", "Text", "Key"), notes, "None.")
        + "<h2>Attachments</h2>"
        + _table(("Title", "Type", "Address", "Key"), attachments, "None.")
        + "<h2>History</h2>"
        + _table(("#", "Received", "What", "Version", "Changed", "Key"), writes, "None.")
        + f"<h2>As JSON</h2><details><summary>Show</summary><pre>{whole}</pre></details>"
    )
    return _page(f"{escape(record.id)} · {_texts(fields['title'])}", '<a href="/">All cases</a>', body)


def _row(record: CaseRecord) -> tuple[str, ...]:
    fields = record.fields
    address = fields.get("place", {}).get("address", {})
    return (
        f'<a href="/cases/{quote(record.id)}">{escape(record.id)}</a>',
        _texts(fields["title"], "<br>"),
        _case_type(fields["caseType"]),
        escape(fields.get("language") or ""),
        _mark(fields["status"]),
        _address(address),
        escape(record.reference),
        str(record.version),
        escape(record.updated_at[:19].replace("T", " ")),
    )


def _write_row(write: Write) -> tuple[str, ...]:
    changes = [
        f"{escape(name)}: {_short(before)} → {_short(after)}"
        for name, (before, after) in write.changed.items()
        if name != "version"
    ]
    changes += [f"note {escape(key)}" for key in write.notes] + [
        f"attachment {escape(key)}" for key in write.attachments
    ]
    return (
        str(write.sequence),
        escape(write.received_at[:19].replace("T", " ")),
        escape(write.operation),
        str(write.version),
        "<br>".join(changes),
        escape(write.change or ""),
    )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    return escape(text if len(text) <= 120 else text[:119] + "…")


def _address(address: Mapping[str, Any]) -> str:
    street = _texts(address.get("street", {}), " / ")
    town = _texts(address.get("municipality", {}), " / ")
    parts = (
        f"{street} {escape(address.get('number', ''))}".strip(),
        f"{escape(address.get('postalCode', ''))} {town}".strip(),
    )
    return ", ".join(part for part in parts if part)


def _texts(label: Mapping[str, str], between: str = " · ") -> str:
    return between.join(_in_language(language, text) for language, text in label.items())


def _in_language(language: str | None, text: str) -> str:
    if not language:
        return escape(text)
    return f'<span class="language">{language}</span><span lang="{language}">{escape(text)}</span>'


def _case_type(word: str) -> str:
    if word not in CASE_TYPES:
        return escape(word)
    french, dutch = CASE_TYPES[word]
    return f'<span title="{escape(word)}">{_texts({"fr": french, "nl": dutch}, "<br>")}</span>'


def _mark(word: str) -> str:
    return f'<span class="mark">{escape(word)}</span>'


def _choice(title: str, name: str, words: Mapping[str, str], chosen: str) -> str:
    options = "".join(
        f'<option value="{escape(word)}"{" selected" if word == chosen else ""}>{escape(shown)}</option>'
        for word, shown in {"": "all", **words}.items()
    )
    return f'<label>{title}<select name="{name}">{options}</select></label>'


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]], empty: str) -> str:
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    if not lines:
        return f'<p class="empty">{empty}</p>'
    head = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _page(title: str, subtitle: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>CRM-CMT (stand-in)</title><style>{STYLE}</style></head>"
        f"<body><header><h1>{title}</h1><p>{subtitle}</p></header><main>{body}</main></body></html>"
    )
