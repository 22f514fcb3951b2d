"""The judge: compares what Fix My Street said with what CRM-CMT holds, and asks Relais nothing. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from relais.demonstration.conversation import conversation_faults
from relais.demonstration.findings import Finding, Kind
from relais.demonstration.held import HeldCase, cases_from
from relais.demonstration.ordering import ordering_faults
from relais.demonstration.standing import standing_faults
from relais.demonstration.told import Report, reports_from


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything found, and what the CRM holds by case type and language (``-`` where no language is known).

    ``liveliest`` is the number of the report whose case was written most often.
    """

    findings: tuple[Finding, ...]
    cases: int
    by_type: Mapping[str, Mapping[str, int]]
    liveliest: str | None

    def count(self, kind: Kind) -> int:
        """How many findings of a kind."""
        return sum(finding.kind is kind for finding in self.findings)

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong at all."""
        return not self.findings


def judge(upstream: Mapping[str, Any], crm: Mapping[str, Any]) -> Verdict:
    """The verdict over what the two stand-ins say of themselves (their ``/_oracle``).

    The upstream's account must have been asked for with the municipalities and the first day that Relais was told.
    """
    reports = reports_from(upstream)
    cases = cases_from(crm)
    by_report: dict[str, list[HeldCase]] = {}
    for case in cases:
        by_report.setdefault(case.source_id, []).append(case)
    findings = chain(
        _presence_faults(reports, by_report),
        *(_case_faults(reports[case.source_id], case) for case in cases if case.source_id in reports),
    )
    liveliest = max(cases, key=lambda case: len(case.versions), default=None)
    return Verdict(
        findings=tuple(findings),
        cases=len(cases),
        by_type=_by_type_and_language(cases),
        liveliest=liveliest.source_id if liveliest else None,
    )


def _presence_faults(reports: Mapping[str, Report], by_report: Mapping[str, Sequence[HeldCase]]) -> Iterator[Finding]:
    for report in reports.values():
        if report.presence == "yes" and report.id not in by_report:
            yield Finding(Kind.LOST, report.id, "has no case")
    for source_id, cases in by_report.items():
        if source_id not in reports:
            yield from (Finding(Kind.ASTRAY, source_id or "?", f"case {case.id} is of no report") for case in cases)
            continue
        if reports[source_id].presence == "no":
            yield Finding(Kind.ASTRAY, source_id, "has a case, but is not the city's or from before the first day")
        yield from (Finding(Kind.DOUBLED, source_id, f"has a second case, {case.id}") for case in cases[1:])


def _case_faults(report: Report, case: HeldCase) -> Iterable[Finding]:
    again = (change for change, times in Counter(case.changes).items() if times > 1)
    return chain(
        standing_faults(report, case),
        conversation_faults(report, case),
        ordering_faults(report, case),
        (Finding(Kind.DOUBLED, report.id, f"change {change} was applied more than once") for change in again),
    )


def _by_type_and_language(cases: Iterable[HeldCase]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for case in cases:
        row = counts.setdefault(case.members["caseType"], {})
        language = case.members.get("language") or "-"
        row[language] = row.get(language, 0) + 1
    return {case_type: counts[case_type] for case_type in sorted(counts)}
