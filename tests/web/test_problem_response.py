from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from service.problems import Problem
from tests.support.problems import assert_problem
from tests.support.service import serving
from tests.support.wire import send_raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from service.state import Request


async def echo(request: Request) -> JSONResponse:
    return JSONResponse({"bytes": len(await request.body())})


async def refuse(request: Request) -> JSONResponse:
    raise Problem("invalid", "Two fields are wrong.", errors={"name": ["is missing"]})


async def ask_database(request: Request) -> JSONResponse:
    return JSONResponse(await request.state["database"].fetch_value("select pg_sleep(0)"))


ROUTES = [
    Route("/echo", echo, methods=["POST"]),
    Route("/echo", refuse, methods=["PUT"]),
    Route("/refuse", refuse),
    Route("/database", ask_database),
]


@pytest.fixture
def client(database: str) -> Iterator[httpx.Client]:
    with serving(database, *ROUTES) as client:
        yield client


def test_an_unknown_path_is_a_problem_document(client: httpx.Client) -> None:
    assert_problem(client.get("/api/nothing"), 404)


def test_an_unknown_method_of_a_path_is_a_problem_document(client: httpx.Client) -> None:
    response = client.delete("/api/health")
    assert_problem(response, 405)
    assert response.headers["allow"] == "GET, HEAD"


def test_allow_names_the_methods_of_all_routes_on_a_path(client: httpx.Client) -> None:
    response = client.get("/echo")
    assert_problem(response, 405)
    assert response.headers["allow"] == "POST, PUT"


def test_a_validation_error_names_the_fields(client: httpx.Client) -> None:
    body = assert_problem(client.get("/refuse"), 400)
    assert body["detail"] == "Two fields are wrong."
    assert body["errors"] == {"name": ["is missing"]}


def test_an_unreachable_database_is_a_503_with_retry_after(database: str) -> None:
    with serving(database.replace("host=", "host=/nowhere"), *ROUTES) as client:
        response = client.get("/database")
        assert_problem(response, 503)
        assert response.headers["retry-after"] == "5"
        assert "nowhere" not in response.text


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        ("/api/a%20b%ff", "../api/a%20b%ff"),
        ("/%zz%4", "./%25zz%254"),
        ('/a"<b>|', "./a%22%3Cb%3E%7C"),
        ("/a@b:c;d=(1),$&'*+!~", "./a@b:c;d=(1),$&'*+!~"),
        ("//evil.example/x", "../..//evil.example/x"),
        ("/api/nothing/?x=/y/", "../../api/nothing/"),
    ],
)
def test_the_instance_leads_to_the_path_as_a_relative_reference(
    path: str, instance: str, client: httpx.Client
) -> None:
    request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    _, _, body = send_raw(client, request.encode()).partition(b"\r\n\r\n")
    assert json.loads(body)["instance"] == instance
    assert urlsplit(instance).netloc == ""
