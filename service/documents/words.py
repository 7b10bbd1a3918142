"""The words of a text, as they are indexed, searched and marked.

A text is split at white space into chunks. A chunk is a word, or a compound such as `create_pool`,
`/api/health`, `FR-12` or `LLMProvider`: it is found by its parts and by each pair of neighbouring
parts, joined. So `FR12`, `FR-12` and `fr_12` are the same. Chinese, Japanese and Korean have no
spaces: their words are all pairs of neighbouring characters.

Case and accents are folded, and each word has a stem by the English algorithm of Snowball, which
also joins many forms of French words.

A change here has to raise PARTS_VERSION and READER_VERSION in service/documents/metadata.py.
Importing this module loads the stemmer: import it when the first text is indexed or searched.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from Stemmer import Stemmer  # pyright: ignore[reportUnknownVariableType]

# Longer words are cut: they are no words but data, and an index has a limit for them.
MAX_WORD: Final = 64

# Neither indexed nor required in a search, unless it is a phrase or a part of a compound.
_STOP_WORDS: Final = """
    a about after again all also am an and any are as at be because been before being both but by
    can could did do does doing don during each either few for from further get gets got had
    happen happened happens has have having he her here hers herself him himself his how i if in
    into is it its itself just let many may me might more most much must my myself no nor not of
    off on once only or other our ours out over own s same shall she should so some somebody
    someone something such t than that the their theirs them themselves then there these they this
    those through to too under until up us very was we were what whatever when where whether which
    while who whom whose why will with would yes you your yours yourself
    although cannot though unless whereas
    ain aren couldn didn doesn hadn hasn haven isn mustn needn shouldn wasn weren won wouldn
    ai as au aucun aucune aussi autre autres aux avec avez avoir avons c car ce ceci cela celle
    celles celui ces cet cette ceux chaque combien comme comment d dans de des donc dont du elle
    elles en entre est et etaient etait etant ete etre eu faire fait faut font il ils j je l la le
    les leur leurs lorsque lui m ma mais me meme memes mes moi moins mon n ne ni nos notre nous on
    ont ou par pas peut peuvent plus pour pourquoi qu quand que quel quelle quelles quels qui quoi
    sa sans se sera seront ses si sinon son sont sous sur ta te tes toi ton tous tout toute toutes
    tres tu un une vers vos votre vous y
    """
STOP_WORDS: Final = frozenset(_STOP_WORDS.split())

_CJK: Final = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
# Accents, vowel signs and joiners, which Python's \w leaves out.
_MARKS: Final = (
    "\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u0900-\u0dff\u0e31-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u20d0-\u20f0"
)
# Of the characters of Chinese, Japanese and Korean, punctuation and unassigned ones are no words.
RUN: Final = re.compile(
    rf"(?:[{_CJK}](?<![^\w\u3099\u309a]))+|[^\W_{_CJK}](?:[^\W_{_CJK}]|[{_MARKS}])*"
)
CJK: Final = re.compile(f"[{_CJK}]")
CONNECTOR: Final = re.compile(r"[-_./:@#+=\\&~%'\u2019]{1,3}")
# Of ASCII: numbers, capitals with a plural's s, capitals, and words with or without a capital.
CAMEL: Final = re.compile(r"[0-9]+|[A-Z]+s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
NOT_IN_WORD: Final = re.compile(r"[\W_]+")

# What English has after an apostrophe, and French before it.
CONTRACTIONS: Final = frozenset(("d", "ll", "m", "re", "s", "t", "ve"))
ELIDED: Final = re.compile("[a-z]|qu")

# Vowels and finals of Hangul and sound marks of kana: part of the character before them.
COMPOSING: Final = re.compile("[\u1160-\u11ff\u3099\u309a\uff9e\uff9f]")

# Letters that Unicode does not decompose.
OTHER_LETTERS: Final = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "\u0131": "i", "ð": "d", "þ": "th"}
)

# The last letter of stems such as verifi and deliveri.
LAST_I: Final = re.compile("(?:fi|[a-z]{3}veri)$")

# Of fewer letters the algorithm leaves no word: f of fi.
SHORTEST_STEM: Final = 2

# Words so short before their suffix that the algorithm parts them from their other forms.
OTHER_STEMS: Final = {"queu": "queue", "creation": "creat", "freed": "free"}

_english: Any = Stemmer("english", 0)  # pyright: ignore[reportUnknownVariableType]


class Word(NamedTuple):
    """A word in its folded form; `start` and `end` are its place in the text that has it."""

    form: str
    start: int
    end: int


class Unit(NamedTuple):
    """A word, a compound or a run of Chinese, Japanese or Korean.

    `runs` has the same parts, grouped by runs of letters and digits. The parts of a run of
    Chinese, Japanese or Korean are its pairs of characters, and its last character.
    """

    parts: list[Word]
    runs: list[list[Word]]
    is_cjk: bool

    @property
    def joined(self) -> list[Word]:
        """Each two neighbouring parts of a compound as one word, then names such as getUserName."""
        if self.is_cjk:
            return []
        places = [(first.start, second.end) for first, second in pairwise(self.parts)]
        places += [(run[0].start, run[-1].end) for run in self.runs if len(run) > 2]
        forms = self._joined_forms([part.form for part in self.parts])
        return [Word(form, *place) for form, place in zip(forms, places, strict=True)]

    def forms(self) -> list[str]:
        """Return the forms of the joined words, then those of the parts.

        Without objects of Word, of which a text of data would have millions, this is faster.
        """
        forms = [part.form for part in self.parts]
        return forms if self.is_cjk else self._joined_forms(forms) + forms

    def _joined_forms(self, forms: Sequence[str]) -> list[str]:
        if len(forms) == 1:
            return []
        joined = [*map(_join, forms, forms[1:])]
        for run in self.runs:
            if len(run) > 2:
                whole = run[0].form
                for part in run[1:]:
                    if len(whole) == MAX_WORD:
                        break
                    whole = _join(whole, part.form)
                joined.append(whole)
        return joined


def fold(text: str) -> str:
    """Return the text without case, accents and compatibility forms such as full-width letters."""
    text = text.casefold()
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    letters = "".join([letter for letter in decomposed if not unicodedata.combining(letter)])
    folded = unicodedata.normalize("NFKC", letters).casefold().translate(OTHER_LETTERS)
    return NOT_IN_WORD.sub("", folded)


def stem(form: str) -> str:
    """Return the stem of a word's form."""
    return stem_all([form])[0]


