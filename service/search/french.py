"""Words of French queries: their other forms, which have no stem in common by English rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from service.documents.words import STOP_WORDS, stem
from service.search.terms import word_term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.search.terms import Term

FRENCH: Final = re.compile(
    r"""
    [àâçèéêëîïôùûœ]
    |(?<!\w)(?:
        aux|avec|comment|dans|des|est|les|où|par|pour|pourquoi|quand|que|quelles?|quels?|qui|sont|sur
        |une
    )(?!\w)
    """,
    re.IGNORECASE | re.VERBOSE,
)

# What forms of a verb end in, without accents: `stockées` is found as `stocker`, too.
ENDING: Final = re.compile("(?<=[a-z]{4})(?:aient|ait|ant|ees?|ent|er|es?|ez|ons)$")
OTHER_ENDINGS: Final = ("e", "ee", "ent", "er")

# `se connectent-ils` asks for `connectent`. Not `on`, with which `sign-on` ends.
PRONOUNS: Final = frozenset(("elle", "elles", "il", "ils", "je", "nous", "tu", "vous"))

# Words of a query whose forms are looked for: those of all combinations of many are a long tsquery.
MAX_INFLECTED: Final = 6


def is_french(text: str) -> bool:
    """Return whether a query has French words or accents."""
    return FRENCH.search(text) is not None


def inflect(terms: Sequence[Term]) -> list[Term]:
    """Return terms that other forms of the words match, too; of a long query the terms as given."""
    if len(terms) > MAX_INFLECTED:
        return [*terms]
    words = [word for term in terms for word in _without_pronoun(term)]
    return [*map(_inflected, words)]


def _without_pronoun(term: Term) -> list[Term]:
    if len(term.forms) > 1 and term.forms[-1] in PRONOUNS:
        return [word_term(form) for form in term.forms if form not in STOP_WORDS] or [term]
    return [term]


def _inflected(term: Term) -> Term:
    if len(term.forms) != 1 or term.prefix or not (ending := ENDING.search(term.forms[0])):
        return term
    base = term.forms[0][: ending.start()]
    stems = dict.fromkeys([stem(term.forms[0]), *[stem(base + each) for each in OTHER_ENDINGS]])
    lexemes = tuple(lexeme for each in stems for lexeme in (each, f"~{each}"))
    return term._replace(ways=((lexemes,),), loose=tuple(f" {each}|" for each in stems))
