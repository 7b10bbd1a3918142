"""The history of a source: what the past versions of its files said, compared with its record."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from service.bmad.past_facts import read_facts
from service.bmad.past_record import PastCommit, PastVersion, compare_commits
from service.documents.text import Unreadable, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from service.bmad.past_facts import Facts
    from service.bmad.past_record import ComparedCommits, Record
    from service.git.history import FileChange, History
    from service.git.objects import Blobs
    from service.git.repository import GitRepository


class ReadVersions(NamedTuple):
    """What the commits of a history changed; `skipped` counts the versions that cannot be read.

    The files of those say what they said before.
    """

    compared: ComparedCommits
    skipped: int


async def read_versions(
    repository: GitRepository,
    url: str,
    history: History,
    record: Record,
    stored: Mapping[str, str],
) -> ReadVersions:
    """Fetch the past versions of a history's files, and compare them with the record.

    `stored` has the ids of the contents that the run stores, by path. Those are not read, and come
    only beside older ones: what they say comes when the documents are parsed.
    """
    current = _find_current(history, stored)
    versions = history.list_versions(lambda change: current.get(change.path) is not change)
    blobs = await repository.fetch_versions(url, versions)
    reader = _VersionReader(blobs, current)
    try:
        return await asyncio.to_thread(reader.read, history, record)
    finally:
        reader.stopping.set()  # a thread does not end with its task


def _find_current(history: History, stored: Mapping[str, str]) -> dict[str, FileChange]:
    """Return the last change of each file whose content after it is the stored one, by path."""
    last = {change.path: change for commit in history.commits for change in commit.changes}
    return {
        path: change
        for path, change in last.items()
        if change.after is not None and stored.get(path) == change.after
    }


class _VersionReader:
    def __init__(self, blobs: Blobs, current: Mapping[str, FileChange]) -> None:
        self.stopping = threading.Event()
        self._blobs = blobs
        self._current = current
        self._skipped = 0

    def read(self, history: History, record: Record) -> ReadVersions:
        compared = compare_commits(
            record,
            self._read_commits(history),
            history.base,
            is_cut=history.is_cut,
            now=datetime.now(UTC),
        )
        return ReadVersions(compared, self._skipped)

    def _read_commits(self, history: History) -> Iterator[PastCommit]:
        for commit in history.commits:
            if self.stopping.is_set():
                return
            versions = [self._read_version(change) for change in commit.changes]
            yield PastCommit(commit.id, _date(commit.seconds), versions)

    def _read_version(self, change: FileChange) -> PastVersion:
        path, blob_id = change.path, change.after
        if self._current.get(path) is change:
            return PastVersion(path, blob_id, None, is_current=True)
        return PastVersion(path, blob_id, self._read_facts(path, blob_id))

    def _read_facts(self, path: str, blob_id: str | None) -> Facts | None:
        if blob_id is None:
            return {}
        if blob_id not in self._blobs.sizes:
            self._skipped += 1
            return None
        try:
            text = read_text(self._blobs.read(blob_id)).text
        except Unreadable:
            return {}  # it is no document
        return read_facts(path, text)


def _date(seconds: int | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
