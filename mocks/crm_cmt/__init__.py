"""A stand-in for the city's CRM-CMT, written from docs/contracts/crm-cmt.openapi.yaml and from nothing else."""

import argparse
import os
from pathlib import Path

from mocks.crm_cmt.app import DEFAULT_READ_TOKEN, DEFAULT_TOKEN, callers_for, stand_in
from mocks.crm_cmt.intake import Intake
from mocks.crm_cmt.journal import Journal
from mocks.crm_cmt.vocabulary import CASE_TYPES
from mocks.faults import App


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this stand-in; tokens may come from the environment, where no process list shows them."""
    environment = os.environ
    parser.add_argument(
        "--token",
        default=environment.get("MOCK_CRM_CMT_TOKEN", DEFAULT_TOKEN),
        help="token that may do everything (MOCK_CRM_CMT_TOKEN, else mock-token)",
    )
    parser.add_argument(
        "--read-token",
        default=environment.get("MOCK_CRM_CMT_READ_TOKEN", DEFAULT_READ_TOKEN),
        help="token that may only look (MOCK_CRM_CMT_READ_TOKEN, else mock-read-token)",
    )
    parser.add_argument("--journal", type=Path, help="file to remember everything in across restarts")
    parser.add_argument("--public-url", help="address of this CRM in the links it gives (by default the one asked)")
    parser.add_argument(
        "--case-types",
        type=lambda words: tuple(word.strip() for word in words.split(",") if word.strip()),
        default=tuple(CASE_TYPES),
        help="case types it knows, separated by commas",
    )


def app_from(arguments: argparse.Namespace) -> App:
    """The stand-in that the options describe, holding what its journal holds."""
    journal = Journal(arguments.journal) if arguments.journal else None
    intake = Intake(arguments.case_types, journal)
    callers = callers_for(arguments.token, arguments.read_token)
    return stand_in(intake, callers, arguments.public_url and arguments.public_url.rstrip("/"))
