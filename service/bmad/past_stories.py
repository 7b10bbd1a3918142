"""The burn-up, replayed from a record: each story through its files, trackers and plans.

What comes out for a commit depends on it and on earlier ones alone, so that later commits add to it
and change nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from service.bmad.identity import fold_id
from service.bmad.past_evidence import Evidence, GoneFile
from service.bmad.past_links import Entry, stem_of
from service.bmad.past_record import CommitRow, FactRow, Record
from service.bmad.readings import Status


@dataclass(slots=True)
class PastStory:
    """A story that there is or was; numbers are in the order in which stories appeared.

    `path` is its file, the last one that it had; `trackers` the path and the key or id of each
    entry. The dates are those of its first commit, of its last change of status, and of its file's
    last change, None if the latter is older than what was read; so are the others unless they are
    exact. `position` is that of the last commit that changed any of this. `status` is None if it is
    gone.
    """

    number: int
    first_at: datetime
    is_first_exact: bool
    status_since: datetime
    is_since_exact: bool
    position: int
    path: str | None = None
    trackers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    changed_at: datetime | None = None
    status: Status | None = None
    is_counted: bool = False

    @property
    def is_done(self) -> bool:
        """Whether it counts among the done ones."""
        return self.is_counted and self.status == "done"

    @property
    def name(self) -> str:
        """What to call it: the name of its file, or else its key."""
        return stem_of(self.path) if self.path else self.trackers[0][1] if self.trackers else ""


class StatusChange(NamedTuple):
    """A change of a story's status: from None it is new, to None it is gone."""

    story: int
    position: int
    old: Status | None
    new: Status | None
    path: str | None
    name: str


class BurnUpDay(NamedTuple):
    """The stories in scope and those of them that were done, at the end of a day in UTC."""

    day: date
    scope: int
    done: int


class PastStories(NamedTuple):
    """All stories, the changes of their statuses in order, and the days on which commits were."""

    stories: list[PastStory]
    changes: list[StatusChange]
    days: list[BurnUpDay]


def replay(record: Record) -> PastStories:
    """Return the stories of a record.

    A story is in scope while it has a file or a tracker's entry that is not archived, unless its
    status is cancelled. Its plan decides the status, else its file, else the tracker.
    """
    player = _Player()
    rows = {position: [*group] for position, group in groupby(record.facts, attrgetter("position"))}
    for commit in record.commits:
        player.play(commit, rows.get(commit.position, []))
    days = [BurnUpDay(day, *counts) for day, counts in player.days.items()]
    return PastStories(player.stories, player.changes, days)


class _Player:
    def __init__(self) -> None:
        self.stories: list[PastStory] = []
        self.changes: list[StatusChange] = []
        self.days: dict[date, tuple[int, int]] = {}
        self._scope = self._done = 0
        self._evidence = Evidence()
        # The numbers of stories, also of what is gone; and what of each story is there.
        self._number_of_file: dict[str, int] = {}
        self._number_of_entry: dict[Entry, int] = {}
        self._file_of: dict[int, str] = {}
        self._entry_of: dict[tuple[int, str], Entry] = {}

    def play(self, commit: CommitRow, rows: Sequence[FactRow]) -> None:
        """Apply a commit, and count the stories after it."""
        touched = self._evidence.apply(rows)
        numbers: set[int] = set()
        for path in sorted(touched.files):
            numbers.update(self._number_file(path, commit, touched.gone))
        for entry in sorted(touched.entries):
            numbers.update(self._number_entry(entry, commit))
        changed = {row.path for row in rows if not row.item}
        for number in sorted(numbers):
            self._settle(self.stories[number], commit, changed)
        self.days[commit.date.astimezone(UTC).date()] = (self._scope, self._done)

    def _number_file(self, path: str, commit: CommitRow, gone: Sequence[GoneFile]) -> Iterator[int]:
        """Give a file its story, or take it away; yield the stories that this changes."""
        number = self._number_of_file.get(path)
        if path not in self._evidence.files:
            if number is not None and self._file_of.get(number) == path:
                del self._file_of[number]
                yield number
            return
        if number is None or not self._is_free(number, path):
            before = self._numbers_before(path, gone)
            free = (number for number in before if self._is_free(number, path))
            number = next(free, None)
            if number is None:
                number = self._add_story(commit)
            self._number_of_file[path] = number
        self._file_of[number] = path
        yield number

    def _is_free(self, number: int, path: str) -> bool:
        """Return whether no file but that of this path is that of the story."""
        holder = self._file_of.get(number, path)
        return holder == path or holder not in self._evidence.files

    def _numbers_before(self, path: str, gone: Sequence[GoneFile]) -> Iterator[int]:
        """Yield the stories that a new file may be of: of a renamed file, or of an entry."""
        fact, blob_id = self._evidence.files[path]
        same = [each for each in gone if each.blob_id == blob_id]
        same += [each for each in gone if stem_of(each.path) == stem_of(path)]
        if fact.id:
            of_id = [each for each in gone if fold_id(each.fact.id or "") == fold_id(fact.id)]
            same += of_id if len(of_id) == 1 else []
        for each in same:
            yield self._number_of_file[each.path]
        for kind in ("key", "entry"):
            entry = self._evidence.links.entry_of.get((path, kind))
            if entry is not None and entry in self._number_of_entry:
                yield self._number_of_entry[entry]

    def _number_entry(self, entry: Entry, commit: CommitRow) -> Iterator[int]:
        """Give an entry its story, or take it away; yield the stories that this changes."""
        before = self._number_of_entry.get(entry)
        number = before
        if not self._evidence.entries[entry]:
            number = None
        elif path := self._evidence.links.file_of.get(entry):
            number = self._number_of_file[path]
        elif (
            number is None
            or number in self._file_of
            or self._entry_of.get((number, entry.kind), entry) != entry
        ):
            number = self._add_story(commit)
        if before is not None:
            if before != number and self._entry_of.get((before, entry.kind)) == entry:
                del self._entry_of[before, entry.kind]
            yield before
        if number is not None:
            self._number_of_entry[entry] = number
            self._entry_of[number, entry.kind] = entry
            yield number

    def _add_story(self, commit: CommitRow) -> int:
        number = len(self.stories)
        is_exact = not commit.is_cut
        self.stories.append(
            PastStory(number, commit.date, is_exact, commit.date, is_exact, commit.position)
        )
        return number

    def _settle(self, story: PastStory, commit: CommitRow, changed: set[str]) -> None:
        """Read a story's status anew, and count it."""
        self._scope -= story.is_counted
        self._done -= story.is_done
        path = self._file_of.get(story.number)
        places = [(story.number, kind) for kind in ("key", "entry")]
        entries = [self._entry_of[place] for place in places if place in self._entry_of]
        # What the first commit has may be older, if commits before it were not read.
        is_baseline = commit.is_cut and not self.days
        if path is not None:
            story.path = path
            if path in changed and not is_baseline:
                story.changed_at = commit.date
        if entries:
            story.trackers = [(self._evidence.said(each)[0], each.item) for each in entries]
        status = self._evidence.status(path, entries)
        if status != story.status:
            if not is_baseline:
                name = story.name
                self.changes.append(
                    StatusChange(
                        story.number, commit.position, story.status, status, story.path, name
                    )
                )
            story.status_since, story.is_since_exact = commit.date, not commit.is_cut
        story.status = status
        is_active = self._evidence.is_active(path, entries)
        story.is_counted = is_active and status not in {None, "cancelled"}
        story.position = commit.position
        self._scope += story.is_counted
        self._done += story.is_done
