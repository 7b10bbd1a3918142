from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

from service import ROOT
from tests.support.service import service_environment

if TYPE_CHECKING:
    from pathlib import Path


def test_a_terminal_gets_readable_log_lines(database: str, tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    environment = service_environment(DATABASE_URL=database, LOG_FORMAT="auto")
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "serve"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=terminal,
    )
    os.close(terminal)
    try:
        text = ""
        while "listening" not in text or not text.endswith("\n"):
            text += os.read(ours, 4096).decode()
    finally:
        process.terminate()
        process.wait(15)
        os.close(ours)
    assert "{" not in text
    assert "/docs" in text
