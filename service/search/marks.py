"""Snippets of sections, with marks round what a query matches."""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.words import Remembered, read_words, stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from service.documents.words import Word
    from service.search.query import Query, Term

SNIPPET: Final = 240  # characters
BEFORE: Final = 60  # characters before the first match, at most

# The first matches of a term in a section, among which the best place for a snippet is found.
MATCHES: Final = 20

ELLIPSIS: Final = "…"
CHUNK: Final = re.compile(r"\S+")
LETTERS: Final = re.compile(r"[^\W_]+")

# Letters with one accent, by the letter: to find words in a text without folding it, which would
# change the places.
ACCENTS: Final = {
    code: letters[0]
    for code in range(0xC0, 0x250)
    if len(letters := unicodedata.normalize("NFD", chr(code)).lower()) == 2
}


class Marked(NamedTuple):
    """A text, and the same as HTML: escaped, with <mark> round each match."""

    text: str
    html: str


class Marker:
    """What to mark for a query."""

    def __init__(self, query: Query) -> None:
        self._stems: set[str] = set()
        self._forms: set[str] = set()
        self._prefixes: list[str] = []
        self._sequences: list[list[str]] = []
        # Of each term: its letters, or else how words begin that it may match.
        self._hints: list[tuple[str, list[str]]] = []
        for term in query.terms:
            self._add(term)
        # A word begins with the letter of its stem, but not always with two: dying and die.
        self._beginnings = {form[:1] for form in (*self._stems, *self._forms, *self._prefixes)}
        # The places to mark in each chunk: the sections of a response repeat most of theirs.
        self._remembered = Remembered(self._places_in)

    def _add(self, term: Term) -> None:
        if len(term.forms) == 1:
            its_stem = stem(term.forms[0])
            self._stems.add(its_stem)
            self._hints.append(("", [term.forms[0], its_stem, its_stem[:-1]]))
            return
        hints: list[str] = []
        for sequence in (*term.exact, *term.loose):
            forms = [token.partition("|")[0] for token in sequence.split()]
            if sequence.startswith("|"):
                self._stems.add(sequence[1:-1])
                continue
            if "|" not in sequence.split()[-1]:
                self._prefixes.append(forms[-1])
            elif len(forms) == 1:
                self._forms.add(forms[0])
            else:
                self._sequences.append(forms)
            hints += forms
        self._hints.append((term.letters, hints))

    def mark(self, text: str) -> Marked:
        """Return the text on one line, with its marks."""
        text = " ".join(text.split())
        pieces: list[str] = []
        end = 0
        for first, last in self._places(text):
            pieces += (html.escape(text[end:first]), "<mark>", html.escape(text[first:last]))
            pieces.append("</mark>")
            end = last
        pieces.append(html.escape(text[end:]))
        return Marked(text, "".join(pieces))

    def snippet(self, text: str) -> Marked:
        """Return the part of a text that shows most of what the query looks for."""
        text = " ".join(text.split())
        if len(text) <= SNIPPET:
            return self.mark(text)
        start = max(0, self._best_place(text) - BEFORE)
        if start + SNIPPET > len(text):
            start = len(text) - SNIPPET
        if start > 0:
            blank = text.find(" ", start, start + BEFORE)
            start = blank + 1 if blank != -1 else start
        end = start + SNIPPET
        if end < len(text):
            blank = text.rfind(" ", start, end)
            end = blank if blank > end - BEFORE else end
        before, after = ELLIPSIS * (start > 0), ELLIPSIS * (end < len(text))
        return self.mark(f"{before}{text[start:end]}{after}")

    def _best_place(self, text: str) -> int:
        """Return where a snippet begins that has most terms: by their letters, as that is fast."""
        letters = text.lower()
        letters = letters.translate(ACCENTS) if not text.isascii() else letters
        if len(letters) != len(text):
            letters = text  # a letter such as İ has two in lower case
        squeezed = _Squeezed(letters)
        places = sorted(
            (place, number)
            for number, (whole, hints) in enumerate(self._hints)
            for place in [*squeezed.find(whole)]
            or [*_find(letters, hints)]
            or squeezed.find(hints[0] if hints else "")
        )
        best, most = 0, 0
        inside: Counter[int] = Counter()
        end = 0
        for place, number in places:
            while end < len(places) and places[end][0] < place + SNIPPET - BEFORE:
                inside[places[end][1]] += 1
                end += 1
            if len(inside) > most:
                best, most = place, len(inside)
            inside[number] -= 1
            if not inside[number]:
                del inside[number]
        return best

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        if not self._sequences:
            for chunk in CHUNK.finditer(text):
                start = chunk.start()
                for first, last in self._remembered[chunk[0]]:
                    yield start + first, start + last
            return
        words = [*read_words(text)]
        places = [(word.start, word.end) for word in words if self._is_match(word)]
        forms = [word.form for word in words]
        for sequence in self._sequences:
            for index in _occurrences(forms, sequence):
                found = words[index : index + len(sequence)]
                places.append((found[0].start, max(word.end for word in found)))
        yield from _merge(places)

    def _places_in(self, chunk: str) -> list[tuple[int, int]]:
        if chunk.isascii():
            letters = chunk.lower()
            # Most chunks have no word that begins as any that match, and need no further look.
            if not any(beginning in letters for beginning in self._beginnings):
                return []
        places = [(word.start, word.end) for word in read_words(chunk) if self._is_match(word)]
        return [*_merge(places)]

    def _is_match(self, word: Word) -> bool:
        return (
            word.form in self._forms
            or any(word.form.startswith(prefix) for prefix in self._prefixes)
            or stem(word.form) in self._stems
        )


class _Squeezed:
    """A text's letters and digits, without what is between them: to find compounds and phrases."""

    def __init__(self, letters: str) -> None:
        self._text = letters

    @cached_property
    def _runs(self) -> list[tuple[int, str]]:
        return [(run.start(), run[0]) for run in LETTERS.finditer(self._text)]

    @cached_property
    def _ends(self) -> list[int]:
        return [*accumulate(len(run) for _, run in self._runs)]

    @cached_property
    def _letters(self) -> str:
        return "".join([run for _, run in self._runs])

    def find(self, letters: str) -> Iterator[int]:
        """Yield the places of these letters in the text."""
        for place in _find(self._letters, [letters]) if letters else ():
            number = bisect_right(self._ends, place)
            start, run = self._runs[number]
            yield start + place - (self._ends[number] - len(run))


def _find(letters: str, hints: Sequence[str]) -> Iterator[int]:
    for hint in hints:
        if len(hint) < 2 and hint.isascii():
            continue
        place = letters.find(hint)
        if place == -1:
            continue
        for _ in range(MATCHES):
            yield place
            place = letters.find(hint, place + 1)
            if place == -1:
                break
        return


def _occurrences(forms: Sequence[str], sequence: Sequence[str]) -> Iterator[int]:
    for index in range(len(forms) - len(sequence) + 1):
        if forms[index] == sequence[0] and forms[index : index + len(sequence)] == sequence:
            yield index


def _merge(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield places in order, those that overlap as one."""
    start = end = -1
    for first, last in sorted(places):
        if first >= end:
            if end > start:
                yield start, end
            start, end = first, last
        else:
            end = max(end, last)
    if end > start:
        yield start, end
