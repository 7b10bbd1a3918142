"""Whether the machine has a git that is new enough."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from typing import Final

from service.git.errors import CANNOT_START, NOT_INSTALLED, GitMachineError

# The first with http.curloptResolve, which older ones ignore silently.
GIT_VERSION_MIN: Final = (2, 37)
CHECK_SECONDS: Final = 10.0


async def check_installed() -> None:
    """Raise GitMachineError if git is missing, cannot be started, or is too old."""
    git = shutil.which("git")
    if git is None:
        raise GitMachineError(NOT_INSTALLED)
    try:
        process = await asyncio.create_subprocess_exec(
            git,
            "version",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
        )
    except OSError:
        raise GitMachineError(CANNOT_START) from None
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            printed, _ = await process.communicate()
    except TimeoutError:
        raise GitMachineError(CANNOT_START) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise GitMachineError(CANNOT_START)
    check_version(printed.decode(errors="replace"))


def check_version(printed: str) -> None:
    """Raise GitMachineError unless `git version` printed GIT_VERSION_MIN or a newer one."""
    found = re.search(r"(\d+)\.(\d+)", printed)
    if found is None or (int(found[1]), int(found[2])) < GIT_VERSION_MIN:
        minimum = ".".join(map(str, GIT_VERSION_MIN))
        raise GitMachineError(f"The service needs git {minimum} or newer on its machine.")
