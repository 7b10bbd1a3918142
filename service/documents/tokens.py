"""Tokens: the words of a text as they are stored with it, for the rank and for phrases.

A change here has to raise PARTS_VERSION and READER_VERSION in service/documents/metadata.py.
Importing this module loads the stemmer: see words.py.
"""

from __future__ import annotations

import re
from itertools import chain, islice, pairwise
from sys import intern
from typing import TYPE_CHECKING, Final, TypeVar
from zlib import crc32

from service.documents.words import CJK, STOP_WORDS, read_words, stem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.documents.words import Word

Value = TypeVar("Value")

# Chunks whose words are remembered: a source's documents repeat most of theirs.
MAX_REMEMBERED: Final = 50_000
MAX_REMEMBERED_CHUNK: Final = 64

# The bits of `pairs_of`: at least so many for each pair, so that others set one in five, and the
# least and most of a part. A section that is too large for a part has more pairs.
BITS_PER_PAIR: Final = 4
MIN_BITS: Final = 64
MAX_BITS: Final = 16_384

ONE: Final = ord("1")

# One or several, each with a blank after it.
CJK_TOKENS: Final = re.compile(f"(?:[^ ]*{CJK.pattern}[^ ]* )+")

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
    its_stem = stem(form)
    if form.startswith(its_stem):
        return f"{its_stem}|{form[len(its_stem) :]}"
    return f"{its_stem}|{OTHERWISE}{form}"


def form_of(token: str) -> str:
    """Return the word's form of which `token_of` made the token."""
    its_stem, _, rest = token.partition("|")
    return rest[1:] if rest.startswith(OTHERWISE) else its_stem + rest


def _tokens_of(chunk: str) -> str:
    # Interned, since chunks are counted and looked up by their tokens.
    return intern(_tokens_of_words(read_words(chunk)))


def _tokens_of_words(words: Iterable[Word]) -> str:
    return "".join([f"{token_of(word.form)} " for word in words])


def _lexemes_of(tokens: str) -> tuple[str, ...]:
    lexemes: list[str] = []
    forms = [*map(form_of, tokens.split())]
    for place, form in enumerate(forms):
        if form in STOP_WORDS:
            # Joined, the parts of U.S. are none. What is joined comes before its parts.
            later = pairwise(forms[place + 1 :])
            if form not in {first + second for first, second in later}:
                continue
        its_stem = stem(form)
        lexemes += (form,) if its_stem == form else (form, f"~{its_stem}")
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
    name_start = path.rfind("/") + 1
    # The words of a name are the same within the path: a slash parts all words that are not joined.
    in_name = [word for word in words if word.start >= name_start]
    return _tokens_of_words(words), _tokens_of_words(in_name)


def pair_number(first: str, second: str) -> int:
    """Return the number of two neighbouring tokens, which other pairs may have as well."""
    return _number_before(first) ^ _number_after(second)


def _number_before(token: str) -> int:
    return crc32(token.encode())


def _number_after(token: str) -> int:
    return crc32(f"|{token}".encode())


# Of a chunk's tokens, the number of the last one before those of another chunk, and of the first
# one after them.
_last_numbers: Final = Remembered(lambda tokens: _number_before(tokens.split()[-1])).__getitem__
_first_numbers: Final = Remembered(lambda tokens: _number_after(tokens.split()[0])).__getitem__


def _inner_numbers(tokens: str) -> Iterable[int]:
    """Return the numbers of the pairs within a chunk; those of most chunks are none."""
    if tokens.count(" ") < 2:
        return ()
    parts = [tokens] if tokens.isascii() else CJK_TOKENS.split(tokens)
    return [
        pair_number(first, second) for part in parts for first, second in pairwise(part.split())
    ]


def pairs_of(chunks: Iterable[str]) -> str:
    """Return a Bloom filter of the neighbouring tokens of a text, as hexadecimal digits.

    The chunks are given by their tokens. The filter has a power of two of bits; of each pair the
    bit is set that its number has modulo the bits, as PostgreSQL's get_bit counts them. Pairs
    within Chinese, Japanese and Korean are not in it.
    """
    chunks = [*filter(None, chunks)]
    bits = MIN_BITS
    while bits < BITS_PER_PAIR * len(chunks) and bits < MAX_BITS:
        bits *= 2
    digits = bytearray(b"0" * bits)
    mask = bits - 1
    firsts = islice(map(_first_numbers, chunks), 1, None)
    between = map(int.__xor__, map(_last_numbers, chunks), firsts)
    for number in chain(between, *map(_inner_numbers, set(chunks))):
        digits[~(number & mask)] = ONE  # the last digit is that of bit 0
    return int(digits, 2).to_bytes(bits // 8, "little").hex()


def pairs_in(sequence: str) -> list[int]:
    """Return the numbers of the pairs that each text with this sequence of tokens has.

    A last token without a blank after it may go on.
    """
    tokens = [*filter(None, sequence.split(" ")[:-1])]
    return [
        pair_number(first, second)
        for first, second in pairwise(tokens)
        if not CJK.search(first + second)
    ]
