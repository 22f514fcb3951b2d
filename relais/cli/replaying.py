"""The verb that plays event fixtures."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from relais.bootstrap import Configuration, open_sources, route_by
from relais.cli.ending import MISUSED, WRONG, answer_of, configuration_or_exit, fail
from relais.cli.printing import print_table, shown
from relais.operations import replaying
from relais.operations.doorways import RUN_PATTERN
from relais.operations.messaging import wake_workers
from relais.operations.opening import open_books
from relais.operations.replaying import Manner, Outcome, Played, Replayed, Stage, new_run

_SAY_EVERY: Final = 1_000


def add_to(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command("replay")(replay)


def replay(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Fixtures: JSON, JSON lines, or folders.")],
    rate: Annotated[
        float | None, typer.Option(min=0.01, max=1_000_000, help="So many events a second; else as fast as it goes.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would come of each event, and write nothing.")
    ] = False,
    as_new: Annotated[
        bool, typer.Option("--as-new", help="Under new ids, as cases of their own that are marked as tests.")
    ] = False,
    run: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="As new under the token of an earlier run, to play it again.")
    ] = None,
) -> None:
    """Play event fixtures into the ledger; what was played before does nothing."""
    if run is not None and not RUN_PATTERN.fullmatch(run):
        fail("a token has 1 to 12 small letters and digits", code=MISUSED)
    token = run or (new_run() if as_new else None)
    if token is not None:
        # said first, so that a run that is broken off can be gone on with
        typer.echo(f"as new under {token}: 'relais replay --run {token} …' plays the same again")
    manner = Manner(rate=rate, dry_run=dry_run, run=token)
    with _Reporter.open(every_event=dry_run) as reporter:
        result = answer_of(_replayed(configuration_or_exit(), paths, manner, reporter))
    _print(result)
    if not result.ok:
        raise typer.Exit(WRONG)


async def _replayed(configuration: Configuration, paths: list[Path], manner: Manner, reporter: "_Reporter") -> Replayed:
    settings = configuration.settings
    async with open_sources(configuration) as sources, open_books(settings) as ledger:
        stage = Stage(ledger, sources, route_by(configuration.rules))
        result = await replaying.replay(paths, stage, manner, progress=reporter.take)
    if result.accepted and not result.dry_run and settings.broker_url is not None:
        await wake_workers(settings.broker_url.get_secret_value(), result.accepted)
    return result


class _Reporter:
    """Tells what happens while it happens: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, bar: Progress | None, *, every_event: bool) -> None:
        self._bar = bar
        self._task = bar.add_task("replay", total=None, events=0) if bar else None
        self._every_event = every_event
        self._events = 0

    @classmethod
    @contextmanager
    def open(cls, *, every_event: bool) -> "Iterator[_Reporter]":
        if not sys.stdout.isatty():
            yield cls(None, every_event=every_event)
            return
        columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[events]} events"), TimeElapsedColumn())
        with Progress(*columns, console=Console()) as bar:
            yield cls(bar, every_event=every_event)

    def take(self, progress: replaying.Progress) -> None:
        """A group is done."""
        for played in progress.played:
            self._tell(played)
        before, self._events = self._events, self._events + len(progress.played)
        if self._bar is not None and self._task is not None:
            total = max(progress.bytes_in_all, 1)
            self._bar.update(self._task, total=total, completed=progress.bytes_read, events=self._events)
        elif not self._every_event and self._events // _SAY_EVERY > before // _SAY_EVERY:
            share = 100 * progress.bytes_read // max(progress.bytes_in_all, 1)
            typer.echo(f"{self._events} events, {share} %")

    def _tell(self, played: Played) -> None:
        if played.outcome is Outcome.REFUSED:
            self._say(f"{played.where}: {played.fault}", err=True)
        elif self._every_event:
            self._say(f"{played.where}: {_rehearsed(played)}")
        elif played.outcome in (Outcome.CONFLICT, Outcome.UNREADABLE):
            fault = played.fault or "another content is known under this id"
            self._say(f"{played.where}: {played.outcome}: {played.event_id}: {fault}")

    def _say(self, line: str, *, err: bool = False) -> None:
        if self._bar is not None and not err:
            self._bar.console.print(shown(line), markup=False, highlight=False)
        else:
            typer.echo(shown(line), err=err)


def _rehearsed(played: Played) -> str:
    head = f"{played.outcome}  {played.case_key or 'no case'}  {played.event_id}"
    said = played.understanding
    if said is None or said.fault is not None:
        return f"{head}  would be parked: {played.fault}"
    remarks = f"  [{', '.join(said.remarks)}]" if said.remarks else ""
    return (
        f"{head}  {said.status or 'status not said'}, {said.case_type} for {said.department}"
        f" in {said.destination} by {said.rule}{remarks}"
    )


def _print(result: Replayed) -> None:
    if result.dry_run and result.case_types:
        print_table(("case type", "events"), sorted(result.case_types.items()))
        typer.echo()
    print_table(("outcome", "events"), [(outcome, result.counts[outcome]) for outcome in Outcome])
    if result.dry_run:
        typer.echo("nothing was written")
