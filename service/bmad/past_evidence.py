"""What there is of stories after a commit: their files, their entries in trackers, their plans."""

from collections.abc import Sequence
from typing import NamedTuple

from service.bmad.past_facts import FILE_KINDS, Fact
from service.bmad.past_links import Linked, LinkedStory, Links
from service.bmad.past_record import FactRow
from service.bmad.past_trees import PastTrees
from service.bmad.readings import Status
from service.bmad.work_items import is_archived, status_without_word


class GoneFile(NamedTuple):
    """A story's file that a commit removed, the id of its last content, and what that said."""

    path: str
    blob_id: str | None
    fact: Fact


class Evidence:
    """The facts that there are after each commit, and the stories that they are about."""

    def __init__(self, trees: PastTrees) -> None:
        self.links = Links(trees)
        self.blob_ids: dict[str, str | None] = {}  # of the contents of stories, by path

    def apply(self, rows: Sequence[FactRow]) -> tuple[Linked, list[GoneFile]]:
        """Apply what a commit changed; return the stories that it changed, and files now gone."""
        gone: dict[str, GoneFile] = {}
        for row in rows:
            key = (row.path, row.item)
            if not row.item:
                before = self.links.facts.get(key)
                if before is not None and before.kind in FILE_KINDS:
                    gone[row.path] = GoneFile(row.path, self.blob_ids.get(row.path), before)
                self.blob_ids[row.path] = row.blob_id
            self.links.put(key, row.fact)
        linked = self.links.update()
        return linked, [each for path, each in gone.items() if (path, "") not in self.links.facts]

    def fact_of(self, path: str) -> Fact:
        """Return what a file says."""
        return self.links.facts[path, ""]

    def status(self, story: LinkedStory) -> Status:
        """Return the status of a story: its plan decides, else its file, else its trackers."""
        facts = self.links.facts
        files = [*story.plans] if story.path is None else [*story.plans, story.path]
        for key in [*((path, "") for path in files), *story.keys]:
            if status := facts[key].status:
                return status
        return status_without_word(story.entry)

    def is_archived(self, story: LinkedStory) -> bool:
        """Return whether its file or its entry is archived, or no tracker with its keys is kept."""
        if story.path is not None:
            return is_archived(story.path)
        if story.entry is not None:
            return is_archived(story.entry[0])
        return all(path in self.links.older for path, _ in story.keys)
