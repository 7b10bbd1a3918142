"""Compression of responses with gzip, chosen by `Accept-Encoding` (RFC 9110, section 12.5.3).

Only gzip: every client and proxy takes it, and zstd needs a library before Python 3.14. A body that
held both a secret and a text of the client's choice would give the secret away by its compressed
length (BREACH); no response of this service holds a secret.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.responses import Response

from service.web.entity_tags import not_modified, read_entity_tags
from service.web.pieces import PIECE, PieceResponse, cut

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor
    from typing import TypeAlias

    from starlette.requests import Request
    from starlette.types import Message, Scope

    RawHeaders: TypeAlias = list[tuple[bytes, bytes]]

# A smaller body fits into one packet, compressed or not.
SHORTEST: Final = 1400

# Compressing more takes longer than handing it to a thread, and would hold up other requests.
LONGEST_AT_ONCE: Final = 16_000
THREADS: Final = 4

# zlib's levels: a tree of 2.5 MB takes 19 ms at level 4 and 96 ms at level 9, for 2% fewer bytes.
LEVEL: Final = 4
LEVEL_ONCE: Final = 9  # for what is compressed once and kept

GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS  # zlib writes gzip's header and trailer

TEXT: Final = re.compile(
    rb"text/|application/(json|[\w.-]+\+(json|xml)|yaml|xml|javascript)(;|$)|image/svg\+xml"
)

# RFC 9110, section 12.4.2.
WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")

VARY_ENCODING: Final = (b"vary", b"Accept-Encoding")


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


def read_accepted_of(scope: Scope) -> Accepted:
    """Return what the headers `Accept-Encoding` of a request ask for, together."""
    if b"accept-encoding" not in scope["state"]["headers"]:
        return NOTHING_ASKED
    lines = [value for name, value in scope["headers"] if name == b"accept-encoding"]
    return read_accepted(b",".join(lines).decode("latin-1"))


def depends_on_encoding(asked: Mapping[bytes, bytes], message: Message) -> bool:
    """Return whether `Accept-Encoding` can change a response: False for probes, at little cost.

    `asked` has the request's headers; `message` has the first part of the body.
    """
    # The header can refuse even a small body that is not compressed.
    return (
        b"accept-encoding" in asked
        or len(message.get("body", b"")) >= SHORTEST
        or message.get("more_body", False)
    )


def vary_if_tagged(headers: RawHeaders) -> RawHeaders:
    """Return the headers, with Vary if they have a tag.

    What has a tag has a 304, which cannot know whether its 200 is compressed, and has to have the
    same Vary (RFC 9110, section 15.4.5).
    """
    return [*headers, VARY_ENCODING] if b"etag" in dict(headers) else headers


class Compression:
    """Compresses bodies that are text and large, and marks what depends on `Accept-Encoding`."""

    def __init__(self) -> None:
        # Of its own, so that many large bodies leave threads to others. It starts them when needed.
        self._threads = ThreadPoolExecutor(THREADS, "compression")

    async def apply(
        self, scope: Scope, headers: RawHeaders, message: Message
    ) -> tuple[RawHeaders, Message, GzipStream | None]:
        """Return the headers and the first body message to send instead of those given.

        Those are not changed: a route may send the same response again. With the GzipStream that is
        returned for a body in several parts, each later message is to be compressed.
        """
        body = message.get("body", b"")
        has_more = message.get("more_body", False)
        accepted = read_accepted_of(scope)
        is_small = len(body) < SHORTEST and not (body and accepted.refuses_identity)
        if (is_small and not has_more) or not _is_text(headers):
            return vary_if_tagged(headers), message, None
        if not (accepted.prefers_gzip or accepted.refuses_identity):
            return [*headers, VARY_ENCODING], message, None
        if has_more:
            stream = GzipStream(self._threads)
            message = await stream.compress(message)
            return _compressed_headers(headers, None), message, stream
        if len(body) > LONGEST_AT_ONCE:
            loop = asyncio.get_running_loop()
            body = await loop.run_in_executor(self._threads, _gzip, body, LEVEL)
        else:
            body = _gzip(body, LEVEL)
        return _compressed_headers(headers, len(body)), {**message, "body": body}, None


class GzipStream:
    """Compresses a body that is sent in several parts, each when it comes."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP_FORMAT)

    async def compress(self, message: Message) -> Message:
        """Return the message with what there is to send of its part, which may be nothing yet."""
        body, is_last = message.get("body", b""), not message.get("more_body", False)
        if len(body) > LONGEST_AT_ONCE:
            loop = asyncio.get_running_loop()
            body = await loop.run_in_executor(self._threads, self._compressor.compress, body)
        else:
            body = self._compressor.compress(body)
        if is_last:
            body += self._compressor.flush()
        return {**message, "body": body}


def _is_text(headers: RawHeaders) -> bool:
    named = dict(headers)
    is_encoded = b"content-encoding" in named
    return not is_encoded and TEXT.match(named.get(b"content-type", b"")) is not None


def _compressed_headers(headers: RawHeaders, length: int | None) -> RawHeaders:
    changed: RawHeaders = []
    for name, value in headers:
        if name == b"etag" and value.startswith(b'"'):
            # A strong tag identifies bytes, and these are others (RFC 9110, section 8.8.3.3).
            changed.append((name, b'%b-gzip"' % value[:-1]))
        elif name != b"content-length":
            changed.append((name, value))
        elif length is not None:
            changed.append((name, str(length).encode()))
    return [*changed, (b"content-encoding", b"gzip"), VARY_ENCODING]


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
        accepted = read_accepted_of(request.scope)
        is_large = len(self.content) >= SHORTEST
        if not ((accepted.prefers_gzip and is_large) or accepted.refuses_identity):
            headers = {**headers, "ETag": f'"{self.tag}"'}
            return _respond_with(self.content, media_type, headers)
        headers = {
            **headers,
            "ETag": f'"{self.tag}-gzip"',
            "Content-Encoding": "gzip",
        }
        return _respond_with(self.compressed, media_type, headers)


def _respond_with(content: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    if len(content) <= PIECE:
        return Response(content, media_type=media_type, headers=headers)
    # In pieces: it takes no room (see large_bodies), since all clients share it.
    return PieceResponse(cut(content), len(content), media_type=media_type, headers=headers)
