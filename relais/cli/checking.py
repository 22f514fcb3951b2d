"""The verb that looks whether everything is in order."""

from typing import Annotated

import typer

from relais.cli.ending import WRONG, answer_of
from relais.cli.printing import print_json, shown
from relais.operations.checking import check_everything


def add_to(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command("check")(check)


def check(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Look at settings, rules, ledger, broker, every source and every sink; one line each."""
    results = answer_of(check_everything())
    well = all(result.ok for result in results)
    if as_json:
        print_json({"ok": well, "results": results})
    else:
        widest = max(len(result.name) for result in results)
        for result in results:
            typer.echo(f"{'ok   ' if result.ok else 'FAULT'}  {result.name.ljust(widest)}  {shown(result.detail)}")
    if not well:
        raise typer.Exit(WRONG)
