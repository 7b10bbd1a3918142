"""Which documents are not of a project's work, but of the method's own tools."""

from service.bmad.document import BmadDocument
from service.documents.kinds import TEMPLATE, is_folder_of_tools


def is_of_tools(document: BmadDocument) -> bool:
    """Return whether a document is one of the method's tools, or a template."""
    return bool(TEMPLATE.fullmatch(document.name.lower())) or is_in_tools(document)


def is_in_tools(document: BmadDocument) -> bool:
    """Return whether a document is in a folder of the method's tools."""
    return any(map(is_folder_of_tools, document.folders))
