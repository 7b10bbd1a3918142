from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from service import ROOT
from tests.support.fleet import free_ports
from tests.support.postgres import run_sql
from tests.support.processes import SOON, STOP_SECONDS, is_served
from tests.support.service import Service, service_environment, start_process
from tests.support.waiting import eventually, within

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from tests.support.postgres import Postgres

    Start: TypeAlias = Callable[..., Service]


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_service_cleanly_and_soon(
    stop_signal: signal.Signals, database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database)
    with httpx.Client() as client:  # a client whose idle connection stays open
        assert client.get(f"{service.url}/api/health").status_code == 200
        with within(SOON):
            service.process.send_signal(stop_signal)
            assert service.wait() == 0
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_under_nohup_the_service_outlives_its_terminal(
    workers: str, database: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["nohup", sys.executable, "-m", "service", "serve"],
            cwd=ROOT,
            env=service_environment(DATABASE_URL=database, WEB_CONCURRENCY=workers),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    service = Service(process, log)
    try:
        url = service.url
        eventually(lambda: is_served(f"{url}/api/health"))
        os.killpg(process.pid, signal.SIGHUP)
        time.sleep(0.5)
        assert is_served(f"{url}/api/health")
    finally:
        service.end()
    assert process.returncode == 0


# Ctrl-C, and a terminal that is closed.
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_while_draining_health_reports_it_and_other_routes_are_served(
    workers: str, sent: signal.Signals, database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database, DRAIN_SECONDS="60", WEB_CONCURRENCY=workers)
    url = service.url
    eventually(lambda: is_served(f"{url}/api/health"))
    os.killpg(service.process.pid, sent)  # as a terminal does
    response = eventually(lambda: shutting_down(url))
    body = response.json()
    del body["timestamp"]
    assert body == {"status": "error", "database": "unknown", "reason": "shutting_down"}
    assert response.headers["connection"] == "close"
    assert response.headers["retry-after"] == "5"
    assert httpx.get(f"{url}/docs").status_code == 200
    assert httpx.get(f"{url}/api/health/live").status_code == 200
    os.killpg(service.process.pid, sent)
    assert service.wait() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_drain_ends_by_itself(workers: str, database: str, start_service: Start) -> None:
    service = start_service(DATABASE_URL=database, DRAIN_SECONDS="2", WEB_CONCURRENCY=workers)
    eventually(lambda: is_served(f"{service.url}/api/health"))
    started = time.monotonic()
    service.process.terminate()
    assert service.wait() == 0
    assert time.monotonic() - started > 2


def shutting_down(url: str) -> httpx.Response | None:
    response = httpx.get(f"{url}/api/health")
    return response if response.status_code == 503 else None


def test_while_draining_no_connection_is_kept_alive(database: str, start_service: Start) -> None:
    service = start_service(DATABASE_URL=database, DRAIN_SECONDS="60")
    with httpx.Client(base_url=service.url) as client:
        assert "connection" not in client.get("/docs").headers
        service.process.terminate()
        eventually(lambda: shutting_down(service.url))
        # Clients with a connection must move to another copy before the port closes.
        assert client.get("/docs").headers["connection"] == "close"
    service.process.terminate()
    assert service.wait() == 0


WAITING_QUERIES = """
    select count(*) from pg_stat_activity
    where wait_event_type = 'Lock' and query like '%from project%order by number desc%'
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_request_cut_off_by_the_shutdown_gets_a_503(
    workers: str, own_postgres: Postgres, start_service: Start
) -> None:
    service = start_service(
        DATABASE_URL=own_postgres.url,
        SHUTDOWN_SECONDS="1",
        WEB_CONCURRENCY=workers,
        HEALTH_TIMEOUT_SECONDS="30",
    )
    url = service.url
    eventually(lambda: is_served(f"{url}/api/health"))
    with ThreadPoolExecutor() as executor, closing(psycopg.connect(own_postgres.url)) as connection:
        connection.execute("lock table project")
        asking = executor.submit(httpx.get, f"{url}/api/projects", timeout=30)
        eventually(lambda: run_sql(own_postgres.url, WAITING_QUERIES) == [(1,)])
        own_postgres.freeze()
        with within(SOON):
            service.process.terminate()
            response = asking.result()
            assert service.wait() == 0
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "5"
    # Every line is JSON, uvicorn's own lines included.
    assert len(service.entries()) == len(service.log.read_text().splitlines())
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_signal_stops_the_service_at_once(
    workers: str, database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database, DRAIN_SECONDS="60", WEB_CONCURRENCY=workers)
    url = service.url
    eventually(lambda: is_served(f"{url}/api/health"))
    os.killpg(service.process.pid, signal.SIGINT)
    eventually(lambda: shutting_down(url), SOON)
    with within(SOON):
        os.killpg(service.process.pid, signal.SIGINT)
        assert service.wait() == 0
    assert "Traceback" not in service.log.read_text()


# Routes that never give the event loop back, some of which hold the interpreter's lock, and one
# whose thread never ends. Each makes a file as it gets stuck, which a busy machine does late.
STUCK = """
import asyncio, sys, time
from collections import deque
from itertools import repeat
from pathlib import Path
from starlette.routing import Route
from service import app
from service.commands.main import main

IS_STUCK, IS_STOPPING = (Path(__file__).with_name(name) for name in ("stuck", "stopping"))

async def loop(request):
    IS_STUCK.touch()
    while True:
        pass

async def native(request):
    IS_STUCK.touch()
    deque(repeat(None), maxlen=0)

async def late_native(request):
    def get_stuck():
        while not IS_STOPPING.exists():
            time.sleep(0.01)
        deque(repeat(None), maxlen=0)
    asyncio.get_running_loop().run_in_executor(None, get_stuck)
    IS_STUCK.touch()
    await asyncio.sleep(1000)

async def thread(request):
    IS_STUCK.touch()
    await asyncio.to_thread(time.sleep, 1000)

async def maker(request):
    IS_STUCK.touch()
    await request.state["large_bodies"].run(time.sleep, 1000)

for function in (loop, native, late_native, thread, maker):
    app.ROUTES.append(Route(f"/{function.__name__}", function))

if __name__ == "__main__":
    sys.exit(main(["serve"]))
"""


def get_stuck(url: str, place: str, folder: Path) -> None:
    """Send a request that gets a worker stuck, wait until it is, and close the connection."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(f"GET /{place} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        eventually((folder / "stuck").exists)


@pytest.mark.parametrize(
    ("workers", "place"),
    [
        ("1", "loop"),
        ("1", "late_native"),
        ("1", "thread"),
        ("1", "maker"),
        ("2", "loop"),
        ("2", "native"),
        ("2", "thread"),
    ],
)
def test_a_worker_that_is_stuck_ends_in_time(
    workers: str, place: str, database: str, tmp_path: Path
) -> None:
    script = tmp_path / "serve.py"
    script.write_text(STUCK)
    service = start_process(
        tmp_path / "log",
        str(script),
        DATABASE_URL=database,
        WEB_CONCURRENCY=workers,
        SHUTDOWN_SECONDS="1",
    )
    try:
        url = service.url
        eventually(lambda: is_served(f"{url}/api/health"))
        get_stuck(url, place, tmp_path)
        with within(1 + STOP_SECONDS):
            service.process.terminate()
            if place == "late_native":  # gets stuck during the stop
                service.wait_for("stopping")
                (tmp_path / "stopping").touch()
            code = service.wait()
    finally:
        service.end()
    assert code == (1 if workers == "1" else 0)
    if place == "native":  # only the supervisor can end that worker
        service.expect("workers_do_not_stop")
    else:
        assert "Timeout (0:00:02" in service.log.read_text()  # faulthandler's first line


@contextlib.contextmanager
def unread_pipe() -> Generator[int]:
    """Yield the end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    try:
        yield writing
    finally:
        os.close(reading)
        os.close(writing)


@contextlib.contextmanager
def unread_socket() -> Generator[int]:
    """Yield the end of a connection that nobody reads, as the standard error of systemd's units."""
    reading, writing = socket.socketpair()
    with reading, writing:
        writing.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        yield writing.fileno()


@pytest.mark.parametrize("open_log", [unread_pipe, unread_socket])
def test_a_stuck_worker_ends_in_time_though_its_log_is_not_read(
    open_log: Callable[[], AbstractContextManager[int]], database: str, tmp_path: Path
) -> None:
    script = tmp_path / "serve.py"
    script.write_text(STUCK)
    (port,) = free_ports(1)
    environment = service_environment(
        DATABASE_URL=database, BACKEND_PORT=str(port), SHUTDOWN_SECONDS="0", PYTHONPATH=str(ROOT)
    )
    with (
        open_log() as log,
        subprocess.Popen([sys.executable, str(script)], env=environment, stderr=log) as process,
    ):
        try:
            eventually(lambda: is_served(f"http://127.0.0.1:{port}/api/health"))
            with httpx.Client() as client:
                for _ in range(500):  # more than the log takes
                    client.get(f"http://127.0.0.1:{port}/{'x' * 200}")
            get_stuck(f"http://127.0.0.1:{port}", "loop", tmp_path)
            with within(STOP_SECONDS):
                process.terminate()
                assert process.wait(15) == 1
        finally:
            process.kill()


def test_a_half_sent_body_does_not_prevent_a_clean_stop(
    database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database)
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        # The body is still missing when the signal comes.
        connection.sendall(
            b"GET /api/health/live HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\n"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        service.process.terminate()
        assert service.wait() == 0


def test_a_response_reuses_the_memory_of_the_one_before(
    database: str, start_service: Start
) -> None:
    run_sql(
        database,
        """
        with new_project as (insert into project (name) values ('P') returning id),
             source as (
                 insert into project_doc (project_id, name, github_url)
                 select id, 'S', 'https://git.example/p' from new_project returning id
             )
        insert into document
            (id, project_doc_id, file_path, file_type, file_size, blob_id, content, doc_metadata)
        select '6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11', id, 'a.md', 'md', 50000, 'blob',
               string_agg(md5(number::text), E' \\u2014\\n'), '{"title": "A"}'
        from source, generate_series(1, 1500) as number
        group by id
        """,
    )
    service = start_service(DATABASE_URL=database)
    url = urlsplit(service.url)
    connections = [HTTPConnection(url.hostname or "", url.port) for _ in range(32)]

    def get_documents(times: int) -> None:
        for _ in range(times):
            for connection in connections:
                connection.request("GET", "/api/documents/6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11")
            for connection in connections:
                assert len(connection.getresponse().read()) > 50_000

    def count_faults() -> int:
        before = minor_faults(service.process.pid)
        get_documents(20)
        return minor_faults(service.process.pid) - before

    get_documents(5)
    # On a busy machine more responses may exist at once than HEAP_KEPT has room for.
    faults = min(count_faults() for _ in range(3))
    for connection in connections:
        connection.close()
    assert faults < 20 * len(connections)


def minor_faults(pid: int) -> int:
    """Return how often the process touched memory that the system had to provide first."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[7])


def limit_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))


def test_file_descriptors_that_run_out_are_logged_once_and_the_service_recovers(
    database: str, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"],
            cwd=ROOT,
            env=service_environment(DATABASE_URL=database, BACKEND_PORT=str(port)),
            stdin=subprocess.DEVNULL,
            stderr=output,
            preexec_fn=limit_descriptors,
        )
    service = Service(process, log)
    try:
        with httpx.Client(base_url=service.url, timeout=20) as client:
            assert client.get("/api/health").status_code == 200
            for episode in (1, 2):
                with contextlib.ExitStack() as opened:
                    for _ in range(80):
                        opened.enter_context(socket.create_connection(("127.0.0.1", port)))
                    service.expect("no_file_descriptors", episode)
                    assert client.get("/api/health").status_code == 200
                    assert client.get("/api/hello").status_code == 200
                    time.sleep(2.5 if episode == 1 else 0)  # it is seen each second
                    service.expect("no_file_descriptors", episode)
                service.expect("file_descriptors_recovered", episode)
                assert httpx.get(f"{service.url}/api/hello").status_code == 200
        first, _ = service.expect("no_file_descriptors", 2)
        assert (first["limit"], first["connections"] > 30) == (60, True)
        process.terminate()
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
