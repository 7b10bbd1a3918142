from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.postgres import run_sql
from tests.support.problems import assert_problem
from tests.support.service import Service, json_log, serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.state import Request

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"


WEBHOOK_PATH = "/api/project-docs/{id}/webhook"
PREFLIGHT = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"}
FOREIGN = {"Origin": "http://foreign.example"}


async def fail(request: Request) -> JSONResponse:
    raise RuntimeError("the reason is here")


async def insert(request: Request) -> JSONResponse:
    """Pass the value to a statement as the given type."""
    database, value = request.state["database"], request.query_params["value"]
    match request.query_params["as"]:
        case "text":
            await database.execute("insert into secret (value) values ($1)", value)
        case "uuid":
            await database.execute("select cast(cast($1 as text) as uuid)", value)
        case "argument":
            await database.execute("select cast($1 as uuid)", value)
        case _:
            await database.execute("select cast($1 as int)", value)
    return JSONResponse({})


async def wait(request: Request) -> JSONResponse:
    await request.body()
    return JSONResponse({})


async def sleep(request: Request) -> JSONResponse:
    await request.state["database"].execute("select pg_sleep(0.5)")
    return JSONResponse({})


ROUTES = [
    Route("/sleep", sleep),
    Route("/fail", fail),
    Route("/insert", insert),
    Route("/wait", wait, methods=["POST"]),
]


@pytest.fixture
def client(database: str) -> Iterator[httpx.Client]:
    with serving(database, *ROUTES) as client:
        yield client


@pytest.mark.parametrize("path", ["/api/health", "/api/nothing", "/fail", "/docs", "/openapi.json"])
def test_security_headers_are_on_every_response(path: str, client: httpx.Client) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_each_request_gets_an_id_of_its_own(client: httpx.Client) -> None:
    ids = {client.get("/api/health/live").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


def test_a_well_formed_request_id_is_kept(client: httpx.Client) -> None:
    response = client.get("/api/nothing", headers={"x-request-id": "trace-42/a.b:c"})
    assert assert_problem(response, 404)["request_id"] == "trace-42/a.b:c"


@pytest.mark.parametrize("proposed", ["", "a b", "a" * 129, 'a"b', "a\tb", "caf\xe9"])
def test_a_request_id_that_could_forge_a_log_is_replaced(
    proposed: str, client: httpx.Client
) -> None:
    headers = {b"x-request-id": proposed.encode("latin-1")}
    response = client.get("/api/health/live", headers=headers)
    assert response.headers["x-request-id"] != proposed
    assert len(response.headers["x-request-id"]) == 32


def test_a_slash_at_the_end_is_ignored(client: httpx.Client) -> None:
    assert client.get("/api/health/").json()["status"] == "ok"
    assert client.get("/docs/").status_code == 200


def test_every_request_but_a_healthy_probe_is_logged(
    database: str, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=database)
    for path in ("/api/health", "/api/health/live", "/docs/assets/page.css?token=hunter2", "/x/y"):
        httpx.get(service.url + path, headers={"x-request-id": f"for-{path.split('/')[1]}"})
    service.process.terminate()
    assert service.wait() == 0
    requests = service.find("request")
    assert [(entry["route"], entry["status"]) for entry in requests] == [
        ("/docs/assets/{name}", 200),
        (None, 404),
    ]
    first = requests[0]
    assert first["request_id"] == "for-docs"
    assert first["method"] == "GET"
    assert first["client"] == "127.0.0.1"
    assert first["duration_ms"] >= 0
    assert first["level"] == "info"
    assert "hunter2" not in service.log.read_text()


REFUSED: list[tuple[str, str, dict[str, str], bytes, int, str | None]] = [
    ("POST", "/api/projects", {}, b"{}", 401, "/api/projects"),
    ("DELETE", "/api/projects/1", {}, b"", 401, "/api/projects/{project_id}"),
    ("PUT", "/api/project-docs/1/", {}, b"{}", 401, "/api/project-docs/{id}"),
    ("PATCH", "/api/projects/1", {}, b"{}", 401, "/api/projects/{project_id}"),
    ("POST", "/api/nothing", {}, b"{}", 401, None),
    ("GET", "/api/nothing", {}, b"", 404, None),
    ("DELETE", "/api/health", {}, b"", 405, "/api/health"),
    ("POST", "/api/project-docs/1/webhook", {}, b"a" * 26 * 2**20, 413, WEBHOOK_PATH),
    ("GET", "/api/documents/1/raw", {}, b"", 400, "/api/documents/{id}/raw"),
    ("OPTIONS", "/api/projects", PREFLIGHT, b"", 200, "/api/projects"),
    ("OPTIONS", "/api/projects/1", PREFLIGHT | FOREIGN, b"", 400, "/api/projects/{project_id}"),
]


def test_the_line_and_the_count_of_an_early_response_have_its_route(database: str) -> None:
    with json_log() as read_log, serving(database, api_token="t" * 20) as client:
        for method, path, headers, body, status, _ in REFUSED:
            response = client.request(method, path, headers=headers, content=body)
            assert response.status_code == status, (method, path)
        metrics = client.get("/metrics").text
    lines = [line for line in lines_of(read_log()) if line["message"] == "request"]
    logged = [(line["method"], line["status"], line["route"]) for line in lines]
    assert logged == [(method, status, route) for method, _, _, _, status, route in REFUSED]
    assert 'http_response_status_code="401",http_route="/api/projects"' in metrics
    assert f'http_response_status_code="413",http_route="{WEBHOOK_PATH}"' in metrics


def test_healthy_probes_are_logged_at_debug(
    database: str, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=database, LOG_LEVEL="DEBUG")
    httpx.get(f"{service.url}/api/health")
    line = service.wait_for("request")
    assert (line["level"], line["route"]) == ("debug", "/api/health")


def lines_of(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines()]


def test_a_fault_is_logged_once_with_traceback_request_id_and_trace(database: str) -> None:
    headers = {"x-request-id": "find-me", "traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"}
    with json_log() as read_log, serving(database, *ROUTES) as client:
        client.get("/fail", headers=headers)
        client.get("/docs")
    fault, request, other = lines_of(read_log())
    assert fault["level"] == "error"
    assert "RuntimeError: the reason is here" in fault["exception"]
    assert request["message"] == "request"
    for line in (fault, request):
        assert line["request_id"] == "find-me"
        assert line["trace_id"] == TRACE_ID
        assert line["parent_id"] == PARENT_ID
    assert other["request_id"] != "find-me"
    assert "trace_id" not in other


@pytest.mark.parametrize(
    ("traceparent", "is_taken"),
    [
        (f"00-{TRACE_ID}-{PARENT_ID}-00", True),
        (f"cc-{TRACE_ID}-{PARENT_ID}-01-what-comes-later", True),
        (f"00-{TRACE_ID}-{PARENT_ID}-01-more", False),
        (f"ff-{TRACE_ID}-{PARENT_ID}-01", False),
        (f"00-{'0' * 32}-{PARENT_ID}-01", False),
        (f"00-{TRACE_ID}-{'0' * 16}-01", False),
        (f"00-{TRACE_ID.upper()}-{PARENT_ID}-01", False),
        (f"00-{TRACE_ID}-{PARENT_ID}", False),
        (f'00-{TRACE_ID}-{PARENT_ID}-01"}}', False),
        ("", False),
    ],
)
def test_only_a_well_formed_trace_is_logged(
    traceparent: str, *, is_taken: bool, database: str
) -> None:
    with json_log() as read_log, serving(database) as client:
        client.get("/docs", headers={"traceparent": traceparent})
    (line,) = lines_of(read_log())
    assert ("trace_id" in line) == is_taken


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("text", "UniqueViolationError"),
        ("uuid", "InvalidTextRepresentationError"),
        ("int", "DataError"),
        ("argument", "DataError"),
    ],
)
def test_the_log_has_no_value_of_a_statement(kind: str, name: str, database: str) -> None:
    run_sql(
        database,
        "create table secret (value text constraint secret_is_unique unique)",
        "insert into secret values ('hunter2')",
    )
    with json_log() as read_log, serving(database, *ROUTES) as client:
        response = client.get("/insert", params={"as": kind, "value": "hunter2"})
        assert response.status_code == 500
    fault, _ = lines_of(read_log())
    assert name in fault["exception"]
    assert ("secret_is_unique" in fault["exception"]) == (kind == "text")
    assert "hunter2" not in read_log()


