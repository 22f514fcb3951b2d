"""The verbs for what waits for a human: parked, retry, resume."""

from collections.abc import Sequence
from typing import Annotated

import typer

from relais.cli.ending import MISUSED, WRONG, answer_of, fail, settings_or_exit
from relais.cli.printing import print_json, print_table, shown
from relais.operations.opening import open_books, operator_here
from relais.operations.parking import Answer, ParkedGroup, Retried, list_parked, parked_with_code
from relais.operations.parking import retry as retry_events
from relais.operations.pausing import PausedSink, Resumed, paused_sinks
from relais.operations.pausing import resume as resume_sink
from relais.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("parked")(parked)
    app.command("retry")(retry)
    app.command("resume")(resume)


def parked(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """List what waits for a human: parked events by reason, and paused sinks."""
    groups, paused = answer_of(_waiting(settings_or_exit()))
    if as_json:
        print_json({"parked": sum(group.many for group in groups), "groups": groups, "paused": paused})
        return
    for sink in paused:
        typer.echo(f"{sink.name} is paused: {shown(sink.reason)}; then 'relais resume {sink.name}'")
    if not groups:
        typer.echo("no event is parked")
    for group in groups:
        typer.echo(f"\n{group.cause} [{group.code}]: {group.many}")
        print_table(
            ("event", "parked", "case", "behind", "reason", "named"),
            [
                (event.seq, event.parked_at, event.key or "no case", event.behind or "", event.reason, event.event_id)
                for event in group.events
            ],
        )
        if group.many > len(group.events):
            typer.echo(f"and {group.many - len(group.events)} more")


def retry(
    sequences: Annotated[list[int] | None, typer.Argument(metavar="EVENT…", help="The numbers of events.")] = None,
    code: Annotated[str | None, typer.Option(help="All events that are parked with this code.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be tried again, and change nothing.")] = (
        False
    ),
) -> None:
    """Try parked events again; what they brought into the CRM before is not sent a second time."""
    if bool(sequences) == bool(code):
        fail("name the events to retry, or the code of them all with --code", code=MISUSED)
    answers = answer_of(_retried(settings_or_exit(), sequences or (), code, dry_run=dry_run))
    if code and not answers:
        fail(f"no event is parked as {shown(code)}")
    wanted = Answer.WOULD_REOPEN if dry_run else Answer.REOPENED
    many = sum(answer.answer is wanted for answer in answers)
    for answer in answers:
        if not (code and answer.ok):
            typer.echo(f"event {answer.seq}: {answer.answer}{f' ({answer.key})' if answer.key else ''}")
    if code:
        typer.echo(
            f"{many} of {len(answers)} events parked as {shown(code)} {'would be' if dry_run else 'were'} reopened"
        )
    if many < len(answers):
        raise typer.Exit(WRONG)


def resume(
    sink: Annotated[str | None, typer.Argument(help="The sink; without one the paused sinks are listed.")] = None,
) -> None:
    """Deliver to a paused sink again, at once."""
    settings = settings_or_exit()
    if sink is None:
        _, paused = answer_of(_waiting(settings))
        for one in paused:
            typer.echo(f"{one.name}: {shown(one.reason)}")
        if not paused:
            typer.echo("no sink is paused")
        return
    match answer_of(_resumed(settings, sink)):
        case Resumed.RESUMED:
            typer.echo(f"{sink} is delivered to again")
        case Resumed.NOT_PAUSED if sink in settings.sinks:
            typer.echo(f"{sink} was not paused")
        case Resumed.NOT_PAUSED:
            fail(f"no sink is called {shown(sink)}; configured are: {', '.join(settings.sinks)}")


async def _waiting(settings: Settings) -> tuple[list[ParkedGroup], list[PausedSink]]:
    async with open_books(settings) as ledger:
        return await list_parked(ledger), await paused_sinks(ledger)


async def _retried(settings: Settings, sequences: Sequence[int], code: str | None, *, dry_run: bool) -> list[Retried]:
    async with open_books(settings) as ledger:
        chosen = await parked_with_code(ledger, code) if code else sequences
        return await retry_events(ledger, chosen, actor=operator_here(), dry_run=dry_run)


async def _resumed(settings: Settings, sink: str) -> Resumed:
    async with open_books(settings) as ledger:
        return await resume_sink(ledger, sink, actor=operator_here())
