"""Where the work of a project is shown: its lists, and the documents that say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from service.documents.text import anchor_of_line, anchor_of_problem
from service.web.page_addresses import files_page, project_page, work_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    Item = Mapping[str, Any]


class WorkAddresses(NamedTuple):
    """The pages of one project. `tops` has the folder of each source in the file tree, by its id.

    All methods return paths of this service.
    """

    project_id: str
    tops: Mapping[str, str | None]

    def project(self) -> str:
        """Return the page of the project."""
        return project_page(self.project_id)

    def files(self) -> str:
        """Return the page of all files."""
        return files_page(self.project_id)

    def folder(self, source: Item) -> str | None:
        """Return the page of the folder of a source's documents; None where it has none."""
        if source["id"] not in self.tops:
            return None
        folder = source["github_folder_path"] or ""
        return files_page(self.project_id, folder, self.tops[source["id"]])

    def document(
        self, source: Item, path: str, *, anchor: str | None = None, line: int | None = None
    ) -> str:
        """Return the page of a document, at a heading, or else at a line where lines are shown."""
        anchor = anchor or anchor_of_line(path, line)
        return files_page(self.project_id, path, self.tops.get(source["id"]), anchor)

    def story(self, story: Item) -> str | None:
        """Return the page of a story's file, or of what else names it; None where nothing does."""
        source = story["source"]
        if story["path"] is not None:
            return self.document(source, story["path"], anchor=story["anchor"])
        said: list[Item] = story["status_evidence"]
        named = next((each for each in said if each["decides"]), said[0] if said else None)
        if named is None:
            return None
        return self.document(source, named["path"], line=named["line"])

    def awaited(self, story: Item, awaited: Item) -> str | None:
        """Return the page of the file of what a story waits for; None without one."""
        path = awaited["path"]
        return None if path is None else self.document(story["source"], path)

    def gate(self, story: Item) -> str | None:
        """Return the page of a story's gate, at its line; None where that is not known."""
        place = story["gate"]["document"]
        if place is None:
            return None
        return self.document(story["source"], place["path"], line=place["line"])

    def changed(self, run: Item, story: Item) -> str | None:
        """Return the page of a story that a run changed; None if it has none, or is gone."""
        if story["path"] is None or story["to"] is None:
            return None
        return self.document(run["source"], story["path"])

    def epic_document(self, epic: Item) -> str | None:
        """Return the first document that describes an epic, at its heading; None without one."""
        if not epic["documents"]:
            return None
        first = epic["documents"][0]
        return self.document(
            epic["source"], first["path"], anchor=first["anchor"], line=first["line"]
        )

    def problem(self, problem: Item) -> str | None:
        """Return the page where a problem is, at its line; None without a document."""
        path = problem["path"]
        if path is None:
            return None
        anchor = anchor_of_problem(path, problem["line"])
        return self.document(problem["source"], path, anchor=anchor)

    def stories(self, **filters: str | None) -> str:
        """Return the page of the stories with these filters; None is none."""
        return self._list("stories", filters)

    def problems(self, **filters: str | None) -> str:
        """Return the page of the problems with these filters; None is none."""
        return self._list("problems", filters)

    def epics(self, **filters: str | None) -> str:
        """Return the page of the epics with these filters; None is none."""
        return self._list("epics", filters)

    def epic(self, epic: Item) -> str:
        """Return the page of an epic's stories, or of those without one where its id is null."""
        if epic["id"] is None:
            return self.stories(without_epic="yes", tree=epic["tree"])
        return self.stories(epic=epic["id"], tree=epic["tree"])

    def _list(self, name: str, filters: Mapping[str, str | None]) -> str:
        given = {key: value for key, value in filters.items() if value is not None}
        return work_page(self.project_id, name, given)
