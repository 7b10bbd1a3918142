from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.postgres import run_sql
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    from collections.abc import Callable

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"


def create(client: httpx.Client, name: str = "Payments", **fields: Any) -> dict[str, Any]:
    response = client.post("/api/projects", json={"name": name, **fields})
    assert response.status_code == 201, response.text
    return response.json()


def test_a_new_project_has_all_fields_and_a_location(client: httpx.Client) -> None:
    response = client.post("/api/projects", json={"name": "Payments", "description": "Why\nnot"})
    assert response.status_code == 201
    project = response.json()
    assert list(project) == ["id", "name", "description", "created_at", "updated_at"]
    assert uuid.UUID(project["id"])
    assert project["name"] == "Payments"
    assert project["description"] == "Why\nnot"
    assert datetime.fromisoformat(project["created_at"]).utcoffset() is not None
    assert project["updated_at"] == project["created_at"]
    assert response.headers["location"] == f"../api/projects/{project['id']}"
    assert client.get(response.headers["location"]).json() == project


def test_a_missing_description_is_null(client: httpx.Client) -> None:
    assert create(client)["description"] is None
    assert create(client, "Other", description=None)["description"] is None


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
def test_values_at_the_limits_are_stored_unchanged(
    client: httpx.Client, project: dict[str, str]
) -> None:
    created = create(client, **project)
    assert {name: created[name] for name in project} == project


def test_a_name_that_is_taken_is_a_409(client: httpx.Client) -> None:
    create(client)
    other = create(client, "Other")
    problem = assert_problem(client.post("/api/projects", json={"name": "Payments"}), 409)
    assert problem["detail"] == "There is a project of that name already."
    response = client.put(f"/api/projects/{other['id']}", json={"name": "Payments"})
    assert_problem(response, 409)
    assert client.get(f"/api/projects/{other['id']}").json() == other


def test_put_changes_only_the_sent_fields(client: httpx.Client) -> None:
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


def test_delete_returns_the_project_and_deletes_its_sources(
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


def create_with_document(client: httpx.Client, database: str, delay: float) -> tuple[str, str]:
    """Return the paths of a project and its source, whose document takes `delay` s to delete."""
    project = create(client)["id"]
    source = {"name": "Docs", "github_url": "https://git.example/a/b"}
    created = client.post(f"/api/projects/{project}/docs", json=source).json()["id"]
    run_sql(
        database,
        "insert into document (project_doc_id, file_path, file_type, file_size, blob_id, content, "
        f"doc_metadata) values ('{created}', 'a.md', 'md', 1, 'x', 'x', '{{}}')",
        "create function delay() returns trigger language plpgsql as "
        f"$$ begin perform pg_sleep({delay}); return old; end $$",
        "create trigger delayed before delete on document for each row execute function delay()",
    )
    return f"/api/projects/{project}", f"/api/project-docs/{created}"


@pytest.mark.parametrize("place", [0, 1], ids=["project", "source"])
def test_a_deletion_may_take_longer_than_another_statement(
    client: httpx.Client, database: str, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = create_with_document(client, database, 1.5)[place]
    with monkeypatch.context() as changed:
        changed.setattr("service.database.database.STATEMENT_SECONDS", 0.5)
        response = client.delete(path)
    assert response.status_code == 200, response.text
    assert run_sql(database, "select count(*) from document") == [(0,)]
    assert_problem(client.get(path), 404)


@pytest.mark.parametrize(
    ("place", "remedy"),
    [(0, "delete its project docs first"), (1, "when the database is less busy")],
)
def test_a_deletion_that_takes_too_long_changes_nothing_and_says_what_to_do(
    client: httpx.Client, database: str, place: int, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = create_with_document(client, database, 30)
    before = client.get(paths[1]).json()
    monkeypatch.setattr("service.routes.shared.DELETION_SECONDS", 0.5)
    response = client.delete(paths[place])
    assert remedy in assert_problem(response, 503)["detail"]
    assert response.headers["retry-after"]
    assert client.get(paths[1]).json() == before
    assert run_sql(database, "select count(*) from document") == [(1,)]
    # What it says to do works.
    run_sql(database, "drop trigger delayed on document")
    for path in paths[::-1]:
        assert client.delete(path).status_code == 200


def test_the_list_is_newest_first(client: httpx.Client) -> None:
    assert client.get("/api/projects").json() == []
    projects = [create(client, name) for name in ("b", "a", "c")]
    response = client.get("/api/projects/")
    assert response.json() == projects[::-1]
    assert "link" not in response.headers


def test_of_concurrent_posts_of_one_name_one_succeeds(
    client: httpx.Client, together: Callable[..., list[httpx.Response]]
) -> None:
    responses = together(
        20, lambda: httpx.post(f"{client.base_url}/api/projects", json={"name": "One"}, timeout=30)
    )
    assert sorted(response.status_code for response in responses) == [201] + [409] * 19


def test_a_broken_schema_is_a_500_until_it_is_mended(client: httpx.Client, database: str) -> None:
    run_sql(database, "alter table project rename to elsewhere")
    assert_problem(client.get("/api/projects"), 500)
    run_sql(database, "alter table elsewhere rename to project")
    assert client.get("/api/projects").status_code == 200
