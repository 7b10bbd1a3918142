"""Terms of a query: words, compounds and phrases, as the index has them and the tokens."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.parts import IN_HEADING
from service.documents.tokens import OTHERWISE, token_of, tokenize
from service.documents.words import SHORTEST_STEM, STOP_WORDS, read_units, stem
from service.search.questions import words_of_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from service.documents.words import Unit, Word

# Letters of a stem that a prefix of a word has for sure.
MAX_PREFIX_OF_STEM: Final = 5

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
    def is_beginning(self) -> bool:
        """Whether this is the beginning of a word, and not of a compound's last part."""
        return self.text == self.prefix != "" and not self.letters

    @property
    def form(self) -> str:
        """The form of a word, or of the beginning of one."""
        return self.forms[0] if self.forms else self.prefix

    @property
    def is_loose(self) -> bool:
        """Whether parts may match by their lexemes that have no sequence of a compound."""
        return self.is_of_words or (
            not self.required and any(len(lexemes) > 1 for lexemes in self.ways)
        )

    @property
    def is_of_words(self) -> bool:
        """Whether this is a compound that may also be found by its parts."""
        return len(self.forms) > 1 and len(self.ways) > 1

    def tsquery(self, prefix: str = "") -> str:
        """Return the text of a tsquery; `prefix` is one of those of parts.py, for all lexemes."""
        return any_of(
            all_of(any_of(_quote(prefix, each) for each in one) for one in way) for way in self.ways
        )


def _quote(prefix: str, lexeme: str) -> str:
    # Lexemes have no quotes and no backslashes. An asterisk stands for any end. With a prefix there
    # are only stems, of which what is typed may have more letters.
    if prefix:
        if lexeme.endswith("*"):
            lexeme = f"{lexeme[:-1][:MAX_PREFIX_OF_STEM]}*"
        elif lexeme[0] in {"~", IN_HEADING}:
            lexeme = lexeme[1:]
        else:  # a form, of which a phrase has no stem
            lexeme = stem(lexeme)
        lexeme = prefix + lexeme
    return f"'{lexeme[:-1]}':*" if lexeme.endswith("*") else f"'{lexeme}'"


def any_of(texts: Iterable[str]) -> str:
    """Return the text of a tsquery that any of the texts fulfils."""
    return "(" + "|".join(dict.fromkeys(texts)) + ")"


def all_of(texts: Iterable[str]) -> str:
    """Return the text of a tsquery that all of the texts fulfil."""
    return "(" + "&".join(dict.fromkeys(texts)) + ")"


def in_heading(term: Term) -> Term:
    """Return the term for a stop word, which the index has of headings."""
    if len(term.forms) > 1:
        return term
    return term._replace(ways=(tuple((IN_HEADING + stem(form),) for form in term.forms),))


def read_terms(chunk: str, *, is_prefix: bool = False) -> Iterator[Term]:
    """Yield the terms of a text without blanks; with `is_prefix` its last word may go on."""
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
    if any(len(form) != 2 for form in forms[:-1]):  # a character of which Unicode makes several
        yield from _cjk_word(forms)
        return
    for word in words_of_run("".join([form[0] for form in forms])):
        yield from _cjk_word([*map("".join, pairwise(word)), word[-1]])


def _cjk_word(forms: Sequence[str]) -> Iterator[Term]:
    """Yield the terms for a word, or for the pairs of a sentence, given as those of a unit."""
    if len(forms) == 1:
        yield Term(forms[0], (((f"{forms[0]}*",),),), (f" {forms[0]}",))
        return
    pairs = forms[:-1]
    if len(forms) > MAX_CJK_WORD:
        yield from map(_pair, pairs)
        return
    sequence = " " + " ".join(f"{pair}|" for pair in pairs)
    required = sequence if len(pairs) > 1 else ""
    yield Term(sequence, (tuple((pair,) for pair in pairs),), (sequence,), required=required)


def _pair(pair: str) -> Term:
    return Term(pair, (((pair,),),), (f" {pair}|",))


def halves_of(term: Term) -> list[Term]:
    """Return the halves of a word of four Chinese, Japanese or Korean characters; else nothing.

    Most of them are words of their own.
    """
    pairs = [lexemes[0] for lexemes in term.ways[0]]
    is_word = len(pairs) == MAX_CJK_WORD - 1 and not term.forms and not term.letters
    return [_pair(pairs[0]), _pair(pairs[-1])] if is_word else []


def read_phrase(text: str) -> list[Term]:
    """Return the term for a phrase; none, if it has no word."""
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


def corrected(term: Term, form: str) -> Term:
    """Return a term that is found as it is, and as the word that it may be meant for."""
    meant = word_term(form)
    return Term(
        term.text, (*term.ways, *meant.ways), term.exact, (*meant.exact, *meant.loose, *term.loose)
    )
