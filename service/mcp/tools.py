"""All tools, in the order in which agents read of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.mcp.document_tool import READ_DOCUMENT
from service.mcp.list_tools import LIST_DOCUMENTS, LIST_PROJECTS
from service.mcp.progress_tools import LIST_PROBLEMS, PROGRESS
from service.mcp.search_tool import SEARCH
from service.mcp.work_tools import LIST_STORIES, NEXT

if TYPE_CHECKING:
    from service.mcp.tool import Tool

TOOLS: Final[tuple[Tool, ...]] = (
    SEARCH,
    READ_DOCUMENT,
    LIST_DOCUMENTS,
    LIST_PROJECTS,
    NEXT,
    PROGRESS,
    LIST_STORIES,
    LIST_PROBLEMS,
)
