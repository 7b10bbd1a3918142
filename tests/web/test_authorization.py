from __future__ import annotations

from http.client import HTTPConnection
from typing import TYPE_CHECKING

import httpx
import pytest

from service.app import ROUTES
from service.web.authorization import access_to
from tests.support.problems import assert_problem
from tests.support.service import run_command, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from tests.support.service import Service

    Start: TypeAlias = Callable[..., Service]

TOKEN = "correct-horse-battery-staple"
ID = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"
OPEN = ["/api/health", "/api/health/live", "/metrics", "/docs", "/redoc", "/openapi.json"]
READS = [
    "/api/projects",
    f"/api/projects/{ID}",
    f"/api/projects/{ID}/docs",
    f"/api/projects/{ID}/file-tree",
    f"/api/projects/{ID}/documents?path=a.md",
    f"/api/projects/{ID}/stories",
    f"/api/projects/{ID}/epics",
    f"/api/projects/{ID}/next",
    f"/api/projects/{ID}/problems",
    f"/api/projects/{ID}/progress",
    f"/api/projects/{ID}/activity",
    f"/api/projects/{ID}/activity.atom",
    f"/api/projects/{ID}/badge.svg",
    "/api/overview",
    f"/api/project-docs/{ID}",
    f"/api/project-docs/{ID}/sync-status",
    f"/api/project-docs/{ID}/syncs",
    f"/api/project-docs/{ID}/syncs/{ID}",
    f"/api/documents/{ID}",
    f"/api/documents/{ID}/raw",
    "/api/nothing",
]
CHANGES = [
    ("POST", "/api/projects"),
    ("PUT", f"/api/projects/{ID}"),
    ("DELETE", f"/api/projects/{ID}"),
    ("POST", f"/api/projects/{ID}/docs"),
    ("PUT", f"/api/project-docs/{ID}"),
    ("DELETE", f"/api/project-docs/{ID}"),
    ("POST", f"/api/project-docs/{ID}/sync"),
    ("POST", "/api/nothing"),
    ("PATCH", "/api/projects"),
]


@pytest.fixture
def guarded(database: str) -> Iterator[httpx.Client]:
    """A service that needs the token for changes."""
    with serving(database, api_token=TOKEN) as client:
        yield client


@pytest.fixture
def closed(database: str) -> Iterator[httpx.Client]:
    """A service that needs the token for changes and for reading."""
    with serving(database, api_token=TOKEN, api_token_for_reads=True) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_a_change_needs_the_token(guarded: httpx.Client, method: str, path: str) -> None:
    refused = guarded.request(method, path)
    assert_problem(refused, 401)
    assert refused.headers["www-authenticate"].startswith("Bearer ")
    assert guarded.request(method, path, headers=bearer(TOKEN)).status_code != 401


def test_every_changing_route_needs_the_token() -> None:
    open_changes = {
        (method, route.path_format)
        for route in ROUTES
        for method in route.methods or ()
        if method not in {"GET", "HEAD"} and access_to(method, route.path_format) != "change"
    }
    assert open_changes == {
        ("POST", "/api/project-docs/{id}/webhook")
    }  # it has a signature instead


@pytest.mark.parametrize("path", READS)
def test_reading_needs_no_token_by_default(guarded: httpx.Client, path: str) -> None:
    assert guarded.get(path).status_code != 401


@pytest.mark.parametrize("path", READS)
def test_reading_needs_the_token_with_api_token_for_reads(closed: httpx.Client, path: str) -> None:
    assert_problem(closed.get(path), 401)
    assert closed.head(path).status_code == 401
    assert closed.get(path, headers=bearer(TOKEN)).status_code != 401