def stem_all(forms: Sequence[str]) -> list[str]:
    """Return the stem of each form, in less time than `stem` takes for one after the other."""
    stems: list[str] = _english.stemWords(forms)
    for place, its_stem in enumerate(stems):
        # The algorithm makes verifi of verify and verif of verification, deliveri of delivery.
        if its_stem[-1:] == "i" and LAST_I.search(its_stem):
            its_stem = stems[place] = its_stem[:-1]
        if its_stem in OTHER_STEMS:
            stems[place] = OTHER_STEMS[its_stem]
        form = forms[place]
        if its_stem != form and (len(its_stem) < SHORTEST_STEM or not form.isalpha()):
            stems[place] = form
    return stems


def read_words(text: str) -> Iterator[Word]:
    """Yield the words of a text, in order; of a compound first its joined pairs, then its parts."""
    for unit in read_units(text):
        yield from unit.joined
        yield from unit.parts


def read_forms(text: str) -> list[str]:
    """Return the forms of the words that `read_words` yields."""
    if text.isascii() and text.isalnum():  # a single run, as most chunks are
        parts = _parts_of(text, 0)
        return Unit(parts, [parts], is_cjk=False).forms()
    return [form for unit in read_units(text) for form in unit.forms()]


def read_units(text: str) -> Iterator[Unit]:
    """Yield the words, compounds and runs of Chinese, Japanese or Korean of a text, in order."""
    compound: list[list[Word]] = []
    end = 0
    for run in RUN.finditer(text):
        start = run.start()
        written = run[0]
        if not written.isascii() and CJK.match(written):
            yield from _close(compound)
            compound = []
            if pairs := [*_character_pairs(written, start)]:
                yield Unit(pairs, [pairs], is_cjk=True)
            continue
        between = text[end:start] if compound else ""
        end = run.end()
        if compound and CONNECTOR.fullmatch(between):
            if between in {"'", "\u2019"}:
                # `user's` is user, `l'architecture` is architecture, `l'IA` is ia.
                if written.lower() in CONTRACTIONS:
                    continue
                if len(compound[-1]) == 1 and ELIDED.fullmatch(compound[-1][0].form):
                    compound.pop()
            compound.append(_parts_of(written, start))
        else:
            yield from _close(compound)
            compound = [_parts_of(written, start)]
    yield from _close(compound)


