"""What can be read of front matter that is not YAML: those of its fields that can be read alone.

Most are templates (`{{title}}`), paths (`- {output}/prd.md`) and texts that need quotes and have
none (`title: fix: x`).
"""

import re
from typing import Any, Final, NamedTuple

from service.documents.front_matter import MAX_FRONT_MATTER, FrontMatterError, read_front_matter

LINE_END: Final = re.compile(r"\r\n|\r|\n")
# A key without quotes does not begin as other YAML does. It ends at the first colon with a space.
FIELD: Final = re.compile(
    r"""("[^"]*+"|'[^']*+'|(?![\s\-?:,\[\]{}#&*!|>'"%@`])[^:]++(?>:(?![ \t]|$)[^:]*+)*+)"""
    r"""[ \t]*+:(?:[ \t]+(.*))?$"""
)
# A line that continues a field: indented, a comment, an item, a closing bracket, or empty.
CONTINUATION: Final = re.compile(r"\s|#|-(?:\s|$)|[\]}]|$")
COMMENT: Final = re.compile(r"\s*(?:#|$)")
ITEM: Final = re.compile(r"(\s*)-\s+(.*)")
OPENINGS: Final = ('"', "'", "[", "{", "|", ">")


class _Field(NamedTuple):
    """A key and its value as they are written, and all lines of the field."""

    key: str
    value: str
    lines: list[str]


def read_readable_fields(source: str) -> dict[str, Any]:
    """Return the fields at the top level that can be read, whatever the others are.

    Each is read without the others. One that is no YAML even then has its text as it is written, if
    that is on one line, or on several without a quote or bracket at its beginning. So has each item
    of a list with one line for each item. Other fields are left out.
    """
    fields: dict[str, Any] = {}
    if len(source) <= MAX_FRONT_MATTER:
        for field in _split_fields(source):
            try:
                fields |= read_front_matter("\n".join([*field.lines, ""]))
            except FrontMatterError:
                value = _read_as_written(field)
                if value is not None:
                    fields[field.key] = value
    return fields


def _split_fields(source: str) -> list[_Field]:
    fields: list[_Field] = []
    is_in_field = False
    lines = LINE_END.split(source)
    if not lines[-1]:
        lines.pop()
    for line in lines:
        if match := FIELD.match(line):
            key = match[1][1:-1] if match[1][0] in {'"', "'"} else match[1].rstrip()
            fields.append(_Field(key, (match[2] or "").strip(), [line]))
            is_in_field = True
        elif not CONTINUATION.match(line):
            is_in_field = False
        elif is_in_field:
            fields[-1].lines.append(line)
    return fields


def _read_as_written(field: _Field) -> str | list[Any] | None:
    others = [line for line in field.lines[1:] if not COMMENT.match(line)]
    if field.value and not field.value.startswith("#"):
        if others and field.value.startswith(OPENINGS):
            return None
        return " ".join([field.value, *map(str.strip, others)])
    items = [item for line in others if (item := ITEM.fullmatch(line))]
    has_one_level = len({item[1] for item in items}) == 1
    if len(items) < len(others) or not has_one_level:
        return None
    return [_read_item(item[2].strip()) for item in items]


def _read_item(text: str) -> Any:
    try:
        return read_front_matter(f"item: {text}\n")["item"]
    except FrontMatterError:
        return text
