"""Documents as the readers of the BMAD Method get them."""

from service.bmad.document import BmadDocument
from service.documents.kinds import kind_of
from service.documents.metadata import read_parts


def bmad_document(text: str, path: str = "docs/a.md", file_type: str = "md") -> BmadDocument:
    """Return a document with a text, parsed as a sync parses it."""
    parts = read_parts(text, file_type, path)
    kind = kind_of(path, file_type, parts.metadata, text)
    return BmadDocument(path, file_type, kind, parts.metadata, parts.text, parts.outline)
