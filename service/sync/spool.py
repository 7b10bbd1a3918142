"""A temporary file for bytes that a run has read and not yet written."""

from __future__ import annotations

from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from service.git.errors import machine_error
from service.temporary import temporary_parent

if TYPE_CHECKING:
    from typing import Self

# Bytes that the spool holds in memory before it becomes a file.
SPOOLED_IN_MEMORY: Final = 4_000_000


class SpoolPlace(NamedTuple):
    """Where the spool has some bytes."""

    start: int
    size: int


class Spool:
    """Bytes at places, until the end of its `with`. `keep` and `read` raise GitMachineError."""

    def __init__(self, file: IO[bytes]) -> None:
        """Take over an empty file."""
        self._file = file
        self._size = 0
        self._is_at_end = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # On a full disk, closing fails as well, and would replace the error that says so.
        with suppress(OSError):
            self._file.close()

    def keep(self, content: bytes) -> SpoolPlace:
        """Append some bytes."""
        try:
            if not self._is_at_end:  # seeking would write what is buffered
                self._file.seek(self._size)
                self._is_at_end = True
            self._file.write(content)
        except OSError as error:
            raise machine_error(error) from error
        place = SpoolPlace(self._size, len(content))
        self._size += len(content)
        return place

    def read(self, place: SpoolPlace) -> bytes:
        """Return the bytes at a place."""
        self._is_at_end = False
        try:
            self._file.seek(place.start)  # writes what is buffered
            return self._file.read(place.size)
        except OSError as error:
            raise machine_error(error) from error


def open_spool() -> Spool:
    """Return an empty spool in the temporary folder."""
    return Spool(SpooledTemporaryFile(SPOOLED_IN_MEMORY, dir=str(temporary_parent())))
