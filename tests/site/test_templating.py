from __future__ import annotations

import asyncio
import importlib
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from service.routes import shared
from service.site.templating import CODE, ITEMS_AT_ONCE, PAGE_POLICY, digest_code, render
from service.web.large_bodies import LargeBodies
from tests.support.board import Board
from tests.support.service import serving

if TYPE_CHECKING:
    import httpx

PROBLEM: Final[dict[str, Any]] = {
    "status": 404,
    "title": "Not Found",
    "errors": {},
    "retry_after": None,
    "request_id": "1",
}
HEAVY = {"jinja2", "markupsafe", "nh3", "pygments", "cmarkgfm"}


def test_the_service_imports_nothing_that_only_pages_need() -> None:
    # structlog imports rich, which imports pygments, where the development tools installed it.
    program = "import sys; sys.modules['rich'] = None; import service.app; print(*sys.modules)"
    printed = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert not {name.partition(".")[0] for name in printed.split()} & HEAVY


def test_a_page_has_its_policy_and_is_revalidated(client: httpx.Client) -> None:
    response = client.get("/")
    assert response.headers["content-security-policy"] == PAGE_POLICY
    assert response.headers["cache-control"] == "private, no-cache"
    assert "Authorization" not in response.headers.get_list("vary")


def test_a_name_cannot_turn_the_text_around_it(client: httpx.Client, database: str) -> None:
    project = Board(database).add_project("Berths \u202e\u2066<md.ébc")
    for page in ("/", f"/projects/{project}", f"/projects/{project}/files"):
        text = client.get(page).text
        assert "Berths \ufffd\ufffd&lt;md.ébc" in text
        assert "\u202e" not in text


def test_a_page_that_needs_the_token_varies_with_it(database: str) -> None:
    token = "t" * 20
    headers = {"Authorization": f"Bearer {token}"}
    with serving(database, api_token=token, api_token_for_reads=True) as client:
        response = client.get("/", headers=headers)
        assert response.headers.get_list("vary").count("Authorization") == 1
        assert response.headers["cache-control"] == "private, no-cache"


def test_a_page_that_the_client_has_is_a_304_until_it_changes(
    client: httpx.Client, database: str
) -> None:
    first = client.get("/")
    tag = {"If-None-Match": first.headers["etag"]}
    same = client.get("/", headers=tag)
    assert (same.status_code, same.content) == (304, b"")
    for name in ("etag", "cache-control", "content-security-policy"):
        assert same.headers[name] == first.headers[name]
    Board(database).add_project()
    assert client.get("/", headers=tag).status_code == 200


def test_a_page_of_other_code_is_another_page(tmp_path: Path) -> None:
    digests: set[str] = set()
    for words in ("in review", "reviewed"):
        module = tmp_path / words / "routes/shared.py"
        module.parent.mkdir(parents=True)
        module.write_text(words)
        digests.add(digest_code(tmp_path / words))
    assert len(digests) == 2
    # Its words for a status are on pages.
    assert Path(shared.__file__).is_relative_to(CODE)


class _Thread:
    """Shows as the name of the thread that renders it."""

    def __str__(self) -> str:
        return threading.current_thread().name


def test_only_a_page_with_many_items_is_rendered_in_the_thread_of_large_bodies() -> None:
    async def run() -> list[str]:
        async with LargeBodies() as large_bodies:
            headers: dict[bytes, bytes] = {}
            state = {"large_bodies": large_bodies, "headers": headers}
            scope = {"root_path": "", "path": "/", "raw_path": b"/", "state": state}
            pages: list[str] = []
            for listed in (0, ITEMS_AT_ONCE, ITEMS_AT_ONCE + 1):
                context = {**PROBLEM, "detail": _Thread()}
                await render(scope, "problem.html", context)  # compiles it
                pages.append(await render(scope, "problem.html", context, listed))
            return pages

    threads = [re.findall('<p class="lead">([^<]*)</p>', page) for page in asyncio.run(run())]
    own = [threading.current_thread().name]
    assert threads[:2] == [own, own]
    assert threads[2][0].startswith("make-bodies")


@pytest.mark.parametrize(
    ("path", "reading"),
    [
        ("/projects/{project}", "project_pages.read_project"),
        ("/projects/{project}/stories", "project_pages.read_project"),
        ("/projects/{project}/files", "folder.read_folder"),
    ],
)
def test_few_pages_with_lists_are_made_at_once(
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    reading: str,
) -> None:
    board = Board(database)
    project = board.add_project()
    board.add_source(project).add_document("docs/a.md")
    module, _, name = f"service.site.{reading}".rpartition(".")
    read = getattr(importlib.import_module(module), name)
    now = most = 0
    are_two = asyncio.Event()

    async def read_slowly(*given: Any, **named: Any) -> Any:
        nonlocal now, most
        now += 1
        most = max(most, now)
        if now == 2:
            are_two.set()
        await are_two.wait()
        await asyncio.sleep(0.2)  # a third one would begin
        now -= 1
        return await read(*given, **named)

    monkeypatch.setattr(module + "." + name, read_slowly)
    # Fewer connections would bound it, too.
    monkeypatch.setattr("service.site.templating.LISTED_AT_ONCE", 2)
    with serving(database) as narrow, ThreadPoolExecutor(6) as threads:
        paths = [path.format(project=project)] * 6
        statuses = [response.status_code for response in threads.map(narrow.get, paths)]
    assert statuses == [200] * 6
    assert most == 2
