"""Tokens: the words of a text as they are stored with it, for the rank and for phrases.

A change here has to raise PARTS_VERSION and READER_VERSION in service/documents/metadata.py.
Importing this module loads the stemmer: see words.py.
"""

from __future__ import annotations

from itertools import pairwise
from sys import intern
from typing import TYPE_CHECKING, Final, TypeVar

from service.documents.words import STOP_WORDS, read_forms, read_words, stem, stem_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Value = TypeVar("Value")

# Chunks whose words are remembered: a source's documents repeat most of theirs.
MAX_REMEMBERED: Final = 50_000
MAX_REMEMBERED_CHUNK: Final = 64

# In a token before a form that does not begin with its stem.
OTHERWISE: Final = "~"


class Remembered(dict[str, Value]):
    """Values of chunks or tokens, made by a function when they are first needed."""

    def __init__(self, make: Callable[[str], Value]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: str) -> Value:
        value = self._make(key)
        if len(key) <= MAX_REMEMBERED_CHUNK:
            if len(self) >= MAX_REMEMBERED:
                self.clear()
            self[key] = value
        return value


def token_of(form: str) -> str:
    """Return a word's form as a token, which begins with its stem: `pool|s`, `verif|~verify`."""
    return _token(form, stem(form))


def _token(form: str, its_stem: str) -> str:
    if form == its_stem:
        return f"{form}|"
    if form.startswith(its_stem):
        return f"{its_stem}|{form[len(its_stem) :]}"
    return f"{its_stem}|{OTHERWISE}{form}"


def form_of(token: str) -> str:
    """Return the word's form of which `token_of` made the token."""
    if token[-1] == "|":
        return token[:-1]
    its_stem, _, rest = token.partition("|")
    return rest[1:] if rest.startswith(OTHERWISE) else its_stem + rest


def _tokens_of(chunk: str) -> str:
    # Interned, since chunks are counted and looked up by their tokens.
    forms = read_forms(chunk)
    return intern("".join([f"{token} " for token in map(_token, forms, stem_all(forms))]))


def _lexemes_of(tokens: str) -> tuple[str, ...]:
    lexemes: list[str] = []
    split = tokens.split()
    forms = [*map(form_of, split)]
    last_places: dict[str, int] = {}
    if not STOP_WORDS.isdisjoint(forms):
        # Joined, the parts of U.S. are no stop word. What is joined comes before its parts.
        last_places = {
            first + second: place for place, (first, second) in enumerate(pairwise(forms))
        }
    for place, (token, form) in enumerate(zip(split, forms, strict=True)):
        if form in STOP_WORDS and last_places.get(form, -1) <= place:
            continue
        lexemes.append(form)
        if token[:-1] != form:  # where the stem is the form, the token has nothing after it
            lexemes.append(f"~{token.partition('|')[0]}")
    return tuple(lexemes)


def _stems_of(tokens: str) -> tuple[str, ...]:
    return tuple(token.partition("|")[0] for token in tokens.split())


# Of a chunk, which is a text without white space: its tokens, each with a blank after it.
tokens_of: Final = Remembered(_tokens_of).__getitem__

# What the index has of a chunk's tokens: the forms of words, and ~stem; of stop words nothing.
lexemes_of: Final = Remembered(_lexemes_of).__getitem__

# The stems of tokens, stop words included.
stems_of: Final = Remembered(_stems_of).__getitem__


def tokenize(text: str) -> str:
    """Return the text's tokens in order, each between blanks: " creat|ing a| pool| "."""
    return join_tokens(map(tokens_of, text.split()))


def join_tokens(tokens: Iterable[str]) -> str:
    """Return the tokens of a text's chunks, as `tokenize` does."""
    # Punctuation between two words parts no phrase.
    return f" {''.join(tokens) or ' '}"


def tokens_of_path(path: str) -> tuple[str, str]:
    """Return the tokens of a path, as those of a chunk, and the part of them for the file name.

    Paths are not remembered: each is of one document.
    """
    words = [*read_words(path)]
    tokens = [f"{token_of(word.form)} " for word in words]
    name_start = path.rfind("/") + 1
    # The words of a name are the same within the path: a slash parts all words that are not joined.
    in_name = [token for token, word in zip(tokens, words, strict=True) if word.start >= name_start]
    return "".join(tokens), "".join(in_name)
