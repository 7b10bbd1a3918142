from __future__ import annotations

import os
import signal

import pytest

from service.embedded.postgres import find_binaries
from tests.support.service import run_command


def test_psql_gets_the_password_from_its_environment(database: str) -> None:
    # The server itself needs no password.
    url = database.replace("postgres@", "postgres:hunter2@")
    path = f"{find_binaries()}{os.pathsep}{os.environ['PATH']}"
    command = ["psql", "-At", "-c", r"\! tr '\0' ' ' < /proc/$PPID/cmdline; echo; echo $PGPASSWORD"]
    result = run_command(*command, DATABASE_URL=url, PATH=path)
    arguments, password = result.stdout.splitlines()
    assert "hunter2" not in arguments
    assert password == "hunter2"


@pytest.mark.parametrize("name", ["PIPE", "KILL", "TERM"])
def test_a_signal_that_ends_psql_has_the_exit_code_of_a_shell(name: str, database: str) -> None:
    path = f"{find_binaries()}{os.pathsep}{os.environ['PATH']}"
    result = run_command("psql", "-c", rf"\! kill -{name} $PPID", DATABASE_URL=database, PATH=path)
    assert result.returncode == 128 + signal.Signals[f"SIG{name}"]
