"""A git server whose responses never come to an end, or take git very long to read.

    with endless_git_server("keep-alives") as server:
        git ls-remote {server.url}

Each of SLOW sends a few bytes at a time for as long as the client listens, each of BOMBS a small
pack that is very large when it is unpacked.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import socket
import threading
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

COMMIT = b"1" * 40
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
LENGTH = re.compile(rb"content-length: ([0-9]+)", re.IGNORECASE)


def packet(line: bytes) -> bytes:
    """Return a pkt-line (gitprotocol-common)."""
    return b"%04x%b" % (len(line) + 4, line)


def respond(kind: bytes, *packets: bytes) -> bytes:
    """Return a response without an end, whose length is unknown, or the beginning of one."""
    return b"%bContent-Type: application/x-git-upload-pack-%b\r\n\r\n%b" % (
        OK,
        kind,
        b"".join(packets),
    )


SERVICE = packet(b"# service=git-upload-pack\n") + b"0000"
CAPABILITIES = respond(
    b"advertisement",
    SERVICE,
    packet(b"version 2\n"),
    packet(b"ls-refs=unborn\n"),
    packet(b"fetch=shallow filter\n"),
    packet(b"object-format=sha1\n"),
    b"0000",
)
REFS = respond(
    b"result",
    packet(b"%b HEAD symref-target:refs/heads/main\n" % COMMIT),
    packet(b"%b refs/heads/main\n" % COMMIT),
    b"0000",
)
PACKFILE = packet(b"packfile\n")
# A pack whose first object is a blob of 100 MB, deflated without compression.
PACK = b"PACK\0\0\0\2\0\0\0\1" + b"\xb0\xc2\xd7\x2f" + b"\x78\x01"
BLOCK = b"\0\xff\xff\0\0" + bytes(65535)


def endless(line: bytes) -> Iterator[bytes]:
    """Yield `line` for ever, with a number in place of its %d."""
    return (line % number if b"%" in line else line for number in itertools.count())


def ref_lines() -> Iterator[bytes]:
    return (packet(b"%040x refs/heads/x%d\n" % (n + 1, n)) for n in itertools.count())


def deflated(piece: int) -> Iterator[bytes]:
    """Yield the contents of a pack, in sideband packets of `piece` bytes."""
    blocks = itertools.chain(PACK, itertools.chain.from_iterable(itertools.repeat(BLOCK)))
    while True:
        yield packet(b"\1" + bytes(itertools.islice(blocks, piece)))


def object_head(kind: int, size: int) -> bytes:
    """Return the head of an object in a pack (gitformat-pack)."""
    data = bytes([kind << 4 | size & 15])
    size >>= 4
    while size:
        data = data[:-1] + bytes([data[-1] | 128, size & 127])
        size >>= 7
    return data


def varint(number: int) -> bytes:
    """Return a size in a delta."""
    data = b""
    while number > 127:
        data += bytes([number & 127 | 128])
        number >>= 7
    return data + bytes([number])


def sideband(pack: bytes) -> Iterator[bytes]:
    for start in range(0, len(pack), 60_000):
        yield packet(b"\1" + pack[start : start + 60_000])
    yield b"0000"


MEGABYTE = 1 << 20


def zlib_bomb() -> Iterator[bytes]:
    """Yield the pack of a blob of 250 GB of zeros, in as many bytes as git may fetch by default."""
    compressor = zlib.compressobj(9)
    begun = compressor.compress(bytes(MEGABYTE)) + compressor.flush(zlib.Z_FULL_FLUSH)
    megabyte = compressor.compress(bytes(MEGABYTE)) + compressor.flush(zlib.Z_FULL_FLUSH)
    yield packet(b"\1PACK\0\0\0\2\0\0\0\1" + object_head(3, 250 << 30) + begun)
    yield from itertools.repeat(packet(b"\1" + 50 * megabyte), 5_000)


def delta_bomb(deltas: int = 5_000) -> bytes:
    """Return a pack of about 200 KB: a blob, and deltas that make 64 MB of it each."""
    base = object_head(3, MEGABYTE) + zlib.compress(bytes(MEGABYTE))
    pack = b"PACK\0\0\0\2" + (deltas + 1).to_bytes(4, "big") + base
    start = len(pack) - len(base)
    pieces = [pack]
    at = len(pack)
    for number in range(deltas):
        copies = b"\xc0\x10" * 64  # each copies 1 MB from the beginning
        delta = varint(MEGABYTE) + varint(64 * MEGABYTE + 4) + copies
        delta += b"\4" + number.to_bytes(4, "big")
        offset, distance = b"", at - start
        offset = bytes([distance & 127])
        while distance := distance >> 7:
            distance -= 1
            offset = bytes([distance & 127 | 128]) + offset
        pieces.append(object_head(6, len(delta)) + offset + zlib.compress(delta, 9))
        at += len(pieces[-1])
    whole = b"".join(pieces)
    return whole + hashlib.sha1(whole).digest()


@dataclass
class Script:
    """What the server sends: a whole response, and after it, if any, an endless one."""

    # By a text in the request, the first that fits counts.
    responses: dict[bytes, tuple[bytes, Iterable[bytes]]]


def _scripts(piece: int) -> dict[str, Script]:
    """Return the script of each kind, with pieces of about this many bytes."""
    filler = b"x" * max(1, piece - 20)
    begun = {b"GET": (CAPABILITIES, ()), b"command=ls-refs": (REFS, ())}

    def fetch(beginning: bytes, rest: Iterable[bytes]) -> Script:
        return Script({**begun, b"command=fetch": (respond(b"result", beginning), rest)})

    return {
        # Nothing, not even a handshake of TLS.
        "silence": Script({}),
        "headers": Script({b"GET": (OK, endless(b"X-%d: " + filler[:20] + b"\r\n"))}),
        "redirect": Script(
            {b"GET": (b"HTTP/1.1 301 Moved\r\nLocation: https://", endless(filler))}
        ),
        "capabilities": Script(
            {
                b"GET": (
                    respond(b"advertisement", SERVICE, packet(b"version 2\n")),
                    endless(packet(b"x=" + filler)),
                )
            }
        ),
        "refs": Script(
            {b"GET": (CAPABILITIES, ()), b"command=ls-refs": (respond(b"result"), ref_lines())}
        ),
        "shallow commits": fetch(
            packet(b"shallow-info\n"),
            (packet(b"shallow %040x\n" % n) for n in itertools.count(1)),
        ),
        "keep-alives": fetch(PACKFILE, endless(packet(b"\1"))),
        "progress": fetch(PACKFILE, endless(packet(b"\2" + filler + b"\n"))),
        "a pack": fetch(PACKFILE, deflated(piece)),
        "zlib bomb": fetch(PACKFILE, zlib_bomb()),
        "delta bomb": fetch(PACKFILE, sideband(delta_bomb())),
        "a proxy": Script({b"CONNECT": (b"HTTP/1.1 200 Established\r\n", endless(b"X-%d: y\r\n"))}),
    }


BOMBS = ("zlib bomb", "delta bomb")
SLOW = tuple(kind for kind in _scripts(1) if kind not in BOMBS)


@dataclass
class EndlessGitServer:
    """Sends `piece` bytes each `seconds`, about 1,001 bytes/s by default; 0 is full speed."""

    kind: str
    piece: int = 1001
    seconds: float = 1.0
    connections: int = 0
    _socket: socket.socket = field(default_factory=socket.socket)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    @property
    def address(self) -> str:
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    @property
    def url(self) -> str:
        """The base of its URLs. Only for `a proxy` and TLS another scheme is of use."""
        return f"http://{self.address}"

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._stopping.is_set():
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        script = _scripts(self.piece)[self.kind]
        with connection, suppress(OSError):
            if not script.responses:
                self._stopping.wait()
                return
            request = self._receive(connection)
            begun, rest = next(
                response for text, response in script.responses.items() if text in request
            )
            connection.sendall(begun)
            sent = self.piece
            for data in rest:
                while self.seconds and sent >= self.piece:
                    if self._stopping.wait(self.seconds):
                        return
                    sent -= self.piece
                connection.sendall(data)
                sent += len(data)

    def _receive(self, connection: socket.socket) -> bytes:
        request = b""
        while True:
            head, end, body = request.partition(b"\r\n\r\n")
            length = LENGTH.search(head)
            if end and len(body) >= int(length[1] if length else 0):
                return request
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionResetError
            request += piece


@contextmanager
def endless_git_server(
    kind: str, *, piece: int = 1001, seconds: float = 1.0
) -> Generator[EndlessGitServer]:
    server = EndlessGitServer(kind, piece, seconds)
    server.start()
    try:
        yield server
    finally:
        server.stop()
