"""Parts of bodies that are encoded and compressed once, and sent among other text many times.

A page of 2 MB costs its sender no more than the few KB around its kept part, whose bytes are the
same in each response. With gzip too: the blocks of DEFLATE can be joined where each part ends with
a full flush, after which nothing refers to what stands before (zlib's manual, Z_FULL_FLUSH); and
the CRC-32 of the whole follows from those of its parts.
"""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from starlette.responses import Response

from service.web.compression import LEVEL, read_accepted_of
from service.web.large_bodies import WHOLE
from service.web.pieces import PieceResponse, cut

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from starlette.requests import Request

    from service.web.large_bodies import LargeBodies

# RFC 1952, section 2.3: gzip, DEFLATE, no flags, no time, no extra flags, an unknown system.
GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
CRC_BITS: Final = 32
LARGEST_NUMBER: Final = 0xFFFFFFFF


class KeptPart(NamedTuple):
    """A part of a body: its bytes, the same as DEFLATE's blocks, and its checksum.

    `shifts` has for each bit of a checksum before the part what that bit changes in the one after.
    """

    content: bytes
    deflated: bytes
    crc: int
    shifts: Sequence[int]

    @classmethod
    def of(cls, content: bytes) -> KeptPart:
        """Compress a part, which takes 0.1 s for 2 MB: call it in a thread."""
        crc = zlib.crc32(content)
        # CRC-32 is linear: the checksum from any start is that from 0, xor what its bits change.
        shifts = [zlib.crc32(content, 1 << bit) ^ crc for bit in range(CRC_BITS)]
        return cls(content, _deflate(_compressor(), content), crc, shifts)

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return sys.getsizeof(self.content) + sys.getsizeof(self.deflated) + CRC_BITS * 40

    def add_to_crc(self, before: int) -> int:
        """Return the checksum of what has the checksum `before`, followed by this part."""
        crc = self.crc
        for bit in range(CRC_BITS):
            if before >> bit & 1:
                crc ^= self.shifts[bit]
        return crc


def respond_with_parts(
    request: Request[Any],
    texts: Sequence[bytes],
    parts: Sequence[KeptPart],
    media_type: str,
    headers: Mapping[str, str],
    tag: str,
) -> Response:
    """Return the response whose body has the parts between the texts, which are small.

    A large body is sent in pieces, and takes room once for all requests that have the same part.
    """
    accepted = read_accepted_of(request.scope)
    if accepted.prefers_gzip or accepted.refuses_identity:
        body = _gzip(texts, parts)
        headers = {**headers, "ETag": f'"{tag}-gzip"', "Content-Encoding": "gzip"}
    else:
        body = _alternate(texts, [part.content for part in parts])
        headers = {**headers, "ETag": f'"{tag}"'}
    length = sum(map(len, body))
    if length <= WHOLE:
        return Response(b"".join(body), media_type=media_type, headers=headers)
    large_bodies = cast("LargeBodies", request.scope["state"]["large_bodies"])
    for part in parts:
        large_bodies.share(request.scope, part.content)
    return PieceResponse(_cut_all(body), length, media_type=media_type, headers=headers)


def _alternate(texts: Sequence[bytes], parts: Sequence[bytes]) -> list[bytes]:
    body = [texts[0]]
    for part, text in zip(parts, texts[1:], strict=True):
        body += (part, text)
    return body


def _gzip(texts: Sequence[bytes], parts: Sequence[KeptPart]) -> list[bytes]:
    compressor = _compressor()
    deflated = [_deflate(compressor, text) for text in texts]
    crc = zlib.crc32(texts[0])
    for part, text in zip(parts, texts[1:], strict=True):
        crc = zlib.crc32(text, part.add_to_crc(crc))
    length = sum(map(len, texts)) + sum(len(part.content) for part in parts)
    end = b"".join(
        (
            compressor.flush(),
            crc.to_bytes(4, "little"),
            (length & LARGEST_NUMBER).to_bytes(4, "little"),
        )
    )
    return [GZIP_HEADER, *_alternate(deflated, [part.deflated for part in parts]), end]


def _compressor() -> Any:
    return zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)


def _deflate(compressor: Any, text: bytes) -> bytes:
    return compressor.compress(text) + compressor.flush(zlib.Z_FULL_FLUSH)


def _cut_all(body: Sequence[bytes]) -> Generator[bytes]:
    for part in body:
        yield from cut(part)
