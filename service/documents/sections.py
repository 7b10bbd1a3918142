"""A document cut into sections: what search indexes, and what an anchor leads to."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from service.documents.metadata import Parts, read_parts
from service.documents.outline import Outline
from service.documents.page_text import texts_of

MAX_SECTION: Final = 8_000  # characters

LINE_END: Final = re.compile(r"\r\n?")


class Section(NamedTuple):
    """A piece of a document's text, as a reader sees it, without the heading above it.

    `heading` is an index of the metadata's `headings`: None before the first heading, and in
    documents that are not Markdown. A long text below one heading is several sections.
    """

    heading: int | None
    text: str


class ReadDocument(NamedTuple):
    """What the hub stores of a document besides its text."""

    metadata: dict[str, Any]
    sections: list[Section]


def read_document(text: str, file_type: str, path: str) -> ReadDocument:
    """Return a document's metadata, as read_metadata does, and at least one section.

    Each heading begins a section, and so does the text before the first one, unless that is empty;
    it includes the YAML of the front matter. Of Markdown the sections have the text that the
    rendered page shows, and then, as it is written, what the parser's limits leave out. No section
    has more than MAX_SECTION characters. Nothing of the text is lost but white space at the ends of
    sections and lines, and nothing is there twice.
    """
    parts = read_parts(text, file_type, path)
    return ReadDocument(parts.metadata, cut_parts(parts))


def cut_parts(parts: Parts) -> list[Section]:
    """Return the sections of a document that read_parts has parsed."""
    if parts.outline is None:
        sections = [*_sections(None, parts.text)]
    else:
        front_matter = LINE_END.sub("\n", parts.front_matter or "").strip()
        sections = _cut_outline(parts.outline, front_matter)
    return sections or [Section(None, "")]


def _cut_outline(outline: Outline, front_matter: str) -> list[Section]:
    first, *others = texts_of(outline.page, has_raw_html=outline.has_raw_html)
    sections: list[Section] = []
    if front_matter or first:
        sections += _sections(None, f"{front_matter}\n{first}".strip())
    for heading, text in enumerate(others):
        if len(text) <= MAX_SECTION:
            sections.append(Section(heading, text))
        else:
            sections += _sections(heading, text)
    if outline.rest:
        sections += _sections(len(others) - 1 if others else None, outline.rest)
    return sections


def _sections(heading: int | None, text: str) -> Iterator[Section]:
    return (Section(heading, piece) for piece in _cut(text))


def _cut(text: str) -> Iterator[str]:
    """Yield a text in pieces of at most MAX_SECTION characters, but none of white space only.

    A piece ends at a line end; where a line is longer, at a blank; where a word is, inside it.
    """
    start = 0
    while start < len(text):
        end = start + MAX_SECTION
        if end < len(text):
            places = (
                max(text.rfind(first, start, end + 1), text.rfind(second, start, end + 1))
                for first, second in ("\n\r", " \t")
            )
            end = next((place for place in places if place > start), end)
        piece = text[start:end].rstrip().lstrip("\r\n")
        if piece:
            yield piece
        start = end + text.startswith(("\n", "\r", " ", "\t"), end)
