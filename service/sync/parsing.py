"""What a run stores of a document besides its text, parsed from it.

That is its metadata, its kind, its sections, and what it says of the work.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from service.bmad.document import BmadDocument
from service.bmad.reading import read_document
from service.documents.kinds import kind_of
from service.documents.metadata import PARTS_VERSION, read_parts
from service.documents.sections import cut_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.documents.sections import Section
    from service.documents.text import DocumentText
    from service.sync.plan import WantedFile


class ParsedFile(NamedTuple):
    """A document that was parsed; `digest` is that of all that its parts are made from.

    `reading_json` is what the document says of the work; None if it says nothing.
    """

    metadata: dict[str, Any]
    metadata_json: bytes
    reading_json: bytes | None
    kind: str
    sections: Sequence[Section]
    digest: bytes


def parse_file(file: WantedFile, text: DocumentText) -> ParsedFile:
    """Return what is stored of a document with this text."""
    parts = read_parts(text.text, file.file_type, file.path)
    metadata, sections = parts.metadata, cut_parts(parts)
    kind = kind_of(file.path, file.file_type, metadata, text.text)
    document = BmadDocument(file.path, file.file_type, kind, metadata, parts.text, parts.outline)
    reading = read_document(document)
    if "story" in reading:
        metadata["story"] = reading["story"]
    if text.encoding != "utf-8":
        metadata["encoding"] = text.encoding  # the file's; the API sends UTF-8
    if text.replaced:
        metadata["replaced_characters"] = text.replaced
    metadata_json = _dump(metadata)
    sections_json = orjson.dumps([[*each] for each in sections])
    digest = digest_of(file.path, kind, metadata_json, sections_json)
    reading_json = orjson.dumps(reading) if reading else None
    return ParsedFile(metadata, metadata_json, reading_json, kind, sections, digest)


def digest_of(path: str, kind: str, metadata_json: bytes, sections_json: bytes) -> bytes:
    """Return the digest of all that the parts of a document are made from."""
    # PostgreSQL's text and git's paths have no NUL.
    before = f"{PARTS_VERSION}\0{path}\0{kind}\0".encode()
    return blake2b(b"%b%b\0%b" % (before, metadata_json, sections_json), digest_size=16).digest()


def _dump(metadata: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(metadata)
    except TypeError:  # front matter may have a number of more than 64 bits
        return json.dumps(metadata).encode()
