"""The skipped files of a run: their number, and the first of them, with the reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.characters import json_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

# The most skipped files that a run's row lists, and the most bytes of that list as JSON, in which
# a control character of a path takes six. 1,000 files with paths of 150 bytes fit.
SKIPPED_FILES_KEPT: Final = 1000
SKIPPED_BYTES_KEPT: Final = 256_000

# The bytes of a file's JSON besides the texts: names, quotes, and git's id of a content.
_FRAME_BYTES: Final = 100


class SkippedFile(NamedTuple):
    """A file that is not stored, and the reason.

    `blob_id` is None unless the content is the reason. A later run skips the same content for the
    same reason without reading it.
    """

    path: str
    reason: str
    blob_id: str | None


class SkippedFiles:
    """The number of a run's skipped files, and the first of them, as many as a run's row lists."""

    def __init__(self, files: Iterable[SkippedFile] = (), total: int | None = None) -> None:
        """Add the files; `total` is their number, if it is larger than that of these files."""
        self.files: list[SkippedFile] = []
        self.total = 0
        self._bytes = 0
        for file in files:
            self.add(file)
        if total is not None:
            self.total = total

    @property
    def has_room(self) -> bool:
        """Whether the list takes another file, if that is not too long."""
        return len(self.files) == self.total and len(self.files) < SKIPPED_FILES_KEPT

    def add(self, file: SkippedFile) -> None:
        """Count a file, and list it unless one before it did not fit into the list."""
        if self.has_room:
            self._bytes += json_bytes(file.path) + json_bytes(file.reason) + _FRAME_BYTES
            if self._bytes <= SKIPPED_BYTES_KEPT:
                self.files.append(file)
        self.total += 1

    def add_all(self, others: SkippedFiles) -> None:
        """Add the files of another run's part, listed or not."""
        total = self.total + others.total
        for file in others.files:
            self.add(file)
        self.total = total

    def reasons(self) -> dict[str, str]:
        """Return the reason of each content that was skipped, by git's id of the content."""
        return {file.blob_id: file.reason for file in self.files if file.blob_id}
