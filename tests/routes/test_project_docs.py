from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest

from service.routes.source_sql import LAST_RUN
from tests.support.postgres import run_sql
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    import httpx

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"
SOURCE = {"name": "Planning", "github_url": "https://git.example/team/payments"}


@pytest.fixture
def project(client: httpx.Client) -> str:
    """Create a project, and return its id."""
    return client.post("/api/projects", json={"name": "Payments"}).json()["id"]


def create(client: httpx.Client, project: str, **fields: Any) -> dict[str, Any]:
    response = client.post(f"/api/projects/{project}/docs", json=SOURCE | fields)
    assert response.status_code == 201, response.text
    return response.json()


def test_a_new_source_has_all_fields_and_a_location(client: httpx.Client, project: str) -> None:
    response = client.post(f"/api/projects/{project}/docs", json=SOURCE)
    assert response.status_code == 201
    source = response.json()
    assert uuid.UUID(source["id"])
    assert source == SOURCE | {
        "id": source["id"],
        "project_id": project,
        "description": None,
        "github_folder_path": None,
        "branch": None,
        "default_branch": None,
        "last_synced_at": None,
        "last_github_commit_date": None,
        "last_commit": None,
        "last_run": None,
        "created_at": source["created_at"],
        "updated_at": source["created_at"],
    }
    assert response.headers["location"] == f"../../../api/project-docs/{source['id']}"
    assert client.get(response.headers["location"]).json() == source


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"github_url": " https://GIT.example/a/b/ "}, {"github_url": "https://git.example/a/b"}),
        ({"github_url": "https://git.example/a.git"}, {"github_url": "https://git.example/a.git"}),
        ({"github_folder_path": "/docs/api/"}, {"github_folder_path": "docs/api"}),
        ({"github_folder_path": "docs"}, {"github_folder_path": "docs"}),
        ({"github_folder_path": "/"}, {"github_folder_path": None}),
        ({"github_folder_path": ""}, {"github_folder_path": None}),
        ({"github_folder_path": None}, {"github_folder_path": None}),
        ({"branch": "release/1.0"}, {"branch": "release/1.0"}),
        ({"branch": ""}, {"branch": None}),
        ({"branch": None}, {"branch": None}),
        ({"last_synced_at": "2020-01-01T00:00:00Z"}, {"last_synced_at": None}),
    ],
)
def test_url_folder_and_branch_are_stored_in_one_form(
    client: httpx.Client, project: str, sent: dict[str, Any], kept: dict[str, Any]
) -> None:
    source = create(client, project, **sent)
    assert {name: source[name] for name in kept} == kept


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", ""),
        ("name", "x" * 256),
        ("description", "x" * 2001),
        ("github_url", None),
        ("github_url", 7),
        ("github_url", ""),
        ("github_url", "git.example/a/b"),
        ("github_url", "http://git.example/a/b"),
        ("github_url", "ssh://git@git.example/a/b"),
        ("github_url", "file:///etc/passwd"),
        ("github_url", "ext::sh -c id"),
        ("github_url", "--upload-pack=id"),
        ("github_url", "https::https://git.example/a/b"),
        ("github_url", "https://elsewhere.example/a/b"),
        ("github_url", "https://git.example.evil.example/a/b"),
        ("github_url", "https://git.example@evil.example/a/b"),
        ("github_url", "https://user:secret@git.example/a/b"),
        ("github_url", "https://git.example:8443/a/b"),
        ("github_url", "https://git.example/"),
        ("github_url", "https://git.example/a/../b"),
        ("github_url", "https://git.example/a/b?x=y"),
        ("github_url", "https://git.example/a/b#x"),
        ("github_url", "https://git.example/a/b\nx"),
        ("github_url", "https://git.example/" + "x" * 2048),
        ("github_folder_path", "../up"),
        ("github_folder_path", "a/../b"),
        ("github_folder_path", "a/./b"),
        ("github_folder_path", "a\0b"),
        ("github_folder_path", "x" * 1025),
        ("github_folder_path", ["docs"]),
        ("branch", "--upload-pack=id"),
        ("branch", "a..b"),
        ("branch", "a b"),
        ("branch", "a:b"),
        ("branch", "+a:b"),
        ("branch", "a.lock"),
        ("branch", "x" * 256),
        ("branch", 1),
    ],
)
def test_a_wrong_field_is_refused_by_post_and_put(
    client: httpx.Client, project: str, field: str, value: object
) -> None:
    path = f"/api/projects/{project}/docs"
    problem = assert_problem(client.post(path, json=SOURCE | {field: value}), 400)
    assert list(problem["errors"]) == [field]
    assert client.get(path).json() == []
    source = create(client, project)
    if value not in (None, ""):
        problem = assert_problem(
            client.put(f"/api/project-docs/{source['id']}", json={field: value}), 400
        )
        assert list(problem["errors"]) == [field]


