"""The work items of a tree: each story once, with all that files and trackers say of it.

A story may have a file, keys in sprint-status.yaml, an entry in tickets.toml or stories.yaml, a
plan and gates: joining.py finds which belong together.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from service.bmad.identity import Identity, fold_id
from service.bmad.readings import (
    GateReading,
    PlanReading,
    ReviewFinding,
    SprintEntry,
    Status,
    StatusWord,
    StoryReading,
    TicketEntry,
    TicketEpic,
    WorkKind,
)
from service.bmad.statuses import is_built
from service.documents.story_signs import EPIC_WORDS

_ARCHIVE = "archived?|archives|obsolete|backups?|old|completed"
# Words that say no title of an archive's folder, but what is in it, or since when.
_OF_ARCHIVE: Final = (
    rf"{_ARCHIVE}|v|stor(?:y|ies)|docs?|documents?|files?|folders?|versions?|drafts?|works?|items?"
    r"|tickets?|tasks?|specs?|plans?|notes?|epics?|sprints?|cop(?:y|ies)|do|dont|not|no|only|use|of"
    r"|from|by|before|after|until|since|pre|post|final|first|last|legacy|deprecated|superseded"
    r"|unused|done|finished|closed|wip|tmp|temp|misc|bak|jan\w*|feb\w*|mar|march|apr|april|may|june?"
    r"|july?|aug|august|sept?\w*|oct|october|nov|november|dec|december"
)
# A folder whose name has one of these words.
ARCHIVE: Final = re.compile(rf"(?:.*[-_. ])?(?:{_ARCHIVE})(?:[-_. ].*)?", re.IGNORECASE)
# One that is named after an epic or a story which is about a backup or an archive, as
# "3-5-archive-orders" is. All others with such a word are archives, as "epic-1-login-old" and
# "epic-1-completed-work" are, and, for what is behind the word, "epic-1-backup-v1".
WORK_FOLDER: Final = re.compile(
    rf"(?:(?:{EPIC_WORDS}|story)s?[-_. ]?[a-z]{{0,3}}-?\d++(?>[-.]\d++)*+[a-z]?+"
    r"|\d{1,3}+(?>[-.]\d{1,3}+)++)[-_. ]"
    rf"(?:archives?|backups?)(?:[-_. ](?!(?:{_OF_ARCHIVE})(?:[-_. ]|\Z))[^\W\d_]+)+",
    re.IGNORECASE,
)
# One that is named after what the product does with backups or an archive.
FEATURE_FOLDER: Final = re.compile(
    r"(?:.*[-_. ])?(?:archives?|backups?)[-_. ](?:and[-_. ])?(?:restor\w+|recover\w+|services?"
    r"|systems?|manage\w+|viewer|search|schedul\w+)",
    re.IGNORECASE,
)


class Said(NamedTuple):
    """A status with the path of the document that says it."""

    path: str
    word: StatusWord


class FoundGate(NamedTuple):
    """A gate with its path."""

    path: str
    gate: GateReading


class FoundFinding(NamedTuple):
    """A finding of a review with the path of the document that has it."""

    path: str
    finding: ReviewFinding


class FoundPlan(NamedTuple):
    """A plan of version 7 with its path."""

    path: str
    plan: PlanReading


class FoundEntry(NamedTuple):
    """An entry of a tracker of tickets: its path, its number in build order, and its epic."""

    path: str
    number: int
    entry: TicketEntry
    epic: TicketEpic | None

    @property
    def folder(self) -> str:
        """The path of the tracker's folder."""
        return self.path.rpartition("/")[0]

    @property
    def is_of_spec(self) -> bool:
        """Whether the tracker is a 6.11 stories.yaml, not a tickets.toml."""
        return not is_toml(self.path)


@dataclass(slots=True, eq=False)
class WorkItem:
    """A story of a tree.

    `path` is that of its file, `key` names it as long as its file or its key does. `own` has the
    statuses that its file and its plan say, `tracked` those of trackers, each in the order in which
    they decide.
    """

    tree: str
    key: str
    id: str
    epic: str | None
    story: str | None
    title: str
    kind: WorkKind
    path: str | None = None
    reading: StoryReading | None = None
    entry: FoundEntry | None = None
    plan: FoundPlan | None = None
    keys: list[tuple[str, SprintEntry]] = field(default_factory=list)
    own: list[Said] = field(default_factory=list)
    tracked: list[Said] = field(default_factory=list)
    gates: list[FoundGate] = field(default_factory=list)
    is_archived: bool = False

    @property
    def said(self) -> list[Said]:
        """All statuses, those that decide first."""
        return [*self.own, *self.tracked]

    @property
    def status(self) -> Status:
        """The status that decides: the first one."""
        said = self.said
        return said[0].word["status"] if said else status_without_word(self.entry)

    @property
    def is_built(self) -> bool:
        """Whether the status that decides is "built": in review, and nobody has called it done."""
        said = self.said
        return bool(said) and is_built(said[0].word["word"])

    @property
    def findings(self) -> list[FoundFinding]:
        """The findings of its plan, then those of its file."""
        found: list[FoundFinding] = []
        if self.plan:
            path, plan = self.plan
            found += [FoundFinding(path, each) for each in plan["review_findings"]]
        if self.path and self.reading:
            found += [FoundFinding(self.path, each) for each in self.reading["review_findings"]]
        return found

    @property
    def line(self) -> int:
        """The line of its title in its file; 1 without one."""
        return self.reading["line"] if self.reading else 1

    @property
    def covers(self) -> list[str]:
        """The requirements that its file and its entry name."""
        covers = [*self.reading["covers"]] if self.reading else []
        return covers + self.entry.entry["covers"] if self.entry else covers

    @property
    def is_ticket(self) -> bool:
        """Whether the story is one of a version 7 tree."""
        return self.entry is not None and not self.entry.is_of_spec

    @property
    def epic_key(self) -> str:
        """The epic's id in the form in which it is compared; "" without one."""
        return fold_id(self.epic) if self.epic else ""

    @property
    def number(self) -> tuple[str, str] | None:
        """Both parts of the id in the form in which they are compared."""
        return number_of(Identity(self.id, self.epic, self.story))


def number_of(identity: Identity) -> tuple[str, str] | None:
    """Return both parts of an id in the form in which they are compared; None without both."""
    _, epic, story = identity
    return (fold_id(epic), fold_id(story)) if epic and story else None


def status_without_word(entry: object) -> Status:
    """Return the status of a story that nothing says: one with an entry in tickets is planned."""
    return "draft" if entry else "unknown"


def stem_of(path: str) -> str:
    """Return the name of a file without its suffix."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[0] or name


def is_toml(tracker: str) -> bool:
    """Return whether a tracker of tickets is a tickets.toml, not a 6.11 stories.yaml."""
    return tracker.lower().endswith(".toml")


def is_archived(path: str) -> bool:
    """Return whether a document lies in a folder of what is no longer worked on."""
    return _is_archive(path.rpartition("/")[0])


@lru_cache(maxsize=1024)
def _is_archive(folder: str) -> bool:
    return any(map(_is_named_archive, folder.split("/")))


def _is_named_archive(name: str) -> bool:
    is_of_work = WORK_FOLDER.fullmatch(name) or FEATURE_FOLDER.fullmatch(name)
    return bool(ARCHIVE.fullmatch(name)) and not is_of_work
