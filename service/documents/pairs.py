"""Pairs of neighbouring tokens: a filter of a text says which phrases it cannot have.

A change here has to raise PARTS_VERSION and READER_VERSION in service/documents/metadata.py.
Importing this module loads the stemmer: see words.py.
"""

from __future__ import annotations

import re
from itertools import chain, pairwise, repeat
from struct import pack, unpack
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

from service.documents.tokens import Remembered, tokens_of
from service.documents.words import CJK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The bits of `pairs_of`: at least so many for each pair, so that others set one in five, and the
# least and most of a part. A section that is too large for a part has more pairs.
BITS_PER_PAIR: Final = 4
MIN_BITS: Final = 64
MAX_BITS: Final = 16_384

# The number of a token or of a pair has 16 bits, which are enough for MAX_BITS.
NUMBER_BYTES: Final = 2
LARGEST: Final = 2 ** (8 * NUMBER_BYTES) - 1

# The checksum of what comes before a token that is the second of a pair.
AFTER: Final = crc32(b"|")

ONE: Final = ord("1")

# One or several, each with a blank after it.
CJK_TOKENS: Final = re.compile(f"(?:[^ ]*{CJK.pattern}[^ ]* )+")


class Chunk(NamedTuple):
    """A text without white space: its tokens, each with a blank after it, and their ends.

    These are the numbers of its first token, as of one after another, and of its last token, as of
    one before another. A text without words has neither.
    """

    tokens: str
    ends: bytes


class Chunks(NamedTuple):
    """The fields of a text's chunks, in order."""

    tokens: Sequence[str]
    ends: Sequence[bytes]


def read_chunks(text: str) -> Chunks:
    """Return the chunks of a text."""
    chunks = [*map(_chunk_of, text.split())]
    return Chunks(*zip(*chunks, strict=True)) if chunks else Chunks((), ())


def ends_of(tokens: str) -> bytes:
    """Return the ends of a chunk with these tokens: see Chunk."""
    if not tokens:
        return b""
    first, last = tokens.partition(" ")[0], tokens[:-1].rpartition(" ")[2]
    return pack("<HH", _number_after(first), _number_before(last))


def _read_chunk(chunk: str) -> Chunk:
    tokens = tokens_of(chunk)
    return Chunk(tokens, ends_of(tokens))


_chunk_of: Final = Remembered(_read_chunk).__getitem__


def pair_number(first: str, second: str) -> int:
    """Return the number of two neighbouring tokens, which other pairs may have as well."""
    return _number_before(first) ^ _number_after(second)


def _number_before(token: str) -> int:
    return crc32(token.encode()) & LARGEST


def _number_after(token: str) -> int:
    return crc32(token.encode(), AFTER) & LARGEST


def _numbers_within(tokens: str) -> Sequence[int]:
    if tokens.count(" ") < 2:
        return ()
    parts = [tokens] if tokens.isascii() else CJK_TOKENS.split(tokens)
    numbers: list[int] = []
    for part in parts:
        split = part.encode().split()
        before = map(crc32, split)
        after = map(crc32, split[1:], repeat(AFTER))
        numbers += [(one ^ other) & LARGEST for one, other in zip(before, after, strict=False)]
    return numbers


# The numbers of the pairs within a chunk, given by its tokens; of most chunks there are none.
_remembered_numbers_within: Final = Remembered(_numbers_within).__getitem__


def pairs_of(ends: Iterable[bytes], different: Iterable[str]) -> str:
    """Return a Bloom filter of the neighbouring tokens of a text, as hexadecimal digits.

    Given are the ends of its chunks, in order, and the tokens of those that differ. The filter has
    a power of two of bits; of each pair the bit is set that its number has modulo the bits, as
    PostgreSQL's get_bit counts them. Pairs within Chinese, Japanese and Korean are not in it.
    """
    numbers = b"".join(ends)
    chunks = len(numbers) // (2 * NUMBER_BYTES)
    bits = MIN_BITS
    while bits < BITS_PER_PAIR * chunks and bits < MAX_BITS:
        bits *= 2
    mask = bits - 1
    digits = bytearray(b"0" * bits)
    # All pairs at once, by arithmetic on one integer that has all numbers: a loop takes five times
    # as long. Every second number that results is that of a pair.
    after = numbers[NUMBER_BYTES:] + bytes(NUMBER_BYTES)
    crossed = int.from_bytes(numbers, "little") ^ int.from_bytes(after, "little")
    crossed &= int.from_bytes(mask.to_bytes(NUMBER_BYTES, "little") * (2 * chunks), "little")
    for bit in unpack(f"<{2 * chunks}H", crossed.to_bytes(len(numbers), "little"))[1:-1:2]:
        digits[bit] = ONE
    for number in chain.from_iterable(map(_remembered_numbers_within, different)):
        digits[number & mask] = ONE
    digits.reverse()  # the last digit is that of bit 0
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
