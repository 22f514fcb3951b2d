"""The verb that tells the whole story of a case."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import typer

from relais.bootstrap import Configuration, open_sources
from relais.cli.ending import MISUSED, answer_of, configuration_or_exit, fail, settings_or_exit
from relais.cli.printing import print_json, print_table, shown
from relais.operations.opening import open_books, operator_here
from relais.operations.stories import CaseTold, EventAlone, EventTold, tell_case, tell_event
from relais.settings import Settings

_EVENT: Final = re.compile(r"#?(?P<seq>[0-9]{1,19})")
"""The number of an event; the name of a case is never a bare number."""


def add_to(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command("show")(show)


def show(
    case: Annotated[
        str,
        typer.Argument(help="Its key (fixmystreet:123456), its reference in the CRM, any name; or an event's number."),
    ],
    personal: Annotated[
        bool, typer.Option("--personal", help="Include personal data and bodies; the audit trail says that you looked.")
    ] = False,
    why: Annotated[
        bool, typer.Option("--why", help="Say what the present rules decide for it, and every rule tried.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell the whole story of a case: its names, where it lives, who decided what, and every event.

    An event by its number is told alone; so can one be looked at that names no case.
    """
    if number := _EVENT.fullmatch(case):
        _show_event(int(number["seq"]), personal=personal, why=why, as_json=as_json)
        return
    told = answer_of(_told(configuration_or_exit(), case, personal=personal, why=why))
    if told is None:
        fail(f"no case is called {shown(case)}")
    if as_json:
        print_json(told)
    else:
        _print(told)


def _show_event(seq: int, *, personal: bool, why: bool, as_json: bool) -> None:
    if why:
        fail("only a case is routed: name the case with --why", code=MISUSED)
    alone = answer_of(_told_alone(settings_or_exit(), seq, personal=personal))
    if alone is None:
        fail(f"there is no event {seq}")
    if as_json:
        print_json(alone)
        return
    event = alone.event
    for heading, text in (
        ("event", event.seq),
        ("case", alone.key or "it names no case"),
        ("door", f"{event.source}/{event.door}"),
        ("named", event.event_id),
        ("received", event.received_at),
        ("state", event.state),
        ("became", _fate(event)),
    ):
        typer.echo(f"{heading.ljust(10)}  {shown(text)}")
    if personal:
        _print_body(event)


async def _told(configuration: Configuration, name: str, *, personal: bool, why: bool) -> CaseTold | None:
    rules = configuration.rules if why else None
    async with open_sources(configuration) as sources, open_books(configuration.settings) as ledger:
        return await tell_case(ledger, sources, name, personal=personal, actor=operator_here(), rules=rules)


async def _told_alone(settings: Settings, seq: int, *, personal: bool) -> EventAlone | None:
    async with open_books(settings) as ledger:
        return await tell_event(ledger, seq, personal=personal, actor=operator_here())


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
    if told.why is not None:
        typer.echo("\nwhy")
        for line in told.why:
            typer.echo(shown(line))
    if not told.personal:
        return
    typer.echo("\nfacts")
    typer.echo(json.dumps(told.facts, ensure_ascii=False, indent=2))
    for event in told.events:
        _print_body(event)


def _print_body(event: EventTold) -> None:
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
        if told.facts.get("category"):
            yield "category", " › ".join(map(_step, told.facts["category"]))
        title = told.facts.get("title")
        if isinstance(title, dict) and any(title.values()):
            yield "title", " / ".join(text for text in title.values() if text)
    for sink, reason in told.paused_sinks.items():
        yield "paused", f"{sink}: {reason}"
    if told.blocked_by is not None:
        yield "blocked", f"by event {told.blocked_by}, which is parked: 'relais retry {told.blocked_by}'"


def _step(step: Mapping[str, Any]) -> str:
    """A step of a category path: the number that a rule may name, and its labels where they are known."""
    labels = " / ".join(label for label in (step.get("label") or {}).values() if label)
    return f"{step['id']} {labels}".rstrip()


def _fate(event: EventTold) -> str:
    when = event.done_at or event.next_try_at
    word = "" if when is None else (" at " if event.done_at else "; next try not before ") + shown(when)
    code = f" [{event.code}]" if event.code else ""
    others = f"; {event.contradicted} other contents came under its id" if event.contradicted else ""
    return f"{event.explanation}{code}{word}{others}"
