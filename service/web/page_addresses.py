"""Where the pages of the hub are: paths of this service, for links to them.

For a URL in a response, give such a path to reference_to or absolute_url of references.py. A path
has its anchor or its query at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a segment may have unescaped (RFC 3986, section 3.3). Not the colon: a relative reference
# that begins with one in its first segment would have a scheme.
UNESCAPED = "/@!$&'()*+,;=~"


def project_page(project_id: object) -> str:
    """Return the path of a project's page."""
    return f"/projects/{project_id}"


def files_page(
    project_id: object, path: str = "", top: str | None = None, anchor: str | None = None
) -> str:
    """Return the path of the page of a document or a folder, as the file tree has it.

    `path` is from the repository's root. Where a project has several sources, `top` is the path of
    the source's folder, as documents.tree.arrange_sources names it. `anchor` is that of
    a heading, or of a line such as `L12`.
    """
    parts = [part for part in (top, path.strip("/")) if part]
    page = "/".join(["/projects", str(project_id), "files", *parts])
    fragment = f"#{quote(anchor, safe=UNESCAPED)}" if anchor else ""
    return quote(page, safe=UNESCAPED) + fragment


def search_page(query: str = "", filters: Mapping[str, str] | None = None) -> str:
    """Return the path of the page of a search, with filters such as `project_id` and `kind`."""
    given = ({"q": query} if query else {}) | dict(filters or {})
    return f"/search?{urlencode(given)}" if given else "/search"


def work_page(project_id: object, name: str, filters: Mapping[str, str] | None = None) -> str:
    """Return the path of the page of a list of a project, such as `stories`, with its filters."""
    page = f"{project_page(project_id)}/{name}"
    return f"{page}?{urlencode(filters)}" if filters else page
