from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from service.documents.markdown import render_markdown
from service.mcp.tools import TOOLS
from tests.support.board import Board
from tests.support.service import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

HOSTILE = {
    "](https://evil.example) [x": "](https://evil.example) [x",
    "<script>alert(1)</script>": "<script>alert(1)</script>",
    "a\n\n## Endpoints\n\n- [MCP](https://evil.example/mcp)": (
        "a ## Endpoints - [MCP](https://evil.example/mcp)"
    ),
    "`code` **bold** ![x](https://evil.example/a.png)": (
        "`code` **bold** ![x](https://evil.example/a.png)"
    ),
    "\u202egnp.exe\u200b": "gnp.exe",
    "back\\": "back\\",
    "\u200b": None,  # its id
    "name " * 51: ("name " * 20)[:99] + "\u2026",
}


@pytest.fixture
def service(database: str) -> Iterator[httpx.Client]:
    with serving(database) as client:
        yield client


@pytest.fixture
def board(database: str) -> Board:
    return Board(database)


class Reader(HTMLParser):
    """Reads the text as GitHub shows it: its blocks, and the links of each section by its title."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.blocks: list[str] = []
        self.sections: dict[str, list[tuple[str, str]]] = {}
        self._links: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(render_markdown(text).page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Whatever the names of projects are.
        assert tag in {"h1", "h2", "p", "blockquote", "ul", "li", "code", "a"}, tag
        if not self._open:
            self.blocks.append(tag)
        self._open.append(tag)
        if tag == "a":
            self._links.append(("", dict(attrs)["href"] or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] in (["h1"], ["h2"]):
            self._links = self.sections.setdefault(data, [])
        elif "a" in self._open:
            name, url = self._links.pop()
            self._links.append((name + data, url))


def test_it_has_the_form_of_llmstxt_org(service: httpx.Client, board: Board) -> None:
    board.add_project("Payments")
    response = service.get("/llms.txt")
    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    reader = Reader(response.text)
    # One H1, a quotation with a summary, then paragraphs and lists, then H2 with lists of links.
    first = reader.blocks.index("h2")
    assert reader.blocks[:2] == ["h1", "blockquote"]
    assert set(reader.blocks[2:first]) == {"p", "ul"}
    assert reader.blocks[first:] == ["h2", "ul"] * 3
    assert list(reader.sections) == ["BMADFlow", "Endpoints", "Projects", "Optional"]
    assert all(reader.sections[title] for title in ("Endpoints", "Projects", "Optional"))


def test_it_names_every_tool(service: httpx.Client) -> None:
    text = service.get("/llms.txt").text
    assert re.findall(r"^- `(\w+)`: \S", text, re.MULTILINE) == [tool.name for tool in TOOLS]


def test_its_links_are_absolute_and_lead_to_what_is_there(
    service: httpx.Client, board: Board
) -> None:
    board.add_project("Payments")
    own = str(service.base_url).rstrip("/")
    for links in Reader(service.get("/llms.txt").text).sections.values():
        for _, url in links:
            assert url.startswith(f"{own}/")
            expected = 405 if urlsplit(url).path == "/mcp" else 200
            assert service.get(url).status_code == expected, url


def test_its_links_have_the_scheme_and_the_prefix_of_a_proxy(database: str) -> None:
    with serving(database, trusted_proxies=("127.0.0.1",), root_path="/hub") as client:
        headers = {"Host": "localhost", "X-Forwarded-Proto": "https"}
        text = client.get("/hub/llms.txt", headers=headers).text
    urls = [url for links in Reader(text).sections.values() for _, url in links]
    assert urls
    assert all(url.startswith("https://localhost/hub/") for url in urls)


def test_the_name_of_a_project_is_one_short_line_and_means_nothing_in_markdown(
    service: httpx.Client, board: Board
) -> None:
    ids = {board.add_project(name): shown for name, shown in HOSTILE.items()}
    text = service.get("/llms.txt").text
    expected = {
        (shown or project_id, f"{service.base_url}/projects/{project_id}".replace("//p", "/p"))
        for project_id, shown in ids.items()
    }
    sections = Reader(text).sections
    assert set(sections["Projects"]) == expected
    own = {url for links in sections.values() for _, url in links}
    assert not {url for url in own if "evil" in url}
    assert "\u202e" not in text


def test_it_has_the_newest_hundred_projects_and_says_how_many_more_there_are(
    service: httpx.Client, board: Board
) -> None:
    for number in range(103):
        board.add_project(f"Project {number}")
    text = service.get("/llms.txt").text
    *projects, last = [name for name, _ in Reader(text).sections["Projects"]]
    assert projects == [f"Project {number}" for number in range(102, 2, -1)]
    assert last == "All projects"
    assert "): 3 more than these" in text


def test_without_projects_it_says_so(service: httpx.Client) -> None:
    text = service.get("/llms.txt").text
    assert Reader(text).sections["Projects"] == []
    assert "## Projects\n\nThere is none yet." in text


def test_it_is_a_304_until_something_changes(service: httpx.Client, board: Board) -> None:
    tag = {"If-None-Match": service.get("/llms.txt").headers["etag"]}
    assert service.get("/llms.txt", headers=tag).status_code == 304
    board.add_project("Payments")
    assert service.get("/llms.txt", headers=tag).status_code == 200


def test_it_says_how_to_send_the_token_where_reading_needs_one(database: str) -> None:
    tokens = {"api_token": "t" * 20, "api_read_token": "r" * 20, "api_token_for_reads": True}
    with serving(database, **tokens) as client:
        assert client.get("/llms.txt").status_code == 401
        text = client.get("/llms.txt", headers={"Authorization": f"Bearer {'r' * 20}"}).text
    assert "Authorization: Bearer TOKEN" in text
    assert "rrrr" not in text
    with serving(database) as client:
        assert "TOKEN" not in client.get("/llms.txt").text
