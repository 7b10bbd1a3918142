from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.health import assert_recent, assert_unhealthy
from tests.support.service import serving

if TYPE_CHECKING:
    import httpx

    from tests.support.postgres import Postgres


def test_a_healthy_response_has_only_the_contracts_fields(client: httpx.Client) -> None:
    response = client.get("/api/health")
    assert response.status_code == 200
    body = response.json()
    assert_recent(body.pop("timestamp"))
    assert body == {"status": "ok", "database": "connected"}
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/json"
    assert "retry-after" not in response.headers


def test_head_gets_the_headers_of_get(client: httpx.Client) -> None:
    get, head = client.get("/api/health"), client.head("/api/health")
    assert head.status_code == 200
    assert head.content == b""
    for name in ("content-type", "content-length", "cache-control"):
        assert head.headers[name] == get.headers[name]


def test_live_needs_no_database(own_postgres: Postgres) -> None:
    own_postgres.stop()
    with serving(own_postgres.url) as client:
        response = client.get("/api/health/live")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
        assert client.head("/api/health/live").status_code == 200


def test_a_refused_login_is_unreachable(database: str) -> None:
    with serving(database.replace("postgres@", "nobody_here@")) as client:
        response = client.get("/api/health")
        assert_unhealthy(response, "disconnected", "unreachable")
        assert "nobody_here" not in response.text
