"""What a search looks for, read from what a person or an agent types.

Words, "exact phrases", -not and `or`, as in PostgreSQL's websearch_to_tsquery; but the words are
those of service/documents/words.py, so any text is a query.
"""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.tokens import tokenize
from service.documents.words import STOP_WORDS
from service.search.french import inflect, is_french
from service.search.questions import FILLERS, is_question
from service.search.terms import (
    all_of,
    any_of,
    halves_of,
    in_heading,
    read_phrase,
    read_terms,
    word_term,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from service.search.terms import Term

# Terms of all alternatives together, and excluded terms of each; further ones are ignored.
MAX_TERMS: Final = 16
MAX_ALTERNATIVES: Final = 8  # further ones are not looked for

# Terms of which any combination may lack.
MAX_COMBINED: Final = 8

QUOTES: Final = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02", '"'))
# What a question asks for: `how long is a token valid` looks for no `long`, `how do I make sure`
# for neither of the two.
ASKED: Final = re.compile(
    r"(?<!\S)(?:how\s+(frequently|long|many|much|often)|(make)\s+(sure))(?!\S)",
    re.IGNORECASE,
)
INVERTED: Final = frozenset(("ce", "elle", "elles", "il", "ils", "je", "nous", "on", "tu", "vous"))
CHUNK: Final = re.compile(r'(?P<minus>(?<!\S)-(?=["\w]))?(?:"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+))')


class Alternative(NamedTuple):
    """What is looked for together, what a match may not have, and what it had better have."""

    terms: tuple[Term, ...]
    excluded: tuple[Term, ...]
    optional: tuple[Term, ...] = ()


class Query(NamedTuple):
    """The alternatives, of which any one matches. `sequence` has the tokens as they were typed."""

    alternatives: tuple[Alternative, ...]
    sequence: str

    @property
    def terms(self) -> tuple[Term, ...]:
        """All terms, each once."""
        return tuple(dict.fromkeys(term for each in self.alternatives for term in each.terms))

    def as_written(self) -> Query:
        """Return the query for compounds as they are written, without those of their parts."""
        terms = {
            term: [term._replace(ways=term.ways[:1])] for term in self.terms if len(term.forms) > 1
        }
        return replace_terms(self, terms)


def parse_query(text: str, *, as_you_type: bool = False) -> Query:
    """Return the query that a text asks for; without alternatives if it looks for nothing.

    With `as_you_type` the last word may be the beginning of a word.
    """
    text = text.translate(QUOTES)
    if text.count('"') % 2:  # the last one quotes nothing
        text = " ".join(text.rsplit('"', 1))
    asked = {question.start(group) for question in ASKED.finditer(text) for group in range(1, 4)}
    chunks = [*CHUNK.finditer(text)]
    groups: list[tuple[list[Term], list[Term], list[Term]]] = [([], [], [])]
    fillers = FILLERS if is_question(text) else frozenset[str]()
    for number, chunk in enumerate(chunks):
        terms, excluded, unimportant = groups[-1]
        word = chunk["word"]
        if word is not None and word.lower() == "or" and 0 < number < len(chunks) - 1:
            if terms and len(groups) == MAX_ALTERNATIVES:
                break
            if terms:
                groups.append(([], [], []))
        elif chunk["minus"]:
            excluded += read_phrase(chunk["phrase"]) if word is None else read_terms(word)
        elif word is None:
            terms += read_phrase(chunk["phrase"])
        else:
            is_last = number == len(chunks) - 1 and not text[-1:].isspace()
            for term in read_terms(word, is_prefix=as_you_type and is_last):
                is_stop = chunk.start() in asked or _is_stop(term.forms)
                (unimportant if is_stop else terms).append(term)
    in_french = is_french(text)
    wanted = [
        (inflect(terms) if in_french else terms, excluded) for terms, excluded, _ in groups if terms
    ]
    most = MAX_TERMS // max(1, len(wanted))
    alternatives = [
        _alternative(_first(terms, most), excluded, fillers) for terms, excluded in wanted
    ]
    if not alternatives:
        # Only stop words: the index has them of headings.
        alternatives = [
            _alternative(_first(map(in_heading, unimportant), most), excluded, frozenset())
            for _, excluded, unimportant in groups
            if unimportant
        ]
    positive = " ".join(chunk[0].replace('"', " ") for chunk in chunks if not chunk["minus"])
    return Query(tuple(alternatives), tokenize(positive).strip())


def _first(terms: Iterable[Term], most: int) -> list[Term]:
    """Return the first terms, each once."""
    return [*dict.fromkeys(terms)][:most]


def _alternative(
    terms: Sequence[Term], excluded: Sequence[Term], fillers: frozenset[str]
) -> Alternative:
    """Return an alternative whose fillers are optional, unless it has no other words.

    It excludes the first MAX_TERMS of `excluded`.
    """
    optional = [term for term in terms if term.forms and fillers.issuperset(term.forms)]
    required = [term for term in terms if term not in optional]
    if not required:
        required, optional = optional, []
    return Alternative(tuple(required), tuple(_first(excluded, MAX_TERMS)), tuple(optional))


def _is_stop(forms: Sequence[str]) -> bool:
    """Return whether a term says nothing: `how`, or `faut-il` in a French question."""
    is_question = len(forms) == 1 or (len(forms) > 1 and forms[-1] in INVERTED)
    return is_question and STOP_WORDS.issuperset(forms)


def all_terms(query: Query, *prefixes: str) -> str:
    """Return the text of the tsquery for all terms of any alternative.

    Each term may have any of the prefixes, which are those of parts.py.
    """
    return any_of(
        all_of(any_of(term.tsquery(prefix) for prefix in prefixes or [""]) for term in each.terms)
        for each in query.alternatives
    )


def some_terms(query: Query, lacking: int) -> str:
    """Return the text of the tsquery for all terms of any alternative but `lacking` of them.

    Of more than MAX_COMBINED terms it requires neighbours.
    """
    alternatives: list[str] = []
    for each in query.alternatives:
        terms = [term.tsquery() for term in each.terms]
        count = max(1, len(terms) - lacking)
        if len(terms) > MAX_COMBINED:
            starts = range(len(terms) - count + 1)
            chosen: Iterable[Sequence[str]] = (terms[start : start + count] for start in starts)
        else:
            chosen = combinations(terms, count)
        alternatives.append(any_of(map(all_of, chosen)))
    return any_of(alternatives)


def replace_terms(query: Query, terms: Mapping[Term, Sequence[Term]]) -> Query:
    """Return the query with other terms in place of some."""
    return query._replace(
        alternatives=tuple(
            each._replace(
                terms=tuple(
                    dict.fromkeys(new for term in each.terms for new in terms.get(term, [term]))
                )
            )
            for each in query.alternatives
        )
    )


def split_compounds(query: Query) -> Query:
    """Return the query with the words of long compounds in place of them, wherever these stand.

    Of each alternative it has the first MAX_TERMS.
    """
    words = {
        term: [word_term(form) for form in term.forms if form not in STOP_WORDS]
        for term in query.terms
        if len(term.forms) > 2 and term.is_of_words
    }
    alternatives = replace_terms(query, words).alternatives
    return query._replace(
        alternatives=tuple(each._replace(terms=each.terms[:MAX_TERMS]) for each in alternatives)
    )


def halve_words(query: Query) -> Query:
    """Return the query with the halves of Chinese, Japanese and Korean words in place of them.

    The words as a whole are optional.
    """
    halves = {term: each for term in query.terms if (each := halves_of(term))}
    alternatives = replace_terms(query, halves).alternatives
    return query._replace(
        alternatives=tuple(
            new._replace(optional=(*old.optional, *filter(halves.__contains__, old.terms)))
            for old, new in zip(query.alternatives, alternatives, strict=True)
        )
    )
