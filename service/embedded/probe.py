"""A minimal PostgreSQL client, to find out whether the embedded server is ready.

It speaks PostgreSQL's protocol ("Message Flow" in the manual), since importing a driver or starting
psql would take longer than all other steps of joining a running server.
"""

import socket
import struct
from pathlib import Path
from typing import NamedTuple

PORT = 5432
SOCKET = f".s.PGSQL.{PORT}"
SUPERUSER = "postgres"
# SQLSTATEs, from appendix A of PostgreSQL's manual.
SUCCESS = "00000"
UNKNOWN_DATABASE = "3D000"
TOO_MANY_CONNECTIONS = "53300"
STARTING_OR_STOPPING = "57P03"
NO_REPLY = ""

_PROTOCOL = 3 << 16
_CONNECT_SECONDS = 5
_STATEMENT_SECONDS = 60


class Reply(NamedTuple):
    """The server's reply: an SQLSTATE, or NO_REPLY, and the message of an error."""

    code: str
    message: str = ""


def ask(folder: Path, database: str, statement: str | None = None) -> Reply:
    """Connect by the socket in `folder`, run the statement if there is one, and disconnect.

    Returns the first error, SUCCESS without any, NO_REPLY if no server listens. Never raises
    OSError.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_STATEMENT_SECONDS if statement else _CONNECT_SECONDS)
            connection.connect(str(folder / SOCKET))
            return _converse(connection, database, statement)
    except OSError:  # usual while a server starts: the caller tries again
        return Reply(NO_REPLY)


def _converse(connection: socket.socket, database: str, statement: str | None) -> Reply:
    startup = struct.pack("!i", _PROTOCOL) + f"user\0{SUPERUSER}\0database\0{database}\0\0".encode()
    connection.sendall(_with_length(startup))
    with connection.makefile("rb") as stream:
        while len(header := stream.read(5)) == 5:  # fewer from a server that was killed
            kind, length = struct.unpack("!ci", header)
            body = stream.read(length - 4)
            if len(body) < length - 4:
                break
            if kind == b"E":
                texts = body.decode(errors="replace").split("\0")
                fields = {text[:1]: text[1:] for text in texts}
                return Reply(fields["C"], fields["M"])
            if kind == b"Z" and statement is None:  # ready for a query, but there is none
                connection.sendall(b"X" + _with_length(b""))
                return Reply(SUCCESS)
            if kind == b"Z":
                connection.sendall(b"Q" + _with_length(f"{statement}\0".encode()))
                statement = None
    return Reply(NO_REPLY)


def _with_length(body: bytes) -> bytes:
    return struct.pack("!i", len(body) + 4) + body
