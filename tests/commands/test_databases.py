"""migrate, rollback, status and serve say which database they speak to, and no password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.commands.databases import describe_database
from tests.support.service import run_command, run_service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Postgres


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://me:hunter2@db.example/app", "app on db.example:5432"),
        ("postgresql://me:hunter2@one:1,two:2/app", "app on one:1, two:2"),
        ("postgresql://me@[2001:db8::1]:6432/app", "app on [2001:db8::1]:6432"),
        ("postgresql://me@db/app?host=other&port=1", None),
        ("postgresql://me@/app?host=one,two&port=1,2", "app on one:1, two:2"),
        (
            "postgresql://me@/app?host=/run/postgresql",
            "app on the socket /run/postgresql/.s.PGSQL.5432",
        ),
        ("postgresql://me@db/a%20b", "a b on db:5432"),
        ("postgresql://me@db/a%0Ab", r"'a\nb' on db:5432"),
        ("postgresql://me@db/a%1B%5B2J", r"'a\x1b[2J' on db:5432"),
        ("embedded:/var/lib/a b", "embedded in /var/lib/a b"),
    ],
)
def test_a_database_is_described_by_its_name_and_all_its_hosts(url: str, said: str | None) -> None:
    if said is None:
        with pytest.raises(ValueError, match="the option host is given twice"):
            describe_database(url)
    else:
        assert describe_database(url) == said


def with_password(url: str) -> str:
    return url.replace("postgres@", "postgres:hunter2@")  # the server itself needs no password


@pytest.mark.parametrize("command", ["status", "migrate", "rollback"])
def test_a_command_says_first_which_database_it_speaks_to(
    command: str, empty_database: str, postgres: Postgres
) -> None:
    nowhere = postgres.url_of("nowhere")
    direct = with_password(empty_database)
    result = run_command(command, DATABASE_URL=nowhere, MIGRATIONS_DATABASE_URL=direct)
    # On standard error: scripts read the result on standard output.
    assert result.stderr == f"database: {describe_database(empty_database)}\n"
    assert "database:" not in result.stdout


@pytest.mark.parametrize("command", ["status", "migrate", "rollback"])
def test_a_command_says_which_database_it_cannot_reach(command: str) -> None:
    url = "postgresql://me:hunter2@127.0.0.1:1,localhost:2/app"
    result = run_command(command, DATABASE_URL=url)
    first, error = result.stderr.splitlines()
    assert (result.returncode, first) == (1, "database: app on 127.0.0.1:1, localhost:2")
    assert error.startswith("error: ")
    assert "hunter2" not in result.stderr + result.stdout


def test_serve_logs_its_database_and_that_of_the_migrations(
    empty_database: str, tmp_path: Path
) -> None:
    other = empty_database.replace("/test_", "/no_test_")
    variables = {"DATABASE_URL": other, "MIGRATIONS_DATABASE_URL": with_password(empty_database)}
    command = ("-m", "service", "serve", "--migrate")
    with run_service(tmp_path / "log", *command, **variables) as service:
        [chosen] = service.find("database_chosen")
    assert chosen["database"] == describe_database(other)
    assert chosen["for_migrations"] == describe_database(empty_database)
    log = service.log.read_text()
    assert "hunter2" not in log
    assert "database:" not in log  # the child that migrates does not say it again
    assert log.index("database_chosen") < log.index('"listening"')


def test_serve_names_the_folder_of_an_embedded_database(tmp_path: Path) -> None:
    url = f"embedded:{tmp_path / 'a b'}"
    with run_service(tmp_path / "log", DATABASE_URL=url, WEB_CONCURRENCY="2") as service:
        [chosen] = service.find("database_chosen")
    assert chosen["database"] == f"embedded in {tmp_path / 'a b'}"
    assert "for_migrations" not in chosen