@pytest.mark.parametrize("path", OPEN)
def test_health_metrics_and_the_documentation_stay_open(closed: httpx.Client, path: str) -> None:
    assert closed.get(path).status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/health/../projects", "/api/projects/", "/api/projects//", "/api/health/x"]
)
def test_no_spelling_of_a_path_bypasses_the_token(closed: httpx.Client, path: str) -> None:
    assert closed.get(path).status_code in (401, 404)
    assert closed.post(path).status_code in (401, 404, 405)


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/api/healthy"), ("POST", f"/api/project-docs/{ID}/webhook/x")],
)
def test_a_path_that_only_begins_as_an_open_one_needs_the_token(method: str, path: str) -> None:
    assert access_to(method, path) == "change"


@pytest.mark.parametrize("target", ["*", "*api/hello", "api/hello", "?/api/hello", "x/api/hello"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_target_that_is_no_path_bypasses_no_token(
    closed: httpx.Client, method: str, target: str
) -> None:
    url = closed.base_url
    connection = HTTPConnection(url.host, url.port, timeout=30)
    try:
        connection.request(method, target)
        assert connection.getresponse().status in (400, 401)
    finally:
        connection.close()


@pytest.mark.parametrize(
    "header",
    [
        "",
        TOKEN,
        f"Basic {TOKEN}",
        "Bearer",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        f"Bearer x {TOKEN}",
        "Bearer \xff",
    ],
)
def test_a_wrong_or_malformed_token_is_refused(guarded: httpx.Client, header: str) -> None:
    response = guarded.post("/api/projects", headers=[(b"Authorization", header.encode("latin-1"))])
    assert_problem(response, 401)


def test_the_scheme_is_case_insensitive(guarded: httpx.Client) -> None:
    response = guarded.post("/api/projects", headers={"Authorization": f"bearer {TOKEN}"})
    assert response.status_code == 415


def test_a_refusal_reads_no_body_and_has_cors_headers(guarded: httpx.Client) -> None:
    headers = {"Origin": "http://localhost:3000"}
    response = guarded.post("/api/projects", content=b"{" * 100_000, headers=headers)
    assert_problem(response, 401)
    assert response.headers["access-control-allow-origin"] == "http://localhost:3000"


def test_a_preflight_needs_no_token(closed: httpx.Client) -> None:
    headers = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    response = closed.options("/api/projects", headers=headers)
    assert response.status_code == 200
    assert "authorization" in response.headers["access-control-allow-headers"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_without_a_token_the_service_listens_on_loopback_only(database: str, host: str) -> None:
    result = run_command("serve", DATABASE_URL=database, BACKEND_HOST=host)
    assert result.returncode == 2
    assert result.stderr.startswith("error: API_TOKEN: is required where BACKEND_HOST is not")
    assert "BACKEND_HOST=127.0.0.1" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
@pytest.mark.parametrize("token", ["hunter2", "hunter2hunter2-\n"])
def test_a_short_token_is_refused_where_other_machines_could_guess_it(
    host: str, token: str, database: str
) -> None:
    result = run_command("serve", DATABASE_URL=database, BACKEND_HOST=host, API_TOKEN=token)
    assert result.returncode == 2
    assert result.stderr.startswith("error: API_TOKEN: has fewer than 16 characters")
    assert result.stderr.count("\n") == 1
    assert "hunter2" not in result.stderr


@pytest.mark.parametrize(("host", "token"), [("127.0.0.1", "short"), ("0.0.0.0", "t" * 16)])
def test_a_short_token_on_loopback_and_a_longer_one_anywhere_serve(
    host: str, token: str, database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database, BACKEND_HOST=host, API_TOKEN=token)
    port = service.url.rpartition(":")[2]
    created = httpx.post(
        f"http://127.0.0.1:{port}/api/projects",
        json={"name": "Payments"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert created.status_code == 201


def test_a_token_in_a_file_with_a_line_break_protects_every_change(
    database: str, tmp_path: Path, start_service: Start
) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\r\n")
    service = start_service(DATABASE_URL=database, API_TOKEN_FILE=str(tmp_path / "token"))
    url = f"{service.url}/api/projects"
    assert httpx.post(url, json={"name": "Payments"}).status_code == 401
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.post(url, json={"name": "Payments"}, headers=right).status_code == 201