def _character_pairs(run: str, start: int) -> Iterator[Word]:
    if run.isalnum() and unicodedata.is_normalized("NFKC", run) and not COMPOSING.search(run):
        end = start + len(run)
        for place in range(start, end):
            form = run[place - start : place - start + 2]
            yield Word(form, place, place + len(form))
        return
    starts = _character_starts(run) if COMPOSING.search(run) else [*range(len(run))]
    ends = [*starts[1:], len(run)]
    for number, place in enumerate(starts):
        end = ends[min(number + 1, len(ends) - 1)]
        # Not `fold`, which would drop the sound marks of kana.
        form = NOT_IN_WORD.sub("", unicodedata.normalize("NFKC", run[place:end]))[:MAX_WORD]
        if form:
            yield Word(form, start + place, start + end)


def _character_starts(run: str) -> list[int]:
    """Return where each character begins that Unicode can compose of those of a run."""
    starts: list[int] = []
    composed = ""
    for place, letter in enumerate(run):
        composed = unicodedata.normalize("NFKC", composed + letter)
        if place == 0 or len(composed) > 1 or not COMPOSING.match(letter):
            starts.append(place)
            composed = letter
    return starts


def _parts_of(run: str, start: int) -> list[Word]:
    if not run.isascii():
        form = fold(run)[:MAX_WORD]
        return [Word(form, start, start + len(run))] if form else []
    if run.isdigit() or (run.isalpha() and (run[1:].islower() or run.isupper() or len(run) == 1)):
        return [Word(run.lower()[:MAX_WORD], start, start + len(run))]
    # `iOS` is one word, and `OAuth2` is `OAuth` and `2`.
    last_first: list[str] = []
    for piece in reversed(CAMEL.findall(run)):
        if len(piece) == 1 and last_first and piece.isalpha() and last_first[-1][0].isalpha():
            last_first[-1] = piece + last_first[-1]
        else:
            last_first.append(piece)
    # `FR12` is `FR` and `12`, but `v2`, `sha256sum` and hexadecimal ids are one word.
    if not run.isalpha():
        has_one_number = last_first[0].isdigit() and "".join(last_first[1:]).isalpha()
        if not has_one_number or len(last_first[1]) < 2:
            last_first = [run]
    words: list[Word] = []
    for piece in reversed(last_first):
        words.append(Word(piece.lower()[:MAX_WORD], start, start + len(piece)))
        start += len(piece)
    return words


def _close(runs: list[list[Word]]) -> Iterator[Unit]:
    parts = [part for run in runs for part in run]
    if not parts:
        return
    yield Unit(parts, runs, is_cjk=False)


def _join(first: str, second: str) -> str:
    # The dot keeps 1.3 apart from 13.
    dot = "." if first[-1].isdigit() and second[0].isdigit() else ""
    return f"{first}{dot}{second}"[:MAX_WORD]
