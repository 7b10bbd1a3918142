from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import psutil
import psycopg

from service import ROOT
from service.migrations.backend import PROCESS_LOCK
from service.migrations.files import SQL_FOLDER
from tests.support.migrations import APPLIED, FIRST, NAMES, apply_all
from tests.support.postgres import run_sql
from tests.support.processes import has_ended
from tests.support.service import run_command, service_environment
from tests.support.waiting import eventually, within

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    from tests.support.postgres import Postgres
    from tests.support.service import Service

    Start: TypeAlias = Callable[..., Service]

# Seconds. Stopping takes less than this on a busy machine, and 30 s or more if it waits for what it
# must not wait for.
SOON = 10


def test_bad_settings_print_a_line_each_and_exit_with_2() -> None:
    result = run_command("serve", DATABASE_URL="", CORS_ORIGINS="*", BACKEND_PORT="hunter2")
    assert result.returncode == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("error: ") for line in lines)
    assert "credentials are allowed" in result.stderr
    assert "hunter2" not in result.stderr
    assert result.stdout == ""


def test_ctrl_c_stops_the_embedded_database(tmp_path: Path, start_service: Start) -> None:
    service = start_service("--migrate", DATABASE_URL=f"embedded:{tmp_path / 'a b'}")
    assert httpx.get(f"{service.url}/api/health").status_code == 200
    postmaster = int((tmp_path / "a b/data/postmaster.pid").read_text().split("\n")[0])
    with within(SOON):
        os.killpg(service.process.pid, signal.SIGINT)  # as a terminal does
        assert service.wait() == 0
    eventually(lambda: has_ended(postmaster))
    assert "Traceback" not in service.log.read_text()


# Runs `python -m service status`, and sends it SIGINT when it imports its settings' library.
INTERRUPTED_IMPORT = """
import runpy, signal, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "marshmallow":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv[1:] = ["status"]
runpy.run_module("service", run_name="__main__", alter_sys=True)
"""


def test_ctrl_c_during_the_imports_is_one_error_line() -> None:
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 130
    assert result.stderr == "error: interrupted\n"


def test_a_bad_migration_file_prevents_serving_with_one_error_line(tmp_path: Path) -> None:
    for folder in ("service", "sql"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "sql/bad.sql").write_text("select 1;")
    result = run_command("serve", cwd=tmp_path, DATABASE_URL="postgresql://db/app")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: bad.sql: the name is not")


def test_a_port_in_use_is_one_error_line(database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_command("serve", "--migrate", DATABASE_URL=database, BACKEND_PORT=str(port))
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"error: cannot listen on 127.0.0.1 port {port}: Address already in use. "
        "Stop what listens there, or set BACKEND_PORT or BACKEND_HOST\n"
    )


def test_a_failed_migration_prevents_serving(empty_database: str) -> None:
    run_sql(empty_database, "create table migration_checksum (oops int)")
    result = run_command("serve", "--migrate", DATABASE_URL=empty_database)
    assert result.returncode == 1
    [error] = [line for line in result.stderr.splitlines() if not line.startswith("{")]
    assert error == 'error: column "migration_id" does not exist'


def test_killed_migrations_are_one_error_line(empty_database: str, tmp_path: Path) -> None:
    with psycopg.connect(empty_database) as other:
        other.execute("select pg_advisory_lock(%s)", (PROCESS_LOCK,))
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve", "--migrate"],
                cwd=ROOT,
                env=service_environment(DATABASE_URL=empty_database),
                stderr=log,
            )
        waiting = (
            "select count(*) from pg_stat_activity "
            "where datname = current_database() and application_name = 'bmadflow-api migrate'"
        )
        eventually(lambda: run_sql(empty_database, waiting) == [(1,)])
        [migrating] = psutil.Process(process.pid).children()
        migrating.kill()
        assert process.wait(30) == 1
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line for line in lines if not line.startswith("{")] == [
        "error: the migrations were ended by SIGKILL; start again to finish them"
    ]


def test_serve_migrates_only_when_asked(empty_database: str, start_service: Start) -> None:
    service = start_service(DATABASE_URL=empty_database)
    assert httpx.get(f"{service.url}/api/health").json()["reason"] == "migrations_pending"


def test_serve_starts_again_after_a_kill_9(tmp_path: Path, start_service: Start) -> None:
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


def test_a_terminated_command_stops_its_embedded_database(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "service", "psql", "-c", "select pg_sleep(30)"]
    environment = service_environment(DATABASE_URL=f"embedded:{tmp_path / 'data'}")
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    pid_file = tmp_path / "data/data/postmaster.pid"
    eventually(lambda: pid_file.exists() and "ready" in pid_file.read_text())
    postmaster = int(pid_file.read_text().split("\n")[0])
    time.sleep(0.3)
    process.terminate()
    assert process.wait(10) == 128 + signal.SIGTERM
    eventually(lambda: has_ended(postmaster))


def test_status_exits_with_a_code_for_each_state(empty_database: str) -> None:
    def status() -> tuple[int, str]:
        result = run_command("status", DATABASE_URL=empty_database)
        return result.returncode, result.stdout

    assert status() == (2, "".join(f"{name}: pending\n" for name in NAMES))
    apply_all(empty_database, SQL_FOLDER)
    assert status() == (0, f"the schema is up to date ({len(NAMES)} applied)\n")
    with psycopg.connect(empty_database, autocommit=True) as other:
        other.execute("select pg_advisory_lock(%s)", (PROCESS_LOCK,))
        assert status() == (3, "another process is migrating now\n")
    edit = "update migration_checksum set sha256 = repeat('0', 64) where migration_id ~ '^0001'"
    run_sql(empty_database, edit)
    assert status() == (4, f"{FIRST}: edited after it was applied\n")
    rename = "update _yoyo_migration set migration_id = '0009_gone' where migration_id ~ '^0001'"
    run_sql(empty_database, rename)
    assert status()[0] == 4
    assert "0009_gone: applied, and its file is gone\n" in status()[1]


def test_a_failed_command_prints_one_line_and_exits_with_1(postgres: Postgres) -> None:
    missing = postgres.url_of("nowhere")
    result = run_command("migrate", DATABASE_URL=missing)
    assert result.returncode == 1
    database, error = result.stderr.splitlines()
    assert database.startswith("database: nowhere on ")
    assert 'database "nowhere" does not exist' in error
    assert "Traceback" not in result.stderr


def test_migrate_uses_migrations_database_url(empty_database: str, postgres: Postgres) -> None:
    nowhere = postgres.url_of("nowhere")
    result = run_command("migrate", DATABASE_URL=nowhere, MIGRATIONS_DATABASE_URL=empty_database)
    assert result.returncode == 0
    assert run_sql(empty_database, APPLIED) == [(name,) for name in NAMES]
