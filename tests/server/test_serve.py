from __future__ import annotations

import hashlib
import hmac
import os
import resource
from typing import TYPE_CHECKING

import httpx
import psutil

from service.server.serve import OPEN_FILES
from tests.support.service import run_service, start_process

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


def test_a_port_that_kubernetes_sets_is_ignored_and_logged_once(
    database: str, tmp_path: Path
) -> None:
    # With two workers, which do not each repeat it.
    pid = os.getpid()  # an address of this test's own, since the port is the default
    host = f"127.{pid >> 16}.{pid >> 8 & 255}.{(pid & 255) or 1}"
    variables = {"DATABASE_URL": database, "WEB_CONCURRENCY": "2", "BACKEND_HOST": host}
    with run_service(tmp_path / "log", BACKEND_PORT="tcp://10.0.0.1:8000", **variables) as service:
        assert service.url == f"http://{host}:8000"
        [warning] = service.find("setting_ignored")
    assert warning["setting"] == "BACKEND_PORT"
    assert "10.0.0.1" not in service.log.read_text()


def test_webhooks_fit_a_secret_that_was_set_with_a_line_break(
    database: str, tmp_path: Path
) -> None:
    body = b"{}"
    signature = hmac.new(b"It's a secret", body, hashlib.sha256).hexdigest()
    with run_service(
        tmp_path / "log", DATABASE_URL=database, GITHUB_WEBHOOK_SECRET="It's a secret\n"
    ) as service:
        sent = httpx.post(
            f"{service.url}/api/project-docs/6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11/webhook",
            content=body,
            headers={"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={signature}"},
        )
    assert sent.status_code == 404  # 403 is a wrong signature
