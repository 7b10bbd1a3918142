"""Compression of responses with gzip, chosen by `Accept-Encoding` (RFC 9110, section 12.5.3).

Only gzip: every client and proxy takes it, and zstd needs a library before Python 3.14. A body that
held both a secret and a text of the client's choice would give the secret away by its compressed
length (BREACH); no response of this service holds a secret.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import anyio
import anyio.to_thread
from starlette.responses import Response

from service.web.entity_tags import not_modified, read_entity_tags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A smaller body fits into one packet, compressed or not.
SHORTEST: Final = 1400

# Compressing more takes longer than handing it to a thread, and would hold up other requests.
LONGEST_AT_ONCE: Final = 16_000
THREADS: Final = 4

# zlib's levels: a tree of 2.5 MB takes 19 ms at level 4 and 96 ms at level 9, for 2% fewer bytes.
LEVEL: Final = 4
LEVEL_ONCE: Final = 9  # for what is compressed once and kept

TEXT: Final = re.compile(rb"text/|application/(json|[\w.-]+\+json|yaml|xml|javascript)(;|$)")

# RFC 9110, section 12.4.2.
WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")

VARY: Final = (b"vary", b"Accept-Encoding")


class Accepted(NamedTuple):
    """What `Accept-Encoding` says: whether to compress, and whether even a small body."""

    prefers_gzip: bool
    refuses_identity: bool


NOTHING_ASKED: Final = Accepted(prefers_gzip=False, refuses_identity=False)


@lru_cache(maxsize=64)
def read_accepted(value: str) -> Accepted:
    """Return what the header's value asks for.

    A client that accepts neither gzip nor an uncompressed body gets the latter: the header may be
    disregarded (RFC 9110, section 12.1), and an error would help nobody.
    """
    weights: dict[str, float] = {}
    for element in value.lower().split(","):
        coding, *parameters = (part.strip() for part in element.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, number = parameter.partition("=")
            if name.strip() == "q":
                number = number.strip()
                weight = float(number) if WEIGHT.fullmatch(number) else 0.0
        # x-gzip is another name of gzip (section 8.4.1.3).
        weights["gzip" if coding == "x-gzip" else coding] = weight
    any_other = weights.get("*")
    of_gzip = weights.get("gzip", any_other or 0.0)
    of_identity = weights.get("identity", any_other)
    is_accepted = of_gzip > 0
    return Accepted(
        # An identity without a weight of its own is acceptable, but not asked for.
        prefers_gzip=is_accepted and of_gzip >= weights.get("identity", 0.0),
        refuses_identity=is_accepted and of_identity == 0,
    )


def _accepted(scope: Scope) -> Accepted:
    if b"accept-encoding" not in scope["state"]["headers"]:
        return NOTHING_ASKED
    lines = [value for name, value in scope["headers"] if name == b"accept-encoding"]
    return read_accepted(b",".join(lines).decode("latin-1"))


class Compression:
    """Compress bodies that are text and large; mark what depends on `Accept-Encoding`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        # Of its own, so that many large bodies leave threads to others.
        self._limiter = anyio.CapacityLimiter(THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start: Message | None = None

        async def send_compressed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message  # its headers depend on the body
                return
            if start is not None:
                first, start = start, None
                # The parts of a body that comes in several could not be compressed alike.
                if not message.get("more_body", False):
                    body = message.get("body", b"")
                    if len(body) >= SHORTEST or (body and _accepted(scope).refuses_identity):
                        first, message = await self._compress(scope, first, message)
                    else:
                        first = _vary_if_tagged(first)
                await send(first)
            await send(message)

        await self.app(scope, receive, send_compressed)

    async def _compress(
        self, scope: Scope, start: Message, message: Message
    ) -> tuple[Message, Message]:
        body = message["body"]
        headers = dict(start["headers"])
        if b"content-encoding" in headers or not TEXT.match(headers.get(b"content-type", b"")):
            return _vary_if_tagged(start), message
        accepted = _accepted(scope)
        if not (accepted.prefers_gzip or accepted.refuses_identity):
            return {**start, "headers": [*start["headers"], VARY]}, message
        if len(body) > LONGEST_AT_ONCE:
            body = await anyio.to_thread.run_sync(_gzip, body, LEVEL, limiter=self._limiter)
        else:
            body = _gzip(body, LEVEL)
        changed = [_compressed_header(name, value, body) for name, value in start["headers"]]
        changed += [(b"content-encoding", b"gzip"), VARY]
        # Copies: a route may send the same response again.
        return {**start, "headers": changed}, {**message, "body": body}


def _vary_if_tagged(start: Message) -> Message:
    # What has a tag has a 304, which cannot know whether its 200 is compressed, and has to have the
    # same Vary (RFC 9110, section 15.4.5).
    for name, _ in start["headers"]:
        if name == b"etag":
            return {**start, "headers": [*start["headers"], VARY]}
    return start


def _compressed_header(name: bytes, value: bytes, body: bytes) -> tuple[bytes, bytes]:
    if name == b"content-length":
        return name, str(len(body)).encode()
    if name == b"etag" and value.startswith(b'"'):
        # A strong tag identifies bytes, and these are others (RFC 9110, section 8.8.3.3).
        return name, b'%b-gzip"' % value[:-1]
    return name, value


def _gzip(body: bytes, level: int) -> bytes:
    return gzip.compress(body, level, mtime=0)  # without the time, so that equal bodies stay equal


class KeptContent(NamedTuple):
    """A content that is compressed once and kept, with its entity tag."""

    content: bytes
    compressed: bytes
    tag: str

    @classmethod
    def of(cls, content: bytes) -> KeptContent:
        """Compress a content, which takes up to a second: call it in a thread."""
        tag = hashlib.sha256(content).hexdigest()[:40]
        return cls(content, _gzip(content, LEVEL_ONCE), tag)

    def respond(
        self, request: Request[Any], media_type: str, headers: Mapping[str, str]
    ) -> Response:
        """Return the response with the content, or a 304 if the client has it; without Vary."""
        matched = read_entity_tags(request).match(self.tag)
        if matched is not None:
            return not_modified(matched, headers)
        accepted = _accepted(request.scope)
        is_large = len(self.content) >= SHORTEST
        if not ((accepted.prefers_gzip and is_large) or accepted.refuses_identity):
            headers = {**headers, "ETag": f'"{self.tag}"'}
            return Response(self.content, media_type=media_type, headers=headers)
        headers = {
            **headers,
            "ETag": f'"{self.tag}-gzip"',
            "Content-Encoding": "gzip",
        }
        return Response(self.compressed, media_type=media_type, headers=headers)
