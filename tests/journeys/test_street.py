"""The whole street on a bad day: every fault the CRM can have, a wrong token and the human who puts it right."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from datetime import date
from pathlib import Path
from typing import Any, Final

from relais.demonstration.performance import Progress, perform
from relais.demonstration.scenario import Scenario
from relais.demonstration.stage import Stage, open_stage
from tests.broker.waiting import eventually

A_BAD_DAY: Final = Scenario(reports=50, changes=130, seconds=6, seed=3, day=date(2026, 3, 10), repeat_share=0.1)
WITHIN_SECONDS: Final = 150

KINDS: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "busy", "retry_after": 1},
    {"kind": "unavailable", "retry_after": 1},
    {"kind": "server_error"},
    {"kind": "server_error", "effect": True},
    {"kind": "slow", "seconds": 0.3},
    {"kind": "lost_answer"},
    {"kind": "reset"},
    {"kind": "gibberish"},
    {"kind": "gibberish", "effect": True},
    {"kind": "busy", "operation": "batchItem"},
    {"kind": "server_error", "operation": "batchItem"},
)
"""Everything that can go wrong there and goes over by itself."""

SHARE: Final = 0.04


async def ruled(stage: Stage, *rules: dict[str, Any]) -> None:
    """Let these faults, and no others, hold in the CRM from now on."""
    address = f"{stage.addresses.crm}/_control/faults"
    await stage.client.delete(address)
    answer = await stage.client.post(address, json=rules)
    assert answer.is_success, answer.text


def a_bit_of_everything() -> list[dict[str, Any]]:
    return [{"share": SHARE, "seed": number} | kind for number, kind in enumerate(KINDS)]


async def told(stage: Stage, *words: str) -> tuple[int | None, str]:
    """What an operator's verb says of this stage, and its exit code."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relais.cli.main", *words,
        cwd=Path(__file__).parents[2], env=os.environ | stage.settings(), stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode, out.decode() + err.decode()


async def test_a_bad_day_with_a_wrong_token_in_it_loses_doubles_and_reorders_nothing(tmp_path: Path) -> None:
    async with open_stage(A_BAD_DAY, tmp_path) as stage:
        begun, resumed = asyncio.Event(), asyncio.Event()

        def tell(progress: Progress) -> None:
            if progress.delivered >= 20:
                begun.set()

        async def paused() -> list[str]:
            _, said = await told(stage, "parked", "--json")
            return [one["name"] for one in json.loads(said)["paused"]]

        async def take_the_token_away_and_give_it_back() -> None:
            await begun.wait()
            await ruled(stage, {"kind": "wrong_token"})

            async def is_paused() -> bool:
                return await paused() == ["crm_cmt"]

            await eventually(is_paused, seconds=60)
            ready = (await stage.client.get(f"{stage.addresses.relais}/ready")).json()
            assert (ready["ready"], ready["degraded"]) == (True, ["sink crm_cmt is paused"])
            await ruled(stage, *a_bit_of_everything())
            assert (await told(stage, "resume", "crm_cmt"))[0] == 0
            assert await paused() == []
            resumed.set()

        await ruled(stage, *a_bit_of_everything())
        async with asyncio.timeout(WITHIN_SECONDS):
            outcome, _ = await asyncio.gather(perform(stage, tell), take_the_token_away_and_give_it_back())
        faults = (await stage.client.get(f"{stage.addresses.crm}/_control/faults")).json()

    assert resumed.is_set()
    assert outcome.faults == ()
    assert set(outcome.repeated_writes.values()) == {0}, "whatever was in doubt was looked for and not sent again"
    assert sum(fault["hit"] > 0 for fault in faults) >= 6, faults
