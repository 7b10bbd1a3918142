"""The retrospective of an epic, and the verdict that it gives on the epic.

From version 6.11 on the method writes `epic-N-retro-date.md` and `epic-slug-retrospective.md` with
the verdict in the front matter, and RETROSPECTIVE.md in the folder of a specification.
"""

import re
from typing import Final

from service.bmad.document import BmadDocument
from service.bmad.fields import EMPHASIS
from service.bmad.identity import epic_of_name, read_epic_heading
from service.bmad.keys import read_key
from service.bmad.names import is_of_tools
from service.bmad.readings import RetrospectiveReading
from service.bmad.texts import short_id, short_key

NAME: Final = re.compile(r"(?:.*[-_. ])?retro(?:spective)?s?(?:[-_. ].*)?", re.IGNORECASE)
AFTER_EPIC: Final = re.compile(r"[-_. ]+retro(?:spective)?s?(?:[-_. ].*)?\Z", re.IGNORECASE)
DATE: Final = re.compile(r"[-_. ]\d{4}[-_.]\d\d[-_.]\d\d")
EPIC_SLUG: Final = re.compile(r"epic[-_. ]", re.IGNORECASE)
# "**Verdict:** accepted", "| Verdict | rejected |".
VERDICT_LINE: Final = re.compile(
    r"[ \t>*_|+-]*+(?:(?:acceptance|epic|final|machine) )?verdict[*_ \t]*+[:\uff1a|](.*)",
    re.IGNORECASE,
)
VERDICT_HEADING: Final = re.compile(
    r"(?:[\d.]+\s)?\W*(?:(?:acceptance|epic|final) )?verdict(?:\s*[:\uff1a\u2014-]\s*(.+))?\W*",
    re.IGNORECASE,
)
AROUND: Final = "*_\"'|>#- \t"
BETWEEN_WORDS: Final = re.compile(r"[\s_-]+")
VERDICT: Final = re.compile(
    r"\W*+(?P<verdict>not accepted|rejected|accepted(?: with open items|(?! with)))(?![^\W_])"
)
MAX_LINES: Final = 2_000
MAX_HEADINGS: Final = 3  # of which one may name the epic


def read_retrospective(document: BmadDocument) -> RetrospectiveReading | None:
    """Return what a retrospective says; None for a document of another name."""
    if document.file_type != "md" or not NAME.fullmatch(document.name) or is_of_tools(document):
        return None
    key = read_key(document.name)
    if key.kind == "story" and key.identity.epic and key.identity.story:
        return None  # a story about retrospectives, such as 2-4-retro-board
    word, line = _read_word(document)
    return RetrospectiveReading(
        epic=_read_epic(document), verdict=_verdict_of(word), word=short_id(word), line=line
    )


def _read_word(document: BmadDocument) -> tuple[str, int]:
    """Return the verdict as it is written, and its line: an empty text and 1 without one."""
    for key in ("verdict", "epic_verdict"):
        if isinstance(written := document.front_matter.get(key), str):
            return written, document.front_matter_line(key)
    for line, text in enumerate(document.lines[:MAX_LINES], 1):
        if "verdict" in text.lower() and (found := VERDICT_LINE.match(text)):
            return _shown(found[1]), line
    for heading in document.headings:
        if found := VERDICT_HEADING.fullmatch(heading.text):
            if found[1]:
                return _shown(found[1]), heading.line
            following = document.lines[heading.line : heading.line + 5]
            for line, text in enumerate(following, heading.line + 1):
                if word := _shown(text):
                    return (word, line) if _verdict_of(word) else ("", 1)
    return "", 1


def _read_epic(document: BmadDocument) -> str | None:
    written = document.front_matter.get("epic")
    if isinstance(written, str | int) and not isinstance(written, bool):
        return short_key(str(written)) or None
    name = document.name
    if (place := name.lower().find("epic")) >= 0:
        name = AFTER_EPIC.sub("", DATE.split(name[place:])[0])
        if number := epic_of_name(name):
            return short_id(number)
        if EPIC_SLUG.match(name):
            return short_key(name)
    for heading in document.headings[:MAX_HEADINGS]:
        place = heading.text.lower().find("epic")
        if place >= 0 and (named := read_epic_heading(heading.text[place:])):
            return short_id(named.identity.id)
    return None


def _shown(written: str) -> str:
    return EMPHASIS.sub("", written).strip(AROUND)


def _verdict_of(word: str) -> str | None:
    """Return the verdict that a text begins with; None for a template's list of all verdicts."""
    folded = BETWEEN_WORDS.sub(" ", word.lower()).strip()
    found = VERDICT.match(folded)
    if not found or "|" in folded:
        return None
    return {"accepted": "accepted", "accepted with open items": "accepted_with_open_items"}.get(
        found["verdict"], "rejected"
    )
