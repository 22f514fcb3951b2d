"""The verb that tells the whole story of a case."""

import json
from collections.abc import Iterator
from typing import Annotated

import typer

from relais.bootstrap import Configuration, open_sources
from relais.cli.ending import answer_of, configuration_or_exit, fail
from relais.cli.printing import print_json, print_table, shown
from relais.operations.opening import open_books, operator_here
from relais.operations.stories import CaseTold, EventTold, tell_case


def add_to(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command("show")(show)


def show(
    case: Annotated[str, typer.Argument(help="Its key (fixmystreet:123456), its reference in the CRM, or any name.")],
    personal: Annotated[
        bool, typer.Option("--personal", help="Include personal data and bodies; the audit trail says that you looked.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell the whole story of a case: its names, where it lives, who decided what, and every event."""
    told = answer_of(_told(configuration_or_exit(), case, personal=personal))
    if told is None:
        fail(f"no case is called {shown(case)}")
    if as_json:
        print_json(told)
    else:
        _print(told)


async def _told(configuration: Configuration, name: str, *, personal: bool) -> CaseTold | None:
    async with open_sources(configuration) as sources, open_books(configuration.settings) as ledger:
        return await tell_case(ledger, sources, name, personal=personal, actor=operator_here())


def _print(told: CaseTold) -> None:
    for heading, text in _head(told):
        typer.echo(f"{heading.ljust(10)}  {shown(text)}")
    typer.echo()
    print_table(
        ("event", "received", "door", "state", "what became of it", "named"),
        [
            (event.seq, event.received_at, f"{event.source}/{event.door}", event.state, _fate(event), event.event_id)
            for event in told.events
        ],
    )
    if told.events_left_out:
        typer.echo("there are more events than are shown")
    if not told.personal:
        return
    typer.echo("\nfacts")
    typer.echo(json.dumps(told.facts, ensure_ascii=False, indent=2))
    for event in told.events:
        typer.echo(f"\nbody of event {event.seq}")
        typer.echo("not kept" if event.body is None else shown(event.body))


def _head(told: CaseTold) -> Iterator[tuple[str, str]]:
    yield "case", told.key + (" (a test)" if told.test else "")
    yield "reference", told.reference
    others = [name for name in told.names if name != told.key]
    if others:
        yield "also", ", ".join(others)
    if told.remote_id is not None:
        yield "lives in", " ".join(part for part in (told.sink, told.remote_id, told.link) if part)
        yield "version", str(told.version)
    else:
        yield "lives in", "no CRM yet" + (f", goes to {told.sink}" if told.sink else "")
    if told.decision is not None:
        decision = told.decision
        within = f", within {decision['within']}" if "within" in decision else ""
        yield "decision", f"{decision['case_type']} for {decision['department']}, {decision['priority']}{within}"
        yield "rule", f"{decision['rule']} (rules {decision['rules_version']})"
    if told.facts is not None:
        status, theirs = told.facts.get("status") or "not said", told.facts.get("source_status")
        yield "status", f"{status} ({theirs})" if theirs else status
        title = told.facts.get("title")
        if isinstance(title, dict) and any(title.values()):
            yield "title", " / ".join(text for text in title.values() if text)
    if told.sink_paused is not None:
        yield "paused", f"{told.sink}: {told.sink_paused}"
    if told.blocked_by is not None:
        yield "blocked", f"by event {told.blocked_by}, which is parked: 'relais retry {told.blocked_by}'"


def _fate(event: EventTold) -> str:
    when = event.done_at or event.next_try_at
    word = "" if when is None else (" at " if event.done_at else "; next try not before ") + shown(when)
    code = f" [{event.code}]" if event.code else ""
    others = f"; {event.contradicted} other contents came under its id" if event.contradicted else ""
    return f"{event.explanation}{code}{word}{others}"