def test_a_400_names_all_wrong_fields(client: httpx.Client, project: str) -> None:
    body = {"name": "x", "github_url": "ftp://x", "github_folder_path": "..", "branch": "-x"}
    problem = assert_problem(client.post(f"/api/projects/{project}/docs", json=body), 400)
    assert set(problem["errors"]) == {"github_url", "github_folder_path", "branch"}


def test_sources_of_an_unknown_project_are_a_404(client: httpx.Client) -> None:
    assert_problem(client.get(f"/api/projects/{UNKNOWN}/docs"), 404)
    assert_problem(client.post(f"/api/projects/{UNKNOWN}/docs", json=SOURCE), 404)
    assert_problem(client.get("/api/projects/x/docs"), 400)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/sync"),
        ("GET", "/sync-status"),
        ("GET", "/syncs"),
        ("GET", f"/syncs/{UNKNOWN}"),
    ],
)
def test_an_unknown_source_is_a_404_and_a_malformed_id_a_400(
    client: httpx.Client, method: str, path: str
) -> None:
    body = {"name": "x"} if method == "PUT" else None
    assert_problem(client.request(method, f"/api/project-docs/{UNKNOWN}{path}", json=body), 404)
    assert_problem(client.request(method, f"/api/project-docs/x{path}", json=body), 400)


def test_a_list_has_the_sources_of_one_project_newest_first(
    client: httpx.Client, project: str
) -> None:
    other = client.post("/api/projects", json={"name": "Other"}).json()["id"]
    sources = [create(client, project, name=name) for name in ("b", "a", "a")]
    elsewhere = create(client, other)
    path = f"/api/projects/{project}/docs"
    assert client.get(path).json() == sources[::-1]
    assert client.get(f"/api/projects/{other}/docs").json() == [elsewhere]
    first = client.get(f"{path}?limit=2")
    assert first.json() == sources[:0:-1]
    following = first.headers["link"].partition(">")[0].removeprefix("<")
    assert urljoin(path, following).startswith(f"{path}?")
    assert client.get(following).json() == sources[:1]


def test_put_changes_only_the_sent_fields(client: httpx.Client, project: str) -> None:
    bystander = create(client, project)
    source = create(client, project, description="d", github_folder_path="docs", branch="main")
    path = f"/api/project-docs/{source['id']}"
    assert {**client.put(path, json={}).json(), "updated_at": None} == {
        **source,
        "updated_at": None,
    }
    for changes in (
        {"name": "Renamed"},
        {"description": None},
        {"github_url": "https://git.example/other"},
        {"github_folder_path": None, "branch": None},
        {"github_folder_path": "a", "branch": "b", "description": "c", "name": "d"},
    ):
        before = client.get(path).json()
        after = client.put(path, json=changes)
        assert after.status_code == 200
        assert after.json() == before | changes | {"updated_at": after.json()["updated_at"]}
        assert after.json()["updated_at"] > before["updated_at"]
    assert client.get(f"/api/project-docs/{bystander['id']}").json() == bystander


