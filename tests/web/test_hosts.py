from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from service.app import ROUTES
from service.web.hosts import is_loopback, read_host
from tests.support.examples import example_path
from tests.support.problems import assert_problem
from tests.support.service import run_service, serving
from tests.support.wire import exchange, parse_responses, send_raw

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from starlette.routing import Route

TOKEN = "correct-horse-battery-staple"

LOOPBACK = [
    "localhost",
    "localhost:8000",
    "LOCALHOST:8000",
    "localhost.:8000",
    "hub.localhost",
    "a.b.LocalHost:3000",
    "127.0.0.1",
    "127.0.0.1:8000",
    "127.1.2.3",
    "[::1]",
    "[::1]:8000",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "localhost:",
]
FOREIGN = [
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "localhost.evil.example.",
    "evil-localhost",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io:8000",
    "128.0.0.1",
    "0.0.0.0:8000",
    "10.0.0.5",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "[::2]",
    "[::]",
    "[::ffff:10.0.0.5]",
    "%6cocalhost",
    "xn--lcalhost-e1a",
]
MALFORMED = [
    b"",
    b":8000",
    b"localhost:x",
    b"localhost:99999",
    b"localhost:123456",
    b"localhost:-1",
    b"localhost:8000:8000",
    b"user@localhost",
    b"evil.example@localhost",
    b"localhost, evil.example",
    b"localhost,evil.example",
    b"localhost evil.example",
    b"localhost/",
    b"localhost/../evil.example",
    b"localhost?x",
    b"localhost#x",
    b"http://localhost",
    b"localhost\\evil.example",
    b"::1",
    b"[::1",
    b"[::1]x",
    b"[127.0.0.1]",
    b"[:::]",
    b"[::1%25lo]",
    b"l\xc3\xb6calhost",
    b"\xff@[::",
    b"<script>",
    b"%zz",
    b"a" * 256,
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_a_loopback_name_is_served_without_a_token(host: str, client: httpx.Client) -> None:
    response = client.post("/api/projects", json={"name": "Mine"}, headers={"Host": host})
    assert response.status_code == 201


@pytest.mark.parametrize("host", FOREIGN)
def test_another_name_can_neither_read_nor_write_without_a_token(
    host: str, client: httpx.Client
) -> None:
    headers = {"Host": host, "Origin": f"http://{host}"}
    written = client.post("/api/projects", json={"name": "Theirs"}, headers=headers)
    detail = assert_problem(written, 421)["detail"]
    assert "ALLOWED_HOSTS" in detail
    assert "API_TOKEN" in detail
    assert_problem(client.get("/api/projects", headers=headers), 421)
    assert client.get("/api/projects").json() == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.path}-{route.name}")
def test_no_route_and_no_method_serves_another_name(route: Route, client: httpx.Client) -> None:
    path = example_path(route.path).decode()
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        response = client.request(method, path, headers={"Host": "evil.example"})
        assert response.status_code == 421, method
    upgrade = {"Host": "evil.example", "Connection": "Upgrade", "Upgrade": "websocket"}
    assert client.get(path, headers=upgrade).status_code == 421


def test_headers_of_proxies_do_not_stand_in_for_the_host(database: str) -> None:
    forwarded = {
        "X-Forwarded-Host": "localhost",
        "X-Forwarded-Server": "localhost",
        "Forwarded": "host=localhost",
        "X-Host": "localhost",
        "X-Original-Host": "localhost",
        "X-Forwarded-For": "127.0.0.1",
    }
    with serving(database, trusted_proxies=("*",)) as client:
        response = client.get("/api/projects", headers={"Host": "evil.example", **forwarded})
        assert_problem(response, 421)
        # Nor do they take a good name away.
        assert client.get("/api/projects", headers={"X-Forwarded-Host": "evil"}).status_code == 200


def test_a_page_of_an_allowed_origin_can_read_the_refusal(client: httpx.Client) -> None:
    headers = {"Host": "hub.example.com", "Origin": "http://localhost:3000"}
    preflight = client.options(
        "/api/projects", headers={**headers, "Access-Control-Request-Method": "POST"}
    )
    assert preflight.status_code == 200
    response = client.post("/api/projects", json={"name": "x"}, headers=headers)
    assert "ALLOWED_HOSTS" in assert_problem(response, 421)["detail"]
    assert response.headers["access-control-allow-origin"] == "http://localhost:3000"


def test_a_preflight_of_another_origin_stays_refused(client: httpx.Client) -> None:
    headers = {
        "Host": "evil.example",
        "Origin": "http://evil.example",
        "Access-Control-Request-Method": "POST",
    }
    response = client.options("/api/projects", headers=headers)
    assert response.status_code == 400
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("allowed", "host", "status"),
    [
        (("hub.example.com",), "hub.example.com", 200),
        (("hub.example.com",), "HUB.example.com.:8443", 200),
        (("hub.example.com",), "a.hub.example.com", 421),
        (("hub.example.com",), "localhost:8000", 200),
        (("*.example.com",), "a.b.example.com", 200),
        (("*.example.com",), "example.com", 421),
        (("*.example.com",), "evilexample.com", 421),
        (("10.0.0.5", "[2001:db8::1]"), "10.0.0.5:8000", 200),
        (("10.0.0.5", "[2001:db8::1]"), "[2001:DB8:0:0::1]:8000", 200),
        (("10.0.0.5", "[2001:db8::1]"), "10.0.0.6", 421),
        (("*",), "anything.example", 200),
    ],
)
@pytest.mark.parametrize("token", [None, TOKEN])
def test_allowed_hosts_are_served_besides_loopback(
    database: str, token: str | None, allowed: tuple[str, ...], host: str, status: int
) -> None:
    with serving(database, api_token=token, allowed_hosts=allowed) as client:
        assert client.get("/api/projects", headers={"Host": host}).status_code == status


