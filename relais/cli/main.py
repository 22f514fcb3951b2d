"""The command `relais` and its verbs."""

import typer

from relais.cli import running

app = typer.Typer(
    name="relais",
    help="Carries what happens in Brussels' systems into the city's CRM as cases, and the city's answers back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
running.add_to(app)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
