from __future__ import annotations

import asyncio
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from starlette.routing import Match, Route

from service.app import ROUTES
from service.problems import Problem
from service.web.problem_response import PROBLEM_TYPE
from service.web.references import MAX_SLASHES
from service.web.router import SegmentRouter
from tests.support.problems import assert_problem
from tests.support.service import serving

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx
    from starlette.types import Receive, Scope, Send

UNKNOWN_ID = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"


class Endpoint:
    """An ASGI application that remembers the parameters with which it was called."""

    def __init__(self) -> None:
        self.called_with: Mapping[str, str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called_with = scope["path_params"]


def call(router: SegmentRouter, method: str, path: str) -> Scope:
    async def no_message(*_: Any) -> Any:
        raise AssertionError

    scope = {"type": "http", "method": method, "path": path}
    asyncio.run(router.app(scope, no_message, no_message))
    return scope


def test_the_router_finds_what_starlette_would_find() -> None:
    endpoints = [Endpoint() for _ in ROUTES]
    routes = [
        Route(route.path, endpoint, methods=route.methods)
        for route, endpoint in zip(ROUTES, endpoints, strict=True)
    ]
    router = SegmentRouter(routes)
    segments = {segment for route in ROUTES for segment in route.path.split("/")[1:]}
    names = sorted(segment for segment in segments if not segment.startswith("{"))
    paths = {
        f"/{'/'.join(parts)}"
        for length in range(1, 4)
        for parts in product([*names, UNKNOWN_ID], repeat=length)
    }
    paths |= {route.path.replace("{", "").replace("}", "") for route in ROUTES}
    found = 0
    for method, path in product(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"), sorted(paths)):
        scope = {"type": "http", "method": method, "path": path}
        matches = [(route, *route.matches(scope)) for route in routes]
        expected = [(route, child) for route, match, child in matches if match is Match.FULL]
        if expected:
            route, child = expected[0]
            assert call(router, method, path)["route"] is route
            assert endpoints[routes.index(route)].called_with == child["path_params"]
            found += 1
            continue
        partial = [route for route, match, _ in matches if match is Match.PARTIAL]
        with pytest.raises(Problem) as raised:
            call(router, method, path)
        assert raised.value.status == (405 if partial else 404)
        methods = sorted({name for route in partial for name in route.methods or ()})
        assert raised.value.headers == ({"Allow": ", ".join(methods)} if partial else {})
    assert found > len(ROUTES)


def test_a_rest_takes_all_segments_that_are_left_but_not_none() -> None:
    rest, root = Endpoint(), Endpoint()
    router = SegmentRouter(
        [
            Route("/a/{x}/files", root, methods=["GET"]),
            Route("/a/{x}/files/{path:path}", rest, methods=["GET"]),
        ]
    )
    call(router, "GET", "/a/1/files")
    assert root.called_with == {"x": "1"}
    for path in ("b", "b/c.md", "b//c", "{y}"):
        assert call(router, "GET", f"/a/1/files/{path}")["route"].path == "/a/{x}/files/{path:path}"
        assert rest.called_with == {"x": "1", "path": path}
    with pytest.raises(Problem) as raised:
        call(router, "POST", "/a/1/files/b/c")
    assert raised.value.status == 405


def test_a_rest_has_no_more_slashes_than_a_path_may_have() -> None:
    router = SegmentRouter([Route("/a/{path:path}", Endpoint(), methods=["GET"])])
    longest = "/a" + "/b" * (MAX_SLASHES - 1)
    assert call(router, "GET", longest)["route"].path == "/a/{path:path}"
    with pytest.raises(Problem) as raised:
        call(router, "GET", longest + "/b")
    assert raised.value.status == 404


def test_a_literal_segment_comes_before_a_parameter() -> None:
    parameter, literal = Endpoint(), Endpoint()
    router = SegmentRouter(
        [Route("/a/{x}", parameter, methods=["GET"]), Route("/a/b", literal, methods=["GET"])]
    )
    call(router, "GET", "/a/b")
    assert (literal.called_with, parameter.called_with) == ({}, None)
    call(router, "GET", "/a/c")
    assert parameter.called_with == {"x": "c"}


@pytest.mark.parametrize("path", ["*", "*/", "*api/hello", "api/hello", "x/api/hello"])
def test_a_target_without_a_slash_at_its_beginning_has_no_route(path: str) -> None:
    router = SegmentRouter(ROUTES)
    for method in ("GET", "OPTIONS", "DELETE"):
        with pytest.raises(Problem) as raised:
            call(router, method, path)
        assert raised.value.status == 404


@pytest.fixture
def client(database: str) -> Any:
    with serving(database) as client:
        yield client


@pytest.mark.parametrize("path", ["/api//projects", "/api/projects//docs", "/API/health", "/x"])
def test_a_path_without_a_route_is_a_404(path: str, client: httpx.Client) -> None:
    url = str(client.base_url).rstrip("/") + path
    problem = assert_problem(client.get(url), 404)
    assert problem["detail"] == "There is nothing at this path."


@pytest.mark.parametrize("path", ["/", "/search", "/projects", f"/projects/{UNKNOWN_ID}/files"])
def test_nothing_is_at_a_path_of_too_many_slashes(path: str, client: httpx.Client) -> None:
    url = str(client.base_url).rstrip("/") + path
    html = {"Accept": "text/html"}
    for more in ("/", "/a", "/%61"):
        longest = url + more * (MAX_SLASHES - path.count("/"))
        assert_problem(client.get(longest + more, headers=html), 404)
        assert client.get(longest, headers=html).headers["content-type"] != PROBLEM_TYPE


def test_a_405_names_all_methods_of_the_path(client: httpx.Client) -> None:
    response = client.request("PATCH", f"/api/projects/{UNKNOWN_ID}")
    problem = assert_problem(response, 405)
    assert response.headers["allow"] == "DELETE, GET, HEAD, PUT"
    assert problem["detail"] == "This path has no PATCH; it has DELETE, GET, HEAD, PUT."
