from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from starlette.responses import Response
from starlette.routing import Route

from service.web.origins import check_origin
from tests.support.problems import assert_problem
from tests.support.service import serving

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    import httpx
    from starlette.requests import Request

FRONT_END = "https://docs.example.com"


async def take(request: Request[Any]) -> Response:
    check_origin(request.scope, request.state.settings.cors_origins)
    return Response(status_code=204)


@contextmanager
def checking(**changes: Any) -> Generator[httpx.Client]:
    """Serve an endpoint at /taken that checks the origin of its requests, under every name."""
    given: dict[str, Any] = {"allowed_hosts": ("*",), "cors_origins": (FRONT_END,)} | changes
    with serving("postgresql://localhost/none", Route("/taken", take), **given) as client:
        yield client


def ask(client: httpx.Client, host: str, *origins: str, **headers: str) -> httpx.Response:
    given = [("Host", host), *headers.items(), *(("Origin", origin) for origin in origins)]
    return client.get("/taken", headers=[(n.encode(), v.encode("latin-1")) for n, v in given])


def test_a_program_that_sends_no_origin_is_accepted() -> None:
    with checking() as client:
        assert client.get("/taken").status_code == 204


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("hub.example.com", "http://hub.example.com"),
        ("hub.example.com:8000", "http://hub.example.com:8000"),
        ("Hub.Example.COM", "http://hub.example.com"),
        ("hub.example.com:80", "http://hub.example.com"),
        ("hub.example.com", "http://hub.example.com:80"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("hub.example.com", FRONT_END),
    ],
)
def test_the_own_origin_and_those_of_cors_origins_are_accepted(host: str, origin: str) -> None:
    with checking() as client:
        assert ask(client, host, origin).status_code == 204


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example",
        "https://hub.example.com",
        "http://hub.example.com:8000",
        "http://hub.example.com.evil.example",
        "http://hub.example.com@evil.example",
        "http://hub.example.com/",
        "hub.example.com",
        f"{FRONT_END}.evil.example",
        f"{FRONT_END}:8443",
        "http://docs.example.com",
        f"http://hub.example.com {FRONT_END}",
        "*",
        "\xff",
    ],
)
def test_null_and_every_other_origin_are_refused(origin: str) -> None:
    with checking() as client:
        body = assert_problem(ask(client, "hub.example.com", origin), 403)
    assert "CORS_ORIGINS" in body["detail"]


@pytest.mark.parametrize("foreign", ["first", "last"])
def test_of_two_origins_both_must_be_accepted(foreign: str) -> None:
    origins = ["http://evil.example", "http://hub.example.com"]
    with checking() as client:
        sent = origins if foreign == "first" else reversed(origins)
        assert_problem(ask(client, "hub.example.com", *sent), 403)


def test_the_scheme_of_the_own_origin_is_the_one_that_a_trusted_proxy_names() -> None:
    forwarded = {"X-Forwarded-Proto": "https"}
    with checking(trusted_proxies=("127.0.0.1",)) as client:
        own = ask(client, "hub.example.com", "https://hub.example.com", **forwarded)
        assert own.status_code == 204
        plain = ask(client, "hub.example.com", "http://hub.example.com", **forwarded)
        assert_problem(plain, 403)
    with checking() as client:  # which trusts no proxy
        own = ask(client, "hub.example.com", "https://hub.example.com", **forwarded)
        assert_problem(own, 403)
