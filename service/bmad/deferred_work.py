"""deferred-work.md: what a review or a plan has left for later.

Code reviews add bullets below "## Deferred from: …"; builds add blocks of `source_spec`, `summary`
and `evidence`.
"""

import re
from typing import Final

from service.bmad.document import BmadDocument
from service.bmad.names import is_of_tools
from service.bmad.readings import MAX_ITEMS, DeferredItem
from service.bmad.texts import short_text
from service.documents.blocks import Block

NAME: Final = re.compile(r"deferred[-_ ]work(?:[-_. ].*)?", re.IGNORECASE)
HEADING: Final = re.compile(
    r"\W*deferred\s+(?:from|in|by|during)\b\s*[:\uff1a]?\s*(.*)", re.IGNORECASE | re.DOTALL
)
FIELD: Final = re.compile(
    r"^[ \t]*+(source_spec|summary|evidence|status)[ \t]*+:[ \t]*+(.*)",
    re.IGNORECASE | re.MULTILINE,
)
RECORD: Final = re.compile(r"^[ \t]*+(?:source_spec|summary)[ \t]*+:", re.IGNORECASE | re.MULTILINE)
# "- ~~Struck through~~".
STRUCK: Final = re.compile(r"[ \t>]*+(?:[-*+]|\d{1,9}[.)])?[ \t]*+(?:\[.\][ \t]*+)?\**~~")
# "- ✅ Text", "- RESOLVED: text", "- Text. RESOLVED in 7dc0388"; not "- Closed accounts".
CLOSED: Final = re.compile(
    r"\A(?:[\u2705\u2714\u2611]|\W{0,3}(?:FIXED|CLOSED|DONE|OBSOLETE|ADDRESSED)\b)"
    r"|(?<!NOT )(?<!not )\bRESOLVED\b"
)
# "- **Fixed** text", "- **Resolved in 7dc0388**: text"; not "- **Fixed widths** break".
CLOSED_STRONG: Final = re.compile(
    r"\W*(?:resolved|fixed|closed|done|obsolete|addressed)"
    r"(?=\W*\Z|\s*[:.,(]|\s+(?:in|on|by|via|with)\b|\s+\d)",
    re.IGNORECASE,
)
CLOSED_STATUS: Final = re.compile(
    r"\W*(?:resolved|fixed|closed|done|completed?|dropped|obsolete|wont[-_ ]?fix|addressed)\b",
    re.IGNORECASE,
)
STRUCK_SUMMARY: Final = re.compile(r"summary[*_ \t]*+:[*_ \t]*+~~", re.IGNORECASE)
NO_SOURCE: Final = frozenset(("", "none", "n/a", "-"))
ABSOLUTE: Final = re.compile(r"/|~|[A-Za-z]:[\\/]|\\")


def read_deferred_work(document: BmadDocument) -> list[DeferredItem]:
    """Return the items of deferred-work.md; an empty list for a document of another name.

    An item is not open if it is ticked or struck through, or if its author marked it as resolved.
    Of an absolute path, which is one of somebody's machine, the source has the name only.
    """
    if document.file_type != "md" or not NAME.fullmatch(document.name) or is_of_tools(document):
        return []
    reader = _ItemReader(document)
    for block in document.blocks:
        if len(reader.items) >= MAX_ITEMS:
            break
        reader.read(block)
    return [item for item in reader.items[:MAX_ITEMS] if item["text"]]


class _ItemReader:
    """Reads blocks in order. The last item is open to what comes below it."""

    def __init__(self, document: BmadDocument) -> None:
        self.items: list[DeferredItem] = []
        self._lines = document.lines
        self._source: str | None = None  # of the heading above; None outside of such a section
        self._level = 0  # of that heading
        self._is_record = False  # whether the last item consists of fields

    def read(self, block: Block) -> None:
        """Read a block: a heading, an item, or what belongs to the item before it."""
        if block.tag[0] == "h":
            self._is_record = False
            if found := HEADING.match(block.text):
                self._source = short_text(found[1] or block.text)
                self._level = int(block.tag[1])
            elif int(block.tag[1]) <= self._level:
                self._source, self._level = None, 0
        elif self._has_fields(block):
            self._read_fields(block)
        elif block.tag == "li" and block.depth == 1 and self._source is not None:
            self._is_record = False
            self._add(block, block.text, self._source, block.line)

    def _has_fields(self, block: Block) -> bool:
        if RECORD.search(block.text):
            return True
        # "Status: 404" may begin an item; what is below an item may say that it is done.
        is_item = block.tag == "li" and block.depth == 1
        is_below = self._is_record or (block.depth > 0 and not is_item)
        return is_below and bool(FIELD.search(block.text))

    def _read_fields(self, block: Block) -> None:
        name = ""
        for line, text in enumerate(block.text.split("\n"), block.line):
            found = FIELD.match(text)
            if found is None:
                if name == "summary":
                    self.items[-1]["text"] = short_text(f"{self.items[-1]['text']} {text}")
                continue
            name, value = found[1].lower(), found[2].strip()
            if name == "source_spec":
                self._add(block, "", _source_of(value), line)
                self._is_record = True
            elif name == "summary":
                if not self._is_record or self.items[-1]["text"]:
                    self._add(block, "", self._source, line)
                    self._is_record = True
                self.items[-1]["text"] = short_text(value)
                if STRUCK_SUMMARY.search(self._line(line)) or CLOSED.search(value):
                    self.items[-1]["is_open"] = False
            elif name == "status" and self.items and CLOSED_STATUS.match(value):
                self.items[-1]["is_open"] = False

    def _add(self, block: Block, text: str, source: str | None, line: int) -> None:
        is_closed = (
            block.is_checked
            or STRUCK.match(self._line(block.line))
            or CLOSED.search(text)
            or CLOSED_STRONG.match(block.strong)
        )
        self.items.append(
            DeferredItem(text=short_text(text), source=source, is_open=not is_closed, line=line)
        )

    def _line(self, number: int) -> str:
        return self._lines[number - 1] if number <= len(self._lines) else ""


def _source_of(written: str) -> str | None:
    source = written.strip("`'\"<> ")
    if source.lower() in NO_SOURCE:
        return None
    return short_text(re.split(r"[\\/]", source)[-1] if ABSOLUTE.match(source) else source)
