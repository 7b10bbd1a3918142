"""Clients that read large responses slowly, where others need their room."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import repeat
from threading import Event
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.routes.test_large_documents import ask, insert_large
from tests.server.test_protocol import ATTACKABLE
from tests.support.git_server import git_server
from tests.support.hub import Hub, hub_variables
from tests.support.service import run_service
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

MIB = 1024 * 1024

# The room has three large documents, or one response of /large.
SIZE = 6 * MIB
LIMITS = (
    f"service.web.large_bodies.ROOM={20 * MIB}",
    "service.web.room.GRACE_SECONDS=0.5",
)


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Iterator[Hub]:
    with git_server(tmp_path / "repositories") as server:
        variables = hub_variables(tmp_path, server)
        with (
            run_service(
                tmp_path / "log", *ATTACKABLE, *LIMITS, DATABASE_URL=database, **variables
            ) as service,
            httpx.Client(base_url=service.url, timeout=60) as client,
        ):
            yield Hub(client, server, database)


@contextmanager
def dripping(
    hub: Hub, *paths: str, size: int = 200, clients: Iterable[str] = repeat("127.0.0.1")
) -> Generator[None]:
    """Read responses a little at a time until the block ends: `size` bytes 50 times a second."""
    ended = Event()

    def read(path: str, client: str, has_begun: Event) -> None:
        with ask(hub, path, client) as connection, suppress(ConnectionError):
            while connection.recv(size) and not ended.wait(0.02):
                has_begun.set()

    begun = [Event() for _ in paths]
    with ThreadPoolExecutor(len(paths)) as threads, ExitStack() as stack:
        stack.callback(ended.set)
        for each in zip(paths, clients, begun, strict=False):
            threads.submit(read, *each)
        assert all(each.wait(30) for each in begun)
        yield


def count_cut(folder: Path) -> int:
    """Return how many clients were cut off, as far as the log's thread has written it."""
    return (folder / "log").read_text().count("client_too_slow")


def test_readers_that_drip_are_served_until_others_wait_for_room(hub: Hub, tmp_path: Path) -> None:
    paths = insert_large(hub, 4, SIZE)
    with dripping(hub, *paths[:3], paths[0]):
        time.sleep(4)
        assert count_cut(tmp_path) == 0
        assert hub.client.get(paths[3]).status_code == 200
        eventually(lambda: count_cut(tmp_path) > 0)


def test_readers_that_drip_give_way_to_a_response_that_could_not_wait(hub: Hub) -> None:
    with dripping(hub, "/large"):
        assert hub.client.get("/large").status_code == 503
        eventually(lambda: hub.client.get("/large").status_code == 200)


def test_an_address_that_holds_most_of_the_room_gives_way_to_another(
    hub: Hub, tmp_path: Path
) -> None:
    paths = insert_large(hub, 4, SIZE)
    # About 500 KB/s each, which is not too slow for an address with less.
    with (
        dripping(hub, *paths[:3], size=10_000),
        httpx.Client(
            base_url=hub.client.base_url,
            timeout=60,
            transport=httpx.HTTPTransport(local_address="127.0.0.2"),
        ) as other,
    ):
        time.sleep(2)
        assert count_cut(tmp_path) == 0
        assert other.get(paths[3]).status_code == 200
        eventually(lambda: count_cut(tmp_path) > 0)


@pytest.mark.parametrize(
    ("clients", "are_cut"),
    [(["192.0.2.1"] * 3, True), (["192.0.2.1", "192.0.2.2", "2001:db8::3"], False)],
)
def test_behind_a_trusted_proxy_the_address_is_that_of_the_client(
    hub: Hub, tmp_path: Path, clients: list[str], are_cut: bool
) -> None:
    paths = insert_large(hub, 4, SIZE)
    with ThreadPoolExecutor(1) as threads:
        with dripping(hub, *paths[:3], size=10_000, clients=clients):
            other = threads.submit(hub.client.get, paths[3])
            if are_cut:
                eventually(lambda: count_cut(tmp_path) > 0)
            else:
                time.sleep(3)
                assert count_cut(tmp_path) == 0
        assert other.result().status_code == 200
