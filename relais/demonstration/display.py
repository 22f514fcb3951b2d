"""What a person sees of a demonstration: a live line or plain lines while it runs, tables at the end."""

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich import progress as bars
from rich.console import Console
from rich.table import Table

from relais.demonstration.findings import Kind
from relais.demonstration.outcome import Outcome
from relais.demonstration.performance import SWEEPS_AFTER_THE_END, Progress, Tell
from relais.demonstration.scenario import Scenario
from relais.demonstration.stage import Stage

_PLAIN_EVERY_SECONDS: Final = 2.0
_MOST_FAULTS: Final = 30
_NO_LANGUAGE: Final = "-"
_LANGUAGES: Final = ("fr", "nl", "en", "de", _NO_LANGUAGE)


def announce(console: Console, scenario: Scenario, folder: str) -> None:
    """Say what is about to happen."""
    console.print(
        f"Fix My Street on {scenario.day:%A %d %B %Y}: {scenario.reports} reports and {scenario.changes} changes "
        f"in {scenario.seconds:g} seconds, seed {scenario.seed}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"Logs and ledger: {folder}", highlight=False, soft_wrap=True)


@contextmanager
def following(console: Console) -> Iterator[Tell]:
    """What is told how far it is: a bar on a terminal, a line every two seconds elsewhere."""
    if not console.is_terminal:
        yield _plain_lines(console)
        return
    columns = (
        bars.TextColumn("{task.description:<15}"),
        bars.BarColumn(bar_width=30),
        bars.TextColumn(
            "accepted {task.fields[accepted]}  delivered {task.fields[delivered]}  in the CRM {task.fields[cases]}"
        ),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, console=console, refresh_per_second=8) as live:
        line = live.add_task("starting", total=None, accepted=0, delivered=0, cases=0)

        def tell(progress: Progress) -> None:
            done, of = _share(progress)
            live.update(
                line,
                description=progress.act,
                completed=done,
                total=of,
                accepted=progress.accepted,
                delivered=progress.delivered,
                cases=progress.cases,
            )

        yield tell


def _share(progress: Progress) -> tuple[int, int]:
    if progress.played < progress.planned:
        return progress.played, progress.planned
    return progress.sweeps, SWEEPS_AFTER_THE_END


def _plain_lines(console: Console) -> Tell:
    next_at = 0.0

    def tell(progress: Progress) -> None:
        nonlocal next_at
        if time.monotonic() < next_at:
            return
        next_at = time.monotonic() + _PLAIN_EVERY_SECONDS
        counts = (
            f": {progress.played} of {progress.planned} played, {progress.accepted} accepted, "
            f"{progress.delivered} delivered, {progress.cases} cases in the CRM"
        )
        said = f"{progress.seconds:5.0f} s  {progress.act}{counts if progress.planned else ''}"
        console.print(said, highlight=False, soft_wrap=True)

    return tell


def show_outcome(console: Console, outcome: Outcome) -> None:
    """The tables, and every fault in a line."""
    console.print()
    console.print(_counts(outcome))
    console.print(_cases(outcome))
    played, memory = outcome.played, outcome.memory_mebibytes
    console.print(
        f"Played {played.reports} reports and {played.changes} changes ({played.skipped} no longer possible), pushed "
        f"{played.pushes} times, {played.pushes_accepted} answered with 200, {played.given_back} given back.",
        highlight=False,
        soft_wrap=True,
    )
    used = "" if memory is None else f"; relais run used {memory:.0f} MiB of memory at most"
    console.print(f"Took {outcome.seconds:.0f} seconds{used}.", highlight=False)
    faults = outcome.faults
    for fault in faults[:_MOST_FAULTS]:
        console.print(f"  {fault}", style="red", highlight=False, markup=False, soft_wrap=True)
    if len(faults) > _MOST_FAULTS:
        console.print(f"  and {len(faults) - _MOST_FAULTS} more", style="red")
    verdict = "The counts hold." if outcome.holds else "The counts do not hold."
    console.print(verdict, style="bold green" if outcome.holds else "bold red")


def _counts(outcome: Outcome) -> Table:
    table = Table(title="What became of it", title_justify="left")
    table.add_column("count", min_width=24)
    table.add_column("now", justify="right")
    table.add_column("counted by")
    backlog, verdict = outcome.backlog, outcome.verdict
    for name, number in (
        ("accepted", backlog.accepted),
        ("delivered", backlog.delivered),
        ("  of which superseded", backlog.superseded),
        ("waiting", backlog.waiting),
        ("in doubt", backlog.in_doubt),
        ("parked", backlog.parked),
        *((f"  {code}", many) for code, many in outcome.parked_by_code.items()),
    ):
        table.add_row(name, str(number), "Relais")
    table.add_section()
    for kind in Kind:
        found = verdict.count(kind)
        table.add_row(kind.value, str(found), "both sides compared", style="red" if found else None)
    return table


def _cases(outcome: Outcome) -> Table:
    by_type = outcome.verdict.by_type
    languages = [name for name in _LANGUAGES if any(name in row for row in by_type.values())]
    table = Table(title="Cases in the CRM by type and language", title_justify="left", show_footer=True)
    table.add_column("case type", footer="all", min_width=24)
    for language in languages:
        of_language = sum(row.get(language, 0) for row in by_type.values())
        title = "not known" if language == _NO_LANGUAGE else language
        table.add_column(title, footer=str(of_language), justify="right")
    table.add_column("all", footer=str(outcome.verdict.cases), justify="right")
    for case_type, row in by_type.items():
        table.add_row(case_type, *(str(row.get(name, 0)) for name in languages), str(sum(row.values())))
    return table


def show_addresses(console: Console, stage: Stage, outcome: Outcome) -> None:
    """Where everything is found while it is kept running."""
    addresses, settings = stage.addresses, stage.write_settings()
    rows = (
        ("CRM-CMT", addresses.crm),
        ("Fix My Street", addresses.fixmystreet),
        ("Relais' health", f"{addresses.relais}/ready"),
        ("Relais' metrics", f"{addresses.relais}/metrics"),
        ("Ledger", stage.ledger_url),
    )
    console.print()
    for name, address in rows:
        console.print(f"{name:<16} {address}", highlight=False, soft_wrap=True)
    console.print(
        f"\nIn another shell, for example:\n"
        f"  . {shlex.quote(str(settings.absolute()))} && relais show fixmystreet:{outcome.verdict.liveliest}\n"
        "Ctrl-C ends it.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
