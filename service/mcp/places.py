"""Where something is: its project, its source with the synced commit, and the URL of its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from service.mcp.texts import clean_line, cut_to_tokens, escape_line, write_time
from service.mcp.token_counts import estimate_tokens
from service.routes.document_lists import read_synced_sources
from service.routes.file_tree import read_tops
from service.web.page_addresses import files_page, project_page
from service.web.references import absolute_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from service.database.queries import Row
    from service.state import Request

MAX_LABEL: Final = 80  # characters of a source's name
# Characters, and tokens. A longer path or anchor is not shown whole.
MAX_SHOWN_PATH: Final = 300
MAX_SHOWN_ANCHOR: Final = 200
MAX_URL: Final = 400  # characters
SHORT_COMMIT: Final = 12
# Without any item, the sources that are named.
SOURCES_NAMED: Final = 3


class SourcePlace(NamedTuple):
    """A source: `label` names it within its project, `top` is its folder in the hub's file tree."""

    id: str
    label: str
    project_id: str
    project: str
    commit: str | None
    synced_at: str | None
    top: str | None


class SourcePlaces:
    """The sources of some projects, and the URLs of pages, for the texts of one answer."""

    def __init__(self, request: Request, rows: Iterable[Row], tops: Mapping[str, str | None]):
        self._scope = request.scope
        self.sources: dict[str, SourcePlace] = {}
        for row in rows:
            top = tops.get(row["id"])
            self.sources[row["id"]] = SourcePlace(
                row["id"],
                clean_line(top or row["name"], MAX_LABEL),
                row["project_id"],
                clean_line(row["project"]),
                row["commit"],
                write_time(row["synced_at"]),
                top,
            )

    def label(self, source: Mapping[str, Any]) -> str:
        """Return the label of the source that an item of a route names by `id` and `name`."""
        known = self.sources.get(source["id"])
        # A source may be added after the sources were read.
        return known.label if known else clean_line(source["name"], MAX_LABEL)

    def project_url(self, project_id: object) -> str:
        """Return the URL of a project's page."""
        return absolute_url(self._scope, project_page(project_id))

    def url(self, source: SourcePlace, path: str | None, anchor: str | None = None) -> str:
        """Return the URL of the page of a document, at an anchor.

        Without a path, or where the URL would be very long, that of the source's folder.
        """
        page = files_page(source.project_id, path or "", source.top, anchor if path else None)
        if path and len(page) > MAX_URL:
            page = files_page(source.project_id, "", source.top)
        return absolute_url(self._scope, page)

    def describe(self, source: SourcePlace) -> dict[str, Any]:
        """Return a source as an object."""
        return {
            "source": source.label,
            "id": source.id,
            "project": source.project,
            "commit": source.commit,
            "synced_at": source.synced_at,
            "url": self.url(source, None),
        }

    def write(self, source: SourcePlace, *, with_project: bool = False) -> str:
        """Return a source as one line of Markdown."""
        owner = f" of project {escape_line(source.project)}" if with_project else ""
        return (
            f"Source {escape_line(source.label)}{owner}: {write_commit(source)}; "
            f"a page is {self.url(source, None)}/PATH#ANCHOR"
        )

    def of_project(self) -> list[SourcePlace]:
        """Return the sources to name where there is no item."""
        return [*self.sources.values()][:SOURCES_NAMED]


async def read_places(request: Request, project_ids: Iterable[object]) -> SourcePlaces:
    """Return the sources of these projects."""
    ids = [UUID(str(project_id)) for project_id in project_ids]
    database = request.state["database"]
    if not ids:
        return SourcePlaces(request, (), {})
    rows = await read_synced_sources(database, ids)
    return SourcePlaces(request, rows, await read_tops(database, ids))


def write_commit(source: SourcePlace) -> str:
    """Return which commit a source has, and since when, for a text."""
    if source.commit is None:
        return "never synced"
    return f"commit {source.commit[:SHORT_COMMIT]}, synced {source.synced_at}"


def shown_path(path: str) -> str:
    """Return a path to show in a list; cut with an ellipsis where it is very long."""
    if _is_short(path, MAX_SHOWN_PATH):
        return path
    return f"{cut_to_tokens(path[:MAX_SHOWN_PATH], MAX_SHOWN_PATH)}…"


def shown_anchor(anchor: str | None) -> str | None:
    """Return an anchor to show in a list; None where it is very long."""
    return anchor if anchor and _is_short(anchor, MAX_SHOWN_ANCHOR) else None


def _is_short(text: str, limit: int) -> bool:
    """Return whether a text has neither more characters than the limit nor more tokens."""
    return len(text) <= limit and estimate_tokens(text) <= limit
