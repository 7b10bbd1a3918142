"""A plugin of pytest: a test that kept no promise of seconds, but nearly, runs again.

A machine that runs four processes of tests with their servers and browsers may let one of them wait
for a second or more. That is no fault of the service, which is late every time, or by more than
STALL_SECONDS. The last line of a run says how many tests were late, and the lines above it which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import pytest
from _pytest.runner import runtestprotocol

from tests.support.waiting import LateError

if TYPE_CHECKING:
    from collections.abc import Generator

# So often a test runs until it fails for being late.
RUNS: Final = 3

IS_LATE: Final = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test with its fixtures, again if it was late and nothing else failed."""
    for number in range(1, RUNS + 1):
        item.stash[IS_LATE] = False
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        failed = [report for report in reports if report.failed]
        is_again = item.stash[IS_LATE] and len(failed) == 1 and number < RUNS
        if is_again:
            failed[0].outcome = "late"  # pyright: ignore[reportAttributeAccessIssue]
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        if not is_again:
            break
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    if call.excinfo and isinstance(call.excinfo.value, LateError):
        item.stash[IS_LATE] = True
    return (yield)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    return ("late", "L", "LATE") if cast("str", report.outcome) == "late" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.stats.get("late", []):
        terminalreporter.write_line(f"LATE {report.nodeid}: {report.longrepr.reprcrash.message}")
