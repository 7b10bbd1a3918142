"""Markdown as GitHub's own parser, cmark-gfm, renders it.

The package cmarkgfm carries that parser. Its functions in Python never free a document or its HTML,
so ctypes calls the functions of cmark-gfm.h in the package's library instead.

Importing this module loads the library: import it when the first text has to be parsed.
"""

import ctypes
import re
import threading
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_void_p
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

MAX_MARKDOWN = 1_000_000  # characters

# What can begin a node of the parsed document, which takes up to 800 bytes of memory: a mark of
# inline syntax, a line, an item, a quote. The largest of 48,000 real documents has 589 KB, of which
# such characters are a sixth.
MAX_MARKS = 150_000
_UNMARKED = r"""(?>
    [^*_\[\]!<>&`~|\n\r\\@^:"'+\-0-9]++ | [+-](?![ \t\n\r]) | [0-9](?![.)][ \t\n\r])
)*+"""
MARKS = re.compile(rf"(?:{_UNMARKED}.){{{MAX_MARKS}}}", re.DOTALL | re.VERBOSE)

# The most cells of all tables: cmark-gfm fills short rows, so that a line of one character is a row
# of as many cells as the table has columns. 100 KB of such tables would take 200 MB.
MAX_CELLS = 150_000
# Of a line between a table's header and its rows: what comes after the first column.
DELIMITERS = re.compile(r"-(?<!--)-*+:?[ \t\v\f]*+\|(?>[ \t\v\f]*+:?-++:?[ \t\v\f]*+\|?)*+")
LINE_END = re.compile(r"\r\n?|\n")
BLANK_LINE = re.compile(r"(?:\r\n?+|\n)[ \t\v\f>]*+(?=[\r\n])")

# Quotes and lists that one line of a large text can open within each other: a megabyte of `>` would
# take 400 MB.
MAX_DEPTH_OF_LINE = 100
LARGE = 20_000  # characters
SMALL = 2_000  # characters, too few for MAX_CELLS
_CONTAINER = r"[ \t]*+(?:>|(?:[-+*]|[0-9]{1,9}[.)])(?=[ \t]))"
DEEP_LINE = re.compile(
    rf"^((?:{_CONTAINER}){{{MAX_DEPTH_OF_LINE}}})(?>{_CONTAINER})++", re.MULTILINE
)

# Of cmark-gfm.h. UNSAFE keeps raw HTML, which can have headings and anchors.
SOURCE_POSITIONS = 1 << 1
FOOTNOTES = 1 << 13
UNSAFE = 1 << 17
OPTIONS = SOURCE_POSITIONS | FOOTNOTES | UNSAFE

# GitHub's extensions of CommonMark. `tagfilter` shows tags such as <title> as text.
EXTENSIONS = (b"table", b"strikethrough", b"autolink", b"tagfilter", b"tasklist")


class LimitedMarkdown(NamedTuple):
    """What the limits leave of a Markdown text, and the end of it that they keep from the parser.

    Each line has the number that it has in the text.
    """

    text: str
    rest: str


class RenderedMarkdown(NamedTuple):
    """The HTML of a Markdown text, and the end of the text that the limits keep from the parser."""

    page: str
    rest: str


class _Memory(ctypes.Structure):
    """`cmark_mem`: the functions by which cmark-gfm gets and frees memory."""

    _fields_ = (
        ("calloc", c_void_p),
        ("realloc", c_void_p),
        ("free", ctypes.CFUNCTYPE(None, c_void_p)),
    )


def _load_library() -> ctypes.CDLL:
    spec = find_spec("cmarkgfm._cmark")
    assert spec
    assert spec.origin
    return ctypes.CDLL(spec.origin)


def _function(name: str, result: Any, *arguments: Any) -> Any:
    function = LIBRARY[f"cmark_{name}"]
    function.restype = result
    function.argtypes = arguments
    return function


