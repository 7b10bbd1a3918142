from __future__ import annotations

import json
import re
from datetime import datetime
from email.message import Message
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest

from service.app import ROUTES
from service.web.operation import find_spec
from tests.support.browser import browser_page, front_end_server, needs_chromium
from tests.support.examples import add_examples, example_path
from tests.support.hub import Hub, Synced, running_hub
from tests.support.postgres import run_sql
from tests.support.problems import assert_problem
from tests.support.service import serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"
FIELDS = [
    "id",
    "project_doc_id",
    "file_path",
    "file_type",
    "file_size",
    "content",
    "doc_metadata",
    "created_at",
    "updated_at",
]
PAGES = ["", "/raw"]


# --- a document as JSON


def test_a_document_has_exactly_these_fields(hub: Hub) -> None:
    content = b"\xef\xbb\xbf# \xc3\x84\r\n"
    synced = Synced(hub, {"docs/a.md": content, "docs/b.md": b"# B\n"})
    response = hub.client.get(synced.path("docs/a.md"))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-cache"
    document = response.json()
    assert list(document) == FIELDS
    assert document["id"] == synced.path("docs/a.md").rpartition("/")[2]
    assert document["project_doc_id"] == synced.source
    assert document["file_path"] == "docs/a.md"
    assert document["file_type"] == "md"
    assert document["file_size"] == len(content)
    assert document["content"] == "# \u00c4\r\n"
    assert document["doc_metadata"]["title"] == "\u00c4"
    for name in ("created_at", "updated_at"):
        assert datetime.fromisoformat(document[name]).utcoffset() is not None


@pytest.mark.parametrize("page", PAGES)
def test_the_etag_changes_with_content_path_and_metadata(hub: Hub, page: str) -> None:
    synced = Synced(hub, {"a.md": b"one", "b.md": b"one"})
    path = synced.path("a.md") + page
    tag = hub.client.get(path).headers["etag"]
    assert re.fullmatch('"[0-9a-f]{40}-[0-9a-f]+"', tag)
    synced.change({"b.md": b"two"})
    assert hub.client.get(path).headers["etag"] == tag
    synced.change({"a.md": b"two"})
    changed = hub.client.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    tags = {tag, changed.headers["etag"]}
    synced.change({"a.md": None, "c.md": b"two"})
    tags.add(hub.client.get(path).headers["etag"])
    # As a newer READER_VERSION does, which reads the same content differently.
    run_sql(
        hub.database,
        "update project_doc set reader_version = 0",
        """update document set doc_metadata = '{"title": "Old"}'""",
    )
    assert hub.sync(synced.source)["status"] == "completed"
    tags.add(hub.client.get(path).headers["etag"])
    assert len(tags) == 4


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_content_that_the_client_has_is_a_304(hub: Hub, method: str, page: str) -> None:
    path = Synced(hub, {"a.md": b"text"}).path("a.md") + page
    tag = hub.client.get(path).headers["etag"]
    other = '"0000000000000000000000000000000000000000"'
    same = [
        [tag],
        [f"W/{tag}"],
        [f"{other}, {tag}"],
        [f'"a,b",{tag},{other}'],
        [f'{other}, W/"x" ,\tW/{tag}'],
        [other, tag],
        [f"{other},", f",{tag}"],
        ["*"],
    ]
    for lines in same:
        headers = [(b"If-None-Match", line.encode()) for line in lines]
        response = hub.client.request(method, path, headers=headers)
        assert response.status_code == 304, lines
        assert response.content == b""
        assert response.headers["etag"] == tag
        assert response.headers["cache-control"] == "no-cache"
        assert "content-type" not in response.headers
    different = [
        other,
        f"W/{other}",
        tag.strip('"'),
        tag[:-2] + '"',
        "",
        "*x",
        '"*"',
        f'"{tag[1:-1]}',
        "\xff\xfe",
        '"\xff"',
        'W/"',
        '"' * 1000,
        "W/" * 1000,
        ",".join([other] * 1000),
    ]
    for value in different:
        headers = [(b"If-None-Match", value.encode("latin-1"))]
        response = hub.client.request(method, path, headers=headers)
        assert response.status_code == 200, value
        assert response.headers["etag"] == tag


