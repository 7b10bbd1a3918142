"""What the path of a page of files means: a source and a path in its repository, or elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.characters import UNSTORABLE
from service.documents.text import file_type_of
from service.git.web_urls import find_pages
from service.routes.folders import find_sources_of_path, is_skipped
from service.web.page_addresses import files_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from service.database.database import Queries
    from service.git.web_urls import RepositoryPages
    from service.routes.project_tree import ProjectTree, SourceInTree


class FilePlace(NamedTuple):
    """A path in a source's repository, and the pages of both.

    The path is from the repository's root, empty for that.
    """

    project_id: UUID
    source: SourceInTree
    path: str

    @property
    def repository(self) -> RepositoryPages:
        """The pages of the repository on its host."""
        return find_pages(self.source.url)

    @property
    def page(self) -> str:
        """The path of the page of the document or the folder."""
        return self.find_page(self.path)

    def find_page(self, path: str, anchor: str | None = None) -> str:
        """Return the path of the page of another document or folder of the repository."""
        return find_file_page(self.project_id, self.source, path, anchor)

    def file_url(self) -> str | None:
        """Return the URL of the path on the repository's host, as it was synced; None without."""
        return self.repository.file_url(
            self.path, commit=self.source.commit, branch=self.source.branch
        )


def find_file_page(
    project_id: UUID, source: SourceInTree, path: str, anchor: str | None = None
) -> str:
    """Return the path of the page of a document or a folder of a source."""
    return files_page(project_id, path, source.top.path if source.top else None, anchor)


def clean_path(path: str) -> str | None:
    """Return a path without empty parts, as after a doubled slash; None if no file can have it."""
    parts = [part for part in path.split("/") if part]
    if UNSTORABLE.search(path) or not {".", ".."}.isdisjoint(parts):
        return None
    return "/".join(parts)


def locate(project_id: UUID, tree: ProjectTree, path: str) -> FilePlace | None:
    """Return where a cleaned path is; None where it begins with the folder of no source."""
    if tree.has_tops:
        top, _, rest = path.partition("/")
        for source in tree.sources:
            if source.top is not None and source.top.path == top:
                return FilePlace(project_id, source, rest)
        return None
    with_documents = [source for source in tree.sources if source.has_documents]
    candidates = with_documents or tree.sources
    return FilePlace(project_id, candidates[0], path) if len(candidates) == 1 else None


async def find_elsewhere(
    queries: Queries, project_id: UUID, tree: ProjectTree, path: str
) -> Sequence[FilePlace]:
    """Return the documents and folders that a path without the folder of its source may mean.

    Where a project has one source only, also those of a path that still begins with that folder.
    """
    sources = {source.id: source for source in tree.sources}
    if tree.has_tops:
        found = await find_sources_of_path(queries, list(sources), path)
        return [FilePlace(project_id, sources[id_], path) for id_ in found]
    top, _, rest = path.partition("/")
    named = [source for source in tree.sources if source.name.replace("/", "-") == top]
    if not named or not rest:
        return []
    found = await find_sources_of_path(queries, [source.id for source in named], rest)
    return [FilePlace(project_id, sources[id_], rest) for id_ in found]


async def may_be_in_repository(queries: Queries, place: FilePlace) -> bool:
    """Return whether the repository may have a file or a folder of which the hub has no document.

    The hub has no other files than those with certain suffixes, none outside the source's folder,
    and not those that the last run skipped.
    """
    source, path = place.source, place.path
    if file_type_of(path) is None:
        return True
    if source.folder is not None and not path.startswith(f"{source.folder}/"):
        return True
    return await is_skipped(queries, source.id, path)
