"""What requests get while the schema lacks a migration that the code needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.postgres import run_sql
from tests.support.problems import assert_problem
from tests.support.service import json_log, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.service import Service

# What an older schema may lack.
OLDER = {
    "a table": "drop table push, sync_run, document, project_doc, project",
    "a column": "alter table project drop column description",
    "a schema": "alter schema public rename to old",
}
FORGET = "delete from _yoyo_migration where migration_id like '0002%'"


@pytest.mark.parametrize("name", OLDER)
def test_a_statement_that_a_missing_migration_fails_is_a_503(name: str, database: str) -> None:
    run_sql(database, OLDER[name])
    if name != "a schema":
        run_sql(database, FORGET)
    with json_log() as log, serving(database) as client:
        response = client.get("/api/projects")
    problem = assert_problem(response, 503)
    assert response.headers["retry-after"] == "5"
    assert "migrations" in problem["detail"]
    assert '"reason": "schema_behind"' in log()
    assert "Traceback" not in log()


def test_an_empty_database_is_a_503(empty_database: str) -> None:
    with serving(empty_database) as client:
        for response in (
            client.get("/api/projects"),
            client.post("/api/projects", json={"name": "Payments"}),
        ):
            assert "migrations" in assert_problem(response, 503)["detail"]


def test_a_transaction_that_a_missing_migration_fails_is_a_503(
    database: str, start_service: Callable[..., Service]
) -> None:
    run_sql(database, "alter table project drop column description", FORGET)
    service = start_service(DATABASE_URL=database)
    response = httpx.post(f"{service.url}/api/projects", json={"name": "Payments"})
    assert "migrations" in assert_problem(response, 503)["detail"]
    run_sql(database, "alter table project add column description text")
    assert httpx.post(f"{service.url}/api/projects", json={"name": "A"}).status_code == 201


@pytest.mark.parametrize("is_readable", [True, False], ids=["complete", "not readable"])
def test_a_wrong_statement_on_a_complete_schema_is_a_500(is_readable: bool, database: str) -> None:
    run_sql(database, "alter table project drop column description")
    url = database
    if not is_readable:
        run_sql(database, "create role cannot_read_yoyo login", "grant select on project to public")
        url = database.replace("postgres@", "cannot_read_yoyo@")
    try:
        with json_log() as log, serving(url) as client:
            assert_problem(client.get("/api/projects"), 500)
        assert "unhandled_error" in log()
    finally:
        if not is_readable:
            run_sql(database, "drop role cannot_read_yoyo")


def test_a_violated_constraint_is_a_409_on_an_older_schema_too(database: str) -> None:
    run_sql(database, FORGET, "insert into project (name) values ('taken')")
    with serving(database) as client:
        assert_problem(client.post("/api/projects", json={"name": "taken"}), 409)
