"""Snippets of sections, with marks round what a query matches."""

from __future__ import annotations

import html
import re
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.tokens import Remembered, form_of
from service.documents.words import read_words, stem
from service.search.places import Hints, best_place, squeeze

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from service.documents.words import Word
    from service.search.query import Query
    from service.search.terms import Term

SNIPPET: Final = 240  # characters
BEFORE: Final = 60  # characters before the first match, at most

ELLIPSIS: Final = "…"

# What is no letter, no digit and no blank; and the same for str.translate, for a text of ASCII.
NO_LETTERS: Final = re.compile(r"(?:[^\w ]|_)+")
NO_ASCII_LETTERS: Final = {
    code: None for code in range(128) if not chr(code).isalnum() and chr(code) != " "
}

# Punctuation of Chinese and Japanese, which is in no word and joins none.
PARTING: Final = "\u3001-\u3003\u3008-\u3011\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f"
PARTS: Final = re.compile(f"[{PARTING}]")

# What may have other letters in the words' folded forms; not ASCII, punctuation, arrows, signs of
# mathematics and Chinese characters.
FOLDED: Final = re.compile(f"[^\\x00-\\x7f\\u2010-\\u2027\\u2190-\\u23ff\\u4e00-\\u9fff{PARTING}]")


class Marked(NamedTuple):
    """A text, and the same as HTML: escaped, with <mark> round each match."""

    text: str
    html: str


class _Chunk(NamedTuple):
    """The places to mark in a chunk.

    If it ends with the beginning of a sequence, `words` is how many words it has, and else 0.
    """

    places: list[tuple[int, int]]
    words: int


class Marker:
    """What to mark for a query."""

    def __init__(self, query: Query) -> None:
        self._stems: set[str] = set()
        self._forms: set[str] = set()
        self._prefixes: list[str] = []
        self._sequences: list[list[str]] = []
        self._begun: list[list[str]] = []  # sequences of which the last form is a prefix
        self._hints: list[Hints] = []
        for term in query.terms:
            self._add(term)
        self._prefix = tuple(self._prefixes)
        self._beginnings_of_stems = tuple({_beginning_of_stem(each) for each in self._stems})
        firsts = [sequence[0] for sequence in (*self._sequences, *self._begun)]
        # A chunk without any of these has no match.
        self._beginnings = {
            *self._beginnings_of_stems,
            *(squeeze(form)[:2] for form in (*self._forms, *self._prefixes, *firsts)),
        }
        self._longest = max(map(len, self._sequences), default=0)
        # The sections of a response repeat most of their chunks.
        self._remembered = Remembered(self._read_chunk)

    def _add(self, term: Term) -> None:
        if len(term.forms) == 1:
            its_stem = stem(term.forms[0])
            self._stems.add(its_stem)
            self._hints.append(Hints("", [term.forms[0], its_stem, its_stem[:-1]]))
            return
        hints: list[str] = []
        if term.prefix:
            begun = [*map(form_of, term.exact[0].split())]
            if len(begun) > 1:
                self._begun.append(begun)
            else:
                self._prefixes.append(term.prefix)
            hints += begun
        for sequence in term.loose if term.prefix else (*term.exact, *term.loose):
            forms = [*map(form_of, sequence.split())]
            if len(forms) == 1 and sequence.endswith("|"):
                self._stems.add(forms[0])
                continue
            if not sequence.endswith((" ", "|")):
                self._prefixes.append(forms[-1])
            elif len(forms) == 1:
                self._forms.add(forms[0])
            else:
                self._sequences.append(forms)
            hints += forms
        self._hints.append(Hints(term.letters, hints))

    def mark(self, text: str) -> Marked:
        """Return the text on one line, with its marks."""
        text = " ".join(text.split())
        return Marked(text, self._html(text))

    def _html(self, text: str) -> str:
        pieces: list[str] = []
        end = 0
        for first, last in self._places(text):
            pieces += (html.escape(text[end:first]), "<mark>", html.escape(text[first:last]))
            pieces.append("</mark>")
            end = last
        pieces.append(html.escape(text[end:]))
        return "".join(pieces)

    def snippet(self, text: str) -> Marked:
        """Return the part of a text that shows most of what the query looks for."""
        text = " ".join(text.split())
        if len(text) <= SNIPPET:
            return Marked(text, self._html(text))
        start = max(0, best_place(text, self._hints, SNIPPET - BEFORE) - BEFORE)
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
        shown = text[start:end]
        return Marked(f"{before}{shown}{after}", f"{before}{self._html(shown)}{after}")

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the places to mark in a text with single blanks, in order."""
        places: list[tuple[int, int]] = []
        for start, text_of_chunk in self._chunks(text):
            chunk = self._remembered[text_of_chunk]
            places += [(start + first, start + last) for first, last in chunk.places]
            if chunk.words:
                further = read_words(text[start:])
                words = [*islice(further, chunk.words + self._longest)]
                for first, last in self._places_of_sequences(words):
                    places.append((start + first, start + last))
        return _merge(places)

    def _chunks(self, text: str) -> Iterator[tuple[int, str]]:
        """Yield the chunks of a text that may have a match, each with its place.

        No word or compound is in two of them.
        """
        parted = text if text.isascii() else PARTS.sub(" ", text)
        chunks = parted.split(" ")
        if text.isascii() or not FOLDED.search(text):
            letters = _letters_of_chunks(parted)
            beginnings = [each for each in self._beginnings if each in letters]
            if not beginnings:
                return
            parts = letters.split(" ")
            numbers = {
                number
                for beginning in beginnings
                for number, part in enumerate(parts)
                if beginning in part
            }
        else:
            numbers = range(len(chunks))
        start = last = 0
        for number in sorted(numbers):
            start += sum(map(len, chunks[last:number])) + number - last
            last = number
            yield start, chunks[number]

    def _read_chunk(self, chunk: str) -> _Chunk:
        words = [*read_words(chunk)]
        places = [(word.start, word.end) for word in words if self._is_match(word.form)]
        places += self._places_of_sequences(words)
        forms = [word.form for word in words]
        may_go_on = any(
            forms[-size:] == sequence[:size]
            for sequence in self._sequences
            for size in range(1, len(sequence))
        )
        return _Chunk(places, len(words) if may_go_on else 0)

    def _places_of_sequences(self, words: Sequence[Word]) -> Iterator[tuple[int, int]]:
        forms = [word.form for word in words]
        for sequence in self._sequences:
            for index in _occurrences(forms, sequence):
                yield _place(words[index : index + len(sequence)])
        for *before, prefix in self._begun:
            size = len(before)
            for index in _occurrences(forms, before):
                if any(form.startswith(prefix) for form in forms[index + size : index + size + 1]):
                    yield _place(words[index : index + size + 1])

    def _is_match(self, form: str) -> bool:
        return (
            form in self._forms
            or form.startswith(self._prefix)
            or (form.startswith(self._beginnings_of_stems) and stem(form) in self._stems)
        )


def _letters_of_chunks(text: str) -> str:
    """Return the letters and digits of a text in lower case, and its blanks."""
    text = text.lower()
    return text.translate(NO_ASCII_LETTERS) if text.isascii() else NO_LETTERS.sub("", text)


def _beginning_of_stem(its_stem: str) -> str:
    """Return how each word with this stem begins."""
    # The stem of dying is die.
    return its_stem[:1] if its_stem[1:] == "ie" else its_stem[:2]


def _place(words: Sequence[Word]) -> tuple[int, int]:
    return words[0].start, max(word.end for word in words)


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
