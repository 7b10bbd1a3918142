"""URLs of responses behind proxies, resolved as clients do it: RFC 3986, section 5.2."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
import uvicorn

from service.app import create_app
from service.server.sockets import listen
from service.server.worker import server_config
from service.web.references import reference_to, reference_to_request
from tests.support.browser import browser_page, needs_chromium
from tests.support.fleet import needs_haproxy
from tests.support.problems import assert_problem
from tests.support.proxy import proxied_under_hub
from tests.support.service import make_settings, serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

TOKEN = "correct-horse-battery-staple"
SOURCE = {"name": "Docs", "github_url": "https://git.example/a/b"}


@pytest.mark.parametrize(
    ("requested", "reference"),
    [
        ("/", "./api/x"),
        ("/docs", "./api/x"),
        ("/docs/", "../api/x"),
        ("/docs//", "../../api/x"),
        ("/api/projects", "../api/x"),
        ("/api/projects/", "../../api/x"),
        ("/api%2Fprojects", "./api/x"),
        ("/api/project-docs/1/sync", "../../../api/x"),
        ("//evil.example/x", "../../api/x"),
        ("*", "./api/x"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/hub", "/a/b"])
def test_a_reference_leads_to_the_path_below_any_prefix(
    requested: str, reference: str, prefix: str
) -> None:
    scope = {"raw_path": requested.encode(), "root_path": ""}
    assert reference_to(scope, "/api/x") == reference
    # Python's urljoin() drops empty segments; RFC 3986 and browsers keep them.
    if requested.startswith("/") and "//" not in requested:
        base = f"https://example.com{prefix}{requested}"
        assert urljoin(base, reference) == f"https://example.com{prefix}/api/x"
        if prefix:
            kept = {"raw_path": (prefix + requested).encode(), "root_path": prefix}
            assert reference_to(kept, "/api/x") == reference
            assert urljoin(base, reference_to_request(kept)) == base


def test_a_reference_from_the_prefix_without_a_slash_leads_below_it() -> None:
    for root in ("/hub", "/a/hub"):
        scope = {"raw_path": root.encode(), "root_path": root}
        found = urljoin(f"http://x{root}", reference_to(scope, "/docs"))
        assert found == f"http://x{root}/docs"


def walk(base: str) -> None:
    """Follow every URL that the service gives below `base`, as a client of that address."""
    place = urlsplit(base)
    with httpx.Client(timeout=30, follow_redirects=True) as client:

        def follow(response: httpx.Response, reference: str) -> httpx.Response:
            url = urljoin(str(response.url), reference)
            assert url.startswith(base), url
            assert urlsplit(reference)[:2] == ("", "")  # neither a scheme nor a host
            found = client.get(url)
            assert found.status_code == 200, url
            return found

        root = client.get(base)
        assert (root.status_code, str(root.url)) == (200, base)
        for path in ("docs", "docs/", "redoc", "redoc/"):
            page = client.get(base + path)
            loaded = re.findall(r'(?:href|src)="(?!data:)([^"]*)"', page.text)
            assert len(loaded) >= 3
            for reference in loaded:
                follow(page, reference)
        for path in ("openapi.json", "openapi.json/"):
            document = client.get(base + path)
            [server] = document.json()["servers"]
            url = urljoin(str(document.url), server["url"]).removesuffix("/")
            assert client.get(f"{url}/api/hello").status_code == 200
            assert f"{url}/" == base
        for slash in ("", "/"):
            created = client.post(f"{base}api/projects{slash}", json={"name": f"P{slash}"})
            project = follow(created, created.headers["location"])
            assert project.json() == created.json()
            sources = f"{project.url}/docs{slash}"
            source = client.post(sources, json=SOURCE)
            assert follow(source, source.headers["location"]).json() == source.json()
            client.post(sources, json=SOURCE)
            page = client.get(sources, params={"limit": 1})
            last = follow(page, page.links["next"]["url"])
            assert last.json() == [source.json()]
            run_of = urljoin(str(source.url), source.headers["location"])
            started = client.post(f"{run_of}/sync{slash}")
            assert started.status_code == 202
            assert follow(started, started.headers["location"]).json()["project_doc_id"]
        page = client.get(f"{base}api/projects?limit=1")
        follow(page, page.links["next"]["url"])
        for method, path in (("GET", "api/nothing/?a=/b"), ("PUT", "docs"), ("GET", "api/a%20b")):
            problem: dict[str, Any] = client.request(method, base + path).json()
            url = (base + path).partition("?")[0]
            assert urljoin(url, problem["instance"]) == url
        assert client.get(f"http://{place.netloc}/api/hello").status_code == (
            200 if place.path == "/" else 404
        )


def port_of(client: httpx.Client) -> int:
    port = client.base_url.port
    assert port is not None
    return port


def test_every_url_leads_back_without_a_proxy(client: httpx.Client) -> None:
    walk(str(client.base_url.join("/")))


@needs_haproxy
def test_every_url_leads_back_behind_a_proxy_that_removes_the_prefix(
    database: str, tmp_path: Path
) -> None:
    with (
        serving(database) as client,
        proxied_under_hub(tmp_path, port_of(client), strips=True) as base,
    ):
        walk(base)


@needs_haproxy
def test_every_url_leads_back_behind_a_proxy_that_keeps_the_prefix(
    database: str, tmp_path: Path
) -> None:
    with serving(database, root_path="/hub") as client:
        with proxied_under_hub(tmp_path, port_of(client), strips=False) as base:
            walk(base)
        # Probes and scrapes that reach the service directly do not know the prefix.
        for path in ("/api/health", "/metrics", "/hub/api/health"):
            assert client.get(path).status_code == 200
        for path in ("/hubris/api/hello", "/hub/hub/api/hello", "/hub%2fx", "/hub/api"):
            assert client.get(path).status_code == 404
        # From the prefix without a slash the way is down.
        root = client.get("/hub", follow_redirects=True)
        assert (root.status_code, root.url.path) == (200, "/hub")


def test_the_token_is_needed_below_the_prefix_too(database: str) -> None:
    with serving(database, root_path="/hub", api_token=TOKEN, api_token_for_reads=True) as client:
        assert client.get("/hub/api/health").status_code == 200
        for prefix in ("", "/hub"):
            assert client.get(f"{prefix}/api/projects").status_code == 401
            assert client.post(f"{prefix}/api/projects", json={"name": "x"}).status_code == 401
            assert client.post(f"{prefix}/api/project-docs/x/webhook").status_code == 400


@contextmanager
def with_root_path(
    database: str, *, of_uvicorn: bool, root_path: str | None = "/hub"
) -> Generator[str]:
    """Serve with ASGI's `root_path`: of uvicorn's option, or of an application that mounts ours.

    With None the scope has none, as ASGI allows.
    """
    settings = make_settings(database)
    inner = create_app(settings)

    async def mounting(scope: Scope, receive: Receive, send: Send) -> None:
        scope.pop("root_path", None)
        if root_path is not None:
            scope["root_path"] = root_path
        await inner(scope, receive, send)

    config = server_config(inner, settings)
    if of_uvicorn:
        config.root_path = "/hub"
    else:
        config.app = mounting
    sockets = listen("127.0.0.1", 0)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=(sockets,))
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive())
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()


@needs_haproxy
def test_uvicorns_root_path_is_honoured(database: str, tmp_path: Path) -> None:
    with with_root_path(database, of_uvicorn=True) as url:
        port = urlsplit(url).port
        assert port is not None
        with proxied_under_hub(tmp_path, port, strips=True) as base:
            walk(base)


def test_the_root_path_of_a_mounting_application_is_honoured(database: str) -> None:
    with with_root_path(database, of_uvicorn=False) as url:
        assert httpx.get(f"{url}hub/docs").status_code == 200
        created = httpx.post(f"{url}hub/api/projects", json={"name": "Payments"})
        location = urljoin(str(created.url), created.headers["location"])
        assert httpx.get(location).json() == created.json()


def test_a_scope_without_a_root_path_is_served(database: str) -> None:
    with with_root_path(database, of_uvicorn=False, root_path=None) as url:
        assert_problem(httpx.get(f"{url}nothing"), 404)
        assert httpx.get(f"{url}docs").status_code == 200


@pytest.fixture
def prefixed(database: str, tmp_path: Path) -> Iterator[str]:
    with (
        serving(database) as client,
        proxied_under_hub(tmp_path, port_of(client), strips=True) as base,
    ):
        yield base


@needs_haproxy
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_curl_gets_the_overview_below_the_prefix(prefixed: str) -> None:
    command = ["curl", "-sL", "-o", "/dev/null", "-w", "%{http_code} %{url_effective}", prefixed]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert output == f"200 {prefixed}"


@needs_haproxy
@needs_chromium
def test_the_pages_work_in_a_browser_below_the_prefix(prefixed: str) -> None:
    errors: list[str] = []
    outside: list[str] = []
    with browser_page(prefixed) as page:
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: errors.append(message.text) if message.type == "error" else None,
        )
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((prefixed, "data:", "blob:"))
                else outside.append(request.url)
            ),
        )
        for path in ("docs", "docs/"):
            page.goto(prefixed + path)
            hello = page.locator("#operations-health-getHello")
            hello.click()
            hello.get_by_role("button", name="Try it out").click()
            with page.expect_response(re.compile("/api/hello$")) as received:
                hello.get_by_role("button", name="Execute").click()
            assert received.value.url == f"{prefixed}api/hello"
            assert received.value.status == 200
        page.goto(f"{prefixed}redoc")
        page.get_by_text("health", exact=True).first.click()
        page.get_by_text("Tell whether the service can do its work", exact=True).first.wait_for()
        followed = page.evaluate(
            """async () => {
                const send = (path, options) => fetch(path, {
                    method: "POST",
                    headers: {"Content-Type": "application/json"},
                    ...options,
                });
                const created = await send("api/projects", {body: '{"name": "Payments"}'});
                const location = new URL(created.headers.get("Location"), created.url);
                return [(await created.json()).id, (await (await fetch(location)).json()).id];
            }"""
        )
        assert followed[0] == followed[1]
    assert (errors, outside) == ([], [])