def test_with_a_token_every_name_is_served(database: str) -> None:
    with serving(database, api_token=TOKEN) as client:
        for host in FOREIGN:
            assert client.get("/api/projects", headers={"Host": host}).status_code == 200


def test_monitors_need_no_name_where_the_token_protects_changes(database: str) -> None:
    with serving(database, api_token=TOKEN, allowed_hosts=("hub.example.com",)) as client:
        for path in ("/api/health", "/api/health/live", "/metrics"):
            assert client.get(path, headers={"Host": "10.0.3.7:8000"}).status_code == 200
        assert_problem(client.get("/api/hello", headers={"Host": "10.0.3.7:8000"}), 421)


@pytest.mark.parametrize(
    ("listens_on", "host"),
    [
        ("Hub-Machine", "hub-machine:8000"),
        ("hub.example.com.", "hub.example.com"),
        ("2001:DB8:0::1", "[2001:db8::1]:8000"),
        ("10.0.0.5", "10.0.0.5:8000"),
    ],
)
@pytest.mark.parametrize(("token", "allowed"), [(None, ()), (TOKEN, ("other.example",))])
def test_the_name_that_the_service_listens_on_is_served(
    database: str, listens_on: str, host: str, token: str | None, allowed: tuple[str, ...]
) -> None:
    with serving(database, host=listens_on, api_token=token, allowed_hosts=allowed) as client:
        assert client.get("/api/hello", headers={"Host": host}).status_code == 200
        assert_problem(client.get("/api/hello", headers={"Host": "10.0.0.6"}), 421)


def test_the_setting_reaches_the_service(database: str, tmp_path: Path) -> None:
    with run_service(
        tmp_path / "log", DATABASE_URL=database, ALLOWED_HOSTS="hub.example.com"
    ) as service:
        for host, status in (("hub.example.com", b"200"), ("evil.example", b"421")):
            head = f"GET /api/hello HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
            assert exchange(service.url, head.encode()).split()[1] == status


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("host", MALFORMED, ids=repr)
def test_a_malformed_host_is_a_400(database: str, host: bytes, token: str | None) -> None:
    with serving(database, api_token=token) as client:
        head = b"GET /api/hello HTTP/1.1\r\nhost: %b\r\n\r\n" % host
        (response,) = parse_responses(send_raw(client, head))
        assert response.status == 400
        assert "Host" in json.loads(response.body)["detail"]


HELLO = b"GET /api/hello HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HELLO, 400),
        (HELLO + b"x-forwarded-host: localhost\r\n", 400),
        (HELLO + b"host: localhost\r\nhost: localhost\r\n", 400),
        (HELLO + b"host: localhost\r\nx: y\r\nHOST: evil.example\r\n", 400),
        (HELLO + b"host: localhost\r\nconnection: upgrade\r\nupgrade: x\r\n", 200),
        (HELLO + b"connection: upgrade\r\nupgrade: websocket\r\n", 400),
        (HELLO + b"host: \t localhost \t\r\n", 200),
        (b"POST /api/projects HTTP/1.1\r\ncontent-length: 0\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\n", 400),
        (b"GET /api/hello HTTP/1.0\r\n", 200),
        (b"GET /api/hello HTTP/1.0\r\nhost: localhost\r\nhost: localhost\r\n", 400),
        (b"GET /api/hello HTTP/1.0\r\nhost: evil.example\r\n", 421),
        (b"GET http://localhost/api/hello HTTP/1.1\r\nhost: localhost\r\n", 200),
        (b"GET http://localhost:8000/api/hello HTTP/1.1\r\nhost: evil.example\r\n", 200),
        (b"GET http://evil.example/api/hello HTTP/1.1\r\nhost: localhost\r\n", 421),
        (b"GET HTTPS://EVIL.example/api/hello HTTP/1.1\r\nhost: localhost\r\n", 421),
        (b"GET http://user@localhost/api/hello HTTP/1.1\r\nhost: localhost\r\n", 400),
        (b"GET http://localhost/api/hello HTTP/1.1\r\n", 400),
        (b"GET http://localhost/api/hello HTTP/1.0\r\n", 200),
        (b"GET http://evil.example/api/hello HTTP/1.0\r\n", 421),
    ],
)
def test_a_request_has_one_host(client: httpx.Client, head: bytes, status: int) -> None:
    (response,) = parse_responses(send_raw(client, head + b"\r\n"))
    assert response.status == status


def test_a_request_without_a_host_does_not_cost_those_before_it(client: httpx.Client) -> None:
    good = HELLO + b"host: localhost\r\n\r\n"
    received = exchange(str(client.base_url), good * 2 + HELLO + b"\r\n")
    assert [response.status for response in parse_responses(received)] == [200, 200]


def test_a_host_is_read_without_its_port_and_last_dot() -> None:
    assert read_host(b"Hub.Example.COM.:8000") == "hub.example.com"
    assert read_host(b"[2001:DB8:0::1]:1") == "[2001:db8::1]"
    assert read_host(b"localhost..") == "localhost."
    assert not is_loopback("localhost.")
