"""The command `relais` and its verbs."""

from importlib.metadata import version
from typing import Annotated

import typer

from relais.cli import checking, demo, parking, replaying, running, showing

app = typer.Typer(
    name="relais",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for verbs in (running, demo, checking, showing, parking, replaying):
    verbs.add_to(app)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"relais {version('relais')}")
        raise typer.Exit


@app.callback()
def relais(
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    """Carries what happens in Brussels' systems into the city's CRM as cases, and the city's answers back."""


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
