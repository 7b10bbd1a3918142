from __future__ import annotations

import json
import logging
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import httpx
import pytest
import structlog

from service import ROOT
from tests.support.fleet import free_ports
from tests.support.service import json_log, service_environment
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.service import Service

    Capture: TypeAlias = pytest.CaptureFixture[str]


def test_a_terminal_gets_readable_log_lines(database: str, tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    environment = service_environment(DATABASE_URL=database, LOG_FORMAT="auto")
    process = start_service(terminal, environment)
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


def test_a_log_that_cannot_be_written_harms_no_request(database: str) -> None:
    (port,) = free_ports(1)
    environment = service_environment(DATABASE_URL=database, BACKEND_PORT=str(port))
    with Path("/dev/full").open("wb") as full:
        process = start_service(full.fileno(), environment)

    try:
        eventually(lambda: status_of(port, "/api/health") == 200)
        # Together these lines are longer than any buffer between the service and its log.
        assert [status_of(port, "/api/hello") for _ in range(100)] == [200] * 100
        process.terminate()
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()


def test_a_line_is_one_line_of_ascii() -> None:
    path = "/api/\N{LINE SEPARATOR}\N{RIGHT-TO-LEFT OVERRIDE}\x85"
    with json_log() as read_log:
        structlog.get_logger().warning("odd", path=path, half="\ud800", value=b"\xff")
    assert read_log().isascii()
    (line,) = read_log().splitlines()
    entry = json.loads(line)
    assert (entry["path"], entry["half"], entry["value"]) == (path, "\ud800", repr(b"\xff"))


LEVELS = ["debug", "info", "warning", "error", "critical"]


def test_a_json_line_has_a_severity_that_google_cloud_knows() -> None:
    with json_log() as read_log:
        logging.getLogger().setLevel("DEBUG")
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("DEBUG"))
        for level in LEVELS:
            getattr(structlog.get_logger(), level)("ours")
            for library in ("uvicorn.error", "asyncio", "a.library"):
                getattr(logging.getLogger(library), level)("theirs")
        structlog.get_logger().exception("raised")
    lines = [json.loads(line) for line in read_log().splitlines()]
    # uvicorn's own lines below warning are left out.
    assert len(lines) == 4 * len(LEVELS) - 2 + 1
    for line in lines:
        assert line["severity"] == line["level"].upper()
        assert line["severity"] in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
        assert line["pid"] == os.getpid()
    assert lines[-1]["severity"] == "ERROR"


def test_each_line_of_several_workers_says_which_process_wrote_it(
    database: str, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=database, WEB_CONCURRENCY="2")
    started = {entry["worker_pid"] for entry in service.expect("worker_started", 2)}
    supervisor = service.process.pid
    assert supervisor not in started

    def ask() -> set[int]:  # by new connections, which either worker may accept
        httpx.get(f"{service.url}/api/hello")
        return {entry["pid"] for entry in service.find("request")}

    eventually(lambda: ask() == started)
    assert {entry["pid"] for entry in service.entries()} == started | {supervisor}


def test_a_console_line_has_the_process_only_where_there_are_several(capfd: Capture) -> None:
    script = """
import sys
from service.telemetry.logs import configure_logs
import structlog
configure_logs("INFO", "console", is_one_of_several=bool(sys.argv[1:]))
structlog.get_logger().info("event")
"""
    for arguments in ([], ["several"]):
        subprocess.run([sys.executable, "-c", script, *arguments], cwd=ROOT, check=True)
        assert ("pid=" in capfd.readouterr().err) == bool(arguments)


@pytest.mark.parametrize("form", ["auto", "json"])
def test_without_standard_error_the_service_runs_without_a_log(database: str, form: str) -> None:
    (port,) = free_ports(1)
    environment = service_environment(
        DATABASE_URL=database, BACKEND_PORT=str(port), LOG_FORMAT=form
    )
    command = ["sh", "-c", 'exec "$0" -m service serve 2>&-', sys.executable]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    try:
        eventually(lambda: status_of(port, "/api/health") == 200)
        assert status_of(port, "/api/hello") == 200
        process.terminate()
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()


def start_service(stderr: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the service with its log in an open file."""
    command = [sys.executable, "-m", "service", "serve"]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stderr=stderr
    )


def status_of(port: int, path: str) -> int | None:
    """Return the status of a response, or None where nothing listens."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}").status_code
    except httpx.TransportError:
        return None


def test_lines_of_several_threads_do_not_mix() -> None:
    script = """
import sys, threading
from service.telemetry.logs import configure_logs
import structlog
configure_logs("INFO", "json")
def write(text):
    for _ in range(5):  # all together less than the queue takes
        structlog.get_logger().info("line", text=text * 100_000)  # more than a pipe takes at once
threads = [threading.Thread(target=write, args=(text,)) for text in "abcdefgh"]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    environment = service_environment(PYTHONUNBUFFERED="1")
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = result.stderr.splitlines()
    assert len(lines) == 40
    assert all(len(set(json.loads(line)["text"])) == 1 for line in lines)
