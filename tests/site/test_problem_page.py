"""Problems as pages, for browsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.routing import Route

from service.problems import STATUS, Code, Problem
from service.site import templating
from service.web.problem_response import status_name
from tests.support.problems import assert_problem
from tests.support.service import serving

if TYPE_CHECKING:
    import httpx
    from starlette.responses import Response

    from service.state import Request

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
HOSTILE = '<script>alert(1)</script> & "quotes"'


async def raise_problem(request: Request) -> Response:
    code: Code = request.path_params["code"]
    raise Problem(code, HOSTILE, errors={HOSTILE: [HOSTILE]}, headers={"X-Own": "kept"})


async def fail(request: Request) -> Response:
    raise RuntimeError("secret")


ROUTES = [Route("/raise/{code}", raise_problem), Route("/fail", fail)]


def assert_page(response: httpx.Response, status: int) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-security-policy"] == templating.PAGE_POLICY
    assert "etag" not in response.headers
    if response.request.method != "HEAD":
        assert response.text.startswith("<!doctype html>")
        assert f"<h1>{status_name(status)}</h1>" in response.text
        assert response.headers["x-request-id"] in response.text


@pytest.mark.parametrize("code", STATUS)
def test_every_problem_is_a_page_for_a_browser(database: str, code: Code) -> None:
    with serving(database, *ROUTES) as client:
        response = client.get(f"/raise/{code}", headers={"Accept": BROWSER})
        assert_page(response, STATUS[code])
        assert response.headers["x-own"] == "kept"
        assert "alert(1)" in response.text
        assert "<script>alert" not in response.text
        assert ("retry-after" in response.headers) == (code == "unavailable")
        head = client.head(f"/raise/{code}", headers={"Accept": BROWSER})
        assert_page(head, STATUS[code])
        assert head.content == b""


def test_a_fault_is_a_page_that_says_nothing_of_its_cause(database: str) -> None:
    with serving(database, *ROUTES) as client:
        response = client.get("/fail", headers={"Accept": BROWSER})
    assert_page(response, 500)
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/?limit=x", 400), ("DELETE", "/docs", 405)],
)
def test_the_problems_of_middleware_and_router_are_pages(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    response = client.request(method, path, headers={"Accept": BROWSER})
    assert_page(response, status)
    assert (response.headers.get("allow") == "GET, HEAD") == (status == 405)


def test_a_page_that_needs_a_token_asks_the_browser_for_it(database: str) -> None:
    with serving(database, api_token="t" * 20, api_token_for_reads=True) as client:
        response = client.get("/", headers={"Accept": BROWSER})
    assert_page(response, 401)
    assert response.headers["www-authenticate"].startswith("Basic ")


def test_an_unknown_host_is_a_page(client: httpx.Client) -> None:
    headers = {"Accept": BROWSER, "Host": "evil.example"}
    assert_page(client.get("/", headers=headers), 421)


@pytest.mark.parametrize(
    "accept",
    ["text/html", "text/html, */*", "text/html, text/*;q=0.5, image/*, application/*, */*"],
)
def test_who_names_html_gets_a_page(client: httpx.Client, accept: str) -> None:
    assert_page(client.get("/nothing", headers={"Accept": accept}), 404)


@pytest.mark.parametrize(
    "accept", ["*/*", "", "application/json", "application/json, text/html", "text/html;q=0", "<"]
)
def test_others_get_the_problem_as_json(client: httpx.Client, accept: str) -> None:
    assert_problem(client.get("/nothing", headers={"Accept": accept}), 404)


@pytest.mark.parametrize(
    "path", ["/api/nothing", "/api", "/mcp/nothing", "/metrics/nothing", "/openapi.json/nothing"]
)
def test_what_programs_read_has_problems_as_json_for_everyone(
    client: httpx.Client, path: str
) -> None:
    assert_problem(client.get(path, headers={"Accept": BROWSER}), 404)


@pytest.mark.parametrize("path", ["/apis", "/metrics2", "/projects/api/nothing"])
def test_a_path_that_only_begins_as_one_of_those_has_pages(client: httpx.Client, path: str) -> None:
    assert_page(client.get(path, headers={"Accept": BROWSER}), 404)


def test_the_problem_is_json_if_the_page_fails(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing can be rendered without what base.html needs.
    monkeypatch.setattr(templating, "COMMON", {})
    assert_problem(client.get("/nothing", headers={"Accept": BROWSER}), 404)


def test_a_page_needs_no_database() -> None:
    with serving("postgresql://127.0.0.1:1/nothing") as client:
        assert_page(client.get("/", headers={"Accept": BROWSER}), 503)
        assert_page(client.get("/nothing", headers={"Accept": BROWSER}), 404)
