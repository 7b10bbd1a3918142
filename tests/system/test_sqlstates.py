"""Every SQLSTATE on every route with a statement: the response, the log and the metrics."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import psycopg
import pytest

from service.app import ROUTES
from tests.support.deliveries import GITHUB, SECRETS
from tests.support.examples import add_examples, example_path
from tests.support.postgres import run_sql
from tests.support.problems import assert_problem
from tests.support.service import json_log, serving
from tests.support.sqlstates import LASTING, PASSING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

# A value that the requests and the database's messages have, and that the log must not have.
VALUE = "hunter2"

# Row-level security makes each statement call a function for each row that it reads or writes.
TABLES = ("project", "project_doc", "document", "sync_run", "push")
FAILING = (
    "create table told (code text)",
    f"""
    create function fail_as_told() returns boolean language plpgsql as $$
    declare
        code text := (select told.code from told);
    begin
        raise exception '{VALUE}' using errcode = code, detail = '{VALUE}', hint = '{VALUE}';
    end
    $$
    """,
    *(f"alter table {table} enable row level security" for table in TABLES),
    *(
        f"create policy failing on {table} using (fail_as_told()) with check (fail_as_told())"
        for table in TABLES
    ),
)

BODIES = {
    "/api/projects": {"name": VALUE, "description": VALUE},
    "/api/projects/{project_id}": {"name": VALUE},
    "/api/projects/{project_id}/docs": {"name": VALUE, "github_url": "https://git.example/a/b"},
    "/api/project-docs/{id}": {"name": VALUE},
}
QUERIES = {"/api/projects/{project_id}/documents": "?path=a.md"}
CASES = [
    (method, route.path)
    for route in ROUTES
    if route.path.startswith(("/api/project", "/api/documents"))
    for method in sorted((route.methods or set()) - {"HEAD"})
]


@pytest.fixture
def role(database: str) -> Iterator[str]:
    """The URL of a role to which the policies apply: a superuser passes them by."""
    add_examples(database)
    name = f"failing_{os.urandom(4).hex()}"
    run_sql(
        database,
        *FAILING,
        f"create role {name} login",
        f"grant select, insert, update, delete on all tables in schema public to {name}",
    )
    yield database.replace("postgres@", f"{name}@")
    run_sql(database, f"drop owned by {name}", f"drop role {name}")


def send(client: httpx.Client, method: str, path: str) -> httpx.Response:
    url = example_path(path).decode() + QUERIES.get(path, "")
    if path.endswith("/webhook"):
        body, headers = GITHUB.push("https://git.example/a").request()
        return client.post(url, content=body, headers=headers)
    body = BODIES.get(path) if method in {"POST", "PUT"} else None
    return client.request(method, url, json=body)


@pytest.mark.parametrize(("method", "path"), CASES, ids=lambda value: value)
def test_an_error_is_a_503_if_it_passes_and_else_a_500(
    method: str, path: str, role: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.database.database.PAUSE_SECONDS", 0.0)
    expected = dict.fromkeys(PASSING, 503) | dict.fromkeys(LASTING, 500)
    with (
        json_log() as log,
        serving(role, sync_concurrency=0, **SECRETS) as client,
        psycopg.connect(database, autocommit=True) as connection,
    ):
        connection.execute("insert into told values ('')")
        for code, status in expected.items():
            connection.execute("update told set code = %s", [code])
            response = send(client, method, path)
            assert VALUE not in response.text
            if status == 503 and path.endswith("/badge.svg"):
                # A badge is grey then, because image proxies keep errors.
                assert (response.status_code, "not available" in response.text) == (200, True)
                continue
            assert response.status_code == status, (code, response.text)
            problem = assert_problem(response, status)
            assert code not in problem["detail"]
            assert response.headers.get("retry-after") == ("5" if status == 503 else None)
        metrics = client.get("/metrics").text
    lines = [json.loads(line) for line in log().splitlines()]
    told = [line["error"] for line in lines if line["message"] == "database_unavailable"]
    faults = [line["exception"] for line in lines if line["message"] == "unhandled_error"]
    for code, texts in (*zip(PASSING, told, strict=True), *zip(LASTING, faults, strict=True)):
        assert f"sqlstate={code}" in texts
    assert VALUE not in log()
    passing = 200 if path.endswith("/badge.svg") else 503
    for status, count in ((passing, len(PASSING)), (500, len(LASTING))):
        labels = f'method="{method}",http_response_status_code="{status}",http_route="{path}"'
        name = "http_server_request_duration_seconds_count"
        assert f"{name}{{http_request_{labels}}} {count}.0" in metrics
