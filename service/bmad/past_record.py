"""The record of a source's history: what the commits of its branch changed in what files say.

It is stored as it is, and past_stories.py makes the burn-up of it. A run reads the commits after
the newest one that it knows, and adds them; of a branch that was set back it removes some before.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from service.bmad.past_facts import Fact, Facts

# By path and item: the fact, and the id of a story's content.
_State = defaultdict[str, dict[str, tuple[Fact, str | None]]]


class PastVersion(NamedTuple):
    """A file that a commit changed: its content's id, None if it is gone, and its facts.

    The facts are None where the content cannot be read: then the file says what it said before.
    """

    path: str
    blob_id: str | None
    facts: Facts | None


class PastCommit(NamedTuple):
    """A commit, its date, None if it has none, and the files that it changed."""

    id: str
    date: datetime | None
    versions: Sequence[PastVersion]


class CommitRow(NamedTuple):
    """A commit of the record. With `is_cut`, what is new in it may be older than it."""

    position: int
    commit: str
    date: datetime
    is_cut: bool


class FactRow(NamedTuple):
    """A fact that a commit changed, None if it is gone.

    `blob_id` is that of the content of a story or a plan.
    """

    position: int
    path: str
    item: str
    fact: Fact | None
    blob_id: str | None


class Record(NamedTuple):
    """Commits and facts in the order of their positions."""

    commits: list[CommitRow]
    facts: list[FactRow]


class Extension(NamedTuple):
    """What a run changes: rows up to the position `kept` stay, others go, and these are added."""

    kept: int
    added: Record


def extend_record(
    record: Record,
    commits: Iterable[PastCommit],
    base: str | None,
    *,
    is_cut: bool,
    now: datetime,
) -> Extension:
    """Return how the record changes with commits that follow `base`, oldest first.

    `base` is a commit of the record, or the newest one that was read, whose files are those of the
    record's last one. Where it is None, the first commit has all files that there were, and the
    record keeps what is older; `is_cut` says that commits before the first one were not read.

    Dates are none of the future, and none is before the date of an earlier commit of the record.
    The commits are taken one by one, for the facts of all together may take much memory.
    """
    remaining = iter(commits)
    first = next(remaining, None)
    kept = record.commits[-1].position if record.commits else -1
    if base is not None:
        kept = next((row.position for row in record.commits if row.commit == base), kept)
    elif first is not None:
        start = _date(first, None, now)
        kept = next((row.position - 1 for row in record.commits if row.date >= start), kept)
    added = Record([], [])
    if first is None:
        return Extension(kept, added)
    state: _State = defaultdict(dict)
    for row in record.facts:
        if row.position <= kept:
            _apply(state[row.path], row)
    date = next((row.date for row in reversed(record.commits) if row.position <= kept), None)
    position = kept + 1
    for commit in chain([first], remaining):
        is_start = base is None and commit is first
        versions = [*commit.versions]
        if is_start:
            there = {version.path for version in versions}
            versions += [PastVersion(path, None, {}) for path in state if path not in there]
        rows = [*_compare(state, position, versions)]
        for row in rows:
            _apply(state[row.path], row)
        if rows or is_start:
            date = _date(commit, date, now)
            added.commits.append(CommitRow(position, commit.id, date, is_start and is_cut))
            added.facts.extend(rows)
            position += 1
    return Extension(kept, added)


def _date(commit: PastCommit, before: datetime | None, now: datetime) -> datetime:
    date = min(commit.date or before or now, now)
    return date if before is None else max(date, before)


def _compare(state: _State, position: int, versions: Iterable[PastVersion]) -> Iterator[FactRow]:
    for path, blob_id, facts in sorted(versions, key=attrgetter("path")):
        if facts is None and blob_id is not None:
            continue
        before = state[path]
        # A story's file has a row for each version, for the date and the content's id of that.
        after = {item: (fact, None if item else blob_id) for item, fact in (facts or {}).items()}
        for item in sorted(before.keys() | after.keys()):
            said = after.get(item)
            if said != before.get(item):
                yield FactRow(position, path, item, *(said or (None, None)))


def _apply(said: dict[str, tuple[Fact, str | None]], row: FactRow) -> None:
    if row.fact is None:
        said.pop(row.item, None)
    else:
        said[row.item] = row.fact, row.blob_id


def join_records(record: Record, extension: Extension) -> Record:
    """Return the record after a change."""
    kept = extension.kept
    return Record(
        [*(row for row in record.commits if row.position <= kept), *extension.added.commits],
        [*(row for row in record.facts if row.position <= kept), *extension.added.facts],
    )
