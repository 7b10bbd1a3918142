"""Parts that are encoded and compressed once, and sent among other texts."""

from __future__ import annotations

import asyncio
import gzip
import random
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from service.problems import Problem
from service.web.kept_parts import KeptPart, respond_with_parts
from service.web.large_bodies import RELEASES, WHOLE, LargeBodies, release_all
from service.web.pieces import PIECE, PieceResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response
    from starlette.types import Message, Scope

RANDOM = random.Random(7)
SIZES = (0, 1, 100, 3 * PIECE + 7)


def noise(size: int) -> bytes:
    return bytes(RANDOM.choices(b"abcdef <>&\n\xc3\xa9", k=size))


def scope_of(large_bodies: LargeBodies, accept: bytes) -> Scope:
    headers = {b"accept-encoding": accept}
    return {
        "type": "http",
        "method": "GET",
        "headers": [*headers.items()],
        "client": ("192.0.2.1", 1),
        "state": {"headers": headers, "large_bodies": large_bodies},
    }


def respond(scope: Scope, texts: Sequence[bytes], parts: Sequence[KeptPart]) -> Response:
    return respond_with_parts(Request(scope), texts, parts, "text/html", {}, "tag")


def send(scope: Scope, response: Response) -> list[Message]:
    """Return the messages that the response sends."""
    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return await asyncio.get_running_loop().create_future()

    async def run() -> None:
        await response(scope, receive, keep)

    asyncio.run(run())
    return sent


def headers_of(messages: Sequence[Message]) -> dict[bytes, bytes]:
    return dict(messages[0]["headers"])


def body_of(messages: Sequence[Message]) -> bytes:
    return b"".join(message["body"] for message in messages[1:])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("around", [0, 10, 5_000])
def test_the_parts_stand_between_the_texts_compressed_or_not(size: int, around: int) -> None:
    contents = [noise(size // 3), noise(size)]
    parts = [KeptPart.of(content) for content in contents]
    texts = [noise(around) for _ in range(3)]
    whole = texts[0] + contents[0] + texts[1] + contents[1] + texts[2]
    for accept, tag in ((b"identity", b'"tag"'), (b"gzip", b'"tag-gzip"')):
        scope = scope_of(LargeBodies(), accept)
        messages = send(scope, respond(scope, texts, parts))
        body, headers = body_of(messages), headers_of(messages)
        assert headers[b"content-length"] == str(len(body)).encode()
        assert headers[b"etag"] == tag
        # gzip checks the length and the checksum.
        assert (gzip.decompress(body) if accept == b"gzip" else body) == whole


def test_a_part_is_sent_as_it_was_compressed_when_it_was_made() -> None:
    part = KeptPart.of(noise(100_000))
    scope = scope_of(LargeBodies(), b"gzip")
    marked = part._replace(deflated=b"what no compressor writes" * 4_000)
    assert marked.deflated in body_of(send(scope, respond(scope, [b"a", b"b"], [marked])))


def test_a_large_body_is_sent_in_pieces_and_takes_room_once_for_all_requests() -> None:
    large_bodies = LargeBodies()
    part = KeptPart.of(noise(5 * WHOLE))
    scopes = [scope_of(large_bodies, b"identity") for _ in range(3)]
    for scope in scopes:
        response = respond(scope, [b"a", b"b"], [part])
        assert isinstance(response, PieceResponse)
        assert max(len(message["body"]) for message in send(scope, response)[1:]) <= PIECE
        assert large_bodies.room.size - large_bodies.room.free == len(part.content)

    async def end() -> None:
        for scope in scopes[:2]:
            release_all(scope)
        assert large_bodies.room.free < large_bodies.room.size
        async with large_bodies:
            release_all(scopes[2])
        assert large_bodies.room.free == large_bodies.room.size

    asyncio.run(end())


def test_each_part_takes_room_though_another_was_where_it_is_in_memory() -> None:
    large_bodies = LargeBodies()
    for number in range(1, 4):
        # Of the first ones nothing holds the content any more, as when others are kept instead.
        part = KeptPart.of(bytes(5 * WHOLE))
        respond(scope_of(large_bodies, b"gzip"), [noise(2 * WHOLE), b"b"], [part])
        assert large_bodies.room.size - large_bodies.room.free == number * len(part.content)
        del part


def test_without_room_a_large_body_is_refused_and_a_small_one_is_sent() -> None:
    large_bodies = LargeBodies()
    large_bodies.room.free = 1_000
    scope = scope_of(large_bodies, b"identity")
    with pytest.raises(Problem, match="large responses"):
        respond(scope, [b"a", b"b"], [KeptPart.of(noise(2 * WHOLE))])
    assert RELEASES not in scope["state"]
    small: Any = respond(scope, [b"a", b"b"], [KeptPart.of(noise(1_500))])
    assert len(small.body) == 1_502
