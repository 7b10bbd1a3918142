"""An epic of a tree, with all that its documents, trackers and stories say of it."""

from dataclasses import dataclass, field

from service.bmad.identity import Identity, fold_id, fold_slug
from service.bmad.readings import ListedStory
from service.bmad.titles import title_of_name
from service.bmad.work_items import Said, WorkItem, number_of, stem_of


@dataclass(slots=True)
class EpicDocument:
    """Where a document is about an epic."""

    path: str
    line: int
    anchor: str | None


@dataclass(slots=True, eq=False)
class Epic:
    """An epic of a tree. `order` is its place among the epics of a tickets.toml.

    `id` is as its first document writes it, else as a tracker or a story does, without zeros.
    """

    tree: str
    id: str
    title: str
    slug: str = ""
    order: int | None = None
    documents: list[EpicDocument] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    retrospectives: list[Said] = field(default_factory=list)
    covers: dict[str, None] = field(default_factory=dict)
    after: list[str] = field(default_factory=list)
    # What its documents list, once for each document.
    listed: list[ListedStory] = field(default_factory=list[ListedStory])
    items: list[WorkItem] = field(default_factory=list)

    @property
    def counted(self) -> list[WorkItem]:
        """Its stories without the archived ones."""
        return [item for item in self.items if not item.is_archived]

    @property
    def has_stories(self) -> bool:
        """Whether it has stories that are not archived, or lists some."""
        return bool(self.counted or self.listed)

    @property
    def only_listed(self) -> list[ListedStory]:
        """The stories that its documents list, without those that have a file, a key or an entry.

        A story that several documents list is there once, as the first one has it.
        """
        named: set[object] = set()
        for item in self.items:
            named |= {fold_id(item.id), fold_slug(item.title), item.number}
        found: list[ListedStory] = []
        for story in self.listed:
            identity = Identity(story["id"], story["epic"], story["story"])
            names = {fold_id(identity.id), fold_slug(story["title"]), number_of(identity)}
            names -= {"", None}
            if names and names.isdisjoint(named):
                found.append(story)
                named |= names
        return found


def take_listed_titles(epic: Epic) -> None:
    """Give stories whose title is made of the file's name the one that the epic lists."""
    listed: dict[str, str] = {}
    for story in epic.listed:
        if story["id"] and story["title"]:
            listed.setdefault(fold_id(story["id"]), story["title"])
    for item in epic.items if listed else ():
        title = listed.get(fold_id(item.id))
        if title is None or title == item.title or item.path is None or item.reading is None:
            continue
        is_alike = fold_slug(title) == fold_slug(item.title)
        if item.title == title_of_name(stem_of(item.path)) and (
            is_alike or item.reading["anchor"] is None
        ):
            item.title = title
