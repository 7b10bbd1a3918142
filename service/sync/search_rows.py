"""The rows of documents that the search reads: their parts and completions.

Importing this module loads the stemmer: see documents/words.py.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import orjson

from service.documents.completions import make_completions
from service.documents.parts import make_parts
from service.documents.vocabulary import is_correctable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.sync.parsing import ParsedFile

# The most words that a run adds to the vocabulary, and those of one document among them, which may
# be one of data: 20,000 documents have about 50,000, and a book has 10,000.
MAX_WORDS: Final = 200_000
MAX_WORDS_OF_DOCUMENT: Final = 10_000

# Characters of parts that one statement writes. A part has 100,000 at most, of which PostgreSQL can
# take half a second to index them.
PARTS_SIZE_PER_STATEMENT: Final = 1_000_000

Columns: TypeAlias = "Sequence[Sequence[Any]]"


class DocumentRows(NamedTuple):
    """The rows of a document: of its parts, and of its completions, if it has some.

    Of a part: path, number, is_only, kind, vector, tokens, text, headings, ends, pairs. Of the
    completions: path, numbers, and forms, each on a line.
    """

    parts: Columns
    completions: Sequence[object] | None


class SearchRows(NamedTuple):
    """The columns of the rows of documents; those of the parts for several statements."""

    parts: Sequence[Columns]
    completions: Columns

    @classmethod
    def of(cls, documents: Sequence[DocumentRows]) -> SearchRows:
        """Return the columns of these documents' rows."""
        groups: list[list[Sequence[Any]]] = []
        room = 0
        for part in chain.from_iterable(document.parts for document in documents):
            _, _, _, _, vector, tokens, text, _, _, _ = part
            if room <= 0:
                groups.append([])
                room = PARTS_SIZE_PER_STATEMENT
            groups[-1].append(part)
            room -= len(vector) + len(tokens) + len(text)
        completions = [each.completions for each in documents if each.completions]
        return cls(
            [[*zip(*group, strict=True)] for group in groups], [*zip(*completions, strict=True)]
        )


class SearchRowMaker:
    """Makes the rows. `words` has the words of all parts that misspelt ones may be corrected to."""

    def __init__(self) -> None:
        self.words: set[str] = set()
        # Lexemes that have been seen, correctable or not: most of a document's are not new.
        self._seen: set[str] = set()

    def make(self, path: str, parsed: ParsedFile) -> list[bytes]:
        """Return the rows of a document for `read_rows`, each as JSON of its own.

        To parse that of all together would take more memory than they do.
        """
        rows = self.make_rows(path, parsed)
        return [*map(orjson.dumps, (rows.completions, *rows.parts))]

    def make_rows(self, path: str, parsed: ParsedFile) -> DocumentRows:
        """Return the rows of a document."""
        metadata, kind = parsed.metadata, parsed.kind
        parts: list[Sequence[Any]] = []
        made_parts = make_parts(metadata, parsed.sections, path)
        room = min(MAX_WORDS_OF_DOCUMENT, MAX_WORDS - len(self.words))
        for number, part in enumerate(made_parts):
            vector, tokens, text, headings, ends, lexemes, pairs = part
            if room > 0 and (new := lexemes - self._seen):
                room -= self._add_words(new, room)
            # Arrays as PostgreSQL writes them: unnest would take lists apart, too.
            arrays = (_array(headings), _array(ends))
            is_only = len(made_parts) == 1
            parts.append((path, number, is_only, kind, vector, tokens, text, *arrays, pairs))
        completions: Sequence[object] | None = None
        if made := make_completions(metadata):
            numbers, forms = zip(*made, strict=True)
            completions = (path, _array(numbers), "\n".join(forms))
        return DocumentRows(parts, completions)

    def _add_words(self, lexemes: set[str], room: int) -> int:
        """Add new words, but not more than there is room for, and return their number."""
        words = [*islice(filter(is_correctable, sorted(lexemes)), room)]
        if len(words) < room:  # else other documents may have those that are left out
            self._seen |= lexemes
        if len(self._seen) > MAX_WORDS:
            self._seen.clear()
        before = len(self.words)
        self.words.update(words)
        return len(self.words) - before


def read_rows(rows_json: Iterable[bytes]) -> DocumentRows:
    """Return the rows of a document that `SearchRowMaker.make` returned."""
    completions, *parts = map(orjson.loads, rows_json)
    return DocumentRows(parts, completions)


def _array(values: Sequence[object]) -> str:
    return "{" + ",".join([f'"{value}"' for value in values]) + "}"
