"""The pages for people: what the stand-in holds, and one report with its story."""

import json
from html import escape
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mocks.fixmystreet import times
from mocks.fixmystreet.categories import display_name
from mocks.fixmystreet.records import Report
from mocks.fixmystreet.world import World

PAGE_SIZE = 50
STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #b5121b; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.4rem; border-left: .4rem solid var(--accent); padding-left: .7rem; }
h2 { font-size: 1.05rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
tbody tr:hover { background: var(--soft); }
form { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; align-items: end; }
label { display: grid; font-size: .8rem; }
input, select, button { font: inherit; padding: .25rem .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { font-weight: 600; } dd { margin: 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--soft); padding: .7rem; font-size: .8rem; }
.mark { border: 1px solid var(--line); border-radius: 1rem; padding: 0 .6rem; font-size: .8rem; white-space: nowrap; }
.bad { color: var(--accent); font-weight: 600; }
nav { display: flex; gap: 1rem; margin: 1rem 0; }
"""


def _page(title: str, body: str) -> HTMLResponse:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>'
    )


def _table(headings: tuple[str, ...], rows: list[str]) -> str:
    if not rows:
        return "<p>Nothing.</p>"
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _definitions(pairs: dict[str, Any]) -> str:
    return (
        "<dl>"
        + "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in pairs.items())
        + "</dl>"
    )


class Pages:
    """`/` and `/incident/{id}`; no script, nothing from elsewhere."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Its paths."""
        return [Route("/", self._overview), Route("/incident/{incident:int}", self._incident)]

    async def _overview(self, request: Request) -> Response:
        world, query = self._world, request.query_params
        code, status, text = query.get("municipality", ""), query.get("status", ""), query.get("text", "").casefold()
        found = [
            report
            for report in world.in_order()
            if (not code or report.postal_code == code)
            and (not status or report.public_status == status)
            and (not text or text in f"{report.id} {report.address.street.fr} {report.address.street.nl}".casefold())
        ]
        number = query.get("page", "0")
        page = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 0
        shown = found[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
        sent, ok = len(world.webhooks), sum(entry["ok"] for entry in world.webhooks)
        options = "".join(
            f"<option{' selected' if word == status else ''}>{word}</option>"
            for word in ("", "CREATED", "PROCESSING", "CLOSED")
        )
        form = (
            f'<form><label>Postal code<input name="municipality" size="5" value="{escape(code)}"></label>'
            f'<label>Status<select name="status">{options}</select></label>'
            f'<label>Number or street<input name="text" value="{escape(query.get("text", ""))}"></label>'
            "<button>Filter</button></form>"
        )
        summary = {
            "Reports": f"{len(world.reports)}, {len(found)} shown by the filter",
            "Webhooks": f"{sent} sent, {ok} answered 200",
            "Hooks received": len(world.hooks),
            "Categories": len(world.tree),
            "Sends to": world.target.url if world.target else "nobody",
        }
        filters = [(name, value) for name, value in query.multi_items() if name != "page"]
        links = [
            f'<a href="?{escape(urlencode([*filters, ("page", other)]))}">{word}</a>'
            for other, word, exists in (
                (page - 1, "newer", page > 0),
                (page + 1, "older", (page + 1) * PAGE_SIZE < len(found)),
            )
            if exists
        ]
        table = _table(
            ("Report", "Created", "Where", "Category", "Status", "Seen"), [self._line(report) for report in shown]
        )
        links.append('<a href="/_oracle">the whole truth as JSON</a>')
        navigation = f"<nav>{''.join(links)}</nav>"
        return _page(
            "Fix My Street, stand-in",
            f"<h1>Fix My Street Brussels, stand-in</h1><p>Invented reports on real streets.</p>"
            f"{_definitions(summary)}{form}{table}{navigation}",
        )

    def _line(self, report: Report) -> str:
        return _row(
            f'<a href="/incident/{report.id}">{report.id}</a>',
            escape(times.generation_1_text(report.created_at)[:16].replace("T", " ")),
            escape(_place(report)),
            escape(display_name(self._world.tree.path(report.category_id), "fr")),
            f'<span class="mark">{report.public_status}</span>',
            self._world.visibility(report),
        )

    async def _incident(self, request: Request) -> Response:
        report = self._world.reports.get(request.path_params["incident"])
        if report is None:
            return HTMLResponse("<h1>No such report</h1>", 404)
        path = self._world.tree.path(report.category_id)
        facts = {
            "Status": f"{report.public_status} ({report.status} {report.status.name})",
            "Category": f"{display_name(path, 'fr')} / {display_name(path, 'nl')} / {display_name(path, 'en')}",
            "Where": _place(report),
            "Lambert 72": report.point or "none",
            "Held by": report.department.fr,
            "Contractor": report.contractor.fr if report.contractor else "none",
            "Their reference": report.contractor_reference or "none",
            "Seen by the public": self._world.visibility(report),
            "Merged into": report.merged_with or "none",
            "Duplicates": report.duplicates,
            "Reported by": f"{report.creator.type}, writes {report.creator.language}",
        }
        story = [
            _row(
                str(version.number),
                escape(times.generation_1_text(version.at)),
                escape(version.what),
                version.content["status_name"],
            )
            for version in report.versions
        ]
        comments = [
            _row(
                escape(times.generation_1_text(comment.created_at)),
                escape(comment.name),
                escape(comment.text),
                comment.security,
            )
            for comment in report.comments
        ]
        sent = "".join(_webhook_html(entry) for entry in self._world.webhooks if entry["report"] == report.id)
        return _page(
            f"Report {report.id}",
            f'<nav><a href="/">all reports</a></nav><h1>Report {report.id}</h1>{_definitions(facts)}'
            f"<h2>Comments</h2>{_table(('When', 'Who', 'Text', 'For whom'), comments)}"
            f"<h2>History</h2>{_table(('', 'When', 'What', 'Status'), story)}"
            f"<h2>Webhooks</h2>{sent or '<p>None sent.</p>'}",
        )


def _place(report: Report) -> str:
    street = report.address.street
    return f"{street.fr} / {street.nl} {report.address.number}, {street.postal_code}"


def _webhook_html(entry: dict[str, Any]) -> str:
    answer = str(entry["answer_status"] or entry["error"] or "no answer yet")
    mark = "" if entry["ok"] else ' class="bad"'
    again = f", the same bytes as number {entry['repeat_of']}" if entry["repeat_of"] else ""
    body = escape(json.dumps(json.loads(entry["body"]), ensure_ascii=False, indent=1))
    return (
        f"<details><summary>{entry['number']}: {escape(entry['event'])}{again}: <span{mark}>{escape(answer)}</span> "
        f"in {entry['milliseconds']} ms</summary><pre>{body}</pre></details>"
    )
