"""What verbs print: tables for a person at a terminal, plain columns for a pipe, one JSON object for a program."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import typer
from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.table import Table
from rich.text import Text

_HERE: Final = ZoneInfo("Europe/Brussels")
_GAP: Final = "  "


def print_json(value: Any) -> None:
    """One JSON object on one line."""
    typer.echo(json.dumps(to_jsonable_python(value), ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on a terminal; in a pipe the same in columns that are never cut."""
    cells = [[shown(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
        return
    lines = [list(headings), *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for row in lines:
        typer.echo(_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def shown(value: object) -> str:
    """A value as a person reads it; what could steer a terminal is shown as what it is."""
    match value:
        case None:
            return ""
        case datetime():
            return value.astimezone(_HERE).strftime("%Y-%m-%d %H:%M:%S %Z")
        case _:
            return "".join(
                letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in str(value)
            )
