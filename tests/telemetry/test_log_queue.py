"""Logs that cannot be written: the reader stopped, the disk full, the other end gone."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from service import ROOT
from service.telemetry import log_queue
from service.telemetry.log_queue import LogQueue
from tests.support.fleet import free_ports
from tests.support.service import service_environment
from tests.support.waiting import eventually, within

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

# The service with a queue that is full after some hundred requests. Its workers run this, too.
SMALL_QUEUE = """
import sys, service.telemetry.log_queue
service.telemetry.log_queue.QUEUE_CHARACTERS = 20_000
if __name__ == "__main__":
    from service.commands.main import main
    sys.exit(main(["serve"]))
"""
# So many lines are longer than the pipe and the queues of two workers together.
MANY = 800


@contextmanager
def unread_service(
    database: str, stderr: int, folder: Path, **variables: str
) -> Generator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """Run the service with its log in a file that nobody reads."""
    (port,) = free_ports(1)
    script = folder / "start.py"
    script.write_text(SMALL_QUEUE)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=ROOT,
        env=service_environment(
            DATABASE_URL=database,
            BACKEND_PORT=str(port),
            SHUTDOWN_SECONDS="5",
            PYTHONPATH=str(ROOT),
            **variables,
        ),
        stdin=subprocess.DEVNULL,
        stderr=stderr,
    )
    os.close(stderr)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            eventually(lambda: is_healthy(client), seconds=60)
            yield process, client
    finally:
        process.kill()
        process.wait()


def is_healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/api/health").status_code == 200
    except httpx.TransportError:
        return False


def read_to_end(descriptor: int) -> bytes:
    """Read until every process that could write has ended."""
    parts: list[bytes] = []
    while part := os.read(descriptor, 1_000_000):
        parts.append(part)
    return b"".join(parts)


def dropped_lines(client: httpx.Client) -> int:
    found = re.search(
        r"^bmadflow_log_lines_dropped_total (\S+)", client.get("/metrics").text, re.MULTILINE
    )
    assert found
    return int(float(found[1]))


def test_a_log_that_nobody_reads_stops_no_request_and_no_signal(
    database: str, tmp_path: Path
) -> None:
    ours, theirs = os.pipe()
    try:
        with unread_service(database, theirs, tmp_path) as (process, client):
            assert {client.get("/api/nothing").status_code for _ in range(MANY)} == {404}
            assert is_healthy(client)
            assert dropped_lines(client) > 0
            process.terminate()
            assert process.wait(10) == 0
    finally:
        os.close(ours)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_dropped_lines_are_told_when_the_log_is_read_again(
    database: str, workers: str, tmp_path: Path
) -> None:
    ours, theirs = os.pipe()
    try:
        with unread_service(database, theirs, tmp_path, WEB_CONCURRENCY=workers) as (
            process,
            client,
        ):
            for number in range(MANY):
                assert client.get(f"/api/nothing?{number}").status_code == 404
            dropped = dropped_lines(client)
            assert 0 < dropped < MANY
            text = b""
            while b"log_lines_dropped" not in text:
                text += os.read(ours, 1_000_000)
            assert client.get("/api/hello").status_code == 200
            process.terminate()
            text += read_to_end(ours)
            lines = [json.loads(line) for line in text.splitlines()]
            told = [line["lines"] for line in lines if line["message"] == "log_lines_dropped"]
            assert sum(told) == dropped
            missing = [line for line in lines if line["message"] == "request"]
            assert len([line for line in missing if line["status"] == 404]) == MANY - dropped
            timestamps = [line["timestamp"] for line in missing if line["route"] is None]
            assert timestamps == sorted(timestamps)
            assert missing[-1]["route"] == "/api/hello"
            assert lines[-1]["message"] == "stopped"
    finally:
        os.close(ours)


def test_a_stopped_terminal_stops_no_request(database: str, tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    try:
        with unread_service(database, terminal, tmp_path, LOG_FORMAT="json") as (process, client):
            os.write(ours, b"\x13")  # Ctrl-S
            assert {client.get("/api/nothing").status_code for _ in range(MANY)} == {404}
            assert is_healthy(client)
            process.terminate()
            assert process.wait(10) == 0
    finally:
        os.close(ours)


def test_a_log_whose_reader_is_gone_stops_no_request(database: str, tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    with unread_service(database, theirs, tmp_path) as (process, client):
        os.close(ours)
        assert [client.get("/api/hello").status_code for _ in range(100)] == [200] * 100
        eventually(lambda: dropped_lines(client) >= 100)
        process.terminate()
        assert process.wait(10) == 0


def test_a_log_on_a_full_disk_goes_on_when_there_is_space(tmp_path: Path) -> None:
    # The limit of a file's size stands for the disk: it is a write that fails in the middle.
    log = tmp_path / "log"
    result = run_script(
        f"""
