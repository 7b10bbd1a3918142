"""A document's metadata, read from its text: title, front matter, headings.

The texts are untrusted, so every limit in this room bounds the time and memory that a hostile text
can cost, such as five megabytes of `[`. PostgreSQL can store the result as jsonb: it has no NUL, no
lone surrogate and no NaN, and is neither deep nor large.
"""

import json
import re
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

import yaml

from service.characters import one_line, replace_unstorable
from service.documents.broken_front_matter import read_readable_fields
from service.documents.first_lines import outline_of_first_lines
from service.documents.front_matter import (
    MAX_DEPTH,
    FrontMatterError,
    is_mapping,
    parse_yaml,
    read_front_matter,
    scalar_value,
    split_front_matter,
)
from service.documents.outline import Outline, read_outline

# Increment it with every change of which files are documents (service/sync/plan.py) or of what this
# room reads from one, also by the functions of service/characters.py: the next run of each source
# then reads all of its documents again.
READER_VERSION: Final = 14

# Increment it, and READER_VERSION, with every change of what parts.py, words.py and completions.py
# make of a document: its rows for the search are then written again, though they are read the same.
PARTS_VERSION: Final = 2

# These take two code units of UTF-16.
BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")
LINE_END = re.compile(r"\r\n|\r|\n")

MAX_TITLE = 300  # characters
MAX_JSON_FOR_TITLE = 256 * 1024
MAX_YAML_FOR_TITLE = 64 * 1024


class Parts(NamedTuple):
    """A document's metadata, and what its sections are made of besides.

    `text` is what PostgreSQL can store. Markdown has an outline; `front_matter` is the YAML.
    """

    metadata: dict[str, Any]
    text: str
    front_matter: str | None = None
    outline: Outline | None = None


def read_metadata(text: str, file_type: str, path: str) -> dict[str, Any]:
    """Return the metadata of a document; never raises, whatever the text is.

    `title` is always present, on one line. Markdown also has `front_matter` (a mapping or None),
    `front_matter_error` if a part of it cannot be read, `body_offset` (in UTF-16 code units, as
    JavaScript counts) and `body_line` (from 1) of the line after the front matter, `headings` in
    order, each with `level`, `text` and GitHub's `anchor`, and `anchors`, the others of raw HTML.
    """
    return read_parts(text, file_type, path).metadata


def read_parts(text: str, file_type: str, path: str) -> Parts:
    """Return the same metadata, with what has been parsed for it."""
    text = replace_unstorable(text)
    if file_type == "md":
        return _read_markdown(text, path)
    title = None
    if file_type == "yaml":
        title = _yaml_title(text)
    elif file_type == "json":
        title = _json_title(text)
    return Parts({"title": title or _file_title(path)}, text)


def read_first_lines(text: str, path: str, lines: int) -> Parts | None:
    """Return what read_parts does of a Markdown document, with the outline of its first lines.

    The text is the whole one, but headings are those of the outline: see outline_of_first_lines.
    None if that returns None.
    """
    text = replace_unstorable(text)
    source, body = split_front_matter(text)
    outline = outline_of_first_lines(body, lines)
    return None if outline is None else _parts_of_markdown(text, path, source, body, outline)


def _read_markdown(text: str, path: str) -> Parts:
    source, body = split_front_matter(text)
    return _parts_of_markdown(text, path, source, body, read_outline(body))


def _parts_of_markdown(
    text: str, path: str, source: str | None, body: str, outline: Outline
) -> Parts:
    metadata: dict[str, Any] = {"title": "", "front_matter": None}
    title = None
    if source is not None:
        try:
            front_matter = metadata["front_matter"] = read_front_matter(source)
        except FrontMatterError as error:
            front_matter = read_readable_fields(source)
            metadata["front_matter"] = front_matter or None
            # The reason may quote a tag, which can contain any character.
            reason = one_line(replace_unstorable(str(error)), MAX_TITLE)
            # The YAML begins on the document's second line.
            metadata["front_matter_error"] = f"line {error.line + 1}: {reason}"
        title = _title_of(front_matter.get("title"))
    before = text[: len(text) - len(body)]
    if before:  # and the end of its last line
        before += body[: 2 if body.startswith("\r\n") else 1]
    metadata["body_offset"] = len(before) + len(BEYOND_BMP.findall(before))
    metadata["body_line"] = 1 + len(LINE_END.findall(before))
    headings = outline.headings
    metadata["headings"] = [
        {"level": heading.level, "text": heading.text, "anchor": heading.anchor}
        for heading in headings
    ]
    taken = {heading.anchor for heading in headings}
    metadata["anchors"] = [anchor for anchor in outline.html_anchors if anchor not in taken]
    if not title and headings:
        first = next((heading for heading in headings if heading.level == 1), headings[0])
        title = first.text
    metadata["title"] = title or _file_title(path)
    return Parts(metadata, text, source, outline)


def _file_title(path: str) -> str:
    return one_line(replace_unstorable(PurePosixPath(path).stem), MAX_TITLE) or "Untitled"


def _title_of(value: object) -> str | None:
    # YAML reads a title such as 2024 as a number. true and null are not titles.
    if isinstance(value, str | int) and not isinstance(value, bool):
        return one_line(replace_unstorable(str(value)), MAX_TITLE)
    return None


def _json_title(text: str) -> str | None:
    if len(text) > MAX_JSON_FOR_TITLE:
        return None
    try:
        document: Any = json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    return _title_of(document.get("title")) if is_mapping(document) else None


def _yaml_title(text: str) -> str | None:
    # Event by event, so that reading stops at the title, or at a document that is not a mapping.
    depth = 0
    is_key, key = True, ""
    try:
        for event in parse_yaml(text[:MAX_YAML_FOR_TITLE]):
            if isinstance(event, yaml.ScalarEvent) and depth == 1:
                if not is_key and key == "title":
                    return _title_of(scalar_value(event))
                is_key, key = not is_key, event.value if is_key else ""
            elif isinstance(event, yaml.CollectionStartEvent):
                if depth == 0 and not isinstance(event, yaml.MappingStartEvent):
                    return None
                depth += 1
                if depth > MAX_DEPTH:  # libyaml takes quadratic time for nested collections
                    return None
            elif isinstance(event, yaml.CollectionEndEvent | yaml.AliasEvent):
                depth -= isinstance(event, yaml.CollectionEndEvent)
                if depth == 1:
                    is_key, key = not is_key, ""
            elif isinstance(event, yaml.DocumentEndEvent):
                return None
    except (yaml.YAMLError, FrontMatterError):
        pass
    return None
