from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from service.site.templating import PAGE_POLICY
from tests.support.board import Board
from tests.support.service import serving

if TYPE_CHECKING:
    import httpx

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
