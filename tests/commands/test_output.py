"""Commands whose output is closed, full, or read only in part."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from service import ROOT
from tests.support.git_server import git_server
from tests.support.hub import hub_variables
from tests.support.migrations import APPLIED, NAMES
from tests.support.postgres import run_sql
from tests.support.service import Service, service_environment

if TYPE_CHECKING:
    from pathlib import Path

PIPE_CLOSED = 128 + signal.SIGPIPE
FULL = "error: cannot write to standard output: No space left on device\n"


def run_shell(script: str, **variables: str) -> tuple[str, str]:
    """Run a script of bash, in which `run` is the service; return its output and errors."""
    environment = service_environment(**variables)
    environment.pop("PYTHONUNBUFFERED", None)  # or argparse itself hides that it cannot write
    result = subprocess.run(
        ["bash", "-c", f'run() {{ "$0" -m service "$@"; }}; {script}', sys.executable],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return result.stdout, result.stderr


def run_unread(*arguments: str, **variables: str) -> tuple[int, str]:
    """Run a command whose reader has gone before it begins; return its exit code and errors."""
    environment = service_environment(**variables)
    environment.pop("PYTHONUNBUFFERED", None)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)
    return result.returncode, without_the_database(result.stderr)


def without_the_database(errors: str) -> str:
    return "".join(f"{line}\n" for line in errors.splitlines() if not line.startswith("database"))


@pytest.mark.parametrize("command", ["status", "migrate", "openapi", "--help"])
def test_a_reader_that_went_away_is_no_error(command: str, database: str) -> None:
    assert run_unread(command, DATABASE_URL=database) == (PIPE_CLOSED, "")


def test_a_command_keeps_its_own_exit_code_without_a_reader(empty_database: str) -> None:
    assert run_unread("status", DATABASE_URL=empty_database) == (2, "")


@pytest.mark.parametrize("command", ["status", "migrate", "openapi", "--help"])
def test_a_full_disk_is_one_error_line(command: str, database: str) -> None:
    out, errors = run_shell(f"run {command} > /dev/full; echo $?", DATABASE_URL=database)
    assert (out, without_the_database(errors)) == ("1\n", FULL)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_a_command_works_with_closed_streams(closed: str, database: str) -> None:
    out, errors = run_shell(f"run status {closed}; echo $?", DATABASE_URL=database)
    assert out.splitlines()[-1] == "0"
    assert without_the_database(errors) == ""


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize(("command", "code"), [("nothing", 2), ("sync nothing", 1), ("serve", 2)])
def test_an_error_that_cannot_be_written_keeps_its_exit_code(
    command: str, code: int, closed: str
) -> None:
    url = "" if command == "serve" else "postgresql://db/app"
    out, errors = run_shell(f"run {command} {closed}; echo $?", DATABASE_URL=url)
    assert (out, errors) == (f"{code}\n", "")


def test_a_migration_without_a_reader_is_not_left_half_way(empty_database: str) -> None:
    assert run_unread("migrate", DATABASE_URL=empty_database) == (PIPE_CLOSED, "")
    assert run_sql(empty_database, APPLIED) == [(name,) for name in NAMES]


def test_a_sync_without_a_reader_stores_its_documents(database: str, tmp_path: Path) -> None:
    with git_server(tmp_path / "repositories") as server:
        remote = server.create()
        remote.commit({"a.md": b"# A\n"})
        variables = hub_variables(tmp_path, server)
        result = run_unread("sync", remote.url, DATABASE_URL=database, **variables)
    assert result == (PIPE_CLOSED, "")
    assert run_sql(database, "select count(*) from document") == [(1,)]


@pytest.mark.parametrize("closed", ["> /dev/full", "<&- >&-"])
def test_serve_needs_no_reader_of_the_migrations(
    closed: str, empty_database: str, tmp_path: Path
) -> None:
    log = tmp_path / "service.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" -m service serve --migrate {closed}', sys.executable],
            cwd=ROOT,
            env=service_environment(DATABASE_URL=empty_database),
            stdin=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
    service = Service(process, log)
    try:
        assert httpx.get(f"{service.url}/api/health").status_code == 200
    finally:
        service.end()


def test_letters_that_the_locale_lacks_are_escaped(empty_database: str, tmp_path: Path) -> None:
    script = "PYTHONIOENCODING=ascii run sync https://git.example/a --project Über; echo $?"
    out, errors = run_shell(script, DATABASE_URL=empty_database, GIT_HOSTS="other.example")
    assert out == "1\n"
    assert "Traceback" not in errors
