from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from service import PROJECT
from service.embedded.postgres import find_binaries
from service.server.sockets import ListenError, listen
from service.settings import SettingsError
from tests.support.postgres import Postgres, run_sql
from tests.support.service import Service, run_command, service_environment
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Start: TypeAlias = Callable[..., Service]

# What the end of a service must not wait for takes 30 s or more, and a busy machine less than this.
SOON = 10


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it_cleanly_and_soon(
    stop_signal: signal.Signals, database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database)
    with httpx.Client() as client:  # its connection stays open and idle
        assert client.get(f"{service.url}/api/health").status_code == 200
        started = time.monotonic()
        service.process.send_signal(stop_signal)
        assert service.wait() == 0
    assert time.monotonic() - started < SOON
    assert "Traceback" not in service.log.read_text()


def test_ctrl_c_leaves_no_process_of_an_embedded_database(
    tmp_path: Path, start_service: Start
) -> None:
    service = start_service("--migrate", DATABASE_URL=f"embedded:{tmp_path / 'a b'}")
    assert httpx.get(f"{service.url}/api/health").status_code == 200
    postmaster = int((tmp_path / "a b/data/postmaster.pid").read_text().split("\n")[0])
    started = time.monotonic()
    os.killpg(service.process.pid, signal.SIGINT)  # as a terminal does
    assert service.wait() == 0
    assert time.monotonic() - started < SOON
    eventually(lambda: is_gone(postmaster))
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nohup_keeps_it_from_ending_with_its_terminal(
    workers: str, database: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["nohup", sys.executable, "-m", "service", "serve"],
            cwd=PROJECT,
            env=service_environment(DATABASE_URL=database, WEB_CONCURRENCY=workers),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    service = Service(process, log)
    try:
        url = service.url
        eventually(lambda: answers(f"{url}/api/health"))
        os.killpg(process.pid, signal.SIGHUP)
        time.sleep(0.5)
        assert answers(f"{url}/api/health")
    finally:
        service.end()
    assert process.returncode == 0


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("workers", ["1", "2"])
def test_while_it_drains_health_says_so_and_the_rest_is_served(
    workers: str, database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database, DRAIN_SECONDS="4", WEB_CONCURRENCY=workers)
    url = service.url
    eventually(lambda: answers(f"{url}/api/health"))
    # To all of its processes, as Ctrl-C in a terminal.
    os.killpg(service.process.pid, signal.SIGINT)
    response = eventually(lambda: shutting_down(url), 2)
    body = response.json()
    del body["timestamp"]
    assert body == {"status": "error", "database": "unknown", "reason": "shutting_down"}
    assert response.headers["connection"] == "close"
    assert response.headers["retry-after"] == "5"
    assert httpx.get(f"{url}/docs").status_code == 200
    assert httpx.get(f"{url}/api/health/live").status_code == 200
    assert service.wait() == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def shutting_down(url: str) -> httpx.Response | None:
    response = httpx.get(f"{url}/api/health")
    return response if response.status_code == 503 else None


def test_while_it_drains_no_connection_is_kept(database: str, start_service: Start) -> None:
    service = start_service(DATABASE_URL=database, DRAIN_SECONDS="60")
    with httpx.Client(base_url=service.url) as client:
        assert "connection" not in client.get("/docs").headers
        service.process.terminate()
        eventually(lambda: shutting_down(service.url))
        # Whoever sends several requests on one connection turns elsewhere before the port closes.
        assert client.get("/docs").headers["connection"] == "close"
    service.process.terminate()
    assert service.wait() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_request_that_takes_too_long_to_stop_for_is_answered_all_the_same(
    workers: str, own_postgres: Postgres, start_service: Start
) -> None:
    service = start_service(
        DATABASE_URL=own_postgres.url,
        SHUTDOWN_SECONDS="1",
        WEB_CONCURRENCY=workers,
        HEALTH_TIMEOUT_SECONDS="30",
    )
    url = service.url
    eventually(lambda: answers(f"{url}/api/health"))
    own_postgres.freeze()
    with ThreadPoolExecutor() as executor:
        asking = executor.submit(httpx.get, f"{url}/metrics", timeout=30)
        time.sleep(0.5)
        started = time.monotonic()
        service.process.terminate()
        response = asking.result()
        assert service.wait() == 0
    assert time.monotonic() - started < SOON
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "5"
    # All that was logged, uvicorn's own lines too, has the one form.
    assert len(service.entries()) == len(service.log.read_text().splitlines())
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_signal_stops_it_at_once(
    workers: str, database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database, DRAIN_SECONDS="60", WEB_CONCURRENCY=workers)
    url = service.url
    eventually(lambda: answers(f"{url}/api/health"))
    os.killpg(service.process.pid, signal.SIGINT)
    eventually(lambda: shutting_down(url), SOON)
    started = time.monotonic()
    os.killpg(service.process.pid, signal.SIGINT)
    assert service.wait() == 0
    assert time.monotonic() - started < SOON
    assert "Traceback" not in service.log.read_text()


def test_several_workers_share_the_port_and_one_that_dies_is_replaced(
    database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database, WEB_CONCURRENCY="2")
    url = service.url
    eventually(lambda: answers(f"{url}/api/health"))
    supervisor = psutil.Process(service.process.pid)
    workers = eventually(lambda: len(workers_of(supervisor)) == 2 and workers_of(supervisor))
    workers[0].kill()
    eventually(lambda: workers[0] not in (now := workers_of(supervisor)) and len(now) == 2)
    eventually(lambda: answers(f"{url}/api/health"))
    service.process.terminate()
    assert service.wait() == 0
    assert not any(worker.is_running() for worker in workers)


def workers_of(supervisor: psutil.Process) -> list[psutil.Process]:
    return [child for child in supervisor.children() if not is_gone(child.pid) and is_worker(child)]


def is_worker(process: psutil.Process) -> bool:
    return "spawn_main" in " ".join(process.cmdline())


def test_workers_that_cannot_start_end_the_service(tmp_path: Path) -> None:
    # No setting that is let through stops a worker, so this goes past their check.
    script = tmp_path / "start.py"
    script.write_text(
        "import sys\n"
        "from dataclasses import replace\n"
        "from service.server.sockets import listen\n"
        "from service.server.serve import serve\n"
        "from service.settings import load_settings\n"
        "if __name__ == '__main__':\n"
        "    settings = replace(load_settings(), workers=2, database_pool_max=-1)\n"
        "    sys.exit(serve(settings, listen('127.0.0.1', 0)))\n"
    )
    result = subprocess.run(
        [sys.executable, str(script)],
        env=service_environment(DATABASE_URL="postgresql://db/app", PYTHONPATH=str(PROJECT)),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 3


def test_a_bad_migration_file_stops_the_start_with_one_line(tmp_path: Path) -> None:
    for folder in ("service", "sql"):
        shutil.copytree(PROJECT / folder, tmp_path / folder)
    (tmp_path / "sql/bad.sql").write_text("select 1;")
    result = run_command("serve", cwd=tmp_path, DATABASE_URL="postgresql://db/app")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: bad.sql: the name is not")


def test_psql_gets_the_password_out_of_sight(database: str) -> None:
    # The URL names a server; the server does not ask for the password.
    url = database.replace("postgres@", "postgres:hunter2@")
    path = f"{find_binaries()}{os.pathsep}{os.environ['PATH']}"
    command = ["psql", "-At", "-c", r"\! tr '\0' ' ' < /proc/$PPID/cmdline; echo; echo $PGPASSWORD"]
    result = run_command(*command, DATABASE_URL=url, PATH=path)
    arguments, password = result.stdout.splitlines()
    assert "hunter2" not in arguments
    assert password == "hunter2"


def test_workers_do_not_outlive_a_supervisor_that_was_killed(
    database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database, WEB_CONCURRENCY="2")
    url = service.url
    eventually(lambda: answers(f"{url}/api/health"))
    workers = workers_of(psutil.Process(service.process.pid))
    assert len(workers) == 2
    folder = Path(workers[0].environ()["PROMETHEUS_MULTIPROC_DIR"])
    assert folder.is_dir()
    service.process.kill()
    service.wait()
    eventually(lambda: all(is_gone(worker.pid) for worker in workers))
    assert not folder.exists()


def test_a_port_that_is_taken_is_one_readable_line(database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_command("serve", "--migrate", DATABASE_URL=database, BACKEND_PORT=str(port))
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"error: cannot listen on 127.0.0.1 port {port}: Address already in use. "
        "Stop what listens there, or set BACKEND_PORT or BACKEND_HOST\n"
    )


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a..b", "x" * 300])
def test_an_address_that_is_not_of_this_machine_is_a_bad_setting(host: str) -> None:
    with pytest.raises(SettingsError, match=r"^BACKEND_HOST: is n") as raised:
        listen(host, 0)
    assert host not in str(raised.value)


def test_of_two_that_start_together_one_gets_the_port() -> None:
    sockets = listen("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    with pytest.raises(ListenError, match="Address already in use"):
        listen("127.0.0.1", port)
    sockets[0].close()


def test_it_listens_on_every_address_of_a_name() -> None:
    sockets = listen("localhost", 0)
    addresses = {found.getsockname()[0] for found in sockets}
    for listening in sockets:
        listening.close()
    assert "127.0.0.1" in addresses


def test_migrating_first_fails_before_anything_is_served(empty_database: str) -> None:
    run_sql(empty_database, "create table migration_checksum (oops int)")
    result = run_command("serve", "--migrate", DATABASE_URL=empty_database)
    assert result.returncode == 1
    assert result.stderr == 'error: column "migration_id" does not exist\n'


def test_serving_does_not_migrate_unasked(empty_database: str, start_service: Start) -> None:
    service = start_service(DATABASE_URL=empty_database)
    assert httpx.get(f"{service.url}/api/health").json()["reason"] == "migrations_pending"


def test_a_request_under_way_is_finished(database: str, start_service: Start) -> None:
    service = start_service(DATABASE_URL=database)
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        # Half of a request that is still being sent when the signal comes.
        connection.sendall(
            b"GET /api/health/live HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\r\n"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        service.process.terminate()
        assert service.wait() == 0


def test_after_kill_9_the_next_start_just_works(tmp_path: Path, start_service: Start) -> None:
    url = f"embedded:{tmp_path / 'data'}"
    first = start_service("--migrate", DATABASE_URL=url)
    assert httpx.get(f"{first.url}/api/health").status_code == 200
    first.process.kill()
    first.wait()
    second = start_service("--migrate", DATABASE_URL=url)
    assert httpx.get(f"{second.url}/api/health").status_code == 200
    second.process.terminate()
    assert second.wait() == 0


def test_other_commands_share_the_embedded_database_of_a_running_service(
    tmp_path: Path, start_service: Start
) -> None:
    url = f"embedded:{tmp_path / 'data'}"
    service = start_service("--migrate", DATABASE_URL=url)
    assert httpx.get(f"{service.url}/api/health").status_code == 200
    assert run_command("status", DATABASE_URL=url).returncode == 0
    query = "select count(*) > 0 from migration_checksum"
    result = run_command("psql", "-At", "-c", query, DATABASE_URL=url)
    assert (result.returncode, result.stdout) == (0, "t\n")
    assert httpx.get(f"{service.url}/api/health").status_code == 200


def test_a_terminated_migrate_stops_its_embedded_database(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "service", "psql", "-c", "select pg_sleep(30)"]
    environment = service_environment(DATABASE_URL=f"embedded:{tmp_path / 'data'}")
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL)
    pid_file = tmp_path / "data/data/postmaster.pid"
    eventually(lambda: pid_file.exists() and "ready" in pid_file.read_text())
    postmaster = int(pid_file.read_text().split("\n")[0])
    time.sleep(0.3)
    process.terminate()
    assert process.wait(10) == 128 + signal.SIGTERM
    eventually(lambda: is_gone(postmaster))
