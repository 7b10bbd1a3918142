"""YAML as a tree of texts with their lines, as far as it can be read.

Values are texts as they are written, so that a version 2.10 stays "2.10". YAML that is broken gives
what can be read of it: each key at the highest level is then read on its own.
"""

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

import yaml

from service.bmad.texts import MAX_NOTES, short_text
from service.documents.front_matter import MAX_DEPTH, parse_yaml

MAX_YAML: Final = 512 * 1024  # characters
MAX_NODES: Final = 50_000  # keys, values and items
MAX_PARTS: Final = 500  # of broken YAML that are read on their own

# Characters that YAML takes for line ends, other than those of a document's lines, and those that
# it refuses (YAML 1.1, 5.1). One that is not at the text's beginning is no byte order mark.
_OTHER_LINE_END: Final = re.compile("[\x85\u2028\u2029]")
_REFUSED: Final = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BYTE_ORDER_MARK: Final = "\ufeff"
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
# A line with a key at the highest level.
_TOP_KEY: Final = re.compile(r"(?:\A|(?<=[\r\n]))[^\s#\-?:,\[\]{}&*!|>%@`][^\r\n:]*+:(?=\s|\Z)")
_COMMENT: Final = re.compile(r"\s#")
_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))


class YamlText(NamedTuple):
    """A scalar as it is written, without quotes; "" for null. An alias is `*name`."""

    text: str
    line: int


@dataclass(slots=True)
class YamlList:
    """A sequence; `line` is where it begins."""

    line: int
    items: list["YamlNode"] = field(default_factory=list["YamlNode"])


@dataclass(slots=True)
class YamlMapping:
    """A mapping: its pairs in order, a key twice if it is there twice. Keys are scalars."""

    line: int
    pairs: list[tuple[YamlText, "YamlNode"]] = field(
        default_factory=list[tuple[YamlText, "YamlNode"]]
    )

    def get(self, *keys: str) -> "YamlNode | None":
        """Return the value of the first of these keys that is there: its last value, as in YAML."""
        for wanted in keys:
            for key, value in reversed(self.pairs):
                if key.text == wanted:
                    return value
        return None

    def text(self, *keys: str) -> str:
        """Return the text of the first of these keys that has one, or else an empty text."""
        for key in keys:
            if found := text_of(self.get(key)):
                return found
        return ""


YamlNode = YamlText | YamlList | YamlMapping


class UnreadLines(NamedTuple):
    """Lines of broken YAML that were left out, and the key at the highest level that has them.

    They may be readable line by line.
    """

    key: str
    first: int
    last: int


class YamlTree(NamedTuple):
    """What could be read of YAML: the first document that is a mapping or a list.

    `notes` are at most MAX_NOTES sentences about the rest.
    """

    root: YamlList | YamlMapping | None
    notes: list[str]
    unread: list[UnreadLines]


def text_of(node: YamlNode | None) -> str:
    """Return the text of a scalar; an empty text for other nodes and for none."""
    return node.text if isinstance(node, YamlText) else ""


def read_yaml(source: str) -> YamlTree:
    """Return the tree of a YAML text; never raises.

    Limits: MAX_YAML characters, MAX_NODES nodes, MAX_DEPTH levels. Aliases are not expanded.
    """
    notes: list[str] = []
    if len(source) > MAX_YAML:
        source = source[: max(source.rfind("\n", 0, MAX_YAML), 0) or MAX_YAML]
        notes.append(f"Only the first {MAX_YAML // 1024} KiB were read.")
    source = source.replace(_BYTE_ORDER_MARK, "")
    source = _REFUSED.sub("\ufffd", _OTHER_LINE_END.sub(" ", source))
    last_line = len(_LINE_END.findall(source)) + 1
    reader = _TreeReader(MAX_NODES)
    error = reader.read(source, 1, last_line)
    if error is None:
        return YamlTree(reader.root, notes, [])
    parts = [] if isinstance(reader.root, YamlList) else _split_parts(source)
    if not parts or error.is_limit:
        unread_lines = [UnreadLines("", error.line, last_line)]
        return YamlTree(reader.root, [*notes, error.note], unread_lines)
    root = YamlMapping(parts[0].line)
    unread: list[UnreadLines] = []
    failures: list[str] = []
    nodes = MAX_NODES
    for part in parts:
        part_reader = _TreeReader(nodes)
        failed = part_reader.read(part.text, part.line, part.last_line)
        nodes = part_reader.nodes_left
        read = part_reader.root.pairs if isinstance(part_reader.root, YamlMapping) else []
        if failed:
            unread.append(UnreadLines(part.key, failed.line, part.last_line))
            failures.append(failed.note)
            read = read or _read_as_written(part)
        root.pairs += read
    notes += dict.fromkeys(failures or [error.note])
    return YamlTree(root, notes[:MAX_NOTES], unread)


