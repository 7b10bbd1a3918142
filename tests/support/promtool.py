"""Prometheus' own linter, which is in Debian's package `prometheus`."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

PROMTOOL = shutil.which("promtool")

# In CI a missing promtool fails the tests instead of skipping them.
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None and "CI" not in os.environ, reason="there is no promtool on this machine"
)


def promtool(*arguments: str, stdin: bytes = b"") -> tuple[int, str]:
    """Return the exit code and the output of `promtool`."""
    assert PROMTOOL is not None
    finished = subprocess.run(
        [PROMTOOL, *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return finished.returncode, finished.stdout.decode()
