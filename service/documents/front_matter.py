"""Front matter: the YAML mapping at the beginning of a Markdown document, as JSON values."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import yaml
from yaml.reader import ReaderError

from service.characters import replace_unstorable

MAX_FRONT_MATTER = 64 * 1024  # characters
MAX_DEPTH = 32

FRONT_MATTER_BEGIN = re.compile(r"---[ \t]*(?:\r\n|\r|\n)")
FRONT_MATTER_END = re.compile(r"(\r\n|\r|\n)(?:---|\.\.\.)[ \t]*(?=[\r\n]|\Z)")

YAML_TAG = "tag:yaml.org,2002:"
STRING_TAGS = ("!", f"{YAML_TAG}str")
CONSTANTS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# The only numbers: their text is never lost. With decimals, version 1.10 would be 1.1.
INTEGER = re.compile(r"0|-?[1-9][0-9]*")
MAX_DIGITS = 15  # those that a double, JSON's number in most languages, holds exactly


class FrontMatterError(Exception):
    """The front matter cannot be read; `line` counts the lines of the YAML, from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def split_front_matter(text: str) -> tuple[str | None, str]:
    """Return the YAML between a document's two marker lines, and the Markdown after them.

    Without both markers the YAML is None, and all of the text is Markdown.
    """
    begin = FRONT_MATTER_BEGIN.match(text)
    if not begin:
        return None, text
    # One back: the line break after the first marker may be the one before the second.
    end = FRONT_MATTER_END.search(text, begin.end() - 1)
    if not end:
        return None, text
    # With its last line break, which can be a part of the last value.
    return text[begin.end() : end.end(1)], text[end.end() :]


def read_front_matter(source: str) -> dict[str, Any]:
    """Return a YAML mapping as JSON values; raises FrontMatterError.

    Dates, and numbers but for integers, stay strings as they are written. Aliases and custom tags
    are refused, so that the mapping is no larger than its source.
    """
    if len(source) > MAX_FRONT_MATTER:
        raise FrontMatterError(1, f"is longer than {MAX_FRONT_MATTER // 1024} KiB")
    try:
        return _build_mapping(parse_yaml(source))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise FrontMatterError(line, error.problem or "is not YAML") from error
    except ReaderError as error:
        line = source.count("\n", 0, error.position) + 1
        raise FrontMatterError(line, "has a character that YAML does not allow") from error


def parse_yaml(source: str) -> Iterator[yaml.Event]:
    """Yield the events of a YAML text one by one; raises yaml.YAMLError."""
    # Not every build of PyYAML has the C parser.
    return yaml.parse(source, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def scalar_value(event: yaml.NodeEvent) -> str | int | bool | None:
    """Return a YAML scalar as a JSON value; raises FrontMatterError for an unsupported tag.

    Only true, false, null and integers have a type, as in YAML 1.2. Everything else is the text as
    it is written: 1.10, 010, 1e3, 10:30, no.
    """
    assert isinstance(event, yaml.ScalarEvent)
    _check_tag(event, "str", "int", "float", "bool", "null", "timestamp", "binary")
    value = event.value
    is_plain = event.implicit[0] if event.tag is None else event.tag not in STRING_TAGS
    if not is_plain:
        return replace_unstorable(value)
    if not value and event.anchor:
        return f"&{event.anchor}"  # it was written as a text
    if value in CONSTANTS:
        return CONSTANTS[value]
    if len(value) <= MAX_DIGITS and INTEGER.fullmatch(value):
        return int(value)
    return replace_unstorable(value)


def is_mapping(value: Any) -> TypeGuard[dict[str, Any]]:
    """Return whether a JSON value is a mapping."""
    return isinstance(value, dict)


@dataclass(slots=True)
class _OpenCollection:
    """An unfinished mapping or sequence.

    `key` is a mapping's key whose value comes next. `has_question_mark` says that a mapping has a
    key of nothing but YAML's mark of a key.
    """

    container: dict[str, Any] | list[Any]
    start: yaml.CollectionStartEvent
    key: str | None = None
    has_question_mark: bool = False


def _build_mapping(events: Iterator[yaml.Event]) -> dict[str, Any]:
    # Not yaml.load(): its loader recurses in C for each level, constructs Python's own types, and
    # copies a merged mapping once for each `<<`.
    document: Any = None
    is_empty = True
    stack: list[_OpenCollection] = []
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            closed = stack.pop()
            if stack and closed.has_question_mark and closed.container == {"": None}:
                _replace_last(stack[-1].container, "?")  # it was written as a text
        elif isinstance(event, yaml.AliasEvent):
            raise FrontMatterError(_line(event), f"the alias *{event.anchor} is not supported")
        elif isinstance(event, yaml.DocumentStartEvent):
            if not is_empty:
                raise FrontMatterError(_line(event), "a second document begins")
        elif isinstance(event, yaml.NodeEvent):
            opened = _open_collection(event)
            value = opened.container if opened else scalar_value(event)
            if stack:
                _add_to_parent(stack[-1], event, value)
            else:
                document, is_empty = value, False
            if opened:
                stack.append(opened)
                if len(stack) > MAX_DEPTH:
                    raise FrontMatterError(_line(event), f"more than {MAX_DEPTH} levels deep")
    if document is None:
        return {}  # only comments
    if not is_mapping(document):
        raise FrontMatterError(1, "is not a mapping of names to values")
    return document


def _open_collection(event: yaml.NodeEvent) -> _OpenCollection | None:
    if isinstance(event, yaml.MappingStartEvent):
        _check_tag(event, "map", "set")
        return _OpenCollection({}, event)
    if isinstance(event, yaml.SequenceStartEvent):
        _check_tag(event, "seq", "omap", "pairs")
        return _OpenCollection([], event)
    return None


def _add_to_parent(parent: _OpenCollection, event: yaml.NodeEvent, value: Any) -> None:
    if isinstance(parent.container, list):
        parent.container.append(value)
    elif parent.key is not None:
        parent.container[parent.key] = value
        parent.key = None
    elif isinstance(event, yaml.ScalarEvent):
        parent.key = replace_unstorable(event.value)  # as written: 2024-01-01, yes, 1
        # The key in front of a colon begins where its mapping does.
        if not event.value and event.start_mark and parent.start.start_mark:
            parent.has_question_mark = event.start_mark.index > parent.start.start_mark.index
    else:
        raise FrontMatterError(_line(event), "a key is not a plain value")


def _replace_last(container: dict[str, Any] | list[Any], value: str) -> None:
    if isinstance(container, list):
        container[-1] = value
    else:
        container[next(reversed(container))] = value


def _check_tag(event: yaml.NodeEvent, *allowed: str) -> None:
    assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
    tag = event.tag
    if tag is not None and tag != "!" and tag not in {f"{YAML_TAG}{name}" for name in allowed}:
        shown = tag.replace(YAML_TAG, "!!", 1)
        raise FrontMatterError(_line(event), f"the tag {shown} is not supported here")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
