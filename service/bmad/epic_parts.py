"""What has been read of a document's epics and their stories so far, merged by their ids."""

from collections.abc import Iterable
from typing import Final

from service.bmad.identity import Identity, fold_id
from service.bmad.readings import (
    MAX_ID,
    MAX_ITEMS,
    MAX_TEXT,
    EpicReading,
    ListedStory,
    StatusWord,
)

# Where a document names an epic or a story: the better the place, the better the title there.
MENTIONED: Final = 0
LISTED: Final = 1
DETAIL: Final = 2  # a heading of its own
DOCUMENT: Final = 3  # the document itself

MAX_STATUSES: Final = 20


class NamedPart:
    """A title, and the best place in the document that names it."""

    def __init__(self) -> None:
        self.title = ""
        self.anchor: str | None = None
        self.line = 0
        self._own_statuses: list[StatusWord] = []
        self._mentions: list[StatusWord] = []
        self._title_rank = -1
        self._line_rank = -1

    def name(self, title: str, line: int, anchor: str | None, rank: int) -> None:
        """Note a place: the first title of the best rank is kept, and the line of that rank."""
        if title and rank > self._title_rank:
            self.title, self._title_rank = title[:MAX_TEXT], rank
        if rank > self._line_rank:
            self.line, self.anchor, self._line_rank = line, anchor, rank

    def move(self, line: int, anchor: str | None) -> None:
        """Note that a later heading has the details."""
        if self._line_rank == DETAIL:
            self.line, self.anchor = line, anchor

    def add_status(self, status: StatusWord, *, is_own: bool) -> None:
        """Add a status, at most MAX_STATUSES: the own ones of a part's section come first."""
        statuses = self._own_statuses if is_own else self._mentions
        if len(statuses) < MAX_STATUSES:
            statuses.append(status)

    @property
    def is_named(self) -> bool:
        """Whether a place that names the part has been found."""
        return self._line_rank >= 0

    @property
    def statuses(self) -> list[StatusWord]:
        """All statuses; those that tables and lists mention come last."""
        return [*self._own_statuses, *self._mentions]

    @property
    def has_status_in_text(self) -> bool:
        """Whether the text of the part's own section says a status."""
        return any(status["place"] == "text" for status in self._own_statuses)


class StoryPart(NamedPart):
    """A story of an epic."""

    def __init__(self, identity: Identity) -> None:
        super().__init__()
        self.identity = identity

    def reading(self) -> ListedStory:
        """Return the story as it is stored."""
        return {
            "id": self.identity.id,
            "epic": self.identity.epic,
            "story": self.identity.story,
            "title": self.title,
            "anchor": self.anchor,
            "line": self.line,
            "statuses": self.statuses,
        }


class EpicPart(NamedPart):
    """An epic of a document."""

    def __init__(self, number: str) -> None:
        super().__init__()
        self.number = number[:MAX_ID]
        self.covers: dict[str, None] = {}
        self.stories: dict[str, StoryPart] = {}

    def add_covers(self, names: Iterable[str]) -> None:
        """Add names of requirements that the epic covers."""
        self.covers.update(dict.fromkeys(names))

    def story(self, identity: Identity) -> StoryPart:
        """Return the story of an id; one that is new belongs to the epic from now on."""
        key = fold_id(identity.id)
        found = self.stories.get(key)
        if found is None:
            found = StoryPart(identity)
            if len(self.stories) < MAX_ITEMS:
                self.stories[key] = found
        return found

    def reading(self) -> EpicReading:
        """Return the epic as it is stored."""
        return {
            "number": self.number,
            "title": self.title,
            "anchor": self.anchor,
            "line": self.line,
            "statuses": self.statuses,
            "covers": [*self.covers][:MAX_ITEMS],
            "stories": [story.reading() for story in self.stories.values()],
        }


class EpicParts:
    """The epics of a document, by number."""

    def __init__(self) -> None:
        self._epics: dict[str, EpicPart] = {}

    def find(self, number: str | None) -> EpicPart | None:
        """Return the epic of a number, if it has been named; E1 and 1 differ."""
        found = None if number is None else self._epics.get(fold_id(number))
        return found if found and found.is_named else None

    def epic(self, number: str) -> EpicPart:
        """Return the epic of a number, which is new where there was none.

        What a table says of an epic may come before the epic's name. Without a name anywhere it is
        none of the document's.
        """
        found = self._epics.get(fold_id(number))
        if found is None:
            found = EpicPart(number)
            if len(self._epics) < MAX_ITEMS:
                self._epics[fold_id(number)] = found
        return found

    def readings(self) -> list[EpicReading]:
        """Return all epics as they are stored, in the order in which they were found.

        A heading "Epic 1-2" is no epic where there are 1 and 2.
        """
        return [epic.reading() for epic in self._epics.values() if not self._is_none(epic)]

    def _is_none(self, epic: EpicPart) -> bool:
        """Return whether an epic has no name, or that of several others and no stories."""
        first, _, last = epic.number.partition("-")
        is_range = first.isdecimal() and last.isdecimal() and not epic.stories
        return not epic.is_named or bool(is_range and self.find(first) and self.find(last))


def is_id_of_story(identity: Identity, epic: EpicPart | None) -> bool:
    """Return whether an id without a word such as "Story" is that of a story of an epic."""
    return bool(
        epic and identity.epic and identity.story and fold_id(identity.epic) == fold_id(epic.number)
    )


def digits_of(number: str) -> str:
    """Return the number of an epic without its prefix: 1 of E1 and of AP-1."""
    return fold_id("".join(sign for sign in number if not sign.isalpha()).lstrip("-"))
