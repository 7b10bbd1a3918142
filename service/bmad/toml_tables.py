"""TOML: the tables of arrays such as [[entry]], with the line of each one."""

import re
import tomllib
from itertools import zip_longest
from typing import Any, Final, NamedTuple, cast

from service.documents.front_matter import is_mapping

MAX_TOML: Final = 256 * 1024  # characters; the parser is written in Python

# tomllib takes time with the square of a key's parts.
_PART: Final = r"""(?:"[^"\n]*+"|'[^'\n]*+'|[\w-]++)[ \t]*+"""
_LONG_KEY: Final = re.compile(rf"(?<![\w-])(?:{_PART}\.[ \t]*+){{32}}")
# The strings and comments of valid TOML, which may have lines that look like headers, and headers.
_TOKEN: Final = re.compile(
    r'"""(?>[^"\\]|\\.|"(?!""))*+"""(?:"{0,2})'
    r"|'''(?>[^']|'(?!''))*+'''(?:'{0,2})"
    r'|"(?>[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|#[^\n]*+"
    r"|^[ \t]*+\[\[[ \t]*+[\"']?(?P<name>[\w-]++)[\"']?[ \t]*+\]\]",
    re.MULTILINE | re.DOTALL,
)


class TomlTable(NamedTuple):
    """A table of an array: its values, and the line of its header."""

    values: dict[str, Any]
    line: int


class TomlError(Exception):
    """A text is no TOML, or exceeds a limit; str() is a sentence."""


def read_tables(source: str, *names: str) -> dict[str, list[TomlTable]]:
    """Return the tables of these arrays in order; raises TomlError.

    Decimals are texts as they are written: an id 1.10 is not 1.1. Tables that are inline have the
    line 1.
    """
    if len(source) > MAX_TOML:
        raise TomlError(f"It is longer than {MAX_TOML // 1024} KiB.")
    if _LONG_KEY.search(source):
        raise TomlError("It has a key of more than 32 parts.")
    try:
        document = tomllib.loads(source, parse_float=str)
    except (ValueError, RecursionError) as error:  # ValueError also for a number of 5,000 digits
        raise TomlError(f"It is not TOML: {error}.") from error
    lines = _header_lines(source)
    tables: dict[str, list[TomlTable]] = {}
    for name in names:
        found: Any = document.get(name)
        values = list_of(found)
        headers = lines.get(name, [])
        tables[name] = [
            TomlTable(each, line)
            for each, line in zip_longest(values, headers[: len(values)], fillvalue=1)
            if is_mapping(each)
        ]
    return tables


def list_of(value: Any) -> list[Any]:
    """Return an array's values; an empty list for a value that is no array."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def _header_lines(source: str) -> dict[str, list[int]]:
    """Return the lines of the headers of arrays of tables, by name; `source` is valid TOML."""
    lines: dict[str, list[int]] = {}
    line, position = 1, 0
    for token in _TOKEN.finditer(source):
        if name := token["name"]:
            line += source.count("\n", position, token.start())
            position = token.start()
            lines.setdefault(name, []).append(line)
    return lines
