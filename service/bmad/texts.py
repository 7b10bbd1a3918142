"""Texts of readings: on one line, short, and such as PostgreSQL can store."""

from typing import Any, Final

from service.bmad.readings import MAX_ID, MAX_KEY, MAX_TEXT
from service.characters import one_line, replace_unstorable

MAX_NOTES: Final = 20  # of a reading


def short_text(text: str) -> str:
    """Return a title, a sentence or a finding: at most MAX_TEXT characters on one line."""
    return replace_unstorable(one_line(text, MAX_TEXT))


def short_id(text: str) -> str:
    """Return an id or a date: at most MAX_ID characters on one line."""
    return replace_unstorable(one_line(text, MAX_ID))


def short_key(text: str) -> str:
    """Return a key, a slug or a name of a file: at most MAX_KEY characters on one line."""
    return replace_unstorable(one_line(text, MAX_KEY))


def text_of(value: Any, limit: int) -> str:
    """Return a text or a number of front matter on one line, "" for other values."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return one_line(replace_unstorable(str(value)), limit)
