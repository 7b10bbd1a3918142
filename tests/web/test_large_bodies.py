from __future__ import annotations

import asyncio
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from service.memory import trim_memory
from service.problems import Problem
from service.web import large_bodies
from service.web.large_bodies import MADE_AT_ONCE, WHOLE
from service.web.room import (
    GRACE_SECONDS,
    LOWEST_SPEED,
    LOWEST_SPEED_OF_HALF,
    ReadingPace,
    Room,
)
from tests.support.problems import assert_problem
from tests.support.service import serving
from tests.support.waiting import eventually
from tests.support.wire import connect

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    import httpx
    from starlette.types import Message

    from service.state import Request
    from service.web.room import Share

SHORT, LONG = 0.01, 10.0  # seconds
ROOM = 8_000_000


async def take(room: Room, size: int, order: list[int] | None = None) -> Share:
    share = await room.take(size, LONG)
    if order is not None:
        order.append(size)
    return share


def test_shares_come_in_the_order_in_which_they_were_asked_for() -> None:
    async def run() -> None:
        room, order = Room(10), list[int]()
        first = await room.take(8, LONG)
        # The last one would fit at once, but would let the larger one wait for ever.
        waiting = [asyncio.create_task(take(room, size, order)) for size in (9, 1, 2)]
        await asyncio.sleep(0)
        assert (order, room.free) == ([], 2)
        first.release()
        await asyncio.gather(*waiting[:2])
        assert (order, room.free) == ([9, 1], 0)
        waiting[0].result().release()
        (await waiting[2]).release()
        waiting[1].result().release()
        assert (order, room.free) == ([9, 1, 2], 10)

    asyncio.run(run())


def test_a_share_larger_than_the_room_gets_all_of_it() -> None:
    async def run() -> None:
        room = Room(10)
        share = await room.take(100, LONG)
        assert (share.size, room.free) == (10, 0)
        share.shrink(4)
        share.shrink(7)  # no more than it has
        assert (share.size, room.free) == (4, 6)
        share.release()
        share.release()
        assert room.free == 10

    asyncio.run(run())


def test_without_room_in_time_there_is_a_problem_and_the_next_ones_get_their_turn() -> None:
    async def run() -> None:
        room = Room(10)
        share = await room.take(5, LONG)
        late = asyncio.create_task(room.take(6, SHORT))
        cancelled = asyncio.create_task(room.take(9, LONG))
        await asyncio.sleep(0)
        next_one = asyncio.create_task(room.take(5, LONG))
        with pytest.raises(Problem) as error:
            await late
        assert error.value.status == 503
        assert not next_one.done()
        cancelled.cancel()
        (await next_one).release()
        with pytest.raises(Problem):
            room.take_now(6)
        room.take_now(5).release()
        share.release()
        assert room.free == 10

    asyncio.run(run())


