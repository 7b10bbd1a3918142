from __future__ import annotations

import os

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
