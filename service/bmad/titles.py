"""Titles: in headings and lists, without what follows them there, and made of names and slugs."""

import re
from typing import Final, NamedTuple

from service.bmad.identity import read_name
from service.bmad.readings import MAX_TEXT
from service.bmad.statuses import WORDS
from service.characters import one_line

# Signs that are no part of a title at its end, emoji among them.
_LOOSE_END: Final = re.compile(r"[^\w)\]}\"'\u201d\u2019\u00bb!?.%\u2026+#*\uff09\u300d\u3011]")
_BRACKETS: Final = re.compile(
    r"[(\[\uff08\u3010]([^()\[\]\uff08\uff09\u3010\u3011]{1,60})[)\]\uff09\u3011]\Z"
)
# Before a title: "**Epic 1 (MVP)**: Sign in".
_IN_BRACKETS: Final = re.compile(r"\([^()]{1,40}\)|\[[^\[\]]{1,40}\]")
_DASH: Final = re.compile(r"\s(?:[\u2014\u2013-]|\u00b7|\|)\s|\u2014\u2014|:\s(?=\W*\w+\W*\Z)")
_EMOJI: Final = re.compile(r"\s[^\w\s\x00-\x7f\u2010-\u2027\uff00-\uffef\u3000-\u303f]+\ufe0f?\s*")
_NOT_LETTERS: Final = re.compile(r"[\W\d_]+")
_DESCRIPTION: Final = re.compile(
    r"\s[\u2014\u2013-]\s|\s?\u2014\u2014|\u2014|[\u3002\uff1b;]|[:\uff1a](?=\s|\Z)|\s[|\u2192]\s|\s->\s"
)
# Words that a title hardly ends with: they are a status after a mere dash or colon, too.
_PLAIN_WORDS: Final = frozenset(
    ("done", "complete", "completed", "in progress", "in review", "ready for dev", "backlog")
) | {"ready for review", "todo", "to do", "blocked", "drafted", "cancelled", "terminé", "완료"}
MAX_PIECE: Final = 60  # characters after a title that can be a status


class Title(NamedTuple):
    """A title, and the status that is written after it, if any."""

    text: str
    status: str | None


def split_title(written: str) -> Title:
    """Return a title without a status at its end: "T ✅ Done", "T [BACKLOG]", "T - In Progress".

    The status must be a known word and nothing else, for a title may end with one too.
    """
    text = _trim(one_line(written, MAX_TEXT))
    brackets = _BRACKETS.search(text, max(0, len(text) - MAX_PIECE))
    if brackets and brackets.start() and is_status(brackets[1]):
        return Title(_trim(text[: brackets.start()]), brackets[1].strip())
    for separator in (_EMOJI, _DASH):
        found = [*separator.finditer(text, max(0, len(text) - MAX_PIECE))]
        last = found[-1] if found else None
        if last and last.start():
            word = _letters(text[last.end() :])
            if word in (WORDS if separator is _EMOJI else _PLAIN_WORDS):
                return Title(_trim(text[: last.start()]), text[last.end() :].strip())
    return Title(text, None)


def split_description(written: str) -> Title:
    """Return the title that a line begins with, and a status that comes next or last in it.

    The title ends where a dash, a colon or a semicolon begins a description.
    """
    line = one_line(written, 2 * MAX_TEXT)
    title, *pieces = _DESCRIPTION.split(line)
    found = split_title(title)
    if found.status is None:
        whole = split_title(line[-MAX_TEXT:])
        statuses = [piece.strip() for piece in pieces if is_status(piece)]
        return Title(found.text, statuses[0] if statuses else whole.status)
    return found


def title_of_item(title: str, text: str, strong: str) -> Title:
    """Return the title and the status of an item whose id has been read in `strong` or `text`."""
    if not strong:
        return split_description(title)
    after = text.strip().removeprefix(strong).strip()
    if title and not (_IN_BRACKETS.fullmatch(title) and after.startswith((":", "\uff1a"))):
        found = split_title(title)
        return Title(found.text, found.status or _status_of(after))
    if after.startswith("("):
        inside, _, after = after[1:].partition(")")
        return Title(split_title(inside).text, _status_of(after))
    return split_description(after.lstrip(" :\uff1a-\u2013\u2014|"))


def title_of_name(stem: str) -> str:
    """Return the title that the name of a file makes: the words after the id; "" without any."""
    return " ".join(read_name(stem).rest.replace("-", " ").replace("_", " ").split())


def title_of_slug(slug: str) -> str:
    """Return the title that a slug makes: "Sign in" of "sign-in"."""
    return slug.replace("-", " ").capitalize()


def _status_of(after: str) -> str | None:
    return split_description(f"- {after}").status if after else None


def is_status(piece: str) -> bool:
    """Return whether a piece of a line is a known word for a status, and nothing else but signs."""
    return len(piece) <= MAX_PIECE and _letters(piece) in WORDS


def _letters(piece: str) -> str:
    return " ".join(_NOT_LETTERS.sub(" ", piece[: 2 * MAX_PIECE]).split()).casefold()


def _trim(text: str) -> str:
    while text and _LOOSE_END.match(text, len(text) - 1):
        text = text[:-1]
    return text