@pytest.mark.parametrize("page", PAGES)
def test_head_has_the_headers_of_get_and_no_body(hub: Hub, page: str) -> None:
    path = Synced(hub, {"a.md": b"text"}).path("a.md") + page
    got, head = hub.client.get(path), hub.client.head(path)
    assert head.status_code == 200
    assert head.content == b""
    changing = {"date", "x-request-id"}
    for response in (got, head):
        for name in changing:
            response.headers.pop(name, None)
    assert head.headers == got.headers
    assert int(head.headers["content-length"]) == len(got.content)


@pytest.mark.parametrize("page", PAGES)
def test_an_unknown_id_is_a_404_and_a_malformed_one_a_400(client: httpx.Client, page: str) -> None:
    for path, status in ((UNKNOWN, 404), (UNKNOWN.upper(), 404), ("1", 400), ("x" * 5000, 400)):
        headers = {"If-None-Match": "*"}  # no 304 for an unknown id
        response = client.get(f"/api/documents/{path}{page}", headers=headers)
        problem = assert_problem(response, status)
        if status == 404:
            assert problem["detail"] == "There is no such document."
        else:
            assert problem["errors"] == {"id": ["is not a UUID."]}


def test_times_are_in_utc_in_any_time_zone_of_the_database(hub: Hub) -> None:
    name = urlsplit(hub.database).path.lstrip("/")
    run_sql(hub.database, f"alter database {name} set timezone to 'Asia/Kolkata'")
    with serving(hub.database) as client:
        project = client.post("/api/projects", json={"name": "Payments"}).json()
        found = client.get(f"/api/projects/{project['id']}").json()
        assert found["created_at"].endswith("+00:00")


# --- a document as its file

RAW = {
    "a.md": (b"# \xc3\x84\r\n", "text/markdown; charset=utf-8"),
    "a.markdown": (b"# A\n", "text/markdown; charset=utf-8"),
    "a.txt": (b"", "text/plain; charset=utf-8"),
    "a.csv": (b"a,b\r\n", "text/csv; charset=utf-8"),
    "a.json": (b'{"a": 1}', "application/json; charset=utf-8"),
    "a.yml": (b"a: 1\n", "application/yaml; charset=utf-8"),
    "a.yaml": (b"a: 1\n", "application/yaml; charset=utf-8"),
    "tickets.toml": (b"a = 1\n", "application/toml; charset=utf-8"),
    "mark.txt": ("\ufeff\u00e4".encode(), "text/plain; charset=utf-8"),
    "little.md": ("\ufeff# \u00c4\n".encode("utf-16-le"), "text/markdown; charset=utf-16"),
    "big.md": ("\ufeff# \u00c4\n".encode("utf-16-be"), "text/markdown; charset=utf-16"),
}


def test_the_raw_document_is_the_file_with_its_media_type_in_a_sandbox(hub: Hub) -> None:
    synced = Synced(hub, {name: content for name, (content, _) in RAW.items()})
    for name, (content, media_type) in RAW.items():
        response = hub.client.get(f"{synced.path(name)}/raw")
        assert response.content == content, name
        assert response.headers.get_list("content-type") == [media_type]
        assert response.headers["cache-control"] == "no-cache"
        assert response.headers.get_list("x-content-type-options") == ["nosniff"]
        [policy] = response.headers.get_list("content-security-policy", split_commas=False)
        directives = [directive.strip() for directive in policy.split(";")]
        assert "sandbox" in directives  # without exceptions
        assert "default-src 'none'" in directives
        assert "script" not in policy
        assert response.headers["x-frame-options"] == "DENY"
        assert response.text.removeprefix("\ufeff") == content.decode(
            "utf-16" if media_type.endswith("16") else "utf-8-sig"
        )