@pytest.mark.parametrize(
    ("changes", "is_elsewhere"),
    [
        ({"name": "x"}, False),
        ({"github_url": "https://git.example/team/payments/"}, False),
        ({"github_folder_path": "docs/", "branch": "main"}, False),
        ({"github_url": "https://git.example/other"}, True),
        ({"github_folder_path": None}, True),
        ({"branch": "other"}, True),
        ({"branch": None}, True),
    ],
)
def test_a_source_that_moved_loses_its_tree_id(
    client: httpx.Client,
    database: str,
    project: str,
    changes: dict[str, str | None],
    is_elsewhere: bool,
) -> None:
    source = create(client, project, github_folder_path="docs", branch="main")
    run_sql(database, "update project_doc set tree_id = 'a tree'")
    assert client.put(f"/api/project-docs/{source['id']}", json=changes).status_code == 200
    expected = None if is_elsewhere else "a tree"
    assert run_sql(database, "select tree_id from project_doc") == [(expected,)]


def test_delete_returns_the_source_and_deletes_no_other(client: httpx.Client, project: str) -> None:
    kept, gone = create(client, project), create(client, project)
    response = client.delete(f"/api/project-docs/{gone['id']}")
    assert response.status_code == 200
    assert response.json() == gone
    assert_problem(client.delete(f"/api/project-docs/{gone['id']}"), 404)
    assert client.get(f"/api/projects/{project}/docs").json() == [kept]


def add_run(database: str, source: str, status: str, age: int, error: str | None = None) -> str:
    """Insert a run that was requested `age` minutes ago, and return its id."""
    finished = "now()" if status in ("completed", "failed") else "null"
    reason = "null" if error is None else f"'{error}'"
    values = f"'{source}', '{status}', now() - interval '{age} minutes', {finished}, {reason}"
    [(run,)] = run_sql(
        database,
        "insert into sync_run (project_doc_id, status, created_at, finished_at, error) "
        f"values ({values}) returning id::text",
    )
    return run


def test_a_source_has_its_latest_run_in_every_response(
    client: httpx.Client, database: str, project: str
) -> None:
    source, other = create(client, project)["id"], create(client, project)["id"]
    path, run_path = f"/api/project-docs/{source}", f"/api/project-docs/{source}/syncs"

    def read() -> dict[str, Any] | None:
        listed = client.get(f"/api/projects/{project}/docs").json()
        [found] = [item for item in listed if item["id"] == source]
        assert client.get(path).json() == found
        changed = client.put(path, json={}).json()
        assert changed["last_run"] == found["last_run"]
        [untouched] = [item for item in listed if item["id"] == other]
        assert untouched["last_run"] is None
        return found["last_run"]

    assert read() is None
    add_run(database, source, "completed", age=3)
    failed = add_run(database, source, "failed", age=2, error="There is no such branch.")
    found = read()
    assert found is not None
    run = client.get(f"{run_path}/{failed}").json()
    fields = ("id", "status", "error", "warning", "created_at", "finished_at")
    assert found == {name: run[name] for name in fields}
    assert (found["status"], found["error"]) == ("failed", "There is no such branch.")
    # Unfinished, and so the latest, although another one was requested later.
    for status in ("queued", "running"):
        unfinished = add_run(database, source, status, age=9)
        assert read() == {
            "id": unfinished,
            "status": status,
            "error": None,
            "warning": None,
            "created_at": client.get(f"{run_path}/{unfinished}").json()["created_at"],
            "finished_at": None,
        }
        run_sql(database, f"delete from sync_run where id = '{unfinished}'")
    assert client.delete(path).json()["last_run"] == found


def test_the_latest_runs_of_a_list_are_found_by_indexes(
    client: httpx.Client, database: str, project: str
) -> None:
    # For each source an index scan for each kind of run, however many runs it has.
    source = create(client, project)["id"]
    run_sql(
        database,
        "insert into sync_run (project_doc_id, status, finished_at, created_at) "
        f"select '{source}', 'failed', now(), now() - number * interval '1 minute' "
        "from generate_series(1, 5000) as number",
        "analyze sync_run",
    )
    [(plan,)] = run_sql(
        database, f"explain (format json) select {LAST_RUN} from project_doc where id = '{source}'"
    )
    scans = re.findall(
        '"Node Type": "([^"]*)"[^{}]*?"Relation Name": "sync_run"', json.dumps(plan[0])
    )
    assert len(scans) == 3
    assert set(scans) <= {"Index Scan", "Index Only Scan"}
    assert '"Sort"' not in json.dumps(plan[0])
