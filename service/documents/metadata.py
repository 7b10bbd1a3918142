"""From a document's text to what is listed of it: title, front matter, headings.

The texts are other people's: each limit below is for those who send five megabytes of `[`. What
is returned can be stored as jsonb: no NUL, no surrogate, no NaN, nothing deep, nothing large.
"""

import html
import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple, TypeGuard

import pyromark
import yaml
from yaml.reader import ReaderError

from service.characters import UNSTORABLE

# Raise it with every change of which files are documents (service/sync/files.py) or of what this
# room reads in one: the next sync of each source then reads all of its documents again.
READER_VERSION: Final = 1

MAX_TITLE = 300  # characters
MAX_HEADINGS = 2_000
MAX_HEADING_TEXT = 300
MAX_ANCHOR = 1_000  # GitHub has no limit; so long a heading has no link to it
MAX_HEADING_HTML = 4_000
MAX_FRONT_MATTER = 64 * 1024
MAX_DEPTH = 32
MAX_JSON_FOR_TITLE = 256 * 1024
MAX_YAML_FOR_TITLE = 64 * 1024

# What GitHub adds to CommonMark, as far as it changes what is a heading and what it says.
GITHUB = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_GFM
)

FRONT_MATTER_BEGIN = re.compile(r"---[ \t]*(?:\r\n|\r|\n)")
FRONT_MATTER_END = re.compile(r"(?:\r\n|\r|\n)(?:---|\.\.\.)[ \t]*(?=[\r\n]|\Z)")

# None of these looks further than the next `<` or `>`, so that no text takes quadratic time.
COMMENT_OR_HEADING = re.compile(r"<(?:!--|(/?)[hH]([1-6])(?=[\s/>]))")
TAG = re.compile(r"<[^<>]*>")
LINE_BREAK = re.compile(r"<br\b[^<>]*>", re.IGNORECASE)
ALTERNATIVE_TEXT = re.compile(r"<img\b[^<>]*?\balt=[\"']([^\"'<>]+)", re.IGNORECASE)
FOOTNOTE = re.compile(r'<sup class="footnote-reference"><a href="[^"<>]*">[^<>]*</a></sup>')

NOT_IN_ASCII_ANCHOR = re.compile(r"[^a-z0-9_\- ]")
# Letters, marks, digits and what connects words. GitHub drops other numbers, such as fractions,
# and all symbols but letters in circles and squares.
IN_ANCHOR = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "Pc"))
CIRCLED_LETTERS = (
    ("\u24b6", "\u24e9"),
    ("\U0001f130", "\U0001f149"),
    ("\U0001f150", "\U0001f169"),
    ("\U0001f170", "\U0001f189"),
)

YAML_TAG = "tag:yaml.org,2002:"
STRING_TAGS = ("!", f"{YAML_TAG}str")
CONSTANTS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# What is a number in JSON, too. What is one in YAML alone (.inf, 0x1F) stays as it is written.
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
MAX_DIGITS = 15  # what a reader of JSON can hold exactly, in whatever language


class Heading(NamedTuple):
    """One heading: `html` is what stands between its tags."""

    level: int
    html: str


