"""A ledger's user in a process of its own: ``python -m tests.contract.ledger_process WHAT URL …``.

It says ``ready`` on its standard output and does its work when a line comes in.
"""

import asyncio
import sys

from relais.ledger.ledger import open_ledger
from tests.contract.ledger_world import CLOCK, DIGEST_KEY, an_arrival, masked


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def _accept(url: str, name: str, groups: int) -> None:
    """Take in so many groups of two events, of cases that everybody shares."""
    async with open_ledger(url, masked=masked, digest_key=DIGEST_KEY, now=CLOCK) as ledger:
        _say("ready")
        sys.stdin.readline()
        for index in range(groups):
            await ledger.acceptance.accept(
                [an_arrival(f"{name}:{index}:{part}", case=str((index + part) % 5)) for part in range(2)]
            )
    _say("done")


async def _hold(url: str) -> None:
    """Write something, and keep the transaction open for ever."""
    async with open_ledger(url, masked=masked, digest_key=DIGEST_KEY, now=CLOCK) as ledger:
        _say("ready")
        sys.stdin.readline()
        async with ledger.database.writing() as transaction:
            await ledger.acceptance.accept_within(transaction, [an_arrival("never committed", case="held")])
            _say("held")
            sys.stdin.readline()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["accept", url, name, groups]:
            asyncio.run(_accept(url, name, int(groups)))
        case ["hold", url]:
            asyncio.run(_hold(url))
        case _:
            sys.exit("accept URL NAME GROUPS, or hold URL")
