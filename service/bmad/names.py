"""Which documents are not of a project's work, but of the method's own tools."""

from service.bmad.document import BmadDocument
from service.documents.kinds import TEMPLATE, TOOLS


def is_of_tools(document: BmadDocument) -> bool:
    """Return whether a document is one of the method's tools, or a template."""
    folders = document.folders
    return bool(
        TEMPLATE.fullmatch(document.name.lower())
        or any(TOOLS.fullmatch(folder.lower()) for folder in folders)
    )
