from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import psutil

from service.server.serve import OPEN_FILES
from tests.support.service import start_process

if TYPE_CHECKING:
    from pathlib import Path

# Serves with the usual limit of a login shell.
LIMITED = """
import os, resource, sys
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
os.execv(sys.executable, [sys.executable, "-m", "service", "serve"])
"""


def test_the_limit_of_open_files_is_raised_as_far_as_allowed(database: str, tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    service = start_process(tmp_path / "log", "-c", LIMITED, DATABASE_URL=database)
    try:
        assert service.url
        limits = psutil.Process(service.process.pid).rlimit(psutil.RLIMIT_NOFILE)
        assert limits == (allowed, hard)
    finally:
        service.end()
