"""The rows of documents that the search reads: their parts and completions.

Importing this module loads the stemmer: see documents/words.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from service.documents.completions import make_completions
from service.documents.parts import lexemes_in, make_parts
from service.documents.sections import Section

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The most words that a run adds to the vocabulary: those of 20,000 documents are about 50,000.
MAX_WORDS: Final = 200_000


class SearchRows(NamedTuple):
    """The columns of rows.

    Of parts: path, number, kind, vector, tokens, text, headings, ends. Of the completions of a
    document: path, numbers, and forms, each on a line.
    """

    parts: Sequence[Sequence[object]]
    completions: Sequence[Sequence[object]]


class SearchRowMaker:
    """Makes the rows. `words` has the lexemes of all parts, MAX_WORDS of them."""

    def __init__(self) -> None:
        self.words: set[str] = set()

    def make(self, documents: Iterable[tuple[str, str, bytes, bytes]]) -> SearchRows:
        """Return the rows of documents, each given with its path and its kind.

        After these come the JSON of its metadata and of its sections.
        """
        parts: list[tuple[object, ...]] = []
        completions: list[tuple[object, ...]] = []
        for path, kind, metadata_json, sections_json in documents:
            metadata = orjson.loads(metadata_json)
            sections = [Section(*fields) for fields in orjson.loads(sections_json)]
            for number, part in enumerate(make_parts(metadata, sections, path)):
                vector, tokens, text, headings, ends = part
                if len(self.words) < MAX_WORDS:
                    self.words.update(lexemes_in(vector))
                # Arrays as PostgreSQL writes them: unnest would take lists apart, too.
                arrays = (_array(headings), _array(ends))
                parts.append((path, number, kind, vector, tokens, text, *arrays))
            if of_document := make_completions(metadata):
                numbers, forms = zip(*of_document, strict=True)
                completions.append((path, _array(numbers), "\n".join(forms)))
        return SearchRows([*zip(*parts, strict=True)], [*zip(*completions, strict=True)])


def _array(values: Sequence[object]) -> str:
    return "{" + ",".join([f'"{value}"' for value in values]) + "}"