def test_the_cause_of_a_503_is_logged_but_not_sent(database: str) -> None:
    gone = database.replace("host=", "host=/nowhere")
    with json_log() as read_log, serving(gone, *ROUTES) as client:
        response = client.get("/insert", params={"as": "text", "value": "hunter2"})
        body = assert_problem(response, 503)
    lines = lines_of(read_log())
    assert lines[0]["message"] == "health_lost"  # at the start, before any probe
    assert "request_id" not in lines[0]
    warning, request = (line for line in lines if "request_id" in line)
    assert warning["message"] == "database_unavailable"
    assert warning["reason"] == "unreachable"
    assert "FileNotFoundError" in warning["error"]
    assert "FileNotFoundError" not in response.text
    assert warning["request_id"] == request["request_id"] == body["request_id"]
    assert UUID(body["request_id"])


def test_a_disconnect_within_the_body_is_logged_as_499(database: str) -> None:
    with json_log() as read_log, serving(database, *ROUTES) as client:
        parts = urlsplit(str(client.base_url))
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(
                b"POST /wait HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n"
            )
        lines = eventually(lambda: "499" in (log := read_log()) and lines_of(log))
    assert [(line["message"], line.get("status")) for line in lines] == [
        ("client_disconnected", None),
        ("request", 499),
    ]


def test_a_disconnect_before_the_response_is_logged_as_499(database: str) -> None:
    with json_log() as read_log, serving(database, *ROUTES) as client:
        parts = urlsplit(str(client.base_url))
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(b"GET /sleep HTTP/1.1\r\nhost: localhost\r\n\r\n")
        (line,) = eventually(lambda: lines_of(read_log()))
    assert (line["message"], line["route"], line["status"]) == ("request", "/sleep", 499)


@pytest.mark.parametrize(("trusted", "client_"), [("127.0.0.0/8", "203.0.113.9"), ("::1", None)])
def test_only_a_trusted_proxy_names_the_client(
    trusted: str, client_: str | None, database: str, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=database, FORWARDED_ALLOW_IPS=trusted)
    forged = "198.51.100.1, 203.0.113.9"  # the proxy itself appends the last
    httpx.get(f"{service.url}/docs", headers={"x-forwarded-for": forged})
    assert service.wait_for("request")["client"] == (client_ or "127.0.0.1")


@pytest.mark.parametrize("forwarded", ["x" * 50_000, "evil value,x y", "", "1.2.3"])
def test_a_forwarded_client_that_is_no_address_is_ignored(
    forwarded: str, database: str, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=database)
    httpx.get(f"{service.url}/docs", headers={"x-forwarded-for": forwarded})
    assert service.wait_for("request")["client"] == "127.0.0.1"
