"""The burn-up, replayed from a record: each story through its files, trackers and plans.

What comes out for a commit depends on it, on earlier ones, and on the trees of what there is now:
later commits add to it and change nothing, unless a folder becomes a tree of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

from service.bmad.identity import fold_id
from service.bmad.past_evidence import Evidence, GoneFile
from service.bmad.past_links import LinkedStory
from service.bmad.past_record import CommitRow, FactRow, Record
from service.bmad.past_tokens import FactKey
from service.bmad.past_trees import PastTrees
from service.bmad.readings import Reading, Status
from service.bmad.trees import folder_of_tree
from service.bmad.work_items import stem_of

# How often facts are linked, in about 7 s, beyond which the commits before the last one are taken
# together: only a history that is made for it has so many stories that resemble each other.
MAX_STEPS: Final = 200_000


class TrackerEntry(NamedTuple):
    """An entry of a tracker, wherever that moves: a key of a tree, or a ticket of a folder."""

    kind: str
    scope: str
    item: str


@dataclass(slots=True)
class PastStory:
    """A story that there is or was; numbers are in the order in which stories appeared.

    `path` is its file, and `trackers` has the path and the key or id of each entry; of a story that
    is gone, the last ones. The dates are those of its last change of status, which may be older
    than what was read unless it is exact, and of the last change of its file or its plans, or else
    of its entries, None if that is older. `status` is None if it is gone.
    """

    number: int
    status_since: datetime
    is_since_exact: bool
    path: str | None = None
    trackers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    changed_at: datetime | None = None
    status: Status | None = None
    is_counted: bool = False

    @property
    def is_done(self) -> bool:
        """Whether it counts among the done ones."""
        return self.is_counted and self.status == "done"


class BurnUpDay(NamedTuple):
    """The stories in scope and those of them that were done, at the end of a day in UTC."""

    day: date
    scope: int
    done: int


class PastStories(NamedTuple):
    """All stories, and the days on which commits were."""

    stories: list[PastStory]
    days: list[BurnUpDay]


def replay(
    record: Record, readings: Mapping[str, Reading], trees: Mapping[str, str]
) -> PastStories:
    """Return the stories of a record, given what the documents say that there are, by path.

    `trees` are those of the readings, as find_trees returns them.

    A story is in scope unless it is archived or its status is cancelled. Which files, entries and
    plans are one story, and which of them decides, is what the board says of the same files; but a
    story stays the same when its file is renamed, and when its file or its entry comes or goes.
    """
    player = _Player(PastTrees(record, readings, trees))
    rows = {position: [*group] for position, group in groupby(record.facts, attrgetter("position"))}
    waiting: list[FactRow] = []
    for commit in record.commits:
        waiting += rows.get(commit.position, [])
        if player.steps < MAX_STEPS or commit is record.commits[-1]:
            player.play(commit, waiting)
            waiting = []
    days = [BurnUpDay(day, *counts) for day, counts in player.days.items()]
    return PastStories(player.stories, days)


class _Player:
    def __init__(self, trees: PastTrees) -> None:
        self.stories: list[PastStory] = []
        self.days: dict[date, tuple[int, int]] = {}
        self._scope = self._done = 0
        self._evidence = Evidence(trees)
        # The numbers of stories, also of what is gone; and of the stories that there are.
        self._number_of_file: dict[str, int] = {}
        self._number_of_entry: dict[TrackerEntry, int] = {}
        self._number_of: dict[LinkedStory, int] = {}
        self._taken: set[int] = set()
        self._changed_at: dict[FactKey, datetime] = {}

    @property
    def steps(self) -> int:
        """How often facts were linked."""
        return self._evidence.links.steps

    def play(self, commit: CommitRow, rows: Sequence[FactRow]) -> None:
        """Apply a commit, and count the stories after it."""
        linked, gone_files = self._evidence.apply(rows)
        # What the first commit has may be older, if commits before it were not read.
        if self.days or not commit.is_cut:
            self._changed_at |= {(row.path, row.item): commit.date for row in rows}
        before = {self._number_of.pop(story) for story in linked.gone}
        self._taken -= before
        self._number(linked.new, commit, gone_files)
        for number in sorted(before - self._taken):
            self._settle(self.stories[number], None, commit)
        for story in sorted({*linked.new, *linked.changed}, key=self._number_of.__getitem__):
            self._settle(self.stories[self._number_of[story]], story, commit)
        self.days[commit.date.astimezone(UTC).date()] = (self._scope, self._done)

    def _last_change(self, story: LinkedStory) -> datetime | None:
        """Return when a story's file or its plans changed last, or its entries without any."""
        files = [*story.plans] if story.path is None else [story.path, *story.plans]
        keys = [(path, "") for path in files] or story.trackers
        return max(filter(None, map(self._changed_at.get, keys)), default=None)

    def _number(
        self, stories: Sequence[LinkedStory], commit: CommitRow, gone: Sequence[GoneFile]
    ) -> None:
        """Give stories the numbers that they had, or new ones.

        A file's own number goes before that of the file that it was before, and that before the
        number of its entry.
        """
        waiting = sorted(stories, key=_order)
        for numbers_before in (self._of_file, self._of_gone_file, self._of_entries):
            still: list[LinkedStory] = []
            for story in waiting:
                numbers = numbers_before(story, gone)
                number = next((each for each in numbers if each not in self._taken), None)
                if number is None:
                    still.append(story)
                else:
                    self._take(story, number)
            waiting = still
        for story in waiting:
            number = len(self.stories)
            self.stories.append(PastStory(number, commit.date, not commit.is_cut))
            self._take(story, number)

    def _take(self, story: LinkedStory, number: int) -> None:
        self._taken.add(number)
        self._number_of[story] = number
        if story.path is not None:
            self._number_of_file[story.path] = number
        self._number_of_entry |= dict.fromkeys(_entries_of(story), number)

    def _of_file(self, story: LinkedStory, _gone: Sequence[GoneFile]) -> Iterator[int]:
        if story.path in self._number_of_file:
            yield self._number_of_file[story.path]

    def _of_gone_file(self, story: LinkedStory, gone: Sequence[GoneFile]) -> Iterator[int]:
        """Yield the numbers of the files that a new file may have been before."""
        path = story.path
        if path is None or not gone:
            return
        id_ = fold_id(self._evidence.fact_of(path).id or "")
        blob_id = self._evidence.blob_ids[path]
        same = [each for each in gone if each.blob_id == blob_id]
        same += [each for each in gone if stem_of(each.path) == stem_of(path)]
        if id_:
            of_id = [each for each in gone if fold_id(each.fact.id or "") == id_]
            same += of_id if len(of_id) == 1 else []
        for each in same:
            if each.path in self._number_of_file:
                yield self._number_of_file[each.path]

    def _of_entries(self, story: LinkedStory, _gone: Sequence[GoneFile]) -> Iterator[int]:
        for entry in _entries_of(story):
            if entry in self._number_of_entry:
                yield self._number_of_entry[entry]

    def _settle(self, story: PastStory, linked: LinkedStory | None, commit: CommitRow) -> None:
        """Read a story's status anew, and count it."""
        self._scope -= story.is_counted
        self._done -= story.is_done
        status = None if linked is None else self._evidence.status(linked)
        if linked is not None:
            story.path, story.trackers = linked.path, [*linked.trackers]
            story.changed_at = self._last_change(linked)
        if status != story.status:
            story.status_since, story.is_since_exact = commit.date, not commit.is_cut
        story.status = status
        is_active = linked is not None and not self._evidence.is_archived(linked)
        story.is_counted = is_active and status != "cancelled"
        self._scope += story.is_counted
        self._done += story.is_done


def _order(story: LinkedStory) -> tuple[bool, str, Sequence[FactKey]]:
    """Return the place of a story among new ones: those with files come first."""
    return story.path is None, story.path or "", story.trackers


def _entries_of(story: LinkedStory) -> list[TrackerEntry]:
    entries = [TrackerEntry("key", folder_of_tree(path), key) for path, key in story.keys]
    if story.entry is not None:
        path, name = story.entry
        entries.append(TrackerEntry("entry", path.rpartition("/")[0], name))
    return entries
