"""Where the terms of a query may be in a text, by their letters: to choose a snippet."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The first matches of a term in a section, among which the best place for a snippet is found.
MATCHES: Final = 20

LETTER: Final = re.compile(r"[^\W_]")
NO_LETTERS: Final = re.compile(r"[\W_]+")
# The same for str.translate, which takes a tenth of the time for a text of ASCII.
NO_ASCII_LETTERS: Final = {code: None for code in range(128) if not chr(code).isalnum()}

# Letters with one accent, by the letter: to find words in a text without folding it, which would
# change the places.
ACCENTS: Final = {
    code: letters[0]
    for code in range(0xC0, 0x250)
    if len(letters := unicodedata.normalize("NFD", chr(code)).lower()) == 2
}
ACCENTED: Final = re.compile(f"[{''.join(map(chr, ACCENTS))}]")


class Hints(NamedTuple):
    """What to look for in place of a term.

    `whole` has the letters of a compound or a phrase, without what parts its words. If they are
    nowhere, the first of `parts` that is somewhere stands for the term.
    """

    whole: str
    parts: Sequence[str]


def squeeze(text: str) -> str:
    """Return the letters and digits of a text."""
    return text.translate(NO_ASCII_LETTERS) if text.isascii() else NO_LETTERS.sub("", text)


def best_place(text: str, terms: Sequence[Hints], window: int) -> int:
    """Return the first place from which so many characters have most terms.

    It looks for their letters and not for words, as that is fast.
    """
    letters = text.lower()
    if not text.isascii():
        letters = ACCENTED.sub(lambda letter: ACCENTS[ord(letter[0])], letters)
    if len(letters) != len(text):
        letters = text  # a letter such as İ has two in lower case
    squeezed = _Squeezed(letters)
    if len(terms) == 1:
        return next(_first_places(letters, squeezed, terms[0]), 0)
    places = sorted(
        (place, number)
        for number, hints in enumerate(terms)
        for place in _first_places(letters, squeezed, hints)
    )
    best, most = 0, 0
    inside: Counter[int] = Counter()
    end = 0
    for place, number in places:
        while end < len(places) and places[end][0] < place + window:
            inside[places[end][1]] += 1
            end += 1
        if len(inside) > most:
            best, most = place, len(inside)
        inside[number] -= 1
        if not inside[number]:
            del inside[number]
    return best


def _first_places(letters: str, squeezed: _Squeezed, hints: Hints) -> Iterator[int]:
    """Yield the first places of a term in a text, in order."""
    place = -1
    for place in squeezed.find(hints.whole):
        yield place
    if place == -1:
        for place in _find(letters, hints.parts):
            yield place
    if place == -1 and hints.parts:
        yield from squeezed.find(hints.parts[0])


class _Squeezed:
    """A text's letters and digits, without what is between them: to find compounds and phrases."""

    def __init__(self, letters: str) -> None:
        self._text = letters

    @cached_property
    def _letters(self) -> str:
        return squeeze(self._text)

    def find(self, letters: str) -> Iterator[int]:
        """Yield the places of these letters in the text."""
        if letters:
            yield from map(self._place_of, _find(self._letters, [letters]))

    def _place_of(self, number: int) -> int:
        """Return the place in the text of a letter that comes after `number` others."""
        place, missing = 0, number
        while missing:
            end = place + missing
            missing -= len(squeeze(self._text[place:end]))
            place = end
        letter = LETTER.search(self._text, place)
        assert letter is not None
        return letter.start()


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