# These describe the body, which a 304 does not have, or differ between any two responses.
NOT_IN_A_304 = {"content-length", "content-type", "content-encoding", "date", "x-request-id"}


def test_a_304_has_the_headers_of_the_200(database: str) -> None:
    # RFC 9110, section 15.4.5. A cache replaces what it keeps with them (RFC 9111, section 3.2).
    add_examples(database)
    checked = set[str]()
    with serving(database) as client:
        for route in ROUTES:
            if 304 not in find_spec(route).responses:
                continue
            checked.add(route.path)
            path = example_path(route.path).decode()
            if route.path.endswith("/documents"):
                path += "?path=a.md"
            # Of the activity, the feed has a tag.
            is_feed = route.path.endswith("/activity")
            accept = {"Accept": "application/atom+xml"} if is_feed else {}
            for origin in (accept, accept | {"Origin": "http://localhost:3000"}):
                fresh = client.get(path, headers=origin)
                tag = {"If-None-Match": fresh.headers["etag"]}
                same = client.get(path, headers=origin | tag)
                assert (fresh.status_code, same.status_code) == (200, 304), path
                expected = {
                    name: value for name, value in fresh.headers.items() if name not in NOT_IN_A_304
                }
                assert dict(same.headers) | expected == dict(same.headers), path
    assert {"/api/documents/{id}", "/api/documents/{id}/raw"} <= checked


@needs_chromium
def test_a_cached_document_stays_in_its_sandbox(hub: Hub) -> None:
    script = b"# A\n\n<script>document.title = 'ran'</script>\n"
    path = Synced(hub, {"a.md": script}).path("a.md") + "/raw"
    with browser_page(hub.client.base_url) as page:
        for expected in (200, 200, 200):  # as the browser shows a 304 from its cache
            response = page.goto(path)
            assert response is not None
            assert response.status == expected
            assert "sandbox" in response.headers["content-security-policy"]
            assert page.evaluate("window.origin") == "null"


ODD_NAMES = [
    "new\nline.md",
    "a\r\nSet-Cookie: a=b\r\n\r\n.md",
    'quote".md',
    "';x=y;'.md",
    "back\\slash.md",
    "per%0acent%22.md",
    "semi;colon, comma.md",
    "\u65e5\u672c \U0001f600.md",
    "\u202e\u2028.md",
    "x" * 240 + ".md",
    " .md",
    "tab\t\x7f.md",
]


def test_a_file_name_cannot_break_out_of_its_header(hub: Hub) -> None:
    synced = Synced(hub, {f"docs/{name}": b"x" for name in ODD_NAMES})
    for name in ODD_NAMES:
        response = hub.client.get(f"{synced.path(f'docs/{name}')}/raw")
        assert response.status_code == 200, name
        assert "set-cookie" not in response.headers
        disposition = response.headers["content-disposition"]
        assert disposition.isascii()
        assert disposition.isprintable()
        message = Message()
        message["Content-Disposition"] = disposition
        assert message.get_content_disposition() == "inline"
        encoded = re.fullmatch(r"inline; filename\*=UTF-8''([A-Za-z0-9._~%-]+)", disposition)
        assert encoded, disposition
        assert unquote(encoded[1]) == name


# --- unusual content

