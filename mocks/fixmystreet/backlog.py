"""What a fresh stand-in already holds: reports of the weeks before its day."""

import random
from datetime import timedelta

from mocks.fixmystreet import changes, times
from mocks.fixmystreet.invent import a_report
from mocks.fixmystreet.world import World

WEEKS = 4


def fill(world: World) -> None:
    """Add the settings' number of older reports, most of them already in progress or closed; nobody is told of them."""
    settings = world.settings
    rng = random.Random(f"backlog {settings.seed}")
    start = times.start_of(settings.day - timedelta(weeks=WEEKS))
    minutes = WEEKS * 7 * 24 * 60
    moments = sorted(start + timedelta(minutes=rng.randrange(minutes - 4 * 60)) for _ in range(settings.backlog))
    for report_id, at in zip(world.reserve_ids(settings.backlog), moments, strict=True):
        report = world.add(a_report(rng, world.tree, report_id, at))
        stages = rng.choices(
            ([], ["accept"], ["accept", "resolve"], ["accept", "close"], ["refuse"]), (20, 25, 5, 47, 3)
        )[0]
        for stage in stages:
            changes.apply(world, report, stage, report.modified_at + timedelta(minutes=rng.randrange(20, 60)))
