from __future__ import annotations

import base64
import json
import re
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.postgres import run_sql
from tests.support.problems import assert_problem
from tests.support.service import serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"


def create(client: httpx.Client, name: str = "Payments", **fields: Any) -> dict[str, Any]:
    response = client.post("/api/projects", json={"name": name, **fields})
    assert response.status_code == 201, response.text
    return response.json()


def test_a_new_project_has_all_its_fields_and_an_address(client: httpx.Client) -> None:
    response = client.post("/api/projects", json={"name": "Payments", "description": "Why\nnot"})
    assert response.status_code == 201
    project = response.json()
    assert list(project) == ["id", "name", "description", "created_at", "updated_at"]
    assert uuid.UUID(project["id"])
    assert project["name"] == "Payments"
    assert project["description"] == "Why\nnot"
    assert datetime.fromisoformat(project["created_at"]).utcoffset() is not None
    assert project["updated_at"] == project["created_at"]
    assert response.headers["location"] == f"/api/projects/{project['id']}"
    assert client.get(response.headers["location"]).json() == project


def test_a_description_is_null_where_there_is_none(client: httpx.Client) -> None:
    assert create(client)["description"] is None
    assert create(client, "Other", description=None)["description"] is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "is required."),
        ({"name": None}, "must not be null."),
        ({"name": 5}, "must be a string."),
        ({"name": ["x"]}, "must be a string."),
        ({"name": " "}, "must have 1 to 255 characters."),
        ({"name": "x" * 256}, "must have 1 to 255 characters."),
        ({"name": "a\tb"}, "must not hold control characters."),
        ({"name": "a\0b"}, "must not hold NUL or half a character."),
    ],
)
def test_what_is_wrong_is_said_in_one_tone(
    client: httpx.Client, body: dict[str, Any], said: str
) -> None:
    problem = assert_problem(client.post("/api/projects", json=body), 400)
    assert problem["errors"] == {"name": [said]}
    assert problem["detail"] == f"name: {said}"


def test_white_space_round_a_name_is_dropped_and_unknown_fields_are_let_be(
    client: httpx.Client,
) -> None:
    assert create(client, "  Payments\n", id=1, color="red")["name"] == "Payments"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"name": " \t"}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": 5}, "name"),
        ({"name": ["x"]}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\ud800b"}, "name"),
        ({"name": "x", "description": "x" * 2001}, "description"),
        ({"name": "x", "description": "a\0b"}, "description"),
        ({"name": "x", "description": {}}, "description"),
    ],
)
def test_what_is_wrong_is_said_by_field(
    client: httpx.Client, body: dict[str, Any], field: str
) -> None:
    # With everything escaped, as httpx does not do: half a character cannot be sent otherwise.
    headers = {"Content-Type": "application/json"}
    response = client.post("/api/projects", content=json.dumps(body), headers=headers)
    problem = assert_problem(response, 400)
    assert list(problem["errors"]) == [field]
    assert problem["detail"].startswith(f"{field}: ")
    assert client.get("/api/projects").json() == []