BOMB = (
    "a: &a ["
    + "x," * 9
    + "x]\n"
    + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
)
HARD = {
    "lines.md": "# a\u2028b\u2029c\u0085d\x0b\x0c\r\ne\rf",
    "astral.md": "# \U0001f600\U0010ffff \ufdd0\ufffe\U0001ffff",
    "controls.txt": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "quotes.json": '"' * 5_000_000,
    "escapes.txt": "\\u0000 \\ud800 \\x00 %00 \\" * 1000,
    "copy.csv": "\\.\n\\N\t$1 %s :x {} ' ; drop table document; --\n",
    "bomb.md": f"---\n{BOMB}---\n# Bomb\n",
    "deep.md": "---\na: " + "[" * 5000 + "\n---\n" + "> " * 5000 + "# Deep\n",
    "nul.md": '---\na: "\\0"\nb: "\\ud800"\nc: .nan\nd: 1e999\n---\n# Nul\n',
    "long.md": "# " + "x" * 1_000_000,
    "marks.md": "a" + "\u0301" * 10_000 + "\u202e\u200b",
}


def test_unusual_content_is_returned_unchanged(hub: Hub) -> None:
    synced = Synced(hub, {name: text.encode() for name, text in HARD.items()})
    assert set(hub.files(synced.project)) == set(HARD)
    for name, text in HARD.items():
        response = hub.client.get(synced.path(name))
        assert response.status_code == 200, name
        document = response.json()
        assert document["content"] == text, name
        assert document["file_size"] == len(text.encode())
        assert document["doc_metadata"]["title"]
        assert len(json.dumps(document["doc_metadata"])) < 100_000, name
        assert hub.client.get(f"{synced.path(name)}/raw").content == text.encode(), name
    assert "alias" in hub.document(synced.project, "bomb.md")["doc_metadata"]["front_matter_error"]


# --- in a browser

SCRIPT = b"""<!doctype html><html><body onload="fetch('/api/health?ran')">
<script>document.title='ran';fetch('/api/health?ran')</script>
<img src="/api/health?ran"><link rel=stylesheet href="/api/health?ran">
<iframe src="/api/health?ran"></iframe><svg onload="document.title='ran'"></svg>
<meta http-equiv=refresh content="0;url=/api/health?ran"></body></html>
"""
HOSTILE = {
    "page.md": SCRIPT,
    "page.html.md": SCRIPT,
    "page.svg.txt": b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>' + SCRIPT,
    "page.json": SCRIPT,
    "wide.md": ("\ufeff" + SCRIPT.decode()).encode("utf-16-le"),
    "seven.txt": b"+ADw-script+AD4-document.title='ran'+ADw-/script+AD4-" + SCRIPT,
}


@needs_chromium
def test_a_hostile_document_runs_and_loads_nothing_in_a_browser(hub: Hub) -> None:
    synced = Synced(hub, HOSTILE)
    paths = {name: f"{synced.path(name)}/raw" for name in HOSTILE}
    with browser_page(hub.client.base_url) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for name, path in paths.items():
            # Neither its name nor a query makes the browser treat it as HTML.
            for url in (path, f"{path}?x=page.html"):
                asked.clear()
                response = page.goto(url)
                assert response
                assert response.status == 200
                page.wait_for_load_state("networkidle")
                assert "script" in page.inner_text("body"), name
                assert "ran" not in page.title()
                icons = [url for url in asked if url.endswith("/favicon.ico")]
                assert len(asked) - len(icons) == 1, asked
                assert page.locator("script, svg, img, iframe").count() == 0


CALL = """
async ([url, method, body, headers]) => {
    const response = await fetch(url, {
        method,
        credentials: "include",
        headers: {
            Accept: "application/json, text/plain, */*",
            ...(body === null ? {} : {"Content-Type": "application/json"}),
            ...headers,
        },
        body: body === null ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return {
        status: response.status,
        body: text ? JSON.parse(text) : null,
        headers: Object.fromEntries(response.headers),
    };
}
"""


@needs_chromium
def test_a_page_of_the_front_end_can_use_every_resource(database: str, tmp_path: Path) -> None:
    with (
        front_end_server() as origin,
        running_hub(database, tmp_path, cors_origins=("http://localhost:3000", origin)) as hub,
        browser_page(origin) as page,
    ):
        page.goto("/")

        def call(
            method: str, path: str, body: object = None, headers: dict[str, str] | None = None
        ) -> dict[str, Any]:
            url = str(hub.client.base_url.join(path))
            return page.evaluate(CALL, [url, method, body, headers or {}])

        work_as_the_front_end(hub, call)


