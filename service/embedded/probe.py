"""What the embedded PostgreSQL is asked at a start: does it answer, has it our database.

It speaks the protocol itself ("Message Flow" in PostgreSQL's manual): starting psql or a driver
would take longer than everything else that joining a running server needs.
"""

import socket
import struct
from pathlib import Path
from typing import NamedTuple

PORT = 5432
SOCKET = f".s.PGSQL.{PORT}"
USER = "postgres"
# Appendix A of PostgreSQL's manual lists these.
SUCCESS = "00000"
UNKNOWN_DATABASE = "3D000"
TOO_MANY_CONNECTIONS = "53300"
STARTING_OR_STOPPING = "57P03"
NO_ANSWER = ""

_PROTOCOL = 3 << 16
_CONNECT_SECONDS = 5
_STATEMENT_SECONDS = 60


class Answer(NamedTuple):
    """What the server said: an SQLSTATE, or NO_ANSWER, and the message of an error."""

    code: str
    message: str = ""


def ask(folder: Path, database: str, statement: str | None = None) -> Answer:
    """Connect by the socket in `folder`, run the statement if there is one, and disconnect.

    Returns the first error, SUCCESS without any, NO_ANSWER if nobody listens; raises nothing.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_STATEMENT_SECONDS if statement else _CONNECT_SECONDS)
            connection.connect(str(folder / SOCKET))
            return _converse(connection, database, statement)
    except OSError:  # the usual state of a server that is just starting: the caller asks again
        return Answer(NO_ANSWER)


def _converse(connection: socket.socket, database: str, statement: str | None) -> Answer:
    startup = struct.pack("!i", _PROTOCOL) + f"user\0{USER}\0database\0{database}\0\0".encode()
    connection.sendall(_with_length(startup))
    with connection.makefile("rb") as stream:
        while header := stream.read(5):
            kind, length = struct.unpack("!ci", header)
            body = stream.read(length - 4)
            if kind == b"E":
                fields = {field[:1]: field[1:].decode() for field in body.split(b"\0")}
                return Answer(fields[b"C"], fields[b"M"])
            if kind == b"Z" and statement is None:  # ready for a query, and there is none
                connection.sendall(b"X" + _with_length(b""))
                return Answer(SUCCESS)
            if kind == b"Z":
                connection.sendall(b"Q" + _with_length(f"{statement}\0".encode()))
                statement = None
    return Answer(NO_ANSWER)


def _with_length(body: bytes) -> bytes:
    return struct.pack("!i", len(body) + 4) + body
