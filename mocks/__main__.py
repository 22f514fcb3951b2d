"""Starts a stand-in: ``python -m mocks NAME [--host HOST] [--port PORT] …``."""

import argparse
import gc
import importlib
import sys
from collections.abc import Sequence
from typing import Final

import uvloop

from mocks.serving import serve_until_told

STAND_INS: Final = {
    "crm_cmt": (9002, "the city's CRM-CMT: docs/contracts/crm-cmt.openapi.yaml"),
    "fixmystreet": (9001, "Fix My Street: webhooks, incidents, categories"),
}
"""Each stand-in's package under ``mocks``, its usual port and what it stands for."""


def parser_for(names: Sequence[str]) -> argparse.ArgumentParser:
    """The command line with the options of the stand-ins named; each package adds its own (see mocks/README.md)."""
    parser = argparse.ArgumentParser(prog="python -m mocks", description="Starts a stand-in for an outside system.")
    kinds = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, (port, title) in STAND_INS.items():
        options = kinds.add_parser(name, help=title, description=f"Stands in for {title}.")
        options.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
        options.add_argument("--port", type=int, default=port, help="port to listen on, 0 for a free one (%(default)s)")
        if name in names:
            importlib.import_module(f"mocks.{name}").add_arguments(options)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stand-in until SIGTERM or SIGINT; prints one line, ``listening on ADDRESS``, once it accepts."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # one stand-in must start where another one is not installed or does not import
    options = parser_for([word for word in words if word in STAND_INS][:1]).parse_args(words)
    try:
        app = importlib.import_module(f"mocks.{options.name}").app_from(options)
    except OSError as error:
        print(f"cannot start {options.name}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    # a stand-in keeps nearly all that it makes, so looking for garbage often finds none and costs half its time
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    try:
        uvloop.run(serve_until_told(app, host=options.host, port=options.port, ready=_announce))
    except OSError as error:
        print(f"cannot listen on {options.host}:{options.port}: {error.strerror or error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _announce(address: str) -> None:
    print(f"listening on {address}", flush=True)  # noqa: T201 the one line that whoever started it waits for


if __name__ == "__main__":
    sys.exit(main())
