"""Whether the machine has a git that is new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import Final

from service.git.errors import CANNOT_START, NOT_INSTALLED, GitMachineError

# The first with http.curloptResolve, which older ones ignore silently.
GIT_VERSION_MIN: Final = (2, 37)
CHECK_SECONDS: Final = 10.0


def check_installed() -> None:
    """Raise GitMachineError if git is missing, cannot be started, or is too old. Blocks."""
    git = shutil.which("git")
    if git is None:
        raise GitMachineError(NOT_INSTALLED)
    try:
        finished = subprocess.run(
            [git, "version"],
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            timeout=CHECK_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        raise GitMachineError(CANNOT_START) from None
    check_version(finished.stdout.decode(errors="replace"))


def check_version(printed: str) -> None:
    """Raise GitMachineError unless `git version` printed GIT_VERSION_MIN or a newer one."""
    found = re.search(r"(\d+)\.(\d+)", printed)
    if found is None or (int(found[1]), int(found[2])) < GIT_VERSION_MIN:
        minimum = ".".join(map(str, GIT_VERSION_MIN))
        raise GitMachineError(f"The service needs git {minimum} or newer on its machine.")