class NotFrontMatter(Exception):
    """The YAML cannot be taken; `line` counts from 1, in the YAML."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def read_metadata(text: str, file_type: str, path: str) -> dict[str, Any]:
    """Return what is listed of a document; never raises, whatever the text is.

    `title` is always there, one line. A Markdown document also has `front_matter`, a mapping or
    None; `front_matter_error` where there is one that cannot be read; and `headings`, in order,
    each with `level`, `text` and GitHub's `anchor`.
    """
    text = _storable(text)
    if file_type == "md":
        return _read_markdown(text, path)
    title = None
    if file_type == "yaml":
        title = _yaml_title(text)
    elif file_type == "json":
        title = _json_title(text)
    return {"title": title or _file_title(path)}


def _read_markdown(text: str, path: str) -> dict[str, Any]:
    source, body = _split_front_matter(text)
    metadata: dict[str, Any] = {"title": "", "front_matter": None}
    title = None
    if source is not None:
        try:
            front_matter = metadata["front_matter"] = read_front_matter(source)
        except NotFrontMatter as error:
            # The YAML begins on the document's second line. A tag that is named may be anything.
            reason = _one_line(_storable(str(error)), MAX_TITLE)
            metadata["front_matter_error"] = f"line {error.line + 1}: {reason}"
        else:
            title = _title_of(front_matter.get("title"))
    headings = metadata["headings"] = read_headings(body)
    if not title and headings:
        first = next((heading for heading in headings if heading["level"] == 1), headings[0])
        title = first["text"]
    metadata["title"] = title or _file_title(path)
    return metadata


def _split_front_matter(text: str) -> tuple[str | None, str]:
    begin = FRONT_MATTER_BEGIN.match(text)
    if not begin:
        return None, text
    # From one back: the line that ends may be the one behind the line that begins.
    end = FRONT_MATTER_END.search(text, begin.end() - 1)
    if not end:
        return None, text
    return text[begin.end() : end.start()], text[end.end() :]


# --- titles


def _file_title(path: str) -> str:
    return _one_line(_storable(PurePosixPath(path).stem), MAX_TITLE) or "Untitled"


def _title_of(value: object) -> str | None:
    # A title that is a year reads as a number. true and null are no titles.
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return _one_line(_storable(str(value)), MAX_TITLE)
    return None


def _json_title(text: str) -> str | None:
    if len(text) > MAX_JSON_FOR_TITLE:
        return None
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):  # also an integer of more than 4,300 digits
        return None
    return _title_of(document.get("title")) if _is_mapping(document) else None


def _yaml_title(text: str) -> str | None:
    # The events come one by one, so that reading stops at the title, or at what is not a mapping.
    depth = 0
    is_key, key = True, ""
    try:
        for event in _events(text[:MAX_YAML_FOR_TITLE]):
            if isinstance(event, yaml.ScalarEvent) and depth == 1:
                if not is_key and key == "title":
                    return _title_of(_scalar(event))
                is_key, key = not is_key, event.value if is_key else ""
            elif isinstance(event, yaml.CollectionStartEvent):
                if depth == 0 and not isinstance(event, yaml.MappingStartEvent):
                    return None
                depth += 1
                if depth > MAX_DEPTH:  # libyaml takes quadratic time for what is nested
                    return None
            elif isinstance(event, yaml.CollectionEndEvent | yaml.AliasEvent):
                depth -= isinstance(event, yaml.CollectionEndEvent)
                if depth == 1:
                    is_key, key = not is_key, ""
            elif isinstance(event, yaml.DocumentEndEvent):
                return None
    except (yaml.YAMLError, NotFrontMatter):
        pass
    return None


# --- front matter


def read_front_matter(source: str) -> dict[str, Any]:
    """Return a YAML mapping as JSON has it; raises NotFrontMatter.

    Dates are ISO strings, and what JSON has no value for is as it is written. Aliases and tags of
    anybody's own are refused, so that the mapping is no larger than its source.
    """
    if len(source) > MAX_FRONT_MATTER:
        raise NotFrontMatter(1, f"is longer than {MAX_FRONT_MATTER // 1024} KiB")
    try:
        return _build(_events(source))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise NotFrontMatter(line, error.problem or "is not YAML") from error
    except ReaderError as error:
        line = source.count("\n", 0, error.position) + 1
        raise NotFrontMatter(line, "has a character that YAML does not allow") from error


def _events(source: str) -> Iterator[yaml.Event]:
    # Not every build of PyYAML has the C parser.
    return yaml.parse(source, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class _Open(NamedTuple):
    """A mapping or sequence that is not complete: `keys` has the key that waits for its value."""

    container: dict[str, Any] | list[Any]
    keys: list[str]


def _build(events: Iterator[yaml.Event]) -> dict[str, Any]:
    # Not yaml.load(): its loader recurses in C for each level, constructs Python's own values, and
    # copies what `<<` merges as often as it is told to.
    document: Any = None
    is_empty = True
    stack: list[_Open] = []
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
        elif isinstance(event, yaml.AliasEvent):
            raise NotFrontMatter(_line(event), f"the alias *{event.anchor} is not supported")
        elif isinstance(event, yaml.DocumentStartEvent):
            if not is_empty:
                raise NotFrontMatter(_line(event), "a second document begins")
        elif isinstance(event, yaml.NodeEvent):
            opened = _open(event)
            value = opened.container if opened else _scalar(event)
            if stack:
                _put(stack[-1], event, value)
            else:
                document, is_empty = value, False
            if opened:
                stack.append(opened)
                if len(stack) > MAX_DEPTH:
                    raise NotFrontMatter(_line(event), f"more than {MAX_DEPTH} levels deep")
    if document is None:
        return {}  # nothing but comments
    if not _is_mapping(document):
        raise NotFrontMatter(1, "is not a mapping of names to values")
    return document


def _open(event: yaml.NodeEvent) -> _Open | None:
    if isinstance(event, yaml.MappingStartEvent):
        _check_tag(event, "map", "set")
        return _Open({}, [])
    if isinstance(event, yaml.SequenceStartEvent):
        _check_tag(event, "seq", "omap", "pairs")
        return _Open([], [])
    return None


def _put(parent: _Open, event: yaml.NodeEvent, value: Any) -> None:
    if isinstance(parent.container, list):
        parent.container.append(value)
    elif parent.keys:
        parent.container[parent.keys.pop()] = value
    elif isinstance(event, yaml.ScalarEvent):
        parent.keys.append(_storable(event.value))  # as it is written: 2024-01-01, yes, 1
    else:
        raise NotFrontMatter(_line(event), "a key is not a plain value")


def _scalar(event: yaml.NodeEvent) -> str | int | float | bool | None:
    # By YAML 1.2, as the front end's parsers read it. PyYAML has the rules of 1.1, in which `no` is
    # false, 10:30 is 630 and 010 is 8.
    assert isinstance(event, yaml.ScalarEvent)
    _check_tag(event, "str", "int", "float", "bool", "null", "timestamp", "binary")
    value = event.value
    is_plain = event.implicit[0] if event.tag is None else event.tag not in STRING_TAGS
    if not is_plain:
        return _storable(value)
    if value in CONSTANTS:
        return CONSTANTS[value]
    if NUMBER.fullmatch(value):
        if value.lstrip("-").isdecimal():
            return int(value) if len(value) <= MAX_DIGITS else value
        number = float(value)
        return number if math.isfinite(number) else value
    return _storable(value)


def _check_tag(event: yaml.NodeEvent, *allowed: str) -> None:
    assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
    tag = event.tag
    if tag is not None and tag != "!" and tag not in {f"{YAML_TAG}{name}" for name in allowed}:
        shown = tag.replace(YAML_TAG, "!!", 1)
        raise NotFrontMatter(_line(event), f"the tag {shown} is not supported here")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


# --- headings


def read_headings(body: str) -> list[dict[str, Any]]:
    """Return the headings of a Markdown text as GitHub shows them, raw HTML's among them.

    What has neither text nor an image's alternative text is left out, but its anchor counts.
    """
    headings: list[dict[str, Any]] = []
    taken: dict[str, int] = {}
    for heading in islice(_find_headings(pyromark.html(body, options=GITHUB)), MAX_HEADINGS):
        plain = _plain_text(heading.html)
        anchor = unique_anchor(anchor_of(plain), taken)
        if "<" in heading.html:
            plain = _plain_text(LINE_BREAK.sub(" ", FOOTNOTE.sub("", heading.html)))
        text = _one_line(plain, MAX_HEADING_TEXT)
        if not text and (image := ALTERNATIVE_TEXT.search(heading.html)):
            text = _one_line(html.unescape(image[1]), MAX_HEADING_TEXT)
        if text:
            headings.append({"level": heading.level, "text": text, "anchor": anchor})
    return headings


def _find_headings(page: str) -> Iterator[Heading]:
    # A heading ends with any heading's end, or where the next begins, as in a browser.
    level = 0
    parts: list[str] = []
    position = 0
    while mark := COMMENT_OR_HEADING.search(page, position):
        if level:
            parts.append(page[position : min(mark.start(), position + MAX_HEADING_HTML)])
        is_comment = mark[2] is None
        end = page.find("-->", mark.start() + 2) if is_comment else page.find(">", mark.end())
        if not is_comment:
            if level:
                yield Heading(level, "".join(parts)[:MAX_HEADING_HTML])
            level = 0 if mark[1] else int(mark[2])
            parts = []
        if end == -1:
            return  # it takes in all the rest
        position = end + (3 if is_comment else 1)
    if level:
        yield Heading(level, page[position : position + MAX_HEADING_HTML])


def anchor_of(text: str) -> str:
    """Return GitHub's anchor for a heading of that text, before it is made unique.

    As https://github.com/Flet/github-slugger describes it, whose authors compared it with GitHub
    character by character.
    """
    text = text.lower()
    if text.isascii():
        text = NOT_IN_ASCII_ANCHOR.sub("", text)
    else:
        text = "".join(filter(_is_in_anchor, text))
    return text.replace(" ", "-")[:MAX_ANCHOR]


def unique_anchor(anchor: str, taken: dict[str, int]) -> str:
    """Return the anchor, with -1, -2, … if it is `taken`, and note it there.

    A number that a heading of its own has is passed over: "a", "a-1", "a" give a, a-1, a-2.
    """
    unique = anchor
    while unique in taken:
        taken[anchor] += 1
        unique = f"{anchor}-{taken[anchor]}"
    taken[unique] = 0
    return unique


def _is_in_anchor(character: str) -> bool:
    return (
        character in "- "
        or unicodedata.category(character) in IN_ANCHOR
        or any(first <= character <= last for first, last in CIRCLED_LETTERS)
    )


def _plain_text(fragment: str) -> str:
    if "<" in fragment:
        fragment = TAG.sub("", fragment)
    return _storable(html.unescape(fragment)) if "&" in fragment else fragment


# --- values


def _one_line(text: str, limit: int) -> str:
    return " ".join(text[: 10 * limit].split())[:limit].rstrip()


def _is_mapping(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _storable(text: str) -> str:
    # PostgreSQL's text and jsonb hold neither NUL nor half a surrogate pair.
    if text.isascii() and "\0" not in text:
        return text
    return UNSTORABLE.sub("\ufffd", text)
