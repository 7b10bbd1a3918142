"""The record of a source's history: what the commits of its branch changed in what files say.

It is stored as it is, and past_stories.py makes the burn-up of it. A run reads the commits after
the newest one that it knows, and adds them; of a branch that was set back it removes some before.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from operator import itemgetter
from typing import Final, NamedTuple

from service.bmad.past_facts import Fact, Facts

# The most facts that one run adds, also a first one. A tracker of 600 stories that each of 80
# commits rewrites changes 48,000. As many are replayed in 1 s, and in 5 s where each is of another
# story.
MAX_CHANGED_FACTS: Final = 50_000

# A fact, and the id of a story's content.
_Said = tuple[Fact, str | None]
# By path and item.
_State = defaultdict[str, dict[str, _Said]]
# The path, the item, and what that says now; None if it is gone.
_Change = tuple[str, str, _Said | None]


class TooManyChangesError(Exception):
    """The commits of a history change more facts than a run can record."""

    def __init__(self) -> None:
        super().__init__(f"Its commits change more than {MAX_CHANGED_FACTS:,} facts of the work.")


class PastVersion(NamedTuple):
    """A file that a commit changed: its content's id, None if it is gone, and its facts.

    The facts are None where the content cannot be read: then the file says what it said before.
    With `is_current`, they are those of the document that the run stores, and come later: no later
    commit changes the file.
    """

    path: str
    blob_id: str | None
    facts: Facts | None
    is_current: bool = False


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


class RecordChange(NamedTuple):
    """What a run changes: rows up to the position `kept` stay, others go, and these are added."""

    kept: int
    added: Record


class _Current(NamedTuple):
    """A file whose last version is that of a stored document, and what it said before."""

    path: str
    blob_id: str | None
    before: Mapping[str, _Said]


class _ComparedCommit(NamedTuple):
    id: str
    date: datetime | None
    changes: Sequence[_Change]
    current: Sequence[_Current]


class ComparedCommits(NamedTuple):
    """What new commits changed, but for the versions whose facts come later.

    `kept` is the position in the record that they follow, and `date` that of the commit there.
    """

    kept: int
    date: datetime | None
    now: datetime
    has_start: bool
    is_cut: bool
    commits: Sequence[_ComparedCommit]

    @property
    def current(self) -> set[str]:
        """The paths of the files whose facts come later."""
        return {each.path for commit in self.commits for each in commit.current}


def compare_commits(
    record: Record,
    commits: Iterable[PastCommit],
    base: str | None,
    *,
    is_cut: bool,
    now: datetime,
) -> ComparedCommits:
    """Return what commits that follow `base`, oldest first, change in a record.

    `base` is a commit of the record, or the newest one that was read, whose files are those of the
    record's last one. Where it is None, the first commit has all files that there were, and the
    record keeps what is older; `is_cut` says that commits before the first one were not read.

    The commits are taken one by one, for the facts of all together may take much memory. Raises
    TooManyChangesError if they change more than MAX_CHANGED_FACTS facts.
    """
    remaining = iter(commits)
    first = next(remaining, None)
    kept = _find_kept(record, first, base, now)
    compared: list[_ComparedCommit] = []
    date = next((row.date for row in reversed(record.commits) if row.position <= kept), None)
    if first is None:
        return ComparedCommits(kept, date, now, False, is_cut, compared)
    room = MAX_CHANGED_FACTS
    state = _state_at(record, kept)
    for commit in chain([first], remaining):
        is_start = base is None and commit is first
        versions = [*commit.versions]
        if is_start:
            there = {version.path for version in versions}
            versions += [PastVersion(path, None, {}) for path in state if path not in there]
        changes: list[_Change] = []
        current: list[_Current] = []
        for version in versions:
            said = state[version.path]
            if version.is_current:
                current.append(_Current(version.path, version.blob_id, said))
            elif version.facts is not None:
                after = _said(version.facts, version.blob_id)
                for change in _compare(said, after):
                    changes.append((version.path, *change))
                    _apply(said, change)
        room -= len(changes)
        if room < 0:
            raise TooManyChangesError
        if changes or current or is_start:
            compared.append(_ComparedCommit(commit.id, commit.date, changes, current))
    return ComparedCommits(kept, date, now, base is None, is_cut, compared)


def _find_kept(record: Record, first: PastCommit | None, base: str | None, now: datetime) -> int:
    """Return the position that new commits follow, of which `first` is the oldest."""
    last = record.commits[-1].position if record.commits else -1
    if base is not None:
        return next((row.position for row in record.commits if row.commit == base), last)
    if first is None:
        return last
    start = _date(first.date, None, now)
    return next((row.position - 1 for row in record.commits if row.date >= start), last)


def _state_at(record: Record, position: int) -> _State:
    """Return what the files of a record said after the commit at a position."""
    state: _State = defaultdict(dict)
    for row in record.facts:
        if row.position <= position:
            _apply(state[row.path], (row.item, row.fact and (row.fact, row.blob_id)))
    return state


def extend_record(compared: ComparedCommits, current: Mapping[str, Facts]) -> RecordChange:
    """Return how the record changes, given the facts of the stored documents, by path.

    Dates are none of the future, and none is before the date of an earlier commit of the record.
    Raises TooManyChangesError as compare_commits does.
    """
    added = Record([], [])
    date = compared.date
    position = compared.kept + 1
    for number, commit in enumerate(compared.commits):
        is_start = compared.has_start and not number
        changes = [*commit.changes]
        for path, blob_id, before in commit.current:
            after = _said(current.get(path, {}), blob_id)
            changes += [(path, *change) for change in _compare(before, after)]
        if changes or is_start:
            date = _date(commit.date, date, compared.now)
            is_cut = is_start and compared.is_cut
            added.commits.append(CommitRow(position, commit.id, date, is_cut))
            for path, item, said in sorted(changes, key=itemgetter(0, 1)):
                added.facts.append(FactRow(position, path, item, *(said or (None, None))))
            position += 1
        if len(added.facts) > MAX_CHANGED_FACTS:
            raise TooManyChangesError
    return RecordChange(compared.kept, added)


def _date(date: datetime | None, before: datetime | None, now: datetime) -> datetime:
    date = min(date or before or now, now)
    return date if before is None else max(date, before)


def _said(facts: Facts, blob_id: str | None) -> dict[str, _Said]:
    """Return what a version says, by item, with the id of its content.

    A story's file has a row for each version, for the date and the content's id of that.
    """
    return {item: (fact, None if item else blob_id) for item, fact in facts.items()}


def _compare(
    before: Mapping[str, _Said], after: Mapping[str, _Said]
) -> list[tuple[str, _Said | None]]:
    """Return the items that changed, each with what it says after that."""
    items = chain(after, before.keys() - after.keys())
    return [(item, after.get(item)) for item in items if before.get(item) != after.get(item)]


def _apply(said: dict[str, _Said], change: tuple[str, _Said | None]) -> None:
    item, after = change
    if after is None:
        said.pop(item, None)
    else:
        said[item] = after


def join_records(record: Record, extension: RecordChange) -> Record:
    """Return the record after a change."""
    kept = extension.kept
    return Record(
        [*(row for row in record.commits if row.position <= kept), *extension.added.commits],
        [*(row for row in record.facts if row.position <= kept), *extension.added.facts],
    )
