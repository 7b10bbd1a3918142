from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from service.web import paging
from service.web.paging import MAX_PAGE_BYTES
from tests.support.postgres import run_sql
from tests.support.problems import assert_problem
from tests.support.service import serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    import httpx

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"


def create(client: httpx.Client, name: str = "Payments", **fields: Any) -> dict[str, Any]:
    response = client.post("/api/projects", json={"name": name, **fields})
    assert response.status_code == 201, response.text
    return response.json()


def next_page(response: httpx.Response) -> str | None:
    link = response.headers.get("link")
    if link is None:
        return None
    found = re.fullmatch(r'<([^>]+)>; rel="next"', link)
    assert found
    return found[1]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 1000])
def test_every_item_is_on_exactly_one_page_with_any_limit(
    client: httpx.Client, database: str, limit: int
) -> None:
    # One transaction gives all rows the same time.
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


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 1000])
def test_a_page_ends_where_its_items_have_too_many_bytes(
    client: httpx.Client, database: str, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    # Six bytes of JSON for each control character. Two of the small items fit into a page.
    run_sql(
        database,
        "insert into project (name, description) select 'p' || n, "
        "repeat(chr(1), case when n in (1, 5, 8) then 2000 else 300 end) "
        "from generate_series(1, 9) n",
    )
    everything = client.get("/api/projects").json()
    monkeypatch.setattr(paging, "MAX_PAGE_BYTES", 5000)
    pages: list[Any] = []
    path: str | None = f"/api/projects?limit={limit}"
    while path is not None:
        response = client.get(path)
        assert len(response.json()) == 1 or len(response.content) <= 5000
        assert 1 <= len(response.json()) <= limit
        pages += response.json()
        path = next_page(response)
        assert path is None or path.partition("?")[2].startswith(f"limit={limit}&")
    assert pages == everything
    assert len(everything) == 9


def test_lists_of_the_largest_texts_have_pages_of_a_limited_size(
    client: httpx.Client, database: str
) -> None:
    project = create(client)["id"]
    run_sql(
        database,
        "insert into project (name, description) "
        "select n || repeat('x', 200), repeat(chr(1), 2000) from generate_series(1, 500) n",
        "insert into project_doc "
        "(project_id, name, description, github_url, github_folder_path) "
        f"select '{project}', 'Docs', repeat(chr(1), 2000), 'https://git.example/' || n, "
        "repeat(chr(2), 1000) from generate_series(1, 500) n",
        "insert into sync_run (project_doc_id, status, finished_at, error) "
        "select (select id from project_doc limit 1), 'failed', now(), repeat(chr(1), 10000) "
        "from generate_series(1, 100)",
    )
    [(source,)] = run_sql(database, "select project_doc_id from sync_run limit 1")
    for path, count in [
        ("/api/projects", 501),
        (f"/api/projects/{project}/docs", 500),
        (f"/api/project-docs/{source}/syncs?limit=1000", 100),
    ]:
        found, page = 0, path
        while page is not None:
            response = client.get(page, headers={"Accept-Encoding": "identity"})
            assert len(response.content) <= MAX_PAGE_BYTES + 1001, path
            found += len(response.json())
            page = next_page(response)
        assert found == count
        assert next_page(client.get(path)), path


def test_new_items_do_not_shift_the_following_pages(client: httpx.Client) -> None:
    projects = [create(client, name) for name in ("a", "b", "c")]
    first = client.get("/api/projects?limit=1")
    create(client, "new")
    path = next_page(first)
    assert path
    assert client.get(path.replace("limit=1", "limit=9")).json() == [projects[1], projects[0]]


def test_a_page_has_at_most_1000_items(client: httpx.Client, database: str) -> None:
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
        "insert into project (name) select 'p' || n from generate_series(1, 2000) n",
        "analyze project",
        # PostgreSQL may choose a generic plan by itself after a few pages.
        f"alter database {name} set plan_cache_mode to force_generic_plan",
    )
    with serving(database) as client:
        assert len(client.get(f"/api/projects?{page_cursor('4')}").json()) == 3
    read = "select idx_tup_read from pg_stat_user_indexes where indexrelname = 'project_by_number'"
    # The statistics arrive when the service's connections have closed.
    [(rows,)] = eventually(lambda: [row for row in run_sql(database, read) if row[0]])
    assert rows < 100


def page_cursor(text: str) -> str:
    return "cursor=" + base64.urlsafe_b64encode(text.encode()).decode()


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
        page_cursor("-1"),
        page_cursor("+1"),
        page_cursor("1.0"),
        page_cursor("٣"),
        page_cursor(str(2**63)),
        page_cursor("9" * 5000),
        # As an older version of the service gave it.
        page_cursor(f"2026-11-25T00:00:00+00:00 {UNKNOWN}"),
    ],
)
def test_a_wrong_limit_or_cursor_is_refused(client: httpx.Client, query: str) -> None:
    response = client.get(f"/api/projects?{query}")
    problem = assert_problem(response, 400)
    assert list(problem["errors"]) == [query.partition("=")[0]]


def test_a_cursor_of_an_older_version_is_refused_with_what_to_do(client: httpx.Client) -> None:
    cursor = page_cursor(f"2026-11-25T00:00:00+00:00 {UNKNOWN}")
    problem = assert_problem(client.get(f"/api/projects?{cursor}"), 400)
    [error] = problem["errors"]["cursor"]
    assert "older than an upgrade" in error
    assert "begin with the first page" in error