def work_as_the_front_end(hub: Hub, call: Callable[..., dict[str, Any]]) -> None:
    remote = hub.server.create()
    remote.commit({"docs/a.md": b"# A\n"})
    created = call("POST", "/api/projects", {"name": "Payments"})
    assert created["status"] == 201
    project = created["headers"]["location"]
    assert call("PUT", project, {"description": "Why"})["body"]["description"] == "Why"
    refused = call("POST", "/api/projects", {"name": "Payments"})
    assert refused["status"] == 409
    assert refused["body"]["detail"] == "There is a project of that name already."
    assert refused["headers"]["x-request-id"] == refused["body"]["request_id"]
    source = call("POST", f"{project}/docs", {"name": "Docs", "github_url": remote.url})
    call("POST", f"{project}/docs", {"name": "Other", "github_url": remote.url})
    first = call("GET", f"{project}/docs?limit=1")
    assert first["body"][0]["name"] == "Other"
    following = re.fullmatch('<(.+)>; rel="next"', first["headers"]["link"])
    assert following
    assert call("GET", following[1])["body"] == [source["body"]]
    started = call("POST", f"{source['headers']['location']}/sync")
    assert started["status"] == 202
    assert hub.wait(started["headers"]["location"])["status"] == "completed"
    assert call("GET", f"{source['headers']['location']}/sync-status")["body"]["files_done"] == 1
    tree = call("GET", f"{project}/file-tree")["body"]["tree"]
    document = f"/api/documents/{_files(tree)['docs/a.md']}"
    found = call("GET", document)
    assert found["body"]["content"] == "# A\n"
    tag = {"If-None-Match": found["headers"]["etag"]}
    # The request has the header itself: for its own, the browser would turn a 304 into a 200.
    assert call("GET", document, headers=tag)["status"] == 304
    assert call("DELETE", source["headers"]["location"])["status"] == 200
    assert call("DELETE", project)["status"] == 200
    assert call("GET", "/api/projects")["body"] == []


