"""A server that ends while it is used."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest

from service import ROOT
from service.embedded import probe, restarts
from service.embedded.errors import EmbeddedPostgresError
from service.embedded.server import Server
from service.locks import is_free
from tests.support.embedded import postmaster, query, server
from tests.support.postgres import run_sql
from tests.support.processes import freeze
from tests.support.service import json_log
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.service import Service


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr(restarts, "LONGEST_PAUSE_SECONDS", 0.2)


def kill(folder: Path, number: int = signal.SIGKILL) -> None:
    os.kill(postmaster(folder), number)


def has_ended(folder: Path) -> bool:
    return is_free(folder / "server.lock")


def responds(dsn: str) -> bool:
    try:
        return query(dsn, "select 1") == 1
    except Exception:  # noqa: BLE001 - whichever driver's: the server does not respond yet
        return False


def test_a_killed_server_comes_back_with_its_data_each_time(folder: Path) -> None:
    postgres = server(folder, {})
    with json_log() as read_log, postgres as dsn, postgres.restarting():
        run_sql(dsn, "create table note as select 'kept' as text")
        for count in (1, 2):
            kill(folder)  # a server that is just dying may still respond
            eventually(
                lambda count=count: read_log().count("embedded_postgres_started_again") == count,
                seconds=30,
            )
        assert query(dsn, "select text from note") == "kept"
        assert read_log().count("embedded_postgres_ended") == 2
    assert has_ended(folder)


def test_two_that_use_a_killed_server_start_one(folder: Path) -> None:
    first, second = server(folder), server(folder)
    with first as dsn, second, first.restarting(), second.restarting():
        kill(folder)
        eventually(lambda: responds(dsn), seconds=30)
        running = postmaster(folder)
        time.sleep(0.5)
        assert postmaster(folder) == running
    assert has_ended(folder)


def socket_of(folder: Path) -> Path:
    return Path((folder / "data/postmaster.pid").read_text().split("\n")[4], probe.SOCKET)


def remove_socket(folder: Path) -> None:
    socket_of(folder).unlink()


def remove_socket_folder(folder: Path) -> None:
    """Remove the folder of its own that the socket of a server with a long path has."""
    shutil.rmtree(socket_of(folder).parent)


@pytest.mark.parametrize("lose", [remove_socket_folder, remove_socket])
def test_a_server_that_lost_its_socket_comes_back_for_all_that_use_it(
    long_folder: Path, lose: Callable[[Path], None]
) -> None:
    first, second = server(long_folder), server(long_folder)
    with json_log() as read_log, first as dsn, second, first.restarting(), second.restarting():
        run_sql(dsn, "create table note as select 'kept' as text")
        for _ in range(2):
            before = postmaster(long_folder)
            lose(long_folder)
            with server(long_folder) as joined:  # such as `just migrate`
                assert joined == dsn
            assert query(dsn, "select text from note") == "kept"
            assert postmaster(long_folder) != before
        running = postmaster(long_folder)
        time.sleep(0.5)
        assert postmaster(long_folder) == running
        assert "embedded_postgres_not_started" not in read_log()
    assert has_ended(long_folder)


def test_a_server_that_lost_its_socket_is_started_again_after_a_start_that_failed(
    long_folder: Path,
) -> None:
    postgres = server(long_folder)
    with json_log() as read_log, postgres as dsn, postgres.restarting():
        control = long_folder / "data/global/pg_control"
        kept = long_folder / "data/kept"
        shutil.copy2(control, kept)
        remove_socket_folder(long_folder)
        while not has_ended(long_folder):
            control.unlink(missing_ok=True)
        eventually(lambda: "embedded_postgres_not_started" in read_log(), seconds=30)
        kept.rename(control)
        eventually(lambda: responds(dsn), seconds=30)


START = """
import sys
from pathlib import Path
from service.embedded.postgres import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1])).start()
"""


def test_a_restart_that_was_killed_halfway_is_no_stop_on_purpose(long_folder: Path) -> None:
    postgres = server(long_folder, {})
    with postgres as dsn:
        first = postmaster(long_folder)
        pid = query(dsn, "select pid from pg_stat_activity where backend_type = 'checkpointer'")
        assert isinstance(pid, int)
        checkpointer = psutil.Process(pid)
        freeze(checkpointer)  # the server ends only after that
        remove_socket_folder(long_folder)
        command = [sys.executable, "-c", START, str(long_folder)]
        with subprocess.Popen(command, cwd=ROOT) as other:
            eventually(
                lambda: any(
                    f"[{first}] LOG:  received fast shutdown request" in log.read_text()
                    for log in long_folder.glob("server.log*")
                ),
                seconds=30,
            )
            other.kill()
        checkpointer.resume()
        eventually(lambda: has_ended(long_folder), seconds=30)
        with postgres.restarting():
            eventually(lambda: responds(dsn), seconds=30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_server_that_was_stopped_on_purpose_stays_stopped(
    folder: Path, number: signal.Signals
) -> None:
    postgres = server(folder)
    with json_log() as read_log, postgres as dsn, postgres.restarting():
        kill(folder, number)
        eventually(lambda: "embedded_postgres_stopped" in read_log(), seconds=30)
        time.sleep(0.5)
        assert has_ended(folder)
        assert read_log().count("embedded_postgres_stopped") == 1
        with server(folder):  # such as `just migrate`
            assert responds(dsn)
        assert responds(dsn)


@pytest.mark.parametrize(
    "text",
    [
        "received fast shutdown request",
        "\n2026-11-26 16:33:46 UTC [1] LOG:  received fast shutdown request\n",
        "LOG:  received smart shutdown request",
    ],
)
def test_a_text_of_a_client_in_the_server_log_is_no_stop(folder: Path, text: str) -> None:
    postgres = server(folder)
    with postgres as dsn, postgres.restarting():
        run_sql(dsn, "create table project (name text unique)")
        for _ in range(2):  # the second is an error, which names the value
            with suppress(psycopg.errors.UniqueViolation):
                run_sql(dsn, f"insert into project values ('{text}') -- {text.strip()}")
        assert text.strip() in (folder / "server.log").read_text()
        kill(folder)
        eventually(lambda: responds(dsn), seconds=30)


def test_the_log_of_a_running_server_stays_small(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarts, "LOG_BYTES_MAX", 5000)
    log, older = folder / "server.log", folder / "server.log.old"
    postgres, other = server(folder), server(folder)
    with postgres as dsn, other, postgres.restarting(), other.restarting():
        for number in range(100):
            with suppress(psycopg.errors.UndefinedTable):
                run_sql(dsn, f"select {number} from missing")
        eventually(lambda: log.stat().st_size <= 5000)
        assert b"missing" in older.read_bytes()
        assert b"\0" not in log.read_bytes()
        kill(folder, signal.SIGINT)  # which the shortened log tells
        eventually(lambda: has_ended(folder), seconds=30)
        time.sleep(0.5)
        assert has_ended(folder)


def test_the_log_of_a_server_that_stops_is_not_shortened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres, log, older = server(folder), folder / "server.log", folder / "server.log.old"
    with postgres as dsn, postgres.restarting():
        with psycopg.connect(dsn):  # for whose end a smart stop waits
            kill(folder, signal.SIGTERM)
            eventually(lambda: b"smart shutdown" in log.read_bytes())
            monkeypatch.setattr(restarts, "LOG_BYTES_MAX", 10)
            eventually(lambda: older.exists() and b"smart shutdown" in older.read_bytes())
        eventually(lambda: has_ended(folder), seconds=30)
        time.sleep(1.5)  # the watch has looked again
        assert has_ended(folder)


@pytest.mark.parametrize("part", ["", "data"])
def test_a_server_whose_data_were_deleted_is_not_replaced_by_an_empty_one(
    folder: Path, part: str
) -> None:
    postgres = server(folder)
    with postgres, postgres.restarting():
        pid = postmaster(folder)
        shutil.rmtree(folder / part)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not psutil.pid_exists(pid))
        time.sleep(0.5)
    # A start that had begun has ended.
    assert not (folder / "data").exists()


def test_a_start_that_fails_is_tried_again_and_told_once(folder: Path) -> None:
    postgres = server(folder)
    with json_log() as read_log, postgres as dsn, postgres.restarting():
        control = folder / "data/global/pg_control"
        control.rename(folder / "data/pg_control")  # as on a disk that gives nothing
        kill(folder)
        eventually(lambda: "embedded_postgres_not_started" in read_log(), seconds=30)
        time.sleep(0.5)
        (folder / "data/pg_control").rename(control)
        eventually(lambda: responds(dsn), seconds=30)
        assert read_log().count("embedded_postgres_not_started") == 1
        assert read_log().count("embedded_postgres_ended") == 1


def test_the_pauses_between_starts_that_fail_grow_up_to_a_limit(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/PG_VERSION").touch()
    found = restarts.Restarts(Server(tmp_path))
    faults = [EmbeddedPostgresError("x")] * 3

    def start() -> None:
        if faults:
            raise faults.pop()

    pauses = [found.pause]
    for _ in range(4):
        found.restart_if_lost(start)
        pauses.append(found.pause)
    assert pauses == [0.05, 0.1, 0.2, 0.2, 0.05]


@pytest.mark.parametrize(
    "error", [MemoryError(), ValueError("no number"), KeyError("M"), RuntimeError("no thread")]
)
def test_the_watch_outlives_an_unforeseen_error_and_logs_where_it_came_from(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    faults = [error, error]
    launch = Server.launch

    def launch_at_last(*arguments: Any) -> None:
        if faults:
            raise faults.pop()
        launch(*arguments)

    postgres = server(folder)
    with json_log() as read_log, postgres as dsn, postgres.restarting():
        monkeypatch.setattr(Server, "launch", launch_at_last)
        kill(folder)
        eventually(lambda: responds(dsn), seconds=30)
        assert read_log().count("embedded_postgres_not_started") == 1
        assert "launch_at_last" in read_log()


def test_a_stop_during_a_restart_ends_the_server(folder: Path) -> None:
    for pause in (0, 0.06, 0.1, 0.2):
        postgres = server(folder)
        with postgres, postgres.restarting():
            kill(folder)
            time.sleep(pause)
        assert has_ended(folder)


@pytest.mark.parametrize(
    ("lose", "event"),
    [
        (kill, "embedded_postgres_ended"),
        (remove_socket_folder, "embedded_postgres_socket_removed"),
    ],
)
def test_the_service_is_healthy_again_after_its_server_was_lost(
    start_service: Callable[..., Service], tmp_path: Path, lose: Callable[[Path], None], event: str
) -> None:
    folder = tmp_path / ("long" * 40)
    service = start_service("--migrate", DATABASE_URL=f"embedded:{folder}")
    eventually(lambda: service.find("listening"), seconds=60)
    eventually(service.is_healthy, seconds=30)
    lose(folder)
    eventually(lambda: service.find(event), seconds=60)
    eventually(lambda: service.find("embedded_postgres_started_again"), seconds=60)
    eventually(service.is_healthy, seconds=30)
    service.process.terminate()
    assert service.wait() == 0
    assert has_ended(folder)
