"""Clients that are slow, read nothing, hang up, or do not speak HTTP."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from service.server.protocol import MAX_UNREAD_BYTES
from tests.support.postgres import run_sql
from tests.support.service import run_service, serving
from tests.support.waiting import assert_in_time, eventually, within
from tests.support.wire import (
    TIMEOUT_SECONDS,
    WireResponse,
    assert_no_logged_error,
    assert_no_server_error,
    connect,
    exchange,
    is_readable,
    parse_responses,
    receive_all,
    receive_response,
    send,
    send_raw,
    unharmed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from service.state import Request
    from tests.support.postgres import Postgres
    from tests.support.service import Service

ATTACKABLE = ("-m", "tests.support.attackable")

# Seconds that a client has, in place of those of server/protocol.py and web/middleware.py. A test's
# client has to send within HEAD, read within STALL and ask again within KEEP_ALIVE, also on a busy
# machine.
HEAD, READ_BODY, UNREAD_BODY, STALL, KEEP_ALIVE = 1.5, 0.7, 1.0, 2.5, 2.5

LIMITS = {
    "service.server.worker.TICKS_PER_SECOND": 2,  # so that end_if_late runs five times a second
    "service.server.protocol.HEAD_SECONDS": HEAD,
    "service.web.middleware.BODY_SECONDS": READ_BODY,
    "service.server.protocol.UNREAD_BODY_SECONDS": UNREAD_BODY,
    "service.server.protocol.STALL_SECONDS": STALL,
    "service.server.protocol.KEEP_ALIVE_SECONDS": KEEP_ALIVE,
}

# How much later than its limit a busy machine may close a connection.
MARGIN = 8.0

ORIGIN = "http://localhost:3000"
GET = b"GET /api/health/live HTTP/1.1\r\nhost: localhost\r\n"
POST = b"POST /echo HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost:3000\r\n"
LENGTH = b"content-length: 1000\r\n\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"

MEGABYTE = 1_000_000
POOL = 10


@pytest.fixture(scope="module")
def service(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with short limits."""
    log = tmp_path_factory.mktemp("impatient") / "log"
    url = postgres.create_database(template="migrated")
    limits = [f"{name}={seconds}" for name, seconds in LIMITS.items()]
    with run_service(log, *ATTACKABLE, *limits, DATABASE_URL=url) as service:
        yield service


@pytest.fixture
def default_service(database: str, tmp_path: Path) -> Iterator[Service]:
    """The service with its own limits, for tests that do not wait for these."""
    variables = {"DATABASE_URL": database, "DATABASE_POOL_MAX": str(POOL)}
    with run_service(tmp_path / "log", *ATTACKABLE, **variables) as service:
        yield service


@contextmanager
def lasting(seconds: float) -> Generator[None]:
    """Check that the block takes `seconds`, and not much longer."""
    started = time.monotonic()
    with within(seconds + MARGIN):
        yield
    assert time.monotonic() - started >= seconds