class _Part(NamedTuple):
    """The text of a key at the highest level, and its lines in the document."""

    key: str
    line: int
    last_line: int
    text: str


def _split_parts(source: str) -> list[_Part]:
    keys = [*islice(_TOP_KEY.finditer(source), MAX_PARTS)]
    parts: list[_Part] = []
    line, position = 1, 0
    ends = [*(key.start() for key in keys), len(source)][1:]
    for key, end in zip(keys, ends, strict=False):
        start = key.start()
        line += len(_LINE_END.findall(source, position, start))
        position = end
        following = line + len(_LINE_END.findall(source, start, end))
        last_line = following - source.endswith(("\r", "\n"), start, end)
        parts.append(_Part(key[0][:-1].strip(" \t\"'"), line, last_line, source[start:end]))
        line = following
    return parts


def _read_as_written(part: _Part) -> list[tuple[YamlText, YamlNode]]:
    """Return the pair of a key whose value needs quotes and has none, or has the wrong ones."""
    first_line = _LINE_END.split(part.text, 1)[0]
    value = _COMMENT.split(first_line.partition(":")[2], 1)[0].strip()
    if not value or value[0] in "[{|>&*!":
        return []
    return [(YamlText(part.key, part.line), YamlText(value.strip("\"'"), part.line))]


class _Failure(NamedTuple):
    line: int
    reason: str
    is_limit: bool = False

    @property
    def note(self) -> str:
        return short_text(f"Line {self.line} cannot be read: {self.reason}.")


class _TreeReader:
    """Reads events into a tree. After a failure, `root` has what was read before it."""

    def __init__(self, nodes: int) -> None:
        self.root: YamlList | YamlMapping | None = None
        self.nodes_left = nodes
        self._stack: list[YamlList | YamlMapping] = []
        self._keys: list[YamlNode | None] = []  # of each open mapping, the key without a value yet
        self._last_line = 0  # of the last scalar

    def read(self, source: str, offset: int, last_line: int) -> _Failure | None:
        """Read a text; `offset` is the line of the document that it begins on."""
        try:
            for event in parse_yaml(source):
                line = offset + (event.start_mark.line if event.start_mark else 0)
                if isinstance(event, yaml.NodeEvent):
                    self.nodes_left -= 1
                    if self.nodes_left < 0:
                        return _Failure(line, "too many values come before it", is_limit=True)
                    self._add(event, line)
                    if len(self._stack) > MAX_DEPTH:
                        reason = f"it is more than {MAX_DEPTH} levels deep"
                        return _Failure(line, reason, is_limit=True)
                elif isinstance(event, yaml.CollectionEndEvent):
                    self._stack.pop()
                    self._keys.pop()
                elif isinstance(event, yaml.DocumentEndEvent) and self.root is not None:
                    return None
        except yaml.MarkedYAMLError as error:
            # A quote that is never closed fails at the end of the text.
            is_open = (error.context or "").startswith("while scanning a quoted")
            mark = error.context_mark if is_open else error.problem_mark or error.context_mark
            # The end of a text is on a line of its own.
            failed = min(offset + (mark.line if mark else 0), last_line)
            if self._last_line == failed:
                self._drop_last()
            return _Failure(failed, error.problem or "it is not YAML")
        return None

    def _drop_last(self) -> None:
        """Remove the scalar that was read last, for it may be the half of one."""
        parent = self._stack[-1] if self._stack else None
        added = parent.items if isinstance(parent, YamlList) else parent.pairs if parent else []
        last = added[-1] if added else None
        value = last[1] if isinstance(last, tuple) and not isinstance(last, YamlText) else last
        if isinstance(value, YamlText):
            added.pop()

    def _add(self, event: yaml.NodeEvent, line: int) -> None:
        node: YamlNode
        if isinstance(event, yaml.ScalarEvent):
            is_null = event.implicit[0] and event.value in _NULL
            node = YamlText("" if is_null else event.value, line)
            self._last_line = line
            if not event.style and event.start_mark and event.end_mark:  # without quotes
                self._last_line += event.end_mark.line - event.start_mark.line
        elif isinstance(event, yaml.AliasEvent):
            node = YamlText(f"*{event.anchor}", line)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = YamlList(line)
        else:
            node = YamlMapping(line)
        if self._stack:
            parent = self._stack[-1]
            if isinstance(parent, YamlList):
                parent.items.append(node)
            elif (key := self._keys[-1]) is None:
                self._keys[-1] = node
            else:
                if isinstance(key, YamlText):
                    parent.pairs.append((key, node))
                self._keys[-1] = None
        elif not isinstance(node, YamlText):
            self.root = node
        if not isinstance(node, YamlText):
            self._stack.append(node)
            self._keys.append(None)
