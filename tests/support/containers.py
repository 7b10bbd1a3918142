"""Processes in a namespace of their own, where the first one is that of a container."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Final

import pytest

CONTAINER: Final = (
    "unshare",
    *(() if os.geteuid() == 0 else ("--user", "--map-root-user")),
    *("--pid", "--fork", "--mount-proc", "--kill-child"),
)


def _can_make_containers() -> bool:
    command = (*CONTAINER, "true")
    return shutil.which("unshare") is not None and not subprocess.call(
        command, stderr=subprocess.DEVNULL
    )


needs_containers = pytest.mark.skipif(not _can_make_containers(), reason="may not make namespaces")