def drip(connection: socket.socket, byte: bytes) -> list[WireResponse]:
    """Send a byte repeatedly until a response comes; return all responses."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not is_readable(connection, 0.05):
        send(connection, byte)
        assert time.monotonic() < deadline
    return parse_responses(receive_all(connection))


def assert_timeout(responses: list[WireResponse]) -> WireResponse:
    assert_no_server_error(responses)
    assert [(response.status, response.is_last) for response in responses] == [(408, True)]
    return responses[0]


def test_a_head_sent_byte_by_byte_times_out(service: Service) -> None:
    with unharmed(service), lasting(HEAD), connect(service.url) as connection:
        send(connection, b"GET / HTTP/1.1\r\nx: ")
        assert_timeout(drip(connection, b"a"))


def test_a_second_head_sent_byte_by_byte_times_out(service: Service) -> None:
    with unharmed(service), lasting(HEAD), connect(service.url) as connection:
        send(connection, GET + b"\r\n")
        assert receive_response(connection).status == 200
        assert_timeout(drip(connection, b"\r\n"))


def test_a_half_sent_pipelined_head_times_out(service: Service) -> None:
    with unharmed(service), lasting(HEAD), connect(service.url) as connection:
        send(connection, GET + b"\r\n" + b"GET /x HTT")
        assert receive_response(connection).status == 200
        assert_timeout(parse_responses(receive_all(connection)))


def test_after_pipelined_requests_the_connection_takes_more(service: Service) -> None:
    # The service stops reading while a request waits for the response before its own.
    with unharmed(service), connect(service.url) as connection:
        for _ in range(2):
            send(connection, (GET + b"\r\n") * 3)
            received = b""
            while received.count(b'{"status":"ok"}') < 3:
                piece = connection.recv(65536)
                assert piece, received
                received += piece


def test_an_endless_unread_body_is_cut_off(default_service: Service) -> None:
    piece = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    sent = 0
    with unharmed(default_service), connect(default_service.url) as connection:
        send(connection, b"POST /nothing HTTP/1.1\r\nhost: localhost\r\n" + CHUNKED)
        assert receive_response(connection).status == 404
        with suppress(ConnectionError):
            while sent < 20 * MAX_UNREAD_BYTES:
                connection.sendall(piece)
                sent += len(piece)
    # The buffers of the kernel add some megabytes.
    assert MAX_UNREAD_BYTES < sent < 3 * MAX_UNREAD_BYTES


def test_a_connection_without_a_request_is_closed(service: Service) -> None:
    with unharmed(service), lasting(HEAD), connect(service.url) as connection:
        assert receive_all(connection) == b""


@pytest.mark.parametrize("begun", [LENGTH, LENGTH + b"half", CHUNKED, CHUNKED + b"5\r\nhalf"])
def test_a_stalled_body_times_out(begun: bytes, service: Service) -> None:
    with unharmed(service), lasting(READ_BODY), connect(service.url) as connection:
        send(connection, POST + begun)
        response = assert_timeout(parse_responses(receive_all(connection)))
        assert response.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize(
    ("begun", "byte"),
    [
        (LENGTH, b"a"),
        (CHUNKED, b"1\r\na\r\n"),
        (CHUNKED + b"1;", b"a"),
        (CHUNKED + b"0\r\na: ", b"a"),
    ],
    ids=["length", "chunks", "extension", "trailer"],
)
def test_a_body_sent_byte_by_byte_times_out(begun: bytes, byte: bytes, service: Service) -> None:
    with unharmed(service), lasting(READ_BODY), connect(service.url) as connection:
        send(connection, POST + begun)
        response = assert_timeout(drip(connection, byte))
        assert response.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("byte", [b"", b"a"], ids=["stalls", "comes byte by byte"])
def test_an_unread_body_does_not_keep_its_connection_open(byte: bytes, service: Service) -> None:
    with unharmed(service), lasting(UNREAD_BODY), connect(service.url) as connection:
        send(connection, GET + LENGTH)
        assert receive_response(connection).status == 200
        assert drip(connection, byte) == []


@pytest.mark.parametrize("last", [b"\r\n", b"content-length: 4\r\n\r\n"], ids=["head", "body"])
def test_an_idle_connection_is_closed_at_its_limit_and_not_before(
    last: bytes, service: Service
) -> None:
    def ask_and_idle(connection: socket.socket) -> None:
        send(connection, GET + last)
        assert receive_response(connection).status == 200
        if last != b"\r\n":
            send(connection, b"body")  # unread: the response came before it

    with unharmed(service), connect(service.url) as connection:
        ask_and_idle(connection)
        time.sleep(KEEP_ALIVE / 4)
        with lasting(KEEP_ALIVE):
            ask_and_idle(connection)
            assert receive_all(connection) == b""


def memory(service: Service) -> int:
    return psutil.Process(service.process.pid).memory_info().rss


def open_files(service: Service) -> int:
    return psutil.Process(service.process.pid).num_fds()


def connections(service: Service) -> int:
    """Return the number of clients; connections to the database are no TCP connections here."""
    found = psutil.Process(service.process.pid).net_connections("tcp")
    return sum(connection.status != psutil.CONN_LISTEN for connection in found)


@contextmanager
def watching_memory(service: Service) -> Generator[list[int]]:
    """Sample the memory of the service during the block; yield the samples."""
    samples = [memory(service)]
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.02):
            samples.append(memory(service))

    with ThreadPoolExecutor() as executor:
        executor.submit(watch)
        try:
            yield samples
        finally:
            is_over.set()


def test_a_client_that_reads_nothing_is_disconnected_and_its_memory_freed(
    service: Service,
) -> None:
    path = "/docs/assets/redoc.js"
    whole = len(httpx.get(service.url + path, timeout=TIMEOUT_SECONDS).content)
    with unharmed(service), watching_memory(service) as samples:
        eventually(lambda: connections(service) == 0)
        with lasting(STALL):
            clients = [connect(service.url, receive_buffer=4096) for _ in range(30)]
            for client in clients:
                # More than the buffers of the kernel, which take some MB.
                send(client, f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode() * 10)
            assert all(is_readable(client, TIMEOUT_SECONDS) for client in clients)
            eventually(lambda: connections(service) == 0, STALL + MARGIN)
        for client in clients:
            assert len(receive_all(client)) < 10 * whole
            client.close()
    assert max(samples) < samples[0] + 60 * MEGABYTE
    assert memory(service) < samples[0] + 30 * MEGABYTE


LARGE = b"GET /large HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


def test_a_client_that_does_not_read_its_last_response_is_disconnected(service: Service) -> None:
    with unharmed(service):
        eventually(lambda: connections(service) == 0)
        before = memory(service)
        with lasting(STALL):
            clients = [connect(service.url, receive_buffer=4096) for _ in range(3)]
            for client in clients:
                send(client, LARGE)
            assert all(is_readable(client, TIMEOUT_SECONDS) for client in clients)
            eventually(lambda: connections(service) == 0, STALL + MARGIN)
        for client in clients:
            client.close()
    eventually(lambda: memory(service) < before + 30 * MEGABYTE)


def test_a_slow_reader_gets_its_whole_response(service: Service) -> None:
    with unharmed(service), lasting(2 * STALL), connect(service.url, 65536) as connection:
        send(connection, LARGE)
        data = bytearray()
        while piece := connection.recv(65536):
            data += piece
            time.sleep(2 * STALL * len(piece) / (16 * MEGABYTE))
        assert [len(response.body) for response in parse_responses(bytes(data))] == [16 * MEGABYTE]


def test_many_slow_clients_do_not_delay_others(default_service: Service) -> None:
    slow = [
        b"",
        b"GET / HT",
        POST + LENGTH + b"half",
        GET + LENGTH,
        POST + CHUNKED + b"0\r\na: ",
        b"GET /docs/assets/redoc.js HTTP/1.1\r\nhost: localhost\r\n\r\n" * 10,
    ]
    with (
        unharmed(default_service),
        httpx.Client(base_url=default_service.url, timeout=TIMEOUT_SECONDS) as client,
    ):
        clients = [connect(default_service.url, receive_buffer=4096) for _ in range(300)]
        for number, connection in enumerate(clients):
            send(connection, slow[number % len(slow)])
        seconds: list[float] = []
        for path in ["/api/health", "/hold?seconds=0", "/docs", "/metrics"] * 25:
            response = client.get(path)
            assert response.status_code == 200
            seconds.append(response.elapsed.total_seconds())
        assert_in_time(sorted(seconds)[len(seconds) // 2], 0.5)
        for connection in clients:
            connection.close()


def test_many_pipelined_requests_take_little_memory(default_service: Service) -> None:
    with unharmed(default_service), watching_memory(default_service) as samples:
        clients = [connect(default_service.url) for _ in range(20)]
        for client in clients:
            client.setblocking(False)
            with suppress(BlockingIOError):
                client.send(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n" * 8000)
        response = httpx.get(f"{default_service.url}/api/health/live", timeout=TIMEOUT_SECONDS)
        assert response.status_code == 200
        for client in clients:
            client.close()
    assert max(samples) < samples[0] + 100 * MEGABYTE


@pytest.mark.parametrize("route", [b"POST /echo", b"GET /api/health/live"])
@pytest.mark.parametrize("trailer", [b"a: b\r\n" * 10_000, b"a" * 60_000], ids=["many", "large"])
def test_endless_trailers_take_little_memory(
    route: bytes, trailer: bytes, default_service: Service
) -> None:
    with (
        unharmed(default_service),
        watching_memory(default_service) as samples,
        connect(default_service.url) as connection,
        suppress(ConnectionError),
    ):
        send(
            connection, route + b" HTTP/1.1\r\nhost: localhost\r\n" + CHUNKED + b"0\r\na: b\r\nc: "
        )
        for _ in range(500):
            connection.sendall(trailer)
    assert max(samples) < samples[0] + 30 * MEGABYTE


def figures(service: Service, *names: str) -> list[float]:
    text = httpx.get(f"{service.url}/metrics", timeout=TIMEOUT_SECONDS).text
    found = [re.search(rf"^{re.escape(name)} (.*)$", text, re.MULTILINE) for name in names]
    return [float(match[1]) for match in found if match]


POOL_NAME = 'db_client_connection_pool_name="main"'
BUSY = (
    f'db_client_connections{{{POOL_NAME},db_client_connection_state="used"}}',
    f"db_client_connection_pending_requests{{{POOL_NAME}}}",
    "http_server_active_requests",
)

HOLD = b"GET /hold?seconds=0.01 HTTP/1.1\r\nhost: localhost\r\n\r\n"

# What a client sends before it hangs up, and whether it reads a part of the response first.
HANG_UPS = [
    (b"GET /hold?seconds=0 HT", False),
    (b"POST /store HTTP/1.1\r\nhost: localhost\r\n" + LENGTH + b"half", False),
    (b"POST /store HTTP/1.1\r\nhost: localhost\r\n" + CHUNKED + b"5\r\nhalf", False),
    (HOLD, False),
    (HOLD * 2, False),
    (HOLD + b"not HTTP\r\n\r\n", False),
    (HOLD + POST + CHUNKED + b"not a chunk\r\n", False),
    (b"GET /docs/assets/redoc.js HTTP/1.1\r\nhost: localhost\r\n\r\n" * 10, True),
    (b"GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n", True),
    (b"GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n", False),
]


def hang_up(service: Service, number: int, *, together: int = 200) -> None:
    """Have `number` clients hang up in the middle, `together` at a time."""
    url = service.url
    for first in range(0, number, together):
        clients: list[tuple[socket.socket, bool]] = []
        for nth in range(first, first + together):
            data, reads = HANG_UPS[nth % len(HANG_UPS)]
            client = connect(url, receive_buffer=4096)
            send(client, data)
            clients.append((client, reads))
        for nth, (client, reads) in enumerate(clients):
            if reads:
                with suppress(ConnectionError):
                    client.recv(1000)
            if nth // len(HANG_UPS) % 2:  # by a reset, as of a killed process
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()


def test_clients_that_hang_up_leak_nothing(default_service: Service, database: str) -> None:
    hang_up(default_service, 600)
    eventually(lambda: figures(default_service, *BUSY) == [0, 0, 1], TIMEOUT_SECONDS)
    hold_all(default_service, database)
    files, taken = open_files(default_service), memory(default_service)
    with unharmed(default_service):
        hang_up(default_service, 5000)
        eventually(lambda: figures(default_service, *BUSY) == [0, 0, 1], TIMEOUT_SECONDS)
        hold_all(default_service, database)
        eventually(lambda: open_files(default_service) <= files)
    assert memory(default_service) < taken + 20 * MEGABYTE
    assert_no_logged_error(default_service)


def hold_all(service: Service, database: str) -> None:
    """Check that all connections of the pool can run a statement at the same time."""
    query = """
        select count(*) from pg_stat_activity
        where query ~ 'pg_sleep' and pid <> pg_backend_pid() and datname = current_database()
          and state = 'active'
    """
    with ThreadPoolExecutor(POOL) as executor:
        path = f"{service.url}/hold?seconds=1"
        held = [executor.submit(httpx.get, path, timeout=TIMEOUT_SECONDS) for _ in range(POOL)]
        eventually(lambda: run_sql(database, query) == [(POOL,)], TIMEOUT_SECONDS)
    assert [response.result().text for response in held] == ["held"] * POOL


# --- malformed requests


async def echo(request: Request) -> JSONResponse:
    return JSONResponse({"bytes": len(await request.body())})


async def take_down(request: Request) -> JSONResponse:
    return JSONResponse(await request.state["database"].fetch_value("select pg_sleep(0)"))


async def list_headers(request: Request) -> JSONResponse:
    await request.body()
    return JSONResponse(request.headers.keys())


ROUTES = [
    Route("/echo", echo, methods=["POST"]),
    Route("/database", take_down),
    Route("/headers", list_headers, methods=["POST"]),
]
LIFECYCLE = {"database_chosen", "listening", "stopping", "stopped"}


@pytest.fixture
def client(database: str) -> Iterator[httpx.Client]:
    with serving(database, *ROUTES) as client:
        yield client


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nbroken header\r\n\r\n",
        b"\x16\x03\x01 this is TLS\r\n\r\n",
        b"GET /caf\xe9 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
    ],
)
def test_malformed_http_gets_a_problem_document(request_: bytes, client: httpx.Client) -> None:
    head, _, body = send_raw(client, request_).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Content-Type: application/problem+json" in head
    assert b"Connection: close" in head
    assert json.loads(body)["status"] == 400


def test_a_malformed_chunk_gets_a_problem_document(client: httpx.Client) -> None:
    request = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n"
    assert send_raw(client, request).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_trailers_are_no_headers_of_the_request(client: httpx.Client) -> None:
    head = b"POST /headers HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n" + CHUNKED
    received = exchange(str(client.base_url), head + b"0\r\nx-trailer: 1\r\n\r\n")
    (response,) = parse_responses(received)
    assert json.loads(response.body) == ["host", "connection", "transfer-encoding"]


def test_endless_headers_are_refused(client: httpx.Client) -> None:
    endless = b"x: " + b"a" * 8000 + b"\r\n"
    response = send_raw(
        client, b"GET /api/health/live HTTP/1.1\r\nhost: localhost\r\n", *[endless] * 9
    )
    assert response.startswith(b"HTTP/1.1 431 ")
    assert client.get("/api/health/live").status_code == 200


@pytest.mark.parametrize("large", [b"GET /%b HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nx: %b\r\n"])
def test_a_complete_head_that_is_too_large_is_refused(large: bytes, client: httpx.Client) -> None:
    request = large % (b"a" * 65_537) + b"content-length: 4\r\n\r\nbody"
    head, _, body = send_raw(client, request).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert json.loads(body)["status"] == 431
    request = large % (b"a" * 65_000) + b"content-length: 4\r\n\r\nbody"
    assert not send_raw(client, request).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "bad", [b"not http\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"a" * 65_537 + b"\r\n\r\n"]
)
def test_complete_requests_before_a_malformed_one_get_responses(
    bad: bytes, client: httpx.Client
) -> None:
    body = b"content-length: 4\r\n\r\nbody"
    good = b"GET /api/health/live HTTP/1.1\r\nhost: localhost\r\n"
    request = (
        good + body + b"POST /echo HTTP/1.1\r\nhost: localhost\r\n" + body + good + b"\r\n" + bad
    )
    parts = urlsplit(str(client.base_url))
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(request)
        responses = b"".join(iter(lambda: connection.recv(65536), b""))
    assert responses.count(b"HTTP/1.1 200 OK\r\n") == responses.count(b"HTTP/1.1 ") == 3
    assert responses.count(b"connection: close") == 1


def test_a_refusal_is_not_sent_in_place_of_an_earlier_response(client: httpx.Client) -> None:
    before = b"POST /database HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"
    bad = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n"
    assert not send_raw(client, before + bad).startswith(b"HTTP/1.1 400 ")


def test_the_heads_of_many_requests_on_a_connection_do_not_add_up(
    client: httpx.Client,
) -> None:
    for _ in range(200):
        response = client.get("/api/health/live", headers={"x": "a" * 1000})
        assert response.status_code == 200


def test_malformed_http_is_one_log_line(
    database: str, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=database)
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(b"not http\r\n\r\n")
        body = connection.recv(65536).partition(b"\r\n\r\n")[2]
    service.process.terminate()
    assert service.wait() == 0
    lines = [entry for entry in service.entries() if entry["message"] not in LIFECYCLE]
    assert [line["message"] for line in lines] == ["request_refused"]
    assert lines[0]["request_id"] == json.loads(body)["request_id"]


@pytest.mark.parametrize(
    "path", ["/%00", "/%ff", "/api/health%2f..", "/" + "a" * 20_000, "//a", "/api//health", "/%"]
)
def test_a_strange_path_is_a_client_error(path: str, client: httpx.Client) -> None:
    response = send_raw(
        client, f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
    )
    assert response.split()[1] in {b"400", b"404"}
    assert client.get("/api/health").status_code == 200
