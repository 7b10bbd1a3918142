"""The report of a failing test: the end of each long output, and the path of the whole one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SHOWN_LINES = 20


def tail(log: Path, lines: int = SHOWN_LINES) -> str:
    """Return the path of a log and its last lines."""
    all_lines = log.read_text(errors="replace").splitlines()
    last = all_lines[-lines:]
    return "\n".join([f"{log}, the last {len(last)} of {len(all_lines)} lines:", *last])


def shorten_sections(report: pytest.TestReport, folder: Path) -> None:
    """Move each long captured output to a file in `folder`; the report keeps its path and end."""
    for index, (name, text) in enumerate(report.sections):
        if text.count("\n") > SHOWN_LINES:
            test = re.sub(r"\W+", "_", report.nodeid)[-100:]
            file = folder / f"{test}-{name.replace(' ', '-')}.log"
            file.write_text(text)
            report.sections[index] = (name, tail(file))


def add_logs(report: pytest.TestReport, folder: Path) -> None:
    """Report the path and the end of each log that a test's processes left in its folder."""
    logs = sorted(folder.glob("*.log"))
    for log in logs:
        report.sections.append((f"Log {log.name}", tail(log, max(SHOWN_LINES // len(logs), 1))))


def explain_long_text(operator: str, left: object, right: object) -> list[str] | None:
    """Return why `left in right` or `left not in right` fails, if `right` is a long text."""
    if not (isinstance(left, str) and isinstance(right, str)) or right.count("\n") <= SHOWN_LINES:
        return None
    lines = right.splitlines()
    if operator == "in":
        return [f"{left!r} in a text of {len(lines)} lines, which ends:", *lines[-SHOWN_LINES:]]
    if operator == "not in":
        first = right.count("\n", 0, right.index(left))
        excerpt = lines[first : first + SHOWN_LINES]
        return [f"{left!r} not in a text of {len(lines)} lines; line {first + 1}:", *excerpt]
    return None
