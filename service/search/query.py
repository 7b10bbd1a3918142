"""What a search looks for, read from what a person or an agent types.

Words, "exact phrases", -not and `or`, as in PostgreSQL's websearch_to_tsquery; but the words are
those of service/documents/words.py, so any text is a query.
"""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.parts import IN_HEADING
from service.documents.words import (
    OTHERWISE,
    SHORTEST_STEM,
    STOP_WORDS,
    Unit,
    read_units,
    stem,
    token_of,
    tokenize,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from service.documents.words import Word

MAX_TERMS: Final = 16  # of all alternatives; further words are not required
MAX_PREFIX_OF_STEM: Final = 5
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

# Characters of a run of Chinese, Japanese or Korean that is looked for as a whole. A longer one is
# a sentence: its pairs of characters are words.
MAX_CJK_WORD: Final = 4

# Letters of a word after its stem, at most: what is typed of a word may end in any of them.
LONGEST_ENDING: Final = 12

# A prefix of so many letters or fewer has no stem: that of `the` would be found for `theme`.
SHORT_PREFIX: Final = 3


class Term(NamedTuple):
    """One word, compound or phrase of a query.

    `ways` has alternatives; each is a list of which all must match, by any one of their lexemes.
    `exact` and `loose` are sequences of tokens: what to count in the tokens of a part, as written
    and by the stem. A match has the sequence `required`, if any, which the lexemes cannot say.
    """

    text: str
    ways: tuple[tuple[tuple[str, ...], ...], ...]
    exact: tuple[str, ...]
    loose: tuple[str, ...] = ()
    required: str = ""
    forms: tuple[str, ...] = ()  # of a word or of a compound's parts, which may be misspelt
    letters: str = ""  # of a compound or a phrase: all that it has, without what parts its words
    prefix: str = ""  # what is typed of the last word

    @property
    def is_loose(self) -> bool:
        """Whether parts may match by their lexemes that have no sequence of a compound."""
        return len(self.forms) > 2 or (len(self.forms) == 2 and len(self.ways) > 1)

    def tsquery(self, prefix: str = "") -> str:
        """Return the text of a tsquery; `prefix` is one of those of parts.py, for all lexemes."""
        return _any(
            _all(_any(_quote(prefix, each) for each in one) for one in way) for way in self.ways
        )


class Alternative(NamedTuple):
    """What is looked for together, and what a match may not have."""

    terms: tuple[Term, ...]
    excluded: tuple[Term, ...]


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


def _quote(prefix: str, lexeme: str) -> str:
    # Lexemes have no quotes and no backslashes. An asterisk stands for any end. With a prefix there
    # are only stems, of which what is typed may have more letters.
    if prefix and lexeme.endswith("*"):
        lexeme = f"{lexeme[:-1][:MAX_PREFIX_OF_STEM]}*"
    lexeme = prefix + lexeme.removeprefix("~") if prefix else lexeme
    return f"'{lexeme[:-1]}':*" if lexeme.endswith("*") else f"'{lexeme}'"


def _any(texts: Iterable[str]) -> str:
    return "(" + "|".join(dict.fromkeys(texts)) + ")"


def _all(texts: Iterable[str]) -> str:
    return "(" + "&".join(dict.fromkeys(texts)) + ")"


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
    for number, chunk in enumerate(chunks):
        terms, excluded, unimportant = groups[-1]
        word = chunk["word"]
        if word is not None and word.lower() == "or" and 0 < number < len(chunks) - 1:
            if terms and len(groups) == MAX_ALTERNATIVES:
                break
            if terms:
                groups.append(([], [], []))
        elif chunk["minus"]:
            excluded += _phrase(chunk["phrase"]) if word is None else _words(word)
        elif word is None:
            terms += _phrase(chunk["phrase"])
        else:
            is_last = number == len(chunks) - 1 and not text[-1:].isspace()
            for term in _words(word, is_prefix=as_you_type and is_last):
                is_stop = chunk.start() in asked or _is_stop(term.forms)
                (unimportant if is_stop else terms).append(term)
    wanted = [(terms, excluded) for terms, excluded, _ in groups if terms]
    most = MAX_TERMS // max(1, len(wanted))
    alternatives = [
        Alternative(tuple(dict.fromkeys(terms))[:most], tuple(dict.fromkeys(excluded))[:MAX_TERMS])
        for terms, excluded in wanted
    ]
    if not alternatives:
        # Only stop words: the index has them of headings.
        alternatives = [
            Alternative(tuple(_in_heading(term) for term in unimportant), tuple(excluded))
            for _, excluded, unimportant in groups
            if unimportant
        ]
    positive = " ".join(chunk[0].replace('"', " ") for chunk in chunks if not chunk["minus"])
    return Query(tuple(alternatives), tokenize(positive).strip())


def _is_stop(forms: Sequence[str]) -> bool:
    """Return whether a term says nothing: `how`, or `faut-il` in a French question."""
    is_question = len(forms) == 1 or (len(forms) > 1 and forms[-1] in INVERTED)
    return is_question and STOP_WORDS.issuperset(forms)


def _in_heading(term: Term) -> Term:
    if len(term.forms) > 1:
        return term
    return term._replace(ways=(tuple((IN_HEADING + stem(form),) for form in term.forms),))


def _words(chunk: str, *, is_prefix: bool = False) -> Iterator[Term]:
    units = [*read_units(chunk)]
    for number, unit in enumerate(units):
        if unit.is_cjk:
            yield from _cjk(unit)
        elif len(unit.parts) == 1:
            yield _word(unit.parts[0], is_prefix=is_prefix and number == len(units) - 1)
        else:
            yield _compound(unit, is_prefix=is_prefix and number == len(units) - 1)


def word_term(form: str) -> Term:
    """Return the term for a word in its folded form."""
    its_stem = stem(form)
    return Term(
        form,
        ((_lexemes(form),),),
        (f" {token_of(form)} ",),
        (f" {its_stem}|",),
        forms=(form,),
    )


def _lexemes(form: str) -> tuple[str, ...]:
    its_stem = stem(form)
    return (its_stem, f"~{its_stem}")


def _word(word: Word, *, is_prefix: bool) -> Term:
    term = word_term(word.form)
    if not is_prefix:
        return term
    ways = (((f"{word.form}*",),),)
    exact = _beginnings(word.form)
    if len(word.form) <= SHORT_PREFIX:
        return term._replace(ways=ways, exact=exact, loose=(), forms=(), prefix=word.form)
    return term._replace(ways=(*ways, *term.ways), exact=exact, forms=(), prefix=word.form)


def _beginnings(form: str, before: str = "") -> tuple[str, ...]:
    """Return the sequences for tokens of words that begin so, after other tokens."""
    places = range(max(SHORTEST_STEM, len(form) - LONGEST_ENDING), len(form))
    return (
        f" {before}{form}",
        *[f" {before}{form[:place]}|{form[place:]}" for place in places],
        *([] if before else [f"|{OTHERWISE}{form}"]),
    )


def _compound(unit: Unit, *, is_prefix: bool) -> Term:
    parts = unit.parts
    pairs = unit.joined[: len(parts) - 1]
    groups = [_lexemes(pair.form) for pair in pairs]
    exact = " ".join(token_of(pair.form) for pair in pairs)
    loose = " ".join(token_of(part.form) for part in parts)
    if is_prefix:
        last = pairs[-1].form
        groups[-1] = (f"{last}*",)
        before = "".join([f"{token_of(pair.form)} " for pair in pairs[:-1]])
        return Term(
            before + last,
            (tuple(groups),),
            _beginnings(last, before),
            letters=_letters([unit]),
            prefix=last,
        )
    ways = [tuple(groups)]
    words = [part.form for part in parts if part.form not in STOP_WORDS]
    if words and all(len(word) > 2 and word.isalpha() for word in words):
        ways.append(tuple(_lexemes(word) for word in words))
    stems = [f" {stem(pairs[0].form)}|"] if len(pairs) == 1 else []
    forms = tuple(part.form for part in parts)
    return Term(
        exact,
        tuple(ways),
        (f" {exact} ",),
        (f" {loose} ", *stems),
        forms=forms,
        letters=_letters([unit]),
    )


def _letters(units: Sequence[Unit]) -> str:
    return "".join(
        [part.form[0] if unit.is_cjk else part.form for unit in units for part in unit.parts]
    )


def _cjk(unit: Unit) -> Iterator[Term]:
    forms = [part.form for part in unit.parts]
    if len(forms) == 1:
        yield Term(forms[0], (((f"{forms[0]}*",),),), (f" {forms[0]}",))
        return
    pairs = forms[:-1]
    if len(forms) > MAX_CJK_WORD:
        yield from (Term(pair, (((pair,),),), (f" {pair}|",)) for pair in pairs)
        return
    sequence = " " + " ".join(f"{pair}|" for pair in pairs)
    required = sequence if len(pairs) > 1 else ""
    yield Term(sequence, (tuple((pair,) for pair in pairs),), (sequence,), required=required)


def _phrase(text: str) -> list[Term]:
    units = [*read_units(text)]
    forms = [word.form for unit in units for word in (*unit.joined, *unit.parts)]
    if not forms:
        return []
    if len(units) == 1 and units[0].joined:
        return [_exact_compound(units[0])]
    # Of the first compound only the parts: in the text it may be the end of a longer one.
    tokens = tokenize(text).split()[len(units[0].joined) :]
    end = " "
    if units[-1].is_cjk:
        # Its last character may go on in the text.
        last = forms.pop()
        tokens.pop()
        if len(units[-1].parts) == 1:
            forms.append(f"{last}*")
            tokens.append(last)
            end = ""
    sequence = f" {' '.join(tokens)}{end}"
    required = sequence if len(forms) > 1 else ""
    groups = [(form,) for form in forms if form not in STOP_WORDS]
    if not groups:  # the index has them of headings
        groups = [(IN_HEADING + stem(form),) for form in forms]
    letters = _letters(units)
    return [Term(sequence, (tuple(groups),), (sequence,), required=required, letters=letters)]


def _exact_compound(unit: Unit) -> Term:
    pairs = [pair.form for pair in unit.joined[: len(unit.parts) - 1]]
    sequence = f" {' '.join(map(token_of, pairs))} "
    return Term(
        sequence,
        (tuple((pair,) for pair in pairs),),
        (sequence,),
        required=sequence if len(pairs) > 1 else "",
        letters=_letters([unit]),
    )


def all_terms(query: Query, *prefixes: str) -> str:
    """Return the text of the tsquery for all terms of any alternative.

    Each term may have any of the prefixes, which are those of parts.py.
    """
    return _any(
        _all(_any(term.tsquery(prefix) for prefix in prefixes or [""]) for term in each.terms)
        for each in query.alternatives
    )


def some_terms(query: Query, lacking: int, *prefixes: str) -> str:
    """Return the text of the tsquery for all terms of any alternative but `lacking` of them.

    Of more than MAX_COMBINED terms it requires neighbours.
    """
    alternatives: list[str] = []
    for each in query.alternatives:
        terms = [_any(term.tsquery(prefix) for prefix in prefixes or [""]) for term in each.terms]
        count = max(1, len(terms) - lacking)
        if len(terms) > MAX_COMBINED:
            starts = range(len(terms) - count + 1)
            chosen: Iterable[Sequence[str]] = (terms[start : start + count] for start in starts)
        else:
            chosen = combinations(terms, count)
        alternatives.append(_any(map(_all, chosen)))
    return _any(alternatives)


def corrected(term: Term, form: str) -> Term:
    """Return a term that is found as it is, and as the word that it may be meant for."""
    meant = word_term(form)
    return Term(
        term.text, (*term.ways, *meant.ways), term.exact, (*meant.exact, *meant.loose, *term.loose)
    )


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
