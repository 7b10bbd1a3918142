from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from service import ROOT
from tests.support.late import RUNS
from tests.support.waiting import STALL_SECONDS, LateError, assert_in_time, eventually, within

if TYPE_CHECKING:
    from pathlib import Path

# How a test ends in its first, second, ... run; each run has a fixture of its own.
MODULE = """
import pytest
from tests.support.waiting import LateError

ENDS = {ends}
made = []

@pytest.fixture
def fixture():
    made.append(None)
    yield ENDS[len(made) - 1]
    if ENDS[len(made) - 1] == "late and broken":
        raise ValueError

def test_it(fixture):
    if fixture.startswith("late"):
        raise LateError("took 3 s instead of 2 s")
    assert fixture == "passed"

def test_after():
    print(len(made), "runs")
"""


def run_tests(folder: Path, ends: list[str], *options: str) -> str:
    """Return the output of a run of one test that ends so, and of another."""
    module = folder / "test_module.py"
    module.write_text(MODULE.format(ends=ends))
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.late", "-rA", *options, module]
    result = subprocess.run(
        [*command, "--rootdir", folder, "--override-ini=addopts="],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == int("failed" in result.stdout)
    return result.stdout


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["one process", "xdist"])
@pytest.mark.parametrize(
    ("ends", "late", "summary"),
    [
        (["passed"], 0, "2 passed in"),
        (["late", "passed"], 1, "2 passed, 1 late in"),
        (["late", "late", "passed"], 2, "2 passed, 2 late in"),
        (["late"] * RUNS, RUNS - 1, "1 failed, 1 passed, 2 late in"),
        (["failed", "passed"], 0, "1 failed, 1 passed in"),
        (["late", "failed", "passed"], 1, "1 failed, 1 passed, 1 late in"),
        (["late and broken", "passed"], 0, "1 failed, 1 passed, 1 error in"),
    ],
)
def test_a_late_test_runs_again(
    ends: list[str], late: int, summary: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    output = run_tests(tmp_path, ends, *options)
    assert summary in output
    assert f"{late + 1} runs" in output
    assert output.count("LATE test_module.py::test_it: ") == late


def test_a_promise_is_kept_missed_by_a_stall_or_broken() -> None:
    assert_in_time(1.9, 2)
    with pytest.raises(LateError):
        assert_in_time(2.0, 2)
    with pytest.raises(LateError):
        assert_in_time(2 + STALL_SECONDS - 0.1, 2)
    with pytest.raises(AssertionError) as raised:
        assert_in_time(2 + STALL_SECONDS, 2)
    assert not isinstance(raised.value, LateError)
    with pytest.raises(LateError), within(0):
        pass
    with pytest.raises(KeyError), within(0):
        raise KeyError
    with pytest.raises(LateError):
        eventually(lambda: True, 0)
