"""Responses whose body is sent in pieces, each when the client has read most of those before."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Final

import orjson
from starlette.responses import Response

from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from concurrent.futures import Executor

    from starlette.types import Message, Receive, Scope, Send

# Bytes that are sent at once. uvicorn waits before a piece until the connection has fewer unsent.
PIECE: Final = 64 * 1024


class PieceResponse(Response):
    """A response whose body is `pieces`, of `length` bytes together; None if that is not known.

    Each piece is made in a thread of `threads`, or here without them. A fault on the way ends the
    connection, so that the client sees an incomplete body. The rest is not made for a client that
    disconnects, and nothing for HEAD.
    """

    def __init__(
        self,
        pieces: Iterator[bytes],
        length: int | None,
        *,
        threads: Executor | None = None,
        media_type: str | None = None,
        headers: Mapping[str, str],
    ) -> None:
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        known = {} if length is None else {"Content-Length": str(length)}
        self.init_headers({**headers, **known})
        self._pieces = pieces
        self._threads = threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response (ASGI)."""
        await send(
            {"type": "http.response.start", "status": 200, "headers": list(self.raw_headers)}
        )
        if scope["method"] == "HEAD":
            await send(_body(b"", more=True))  # so that the headers are those of GET
            await send(_body(b"", more=False))
            return
        watching = asyncio.create_task(_is_disconnected(receive))
        try:
            while (piece := await self._next_piece()) is not None:
                if watching.done() and watching.result():
                    return
                await send(_body(piece, more=True))
        finally:
            watching.cancel()
        await send(_body(b"", more=False))

    async def _next_piece(self) -> bytes | None:
        if self._threads is None:
            return next(self._pieces, None)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, next, self._pieces, None)


def _body(piece: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": more}


async def _is_disconnected(receive: Receive) -> bool:
    """Return True when the client has disconnected; False for a body that is refused meanwhile."""
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    except Problem:  # BodyLimit's; the response is under way
        return False
    return True


def cut(body: bytes) -> Generator[bytes]:
    """Yield the pieces of a body."""
    for start in range(0, len(body), PIECE):
        yield body[start : start + PIECE]


def escape_in_pieces(text: bytes) -> Generator[bytes]:
    """Yield the inside of a JSON string with a text, given in UTF-8: up to six bytes for each."""
    start = 0
    while start < len(text):
        end = min(start + PIECE, len(text))
        while end < len(text) and text[end] & 0xC0 == 0x80:  # not within a character
            end -= 1
        yield orjson.dumps(text[start:end].decode())[1:-1]
        start = end


def count_some(pieces: Iterator[bytes]) -> int:
    """Return the bytes of the next pieces, 0 after the last; few, so that other work gets on."""
    return sum(map(len, islice(pieces, 16)))


async def send_in_pieces(send: Send, message: Message) -> None:
    """Send a part of a body in pieces."""
    body, more = message["body"], message.get("more_body", False)
    for start in range(0, len(body), PIECE):
        end = start + PIECE
        await send({**message, "body": body[start:end], "more_body": more or end < len(body)})
