"""A failing test prints the end of each long output, and the path of the whole one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from service import ROOT
from tests.support.output import SHOWN_LINES

LINES = 1000

FAILING_TEST = f"""
def test_fails(tmp_path):
    text = "a line of a log\\n" * {LINES}
    (tmp_path / "service-0.log").write_text(text)
    print(text)
    assert "a line" not in text
"""


def test_a_failure_prints_the_end_of_long_outputs_and_their_files(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING_TEST)
    (tmp_path / "pytest.ini").touch()
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "tests.conftest"]
    run = subprocess.run(
        [*command, f"--basetemp={tmp_path / 'temporary'}", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    # The assertion's message, the captured output, and the log.
    assert run.stdout.count("\n") < 3 * SHOWN_LINES + 30
    printed, log = re.findall(r"^(/.+), the last 20 of (\d+) lines:$", run.stdout, re.MULTILINE)
    assert Path(printed[0]).read_text().count("a line of a log\n") == LINES
    assert Path(log[0]).name == "service-0.log"