@pytest.mark.parametrize(
    "project",
    [
        {"name": "x"},
        {"name": "x" * 255},
        {"name": "ü" * 255},
        {"name": "\U0001f600" * 255, "description": "\U0001f600" * 2000},
        {"name": "' or 1=1 --", "description": ""},
    ],
)
def test_what_is_just_right_is_kept_as_it_is(client: httpx.Client, project: dict[str, str]) -> None:
    created = create(client, **project)
    assert {name: created[name] for name in project} == project


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"name"',
        b"null",
        b"\xff\xfe",
        b'{"name":"a","name":"b"}',
        b'{"name":NaN}',
        b'{"name":"a","x":%s}' % (b"1" * 5000),
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"x":' + b'{"x":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_json_object_is_refused(client: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert_problem(client.post("/api/projects", content=body, headers=headers), 400)


def test_a_body_of_many_names_is_read(client: httpx.Client) -> None:
    body = {f"field_{number}": None for number in range(40_000)} | {"name": "Payments"}
    response = client.post("/api/projects", json=body)
    assert response.json()["name"] == "Payments"


@pytest.mark.parametrize(
    "media_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "json", "application/jsonx"],
)
def test_only_json_is_taken(client: httpx.Client, media_type: str | None) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    response = client.post("/api/projects", content=b'{"name":"x"}', headers=headers)
    assert "application/json" in assert_problem(response, 415)["detail"]


@pytest.mark.parametrize(
    "media_type", ["Application/JSON; charset=utf-8", "application/merge-patch+json"]
)
def test_every_name_of_json_is_taken(client: httpx.Client, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    response = client.post("/api/projects", content=b'{"name":"x"}', headers=headers)
    assert response.status_code == 201


def test_a_name_is_there_once(client: httpx.Client) -> None:
    create(client)
    other = create(client, "Other")
    problem = assert_problem(client.post("/api/projects", json={"name": "Payments"}), 409)
    assert problem["detail"] == "There is a project of that name already."
    response = client.put(f"/api/projects/{other['id']}", json={"name": "Payments"})
    assert_problem(response, 409)
    assert client.get(f"/api/projects/{other['id']}").json() == other


def test_put_changes_what_it_names_and_nothing_else(client: httpx.Client) -> None:
    bystander = create(client, "Other", description="stays")
    project = create(client, description="first")
    path = f"/api/projects/{project['id']}"
    renamed = client.put(path, json={"name": "Renamed"}).json()
    assert renamed == project | {"name": "Renamed", "updated_at": renamed["updated_at"]}
    assert renamed["updated_at"] > project["updated_at"]
    described = client.put(path, json={"description": "second"}).json()
    assert (described["name"], described["description"]) == ("Renamed", "second")
    cleared = client.put(path, json={"description": None})
    assert cleared.status_code == 200
    assert cleared.json()["description"] is None
    assert client.get(path).json() == cleared.json()
    assert client.get(f"/api/projects/{bystander['id']}").json() == bystander


def test_put_refuses_what_post_refuses(client: httpx.Client) -> None:
    project = create(client)
    path = f"/api/projects/{project['id']}"
    for body in ({"name": None}, {"name": ""}, {"description": "x" * 2001}):
        assert_problem(client.put(path, json=body), 400)
    assert client.get(path).json() == project


def test_delete_answers_what_it_deleted_and_takes_what_is_beneath(
    client: httpx.Client, database: str
) -> None:
    kept, gone = create(client, "Kept"), create(client, "Gone")
    for project in (kept, gone):
        source = {"name": "Docs", "github_url": "https://git.example/a/b"}
        response = client.post(f"/api/projects/{project['id']}/docs", json=source)
        assert response.status_code == 201
        run_sql(
            database,
            "insert into document (project_doc_id, file_path, file_type, file_size, blob_id, "
            f"content, doc_metadata) values ('{response.json()['id']}', 'a.md', 'md', 1, 'x', "
            "'x', '{}')",
            f"insert into sync_run (project_doc_id) values ('{response.json()['id']}')",
        )
    response = client.delete(f"/api/projects/{gone['id']}")
    assert response.status_code == 200
    assert response.json() == gone
    assert_problem(client.get(f"/api/projects/{gone['id']}"), 404)
    assert_problem(client.delete(f"/api/projects/{gone['id']}"), 404)
    assert client.get("/api/projects").json() == [kept]
    for table in ("project_doc", "document", "sync_run"):
        assert run_sql(database, f"select count(*) from {table}") == [(1,)]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("project_id", "status"),
    [
        (UNKNOWN, 404),
        (UNKNOWN.upper(), 404),
        ("1", 400),
        ("x" * 5000, 400),
        ("%00", 400),
        ("%FF", 400),
        (UNKNOWN.replace("-", ""), 400),
        (f"%7B{UNKNOWN}%7D", 400),
        ("9" * 5000, 400),
    ],
)
def test_an_id_that_is_not_there_or_is_none(
    client: httpx.Client, method: str, project_id: str, status: int
) -> None:
    body = {"name": "x"} if method == "PUT" else None
    response = client.request(method, f"/api/projects/{project_id}", json=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


def test_the_list_is_newest_first(client: httpx.Client) -> None:
    assert client.get("/api/projects").json() == []
    projects = [create(client, name) for name in ("b", "a", "c")]
    response = client.get("/api/projects/")
    assert response.json() == projects[::-1]
    assert "link" not in response.headers


def next_page(response: httpx.Response) -> str | None:
    link = response.headers.get("link")
    if link is None:
        return None
    found = re.fullmatch(r'<([^>]+)>; rel="next"', link)
    assert found
    return found[1]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 1000])
def test_every_project_is_on_one_page_whatever_the_limit(
    client: httpx.Client, database: str, limit: int
) -> None:
    # At one time, as one transaction writes them: their order hangs on the ids alone.
    run_sql(database, "insert into project (name) select 'p' || n from generate_series(1, 5) n")
    everything = client.get("/api/projects").json()
    pages: list[Any] = []
    path: str | None = f"/api/projects?limit={limit}"
    while path is not None:
        response = client.get(path)
        assert 1 <= len(response.json()) <= limit
        pages += response.json()
        path = next_page(response)
        assert len(pages) <= 5
    assert pages == everything
    assert len(everything) == 5


def test_a_page_is_not_disturbed_by_what_comes_meanwhile(client: httpx.Client) -> None:
    projects = [create(client, name) for name in ("a", "b", "c")]
    first = client.get("/api/projects?limit=1")
    create(client, "new")
    path = next_page(first)
    assert path
    assert client.get(path.replace("limit=1", "limit=9")).json() == [projects[1], projects[0]]


def test_more_than_a_thousand_are_not_sent_at_once(client: httpx.Client, database: str) -> None:
    run_sql(database, "insert into project (name) select 'p' || n from generate_series(1, 1001) n")
    response = client.get("/api/projects")
    assert len(response.json()) == 1000
    path = next_page(response)
    assert path
    assert len(client.get(path).json()) == 1


def test_a_page_near_the_end_is_found_by_the_index(database: str) -> None:
    name = urlsplit(database).path.lstrip("/")
    run_sql(
        database,
        "insert into project (name, created_at) "
        "select 'p' || n, now() - n * interval '1 day' from generate_series(1, 2000) n",
        "analyze project",
        # What PostgreSQL may do of itself after a few pages: one plan for all of them.
        f"alter database {name} set plan_cache_mode to force_generic_plan",
    )
    [(last,)] = run_sql(database, "select min(created_at) + interval '60 hours' from project")
    with serving(database) as client:
        assert len(client.get(f"/api/projects?{page_cursor(last.isoformat())}").json()) == 3
    read = "select idx_tup_read from pg_stat_user_indexes where indexrelname = 'project_by_age'"
    # Told when the service's connections have ended.
    [(rows,)] = eventually(lambda: [row for row in run_sql(database, read) if row[0]])
    assert rows < 100


def page_cursor(time: str, found_id: str = UNKNOWN) -> str:
    return "cursor=" + base64.urlsafe_b64encode(f"{time} {found_id}".encode()).decode()


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1.5",
        "limit=%2B1",
        f"limit={'1' * 5000}",
        "limit=%D9%A1",
        "cursor=x",
        "cursor=",
        "cursor=%00",
        "cursor=%FF",
        "cursor=MjAyNi0xMS0yNSAxMjM=",
        "cursor=IA==",
        # A time that is before the year 1, or after 9999, in UTC.
        page_cursor("0001-01-01T00:00:00+14:00"),
        page_cursor("9999-12-31T23:59:59-14:00"),
        page_cursor("2026-11-25T00:00:00"),
        page_cursor("2026-11-25T00:00:00+00:00", "1"),
    ],
)
def test_a_bad_page_is_refused(client: httpx.Client, query: str) -> None:
    response = client.get(f"/api/projects?{query}")
    problem = assert_problem(response, 400)
    assert list(problem["errors"]) == [query.partition("=")[0]]


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (400, {"Content-Type": "application/json"}, b"{}"),
        (409, {"Content-Type": "application/json"}, b'{"name": "Payments"}'),
        (413, {"Content-Type": "application/json"}, b" " * 2_000_000),
        (415, {"Content-Type": "text/plain"}, b"{}"),
    ],
)
def test_the_page_that_asked_may_read_why_it_was_refused(
    client: httpx.Client, status: int, headers: dict[str, str], body: bytes
) -> None:
    create(client)
    origin = "http://localhost:3000"
    response = client.post("/api/projects", content=body, headers=headers | {"Origin": origin})
    assert_problem(response, status)
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["access-control-allow-credentials"] == "true"
    elsewhere = {"Origin": "http://localhost:3001"}
    refused = client.post("/api/projects", content=body, headers=headers | elsewhere)
    assert "access-control-allow-origin" not in refused.headers


def test_of_two_at_once_with_one_name_one_is_created(
    client: httpx.Client, together: Callable[..., list[httpx.Response]]
) -> None:
    responses = together(
        20, lambda: httpx.post(f"{client.base_url}/api/projects", json={"name": "One"}, timeout=30)
    )
    assert sorted(response.status_code for response in responses) == [201] + [409] * 19


def test_a_sabotaged_schema_is_a_500_and_nothing_more(client: httpx.Client, database: str) -> None:
    run_sql(database, "alter table project rename to elsewhere")
    assert_problem(client.get("/api/projects"), 500)
    run_sql(database, "alter table elsewhere rename to project")
    assert client.get("/api/projects").status_code == 200
