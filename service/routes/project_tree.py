"""The top of a project's file tree, for its pages: the sources, and the folder of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.documents.tree import TreeSource, arrange_sources
from service.problems import Problem
from service.routes.shared import MISSING_PROJECT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from service.database.database import Queries
    from service.documents.tree import TopFolder


class SourceInTree(NamedTuple):
    """A source of a project, and the folder at the top of the tree that has its documents.

    `top` is None for the only source with documents, and for those without. `commit` is the one
    that was synced from `url`; None before the first sync, and after the source was pointed
    elsewhere. `branch` is the default one where the source names none; None while it is not known.
    """

    id: UUID
    name: str
    url: str
    folder: str | None
    branch: str | None
    commit: str | None
    has_documents: bool
    top: TopFolder | None
    # Of all that the tree shows of the source, but for its own columns above.
    version: str


class ProjectTree(NamedTuple):
    """A project's name, and its sources in the order of the tree; those without documents last."""

    name: str
    sources: Sequence[SourceInTree]

    @property
    def has_tops(self) -> bool:
        """Whether each source is a folder at the top."""
        return any(source.top for source in self.sources)


async def read_project_tree(queries: Queries, project_id: UUID) -> ProjectTree:
    """Return the sources of a project; raise the Problem `not_found` without such a project."""
    rows = await queries.fetch(
        """
        select project.name as project_name, source.id, source.name, github_url as url,
               github_folder_path as folder, coalesce(branch, default_branch) as branch,
               case when tree_id is not null then last_commit end as commit,
               exists (
                   select from document where project_doc_id = source.id
               ) as has_documents,
               concat_ws(' ', documents_tag, tree_id, reader_version, history) as version
        from project
        left join project_doc as source on source.project_id = project.id
        left join lateral (
            -- The dates of stories.
            select concat_ws(' ', head, facts_version, commits, is_cut, is_partial) as history
            from work_history
            where project_doc_id = source.id
        ) as read on true
        where project.id = $1
        order by source.number
        """,
        project_id,
    )
    if not rows:
        raise Problem("not_found", MISSING_PROJECT)
    by_id = {row["id"]: row for row in rows if row["id"] is not None}
    arranged = arrange_sources(
        [TreeSource(id_, row["name"]) for id_, row in by_id.items() if row["has_documents"]]
    )
    tops = {source.id: top for source, top in arranged}
    order = [*tops, *(id_ for id_ in by_id if id_ not in tops)]
    return ProjectTree(
        rows[0]["project_name"],
        [
            SourceInTree(
                id=row["id"],
                name=row["name"],
                url=row["url"],
                folder=row["folder"],
                branch=row["branch"],
                commit=row["commit"],
                has_documents=row["has_documents"],
                top=tops.get(row["id"]),
                version=row["version"],
            )
            for row in (by_id[id_] for id_ in order)
        ],
    )
