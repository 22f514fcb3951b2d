"""Whether a case went through the states of its report in their order, however many of them it skipped. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from relais.demonstration.findings import Finding, Kind
from relais.demonstration.held import HeldCase, Snapshot
from relais.demonstration.told import Look, Push, Report, Version

REMOVED = "removed"


def ordering_faults(report: Report, case: HeldCase) -> Iterator[Finding]:
    """What is wrong with the past of a case.

    What was read from the lists must be a subsequence of the report's versions, what was only pushed a subsequence of
    its requests. Skipping is legal, because whoever reads now and then, and sends only the last of what is waiting,
    does not see everything; going back is not.
    """
    polled = [snapshot for snapshot in case.snapshots if snapshot.polled]
    pushed = [snapshot for snapshot in case.snapshots if not snapshot.polled]
    yield from _subsequence_faults(report.id, polled, report.versions)
    yield from _subsequence_faults(report.id, pushed, report.pushes)
    if any(before.polled and not after.polled for before, after in pairwise(case.snapshots)):
        yield Finding(Kind.OUT_OF_ORDER, report.id, "what the lists said was taken back")
    for before, after in pairwise(case.versions):
        if after <= before:
            yield Finding(Kind.OUT_OF_ORDER, report.id, f"version {after} came after version {before}")


def _subsequence_faults(
    report: str, snapshots: Iterable[Snapshot], told: Sequence[Version | Push]
) -> Iterator[Finding]:
    at = 0
    for snapshot in snapshots:
        # The earliest that fits leaves most room for what follows, so a greedy match finds one wherever there is one.
        fitting = [number for number, one in enumerate(told) if _shows(snapshot.look, one)]
        later = next((number for number in fitting if number >= at), None)
        if later is not None:
            at = later
        elif fitting:
            yield Finding(
                Kind.OUT_OF_ORDER,
                report,
                f"shows {_in_words(snapshot.look)}, state {fitting[-1] + 1} of it, after state {at + 1}",
            )
        else:
            yield Finding(Kind.ASTRAY, report, f"shows {_in_words(snapshot.look)}, which it never was")


def _shows(look: Look, told: Version | Push) -> bool:
    if isinstance(told, Push):
        return (look.status, look.category, look.street, look.number) == (
            told.look.status,
            told.look.category,
            told.look.street,
            told.look.number,
        )
    if look.status == REMOVED:
        # The rest is as it was last seen, which may have been several changes earlier.
        return not told.shown
    return told.shown and look == told.look


def _in_words(look: Look) -> str:
    return f"{look.status} in category {look.category}, {look.duplicates or 0} duplicates"