LIBRARY: Final = _load_library()
PARSER_NEW: Final = _function("parser_new", c_void_p, c_int)
PARSER_ATTACH: Final = _function("parser_attach_syntax_extension", c_int, c_void_p, c_void_p)
PARSER_FEED: Final = _function("parser_feed", None, c_void_p, c_char_p, c_size_t)
PARSER_FINISH: Final = _function("parser_finish", c_void_p, c_void_p)
PARSER_EXTENSIONS: Final = _function("parser_get_syntax_extensions", c_void_p, c_void_p)
PARSER_FREE: Final = _function("parser_free", None, c_void_p)
NODE_FREE: Final = _function("node_free", None, c_void_p)
RENDER_HTML: Final = _function("render_html", c_void_p, c_void_p, c_int, c_void_p)
MEMORY: Final = _function("get_default_mem_allocator", POINTER(_Memory))().contents

_function("gfm_core_extensions_ensure_registered", None)()
FIND_EXTENSION: Final = _function("find_syntax_extension", c_void_p, c_char_p)
EXTENSION_POINTERS: Final = tuple(FIND_EXTENSION(name) for name in EXTENSIONS)
assert all(EXTENSION_POINTERS)

# cmark-gfm marks the characters of its extensions in a table of the whole process while it parses.
# A thread that ended first would clear them for the others, which then miss `~~` and bare links.
PARSING: Final = threading.Lock()


def render_markdown(text: str) -> RenderedMarkdown:
    """Return the HTML of a Markdown text, unsafe as its author wrote it: raw HTML is kept.

    Each block but raw HTML has its place in the text as `data-sourcepos="LINE:COLUMN-LINE:COLUMN"`,
    both counted from 1, the columns in bytes. The text must not have lone surrogates.
    """
    parsed, rest = limit_markdown(text)
    return RenderedMarkdown(render_limited(parsed), rest)


def limit_markdown(text: str) -> LimitedMarkdown:
    """Return as much of a Markdown text as the parser gets.

    What comes after MAX_MARKDOWN characters, MAX_MARKS or MAX_CELLS is the rest. A line's quotes
    and lists after MAX_DEPTH_OF_LINE are left out.
    """
    beyond = ""
    if len(text) > LARGE:
        beyond = text[MAX_MARKDOWN:]
        text = DEEP_LINE.sub(r"\1", text[:MAX_MARKDOWN])
    parsed = text
    if len(parsed) > SMALL:
        parsed = _without_tables(parsed)
    if len(parsed) > MAX_MARKS and (within := MARKS.match(parsed)):
        parsed = within[0]
    if len(parsed) < len(text) or beyond:
        # The rest begins with a whole line, unless that is long.
        parsed = parsed[: parsed.rfind("\n", len(parsed) - LARGE) + 1] or parsed
    return LimitedMarkdown(parsed, text[len(parsed) :] + beyond)


def render_limited(text: str) -> str:
    """Return the HTML of a text that limit_markdown has limited, or of its first lines."""
    source = text.encode()
    parser = PARSER_NEW(OPTIONS)
    try:
        for extension in EXTENSION_POINTERS:
            PARSER_ATTACH(parser, extension)
        with PARSING:
            PARSER_FEED(parser, source, len(source))
            document = PARSER_FINISH(parser)
        try:
            page = RENDER_HTML(document, OPTIONS, PARSER_EXTENSIONS(parser))
            try:
                return ctypes.string_at(page).decode()
            finally:
                MEMORY.free(page)
        finally:
            NODE_FREE(document)
    finally:
        PARSER_FREE(parser)


def _without_tables(text: str) -> str:
    """Return the text up to the table that might exceed MAX_CELLS.

    A table ends at a blank line at the latest. Each line of its block may be a row of as many cells
    as the longest line of delimiters there has.
    """
    cells = columns = lines = end = 0
    for delimiters in DELIMITERS.finditer(text):
        if delimiters.start() >= end:  # the first in its block
            blank = BLANK_LINE.search(text, delimiters.end())
            end = blank.start() if blank else len(text)
            lines = len(LINE_END.findall(text, delimiters.end(), end))
            columns = 0
        found = delimiters[0].count("|") + 1
        if found > columns:
            cells += (found - columns) * lines
            columns = found
        if cells > MAX_CELLS:
            return text[: delimiters.start()]
    return text