def _files(nodes: list[dict[str, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in nodes:
        if node["type"] == "file":
            found[node["path"]] = node["id"]
        else:
            found |= _files(node["children"])
    return found


@needs_chromium
def test_a_page_of_another_origin_can_neither_read_nor_write(hub: Hub) -> None:
    with front_end_server() as origin, browser_page(origin) as page:
        page.goto("/")
        url = str(hub.client.base_url.join("/api/projects"))
        assert page.evaluate("url => fetch(url).catch(error => error.name)", url) == "TypeError"
        body = '{"name": "theirs"}'
        for headers in ({}, {"Content-Type": "application/json"}):
            page.evaluate(
                "([url, body, headers]) => "
                "fetch(url, {method: 'POST', body, headers}).catch(error => error.name)",
                [url, body, headers],
            )
        assert hub.client.get("/api/projects").json() == []


# --- a document by its path


def find(hub: Hub, project: str, **parameters: str) -> httpx.Response:
    return hub.client.get(f"/api/projects/{project}/documents", params=parameters)


@pytest.mark.parametrize(
    "path", ["docs/prd.md", "a+b c%20d.md", "\u00fc/\u65e5\u672c?#&.md", "new\nline.md", "-x.md"]
)
def test_a_document_is_found_by_its_path(hub: Hub, path: str) -> None:
    synced = Synced(hub, {path: b"# A\n", "b.md": b"# B\n"})
    document = hub.client.get(synced.path(path)).json()
    for written in (path, f"/{path}"):
        found = find(hub, synced.project, path=written)
        assert found.status_code == 200, found.text
        assert found.json() == document | {"has_anchor": None}
        assert found.headers["etag"] == hub.client.get(synced.path(path)).headers["etag"]
    same = hub.client.get(found.url, headers={"If-None-Match": found.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert hub.client.head(found.url).headers["content-length"] == str(len(found.content))


def test_a_path_of_several_sources_needs_the_source(hub: Hub) -> None:
    one = Synced(hub, {"a.md": b"one"})
    remote = hub.server.create()
    remote.commit({"a.md": b"two", "b.md": b"b"})
    two = hub.create_source(one.project, remote, name="Two")
    hub.sync(two)
    assert find(hub, one.project, path="b.md").json()["project_doc_id"] == two
    for source, content in ((one.source, "one"), (two, "two")):
        found = find(hub, one.project, path="a.md", source_id=source)
        assert found.json()["content"] == content
    problem = assert_problem(find(hub, one.project, path="a.md"), 400)
    assert problem["errors"] == {
        "source_id": ["is needed, since several project docs have a document at this path."]
    }
    other = hub.create_project("Other")
    no_path = "There is no document at this path."
    no_source = "There is no such project doc in this project."
    for project, parameters, detail in [
        (UNKNOWN, {"path": "a.md"}, "There is no such project."),
        (UNKNOWN, {"path": "a.md", "source_id": two}, "There is no such project."),
        (other, {"path": "a.md"}, no_path),
        (
            other,
            {"path": "a.md", "source_id": two},
            no_source,
        ),
        (
            one.project,
            {"path": "a.md", "source_id": UNKNOWN},
            no_source,
        ),
        (
            one.project,
            {"path": "b.md", "source_id": one.source},
            no_path,
        ),
        (one.project, {"path": "A.md"}, no_path),
        (one.project, {"path": "../a.md"}, no_path),
        (one.project, {"path": "a.md/"}, no_path),
        (one.project, {"path": "x" * 3000}, no_path),
    ]:
        assert assert_problem(find(hub, project, **parameters), 404)["detail"] == detail


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "path"),
        ("?path=", "path"),
        ("?path=/", "path"),
        ("?path=a%00b", "path"),
        ("?path=a.md&source_id=1", "source_id"),
        ("?path=a.md&source_id=", "source_id"),
    ],
)
def test_a_bad_query_for_a_document_is_a_400(hub: Hub, query: str, field: str) -> None:
    project = hub.create_project()
    problem = assert_problem(hub.client.get(f"/api/projects/{project}/documents{query}"), 400)
    assert list(problem["errors"]) == [field]
    assert_problem(hub.client.get(f"/api/projects/{project}/documents?path=%ff"), 404)


def test_the_anchor_of_a_link_is_checked(hub: Hub) -> None:
    text = (
        b'---\ntitle: T\n---\n# Goals\n\n<a name="old-goals"></a>\n\n'
        b'## Caf\xc3\xa9\n\n<div id="FR-12">x</div>\n\n<p id="goals">y</p>\n\n'
        b'```\n<a id="no"></a>\n```\n'
    )
    synced = Synced(hub, {"a.md": text, "b.txt": b"# Goals"})
    metadata = find(hub, synced.project, path="a.md").json()["doc_metadata"]
    assert metadata["anchors"] == ["old-goals", "FR-12"]
    there = ["goals", "#goals", "caf\u00e9", "old-goals", "FR-12", "user-content-FR-12", "", "top"]
    for anchor in there:
        found = find(hub, synced.project, path="a.md", anchor=anchor).json()
        assert found["has_anchor"] is True, anchor
    for anchor in ["Goals", "fr-12", "no", "goals-1", "##goals"]:
        found = find(hub, synced.project, path="a.md", anchor=anchor).json()
        assert found["has_anchor"] is False, anchor
    assert find(hub, synced.project, path="b.txt", anchor="goals").json()["has_anchor"] is False
