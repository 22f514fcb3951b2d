"""What was skipped and why, told in the last lines of every run, so that no missing service passes for a success."""

from collections import Counter
from collections.abc import Generator

import pytest


class SkippedSuites:
    """A pytest plugin that ends the report with one line for each file and reason."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
        """Let every other summary be written first; only the closing line follows."""
        yield
        suites = Counter(_suite_and_reason(report) for report in terminalreporter.stats.get("skipped", []))
        if not suites:
            terminalreporter.write_line("no suite was skipped")
        for (suite, reason), tests in sorted(suites.items()):
            terminalreporter.write_line(f"skipped suite: {suite}, {tests} of its tests: {reason}", yellow=True)


def _suite_and_reason(report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str]:
    suite = report.nodeid.partition("::")[0]
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return suite, reason.removeprefix("Skipped: ")
