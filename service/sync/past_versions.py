"""The history of a source: past versions of its files, read into a record and its stories."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from service.bmad.past_facts import Facts, read_facts
from service.bmad.past_record import PastCommit, PastVersion, extend_record, join_records
from service.bmad.past_stories import replay
from service.documents.text import Unreadable, read_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from service.bmad.past_record import Extension, Record
    from service.bmad.past_stories import PastStories
    from service.git.history import FileChange, History
    from service.git.objects import Blobs
    from service.git.repository import GitRepository


class ReadPast(NamedTuple):
    """What a run has to change in the record, and the stories of the record after that.

    `skipped` counts the versions that cannot be read: those files say what they said before.
    """

    extension: Extension
    stories: PastStories
    skipped: int


async def read_past(
    repository: GitRepository,
    url: str,
    history: History,
    record: Record,
    known: Mapping[tuple[str, str], Facts],
    sprint_keys: Collection[str] = (),
) -> ReadPast:
    """Fetch the past versions of a history, read them, and add them to the record.

    `known` has the facts of files that were read already, by path and id of content.
    """
    ids = [
        change.after
        for commit in reversed(history.commits)
        for change in commit.changes
        if change.after is not None and (change.path, change.after) not in known
    ]
    blobs = await repository.fetch_versions(url, ids)
    reader = _VersionReader(blobs, known, sprint_keys)
    try:
        return await asyncio.to_thread(reader.read, history, record)
    finally:
        reader.stopping.set()  # a thread does not end with its task


class _VersionReader:
    def __init__(
        self, blobs: Blobs, known: Mapping[tuple[str, str], Facts], sprint_keys: Collection[str]
    ) -> None:
        self.stopping = threading.Event()
        self._blobs = blobs
        self._known = known
        self._sprint_keys = sprint_keys
        self._skipped = 0

    def read(self, history: History, record: Record) -> ReadPast:
        extension = extend_record(
            record,
            self._read_commits(history),
            history.base,
            is_cut=history.is_cut,
            now=datetime.now(UTC),
        )
        stories = replay(join_records(record, extension))
        return ReadPast(extension, stories, self._skipped)

    def _read_commits(self, history: History) -> Iterator[PastCommit]:
        for commit in history.commits:
            if self.stopping.is_set():
                return
            versions = [
                PastVersion(change.path, change.after, self._read_facts(change))
                for change in commit.changes
            ]
            yield PastCommit(commit.id, _date(commit.seconds), versions)

    def _read_facts(self, change: FileChange) -> Facts | None:
        if change.after is None:
            return {}
        known = self._known.get((change.path, change.after))
        if known is not None:
            return known
        if change.after in self._blobs.sizes:
            try:
                text = read_text(self._blobs.read(change.after)).text
            except Unreadable:
                return {}  # it is no document
            return read_facts(change.path, text, self._sprint_keys)
        self._skipped += 1
        return None


def _date(seconds: int | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
