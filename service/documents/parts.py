"""A document's text in parts, as the search finds, ranks and shows it.

A part has whole sections, and is small enough that the rank of many parts can be computed in a
request. A change here has to raise PARTS_VERSION and READER_VERSION in metadata.py. Importing this
module loads the stemmer: see words.py.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from service.documents.pairs import ends_of, pairs_of, read_chunks
from service.documents.tokens import (
    join_tokens,
    lexemes_of,
    stems_of,
    tokens_of,
    tokens_of_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from service.documents.sections import Section

# Characters of the text in a part, and of its headings' tokens; its last section may exceed it.
MAX_PART: Final = 16_000

# Bytes of a vector, as text. PostgreSQL refuses a tsvector of 1 MB.
MAX_VECTOR: Final = 512 * 1024

# A word that a part has at least so often is also indexed as a frequent one.
FREQUENT: Final = 4

# The prefixes of lexemes: of words in the document's title, in a heading, and of frequent words.
IN_TITLE: Final = "!"
IN_HEADING: Final = "^"
OFTEN: Final = "+"

# Between the fields of a line of tokens.
FIELD: Final = "\t"

# The prefix of the tokens of a name that begins a line as what the line explains: in a list of
# requirements or settings, in the first column of a table.
DEFINED: Final = "="
# `*+` tries no shorter match: for a line of thousands of dashes would take seconds.
DEFINITION: Final = re.compile(
    r"\n[^\w\n/]*+((?>[./@-]*+\w++)++)[`*\"']*+[ \t]{0,2}+(?::|\||[\u2014\u2013-][ \t])"
)
MAX_DEFINITIONS: Final = 200  # of a section


class Part(NamedTuple):
    """A part of a document.

    `tokens` has a line for the document, then one for each section. The fields of the document's
    line are title, path and file name, of the others the section's heading, the headings above it,
    and its text. `headings` has of each line the path to its heading: indexes of the metadata's
    headings, with blanks between them, and nothing for the document and for a text without a
    heading. `text` has the texts of the sections, and `ends` where each line ends in it, in
    characters. `vector` is the text of a tsvector: the lexemes, without positions. `lexemes` has
    those of them without a prefix. `pairs` is what `pairs_of` returns for all that `tokens` has.
    """

    vector: str
    tokens: str
    text: str
    headings: list[str]
    ends: list[int]
    lexemes: set[str]
    pairs: str


def make_parts(metadata: dict[str, Any], sections: Sequence[Section], path: str) -> list[Part]:
    """Return the parts of a document: at least one."""
    title = read_chunks(metadata["title"])
    path_tokens, name_tokens = tokens_of_path(path)
    document_line = FIELD.join(map(join_tokens, (title.tokens, [path_tokens], [name_tokens])))
    headings = metadata.get("headings", [])
    own_chunks = [read_chunks(heading["text"]) for heading in headings]
    own_tokens = [join_tokens(own.tokens) for own in own_chunks]
    # A title that no heading has, as of front matter, is the heading of the text before the first.
    has_own_title = bool(headings) and all(each["text"] != metadata["title"] for each in headings)
    first_tokens = join_tokens(title.tokens) if has_own_title else " "
    above = _headings_above([heading["level"] for heading in headings])
    parts: list[Part] = []
    start = 0
    while start < len(sections) or not parts:
        lines, texts, ends, paths = [document_line], [""], [0], [""]
        chunks = [*title.tokens, path_tokens]
        chunk_ends = [*title.ends, ends_of(path_tokens)]
        headings_here = {*title.tokens}
        # The first sections may be below headings of the part before.
        first = sections[start].heading if sections else None
        parents_before = [] if first is None else above[first]
        size_of_headings = 0
        for heading, text in islice(sections, start, None):
            if max(ends[-1], size_of_headings) >= MAX_PART:
                break
            start += 1
            own_text = read_chunks(text)
            chunks += own_text.tokens
            chunk_ends += own_text.ends
            tokens = join_tokens(own_text.tokens) + _definitions(text)
            if heading is None:
                lines.append(f"{first_tokens}{FIELD} {FIELD}{tokens}")
                paths.append("")
            else:
                chunks += own_chunks[heading].tokens
                chunk_ends += own_chunks[heading].ends
                headings_here.update(own_chunks[heading].tokens)
                own = own_tokens[heading]
                parents = "".join([own_tokens[each] for each in above[heading]]) or " "
                size_of_headings += len(own) + len(parents)
                lines.append(f"{own}{FIELD}{parents}{FIELD}{tokens}")
                paths.append(" ".join(map(str, [*above[heading], heading])))
            texts.append(text)
            ends.append(ends[-1] + len(text))
        counts = Counter(chunks)
        lexemes, vector = _index(counts, title.tokens, headings_here)
        chunk_ends.append(ends_of(name_tokens))
        different = {*counts, name_tokens}
        for parent in parents_before:
            chunk_ends += own_chunks[parent].ends
            different.update(own_chunks[parent].tokens)
        pairs = pairs_of(chunk_ends, different)
        parts.append(Part(vector, "\n".join(lines), "".join(texts), paths, ends, lexemes, pairs))
    return parts


def _definitions(text: str) -> str:
    """Return the tokens of the compounds that lines of a text explain."""
    return "".join(
        [
            f"{DEFINED}{tokens_of(name) or ' '}"
            for name in islice(DEFINITION.findall(f"\n{text}"), MAX_DEFINITIONS)
            if not name.isalpha() and not name.isdigit()
        ]
    )


def _headings_above(levels: Sequence[int]) -> list[list[int]]:
    """Return for each heading those that it is under, from the highest level down."""
    above: list[list[int]] = []
    open_headings: list[int] = []
    for number, level in enumerate(levels):
        while open_headings and levels[open_headings[-1]] >= level:
            open_headings.pop()
        above.append([*open_headings])
        open_headings.append(number)
    return above


def _index(
    counts: Mapping[str, int], title: Iterable[str], headings: Iterable[str]
) -> tuple[set[str], str]:
    """Return the lexemes of a part's chunks, and the vector, which also has those with a prefix."""
    lexemes = set[str]().union(*map(lexemes_of, counts))
    frequent = [tokens for tokens, count in counts.items() if count >= FREQUENT]
    in_vector = [
        *lexemes,
        *[OFTEN + stem for stem in _stems(filter(lexemes_of, frequent))],
        # Also stop words, so that a search for nothing else finds a heading.
        *[IN_TITLE + stem for stem in _stems(title)],
        *[IN_HEADING + stem for stem in _stems(headings)],
    ]
    # Words have no quotes and no backslashes.
    quoted = "' '".join(in_vector)
    while len(quoted) > MAX_VECTOR // 4 and len(quoted.encode()) > MAX_VECTOR:
        # No language has so long words.
        in_vector = sorted(sorted(in_vector), key=len)[: len(in_vector) * 3 // 4]
        quoted = "' '".join(in_vector)
    return lexemes, f"'{quoted}'" if quoted else ""


def _stems(tokens: Iterable[str]) -> set[str]:
    return set[str]().union(*map(stems_of, tokens))