import resource, signal, time
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = os.open({str(log)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
queue = service.telemetry.log_queue.queue_for(log)
queue.report_dropped = lambda lines: queue.put(f"dropped {{lines}}\\n")
queue.put("first\\n")
queue.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
for number in range(3):
    queue.put(f"line {{number}}\\n")
    queue.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
queue.put("last\\n")
"""
    )
    assert result.returncode == 0, result.stderr
    assert log.read_text() == "first\nline\nlast\ndropped 3\n"


def run_script(text: str, stderr: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run Python code with a log, and return what it wrote."""
    start = "import os, sys, threading, structlog, service.telemetry.log_queue\n"
    return subprocess.run(
        [sys.executable, "-c", start + text],
        cwd=ROOT,
        env=service_environment(),
        timeout=60,
        check=False,
        text=True,
        stderr=stderr,
    )


CONFIGURE = "from service.telemetry.logs import configure_logs\nconfigure_logs('INFO', 'json')\n"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "crashed"),
        ("t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()", "thread_crashed"),
    ],
)
def test_a_traceback_that_python_prints_is_a_line_of_the_log(code: str, message: str) -> None:
    result = run_script(f"{CONFIGURE}structlog.get_logger().info('before')\n{code}")
    first, last = [json.loads(line) for line in result.stderr.splitlines()]
    assert (first["message"], last["message"], last["level"]) == ("before", message, "critical")
    assert last["exception"].endswith("ZeroDivisionError: division by zero")


def test_warnings_and_printed_text_keep_their_place_in_the_log() -> None:
    result = run_script(
        CONFIGURE + "import warnings\n"
        "log = structlog.get_logger()\n"
        "log.info('one')\nwarnings.warn('two')\nprint('three', file=sys.stderr)\nlog.info('four')\n"
        "sys.exit('five')"
    )
    one, two, three, four, five = result.stderr.splitlines()
    assert (json.loads(one)["message"], json.loads(four)["message"]) == ("one", "four")
    assert "two" in json.loads(two)["message"]
    assert (three, five) == ("three", "five")
    assert result.returncode == 1


def test_the_last_lines_before_the_end_are_written() -> None:
    result = run_script(CONFIGURE + "for n in range(5000): structlog.get_logger().info('x', n=n)")
    assert [json.loads(line)["n"] for line in result.stderr.splitlines()] == list(range(5000))


def test_a_signal_handler_may_log_at_any_moment() -> None:
    result = run_script(
        CONFIGURE
        + """
import signal
log = structlog.get_logger()
handled = []
def handle(*_):
    handled.append(None)
    log.info("handled")
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
for n in range(20_000):
    log.info("line")
signal.setitimer(signal.ITIMER_REAL, 0)
log.info("end", handled=len(handled))
"""
    )
    lines = [json.loads(line)["message"] for line in result.stderr.splitlines()]
    handled = json.loads(result.stderr.splitlines()[-1])["handled"]
    assert handled > 100
    assert (lines.count("handled"), lines.count("line")) == (handled, 20_000)


def test_a_forked_child_writes_its_own_lines_and_not_its_parents() -> None:
    result = run_script(
        CONFIGURE
        + """
log = structlog.get_logger()
for n in range(1000):
    log.info("parent")
    if n == 500 and not (child := os.fork()):
        log.info("child")
        service.telemetry.log_queue.queue_for(2).flush()
        os._exit(0)
os.waitpid(child, 0)
"""
    )
    lines = [json.loads(line)["message"] for line in result.stderr.splitlines()]
    assert (lines.count("parent"), lines.count("child")) == (1000, 1)


def test_without_threads_the_lines_are_written_at_the_end() -> None:
    result = run_script(
        """
def refuse(_): raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
"""
        + CONFIGURE
        + "for n in range(100): structlog.get_logger().info('line', n=n)"
    )
    assert [json.loads(line)["n"] for line in result.stderr.splitlines()] == list(range(100))


