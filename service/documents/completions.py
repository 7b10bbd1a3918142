"""Titles and headings in the form in which a search box completes them.

That is their words with one blank between them, and one at the end; of a long text only the first
words. What is typed gets the same form, so punctuation, case and accents do not matter.

A change here has to raise PARTS_VERSION and READER_VERSION in service/documents/metadata.py.
Importing this module loads the stemmer: see words.py.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any, Final, NamedTuple

from service.documents.tokens import MAX_REMEMBERED
from service.documents.words import CJK, fold

MAX_FORM: Final = 100  # characters, without the blank at the end

# Of a document with more headings, those of the highest levels are completed.
MAX_HEADINGS: Final = 200

SEPARATOR: Final = re.compile(r"[\W_]+")


class Completion(NamedTuple):
    """The form of a title, whose number is 0, or of a heading: from 1, in document order."""

    number: int
    form: str


def make_completions(metadata: dict[str, Any]) -> list[Completion]:
    """Return the title and the headings of a document, of those with one form the first."""
    headings = [
        (heading["level"], number, heading["text"])
        for number, heading in enumerate(metadata.get("headings", []), 1)
    ]
    if len(headings) > MAX_HEADINGS:
        headings = sorted(headings)[:MAX_HEADINGS]
    numbers: dict[str, int] = {}
    for _, number, text in [(0, 0, metadata["title"]), *headings]:
        numbers.setdefault(_remembered_form_of(text), number)
    return [Completion(number, form) for form, number in numbers.items() if form]


def form_of(text: str) -> str:
    """Return the form of a title or heading; empty if it has no word."""
    if text.isascii():
        words = SEPARATOR.sub(" ", text.lower()).strip()
    else:
        # Composed first, since a letter's accent is else a separator.
        parts = SEPARATOR.split(unicodedata.normalize("NFKC", text))
        words = " ".join(filter(None, map(fold, parts)))
    return f"{words[:MAX_FORM].rstrip()} " if words else ""


# A source's documents repeat many of their headings.
_remembered_form_of: Final = lru_cache(MAX_REMEMBERED)(form_of)


def beginning_of(typed: str) -> str:
    """Return the form of what is typed: without a blank at the end where a word may go on."""
    form = form_of(typed)
    return form if SEPARATOR.fullmatch(typed[-1:]) else form.rstrip()


def find_beginning(text: str, beginning: str) -> tuple[int, int] | None:
    """Return where a title or heading has what is typed, in its form: at the beginning of a word.

    Chinese, Japanese and Korean are found everywhere.
    """
    for start, letter in enumerate(text):
        is_inside = start > 0 and not SEPARATOR.fullmatch(text[start - 1]) and not CJK.match(letter)
        if is_inside or SEPARATOR.fullmatch(letter):
            continue
        # First the next few letters, since a long text of Chinese may begin at each.
        near = form_of(text[start : start + 8])
        if near and near[0] != beginning[0]:
            continue
        if not form_of(text[start:]).startswith(beginning):
            continue
        end, longest = start + 1, len(text)
        while end < longest:
            middle = (end + longest) // 2
            if form_of(text[start:middle]).startswith(beginning.rstrip()):
                longest = middle
            else:
                end = middle + 1
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        return start, end
    return None