def test_only_a_client_that_reads_slowly_on_average_after_a_while_is_slow() -> None:
    async def send(_: Message) -> None:
        pass

    async def run() -> None:
        reading = ReadingPace()
        started = time.monotonic()
        assert not reading.is_slow(0, started + 1000, LOWEST_SPEED)  # nothing was sent yet
        sent = 20 * LOWEST_SPEED
        await reading.sending(send)({"type": "http.response.body", "body": bytes(sent)})
        for seconds, unread, expected in [
            (GRACE_SECONDS - 1, sent, False),
            (GRACE_SECONDS + 2, sent, True),
            (GRACE_SECONDS + 2, sent // 2, True),
            (GRACE_SECONDS + 2, sent // 4, False),
            (GRACE_SECONDS + 2, 0, False),
            (25, 0, True),
        ]:
            assert reading.is_slow(unread, started + seconds, LOWEST_SPEED) is expected, seconds
        assert reading.is_slow(0, started + 25, LOWEST_SPEED // 2) is False

    asyncio.run(run())


def test_an_address_that_holds_more_than_half_of_the_room_has_to_read_faster() -> None:
    async def run() -> None:
        room = Room(10)
        assert LOWEST_SPEED < LOWEST_SPEED_OF_HALF
        shares = [room.take_now(3, "192.0.2.1"), await room.take(2, LONG, "192.0.2.1")]
        other = room.take_now(3, "192.0.2.2")
        assert room.lowest_speed("192.0.2.1") == LOWEST_SPEED
        shares.append(room.take_now(2, "192.0.2.1"))
        assert room.lowest_speed("192.0.2.1") == LOWEST_SPEED_OF_HALF
        for address in ("192.0.2.2", "192.0.2.3"):
            assert room.lowest_speed(address) == LOWEST_SPEED
        # Of one that waits for its turn, too.
        waiting = asyncio.create_task(room.take(6, LONG, "192.0.2.2"))
        await asyncio.sleep(0)
        shares[0].shrink(1)
        assert room.lowest_speed("192.0.2.1") == LOWEST_SPEED
        assert not waiting.done()
        shares[1].release()
        shares[2].release()
        share = await waiting
        assert room.lowest_speed("192.0.2.2") == LOWEST_SPEED_OF_HALF
        for each in (*shares, other, share):
            each.release()
        assert (room.free, room.held) == (10, {})

    asyncio.run(run())


def test_an_empty_room_is_told_each_time() -> None:
    async def run() -> None:
        emptied: list[int] = []
        room = Room(10, lambda: emptied.append(room.free))
        shares = [room.take_now(4), room.take_now(4)]
        shares[0].release()
        assert emptied == []
        shares[1].release()
        assert emptied == [10]
        room.take_now(10).release()
        assert emptied == [10, 10]

    asyncio.run(run())


def test_free_memory_is_returned_where_the_library_can() -> None:
    blocks = [bytes(100_000) for _ in range(500)]
    del blocks[1::2]
    assert trim_memory() == (platform.libc_ver()[0] == "glibc")


def test_turns_that_end_while_they_come_lose_no_room() -> None:
    async def run() -> None:
        room = Room(10)
        share = await room.take(10, LONG)
        tasks = [asyncio.create_task(room.take(5, LONG)) for _ in range(4)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # before its turn
        share.release()
        tasks[1].cancel()  # after its turn came, before it runs
        found = await asyncio.gather(*tasks, return_exceptions=True)
        for each in found:
            if not isinstance(each, BaseException):
                each.release()
        assert room.free == 10

    asyncio.run(run())


# --- over HTTP

EVENTS: dict[str, asyncio.Event] = {}
ASKED: list[str] = []
MADE: list[str] = []
CLOSED: list[str] = []


async def whole(request: Request) -> Response:
    return PlainTextResponse("x" * int(request.query_params["size"]))


async def free(request: Request) -> Response:
    room = request.state["large_bodies"].room
    return PlainTextResponse(f"{room.free} {room.waiting}")


async def used(request: Request) -> Response:
    """Respond with a body of a key, when it may be made."""
    key = request.query_params["key"]
    ASKED.append(key)

    async def make(share: Share) -> str:
        MADE.append(key)
        await EVENTS.setdefault(key, asyncio.Event()).wait()
        if key == "fault":
            raise Problem("conflict", "a fault")
        share.shrink(1000)
        return f"body {len(MADE)}"

    try:
        body = await request.state["large_bodies"].use(
            request.scope, key, 1_000_000, make, CLOSED.append
        )
    except Problem:
        if "is_long" in request.query_params:
            await EVENTS.setdefault("end", asyncio.Event()).wait()
        raise
    return PlainTextResponse(body)


async def finish(request: Request) -> Response:
    EVENTS.setdefault(request.query_params["key"], asyncio.Event()).set()
    return Response()


@pytest.fixture
def client(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setattr(large_bodies, "ROOM", ROOM)
    for found in (EVENTS, ASKED, MADE, CLOSED):
        found.clear()
    functions = (whole, free, used, finish)
    routes = [Route(f"/{function.__name__}", function) for function in functions]
    with serving(database, *routes) as client:
        yield client


def room_of(client: httpx.Client) -> int:
    return int(client.get("/free").text.split()[0])


def ask(client: httpx.Client, path: str) -> socket.socket:
    """Send a request, and read nothing of the response."""
    connection = connect(str(client.base_url), receive_buffer=65536)
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    return connection


def test_an_unread_response_takes_room_until_it_is_read_or_its_client_is_gone(
    client: httpx.Client,
) -> None:
    size = 7_000_000
    with ExitStack() as stack:
        unread = stack.enter_context(ask(client, f"/whole?size={size}"))
        eventually(lambda: room_of(client) == ROOM - size)
        problem = client.get(f"/whole?size={size}")
        assert_problem(problem, 503)
        assert problem.headers["retry-after"]
        # Smaller ones have room, and small ones need none; neither does HEAD.
        assert len(client.get("/whole?size=900000").content) == 900_000
        assert client.head(f"/whole?size={size}").status_code == 200
        assert client.get("/api/health").status_code == 200
        unread.close()
        eventually(lambda: room_of(client) == ROOM)
        read = stack.enter_context(ask(client, f"/whole?size={size}"))
        eventually(lambda: room_of(client) == ROOM - size)
        received = 0
        while received < size:
            received += len(read.recv(1_000_000))
        eventually(lambda: room_of(client) == ROOM)


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
def test_a_body_on_either_side_of_the_limit_arrives_whole(
    client: httpx.Client, accepted: str
) -> None:
    for size in (WHOLE - 1, WHOLE, WHOLE + 1, 2 * WHOLE, 2 * WHOLE + 1, 5_000_001):
        path = f"/whole?size={size}"
        assert len(client.get(path, headers={"Accept-Encoding": accepted}).content) == size
    eventually(lambda: room_of(client) == ROOM)


def test_a_body_is_made_once_for_all_who_ask_at_the_same_time(
    client: httpx.Client, together: Callable[..., list[Any]]
) -> None:
    with ThreadPoolExecutor(1) as one:
        responses = one.submit(together, 8, lambda: client.get("/used?key=a").text)
        eventually(lambda: ASKED == ["a"] * 8 and room_of(client) == ROOM - 1_000_000)
        other = one.submit(client.get, "/used?key=b")
        client.get("/finish?key=a")
        assert responses.result() == ["body 1"] * 8
        client.get("/finish?key=b")
        assert other.result().text == "body 2"
    eventually(lambda: room_of(client) == ROOM)
    assert CLOSED == ["body 1", "body 2"]
    # Nobody uses it any more, so it is made again.
    assert client.get("/used?key=a").text == "body 3"


def test_a_fault_reaches_all_who_wait_and_the_next_one_tries_again(
    client: httpx.Client, together: Callable[..., list[Any]]
) -> None:
    with ThreadPoolExecutor(1) as one:
        responses = one.submit(together, 4, lambda: client.get("/used?key=fault").status_code)
        eventually(lambda: MADE == ["fault"])
        client.get("/finish?key=fault")
        assert responses.result() == [409] * 4
    assert client.get("/used?key=fault").status_code == 409
    assert len(MADE) >= 2
    eventually(lambda: room_of(client) == ROOM)
    assert CLOSED == []


def test_a_fault_is_not_kept_while_a_request_that_got_it_has_not_ended(
    client: httpx.Client,
) -> None:
    with ThreadPoolExecutor(1) as one:
        client.get("/finish?key=fault")
        long = one.submit(client.get, "/used?key=fault&is_long")
        eventually(lambda: MADE == ["fault"])
        assert client.get("/used?key=fault").status_code == 409
        assert MADE == ["fault"] * 2
        client.get("/finish?key=end")
        assert long.result().status_code == 409
    eventually(lambda: room_of(client) == ROOM)


def test_two_bodies_are_made_at_the_same_time_and_the_others_wait(client: httpx.Client) -> None:
    keys = ["a", "b", "c", "d"]
    with ThreadPoolExecutor(4) as threads:
        responses = [threads.submit(client.get, f"/used?key={key}") for key in keys]
        eventually(lambda: sorted(ASKED) == keys and len(MADE) == MADE_AT_ONCE)
        time.sleep(0.3)  # the others would begin
        assert len(MADE) == MADE_AT_ONCE
        for made in range(MADE_AT_ONCE, len(keys)):
            client.get(f"/finish?key={MADE[made - MADE_AT_ONCE]}")
            eventually(lambda made=made: len(MADE) == made + 1)
        for key in keys:
            client.get(f"/finish?key={key}")
        assert {response.result().status_code for response in responses} == {200}
    eventually(lambda: room_of(client) == ROOM)