def test_a_log_that_is_made_non_blocking_by_another_process_loses_nothing() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    queue = LogQueue(theirs)
    for number in range(3000):
        queue.put(f"{number:>99}\n")
    text = b""
    while text.count(b"\n") + queue.dropped < 3000:
        text += os.read(ours, 100_000)
    assert [int(line) for line in text.splitlines()] == list(range(3000))
    queue.flush()
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("limit", ["QUEUE_LINES", "QUEUE_CHARACTERS"])
def test_a_queue_is_bounded_in_lines_and_in_characters(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_queue, limit, 20)
    ours, theirs = full_pipe()
    queue = LogQueue(theirs)
    for _ in range(100):
        queue.put("x\n")
    # The writer may have taken what waited once, when it began to wait for the reader.
    assert 60 <= queue.dropped <= 90
    text = b""
    while text.count(b"x") + queue.dropped < 100:
        text += os.read(ours, 1_000_000).lstrip(b"\0")
    queue.flush()
    os.close(ours)
    os.close(theirs)


def full_pipe() -> tuple[int, int]:
    """Return both ends of a pipe that takes nothing more."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    while select.select([], [theirs], [], 0)[1]:
        os.write(theirs, bytes(65_536))
    os.set_blocking(theirs, True)
    return ours, theirs


def test_flush_waits_for_a_reader_that_reads_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_queue, "FLUSH_SECONDS", 0.5)
    monkeypatch.setattr(log_queue, "STUCK_SECONDS", 60.0)
    ours, theirs = full_pipe()
    queue = LogQueue(theirs)
    is_over = threading.Event()
    received: list[int] = []

    def read_slowly() -> None:
        while not is_over.wait(0.01):
            received.append(len(os.read(ours, 4096)))

    reader = threading.Thread(target=read_slowly)
    reader.start()
    for _ in range(6000):
        queue.put(f"{'x' * 499}\n")
    queue.flush()
    is_over.set()
    reader.join()
    assert 0 < sum(received) < 2_500_000
    os.close(ours)
    queue.flush()
    os.close(theirs)


def test_flush_waits_for_the_lines_that_are_being_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_queue, "STUCK_SECONDS", 20.0)
    monkeypatch.setattr(log_queue, "FLUSH_SECONDS", 20.0)
    ours, theirs = full_pipe()
    queue = LogQueue(theirs)
    queue.put("last\n")
    eventually(lambda: not queue._texts)  # pyright: ignore[reportPrivateUsage]
    reader = threading.Timer(0.1, os.read, (ours, 1_000_000))
    reader.start()
    queue.flush()
    written = os.read(ours, 1_000_000)
    reader.cancel()
    assert written == b"last\n"
    os.close(ours)
    os.close(theirs)


def test_flush_does_not_wait_for_a_reader_that_has_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_queue, "FLUSH_SECONDS", 60.0)
    ours, theirs = full_pipe()
    queue = LogQueue(theirs)
    queue.put("x\n")
    with within(30):
        queue.flush()
    os.read(ours, 1_000_000)
    queue.flush()
    os.close(ours)
    os.close(theirs)


def test_a_stopped_reader_does_not_keep_a_process_from_ending() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, True)
    try:
        code = "for n in range(5000): structlog.get_logger().info('x', text=99 * 'x')\n1 / 0"
        assert run_script(CONFIGURE + code, stderr=theirs).returncode == 1
    finally:
        os.close(ours)
        os.close(theirs)


def test_sigterm_ends_a_start_whose_migrations_nobody_reads(empty_database: str) -> None:
    ours, theirs = full_pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "serve", "--migrate"],
        cwd=ROOT,
        env=service_environment(DATABASE_URL=empty_database),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        eventually(lambda: is_blocked_in_migrate(process.pid), seconds=60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def is_blocked_in_migrate(pid: int) -> bool:
    """Return whether a child of the process waits in the kernel for a full pipe."""
    import psutil

    for child in psutil.Process(pid).children():
        if "migrate" in child.cmdline():
            with open(f"/proc/{child.pid}/syscall") as file:  # noqa: PTH123
                return file.read().split()[0] == "1"  # write
    return False
