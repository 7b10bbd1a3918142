"""The queries of the search benchmark, by class, drawn from the corpus that is searched."""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from corpus import SEED
from vocabulary import FUNCTION_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from corpus import CorpusDocument

QUERY_COUNT: Final = 100
PAGE: Final = 10
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"

# A document in so many gives texts for phrases, pairs of words, headings and names.
SAMPLED: Final = 23

SEARCH: Final = "/api/search"
SUGGEST: Final = "/api/search/suggest"

RARE_DOCUMENTS: Final = 20
FREQUENT_PART: Final = 0.3

WORD: Final = re.compile(r"[^\W_]+")
ENGLISH_WORD: Final = re.compile("[a-z]{3,}")
PLAIN_WORDS: Final = re.compile(r"\b[a-z]+(?: [a-z]+){2,}\b")
FENCE: Final = re.compile("^```.*$", re.MULTILINE)
IN_CODE: Final = re.compile("`([^`\n]+)`")
HEADING: Final = re.compile("^#{1,4} (.+)$", re.MULTILINE)
CHINESE: Final = re.compile("[\u4e00-\u9fff]{4,}")

PREFIX: Final = "prefix"
SUGGESTIONS: Final = "suggest"
# The classes of what occurs in no document.
NO_MATCH: Final = "no match"
TYPO: Final = "typo"


class Query(NamedTuple):
    """What somebody searches for; `path` is of the request."""

    text: str
    path: str


class Statistics:
    """Which words are in how many documents of a corpus, and some of its texts."""

    def __init__(self) -> None:
        self.documents = 0
        self.frequencies: Counter[str] = Counter()
        self.samples: list[str] = []
        self.chinese: list[str] = []

    def add(self, document: CorpusDocument) -> None:
        """Count a document."""
        self.documents += 1
        # The language of a fence is no text of the document.
        text = FENCE.sub("```", document.text.lower())
        self.frequencies.update(set(WORD.findall(text)))
        if document.is_chinese:
            self.chinese += CHINESE.findall(document.text)[:20]
        elif document.number % SAMPLED == 0:
            self.samples.append(document.text)

    def words(self, least: int, most: float) -> list[str]:
        """Return the English words that are in so many documents, in the order of the alphabet."""
        return sorted(
            word
            for word, count in self.frequencies.items()
            if least <= count <= most
            and word not in FUNCTION_WORDS
            and ENGLISH_WORD.fullmatch(word)
        )


def draw_queries(statistics: Statistics) -> dict[str, list[Query]]:
    """Return QUERY_COUNT different queries of each class, or fewer where there are no more."""
    source = random.Random(f"{SEED} queries")
    frequent = statistics.words(int(FREQUENT_PART * statistics.documents) + 1, statistics.documents)
    by_frequency = sorted(frequent, key=statistics.frequencies.__getitem__)
    typed = [word for word in statistics.words(5, statistics.documents) if len(word) >= 6]
    rare = [word for word in statistics.words(1, RARE_DOCUMENTS) if len(word) >= 5]

    def draw(make: Callable[[random.Random], Iterable[str]], **parameters: str) -> list[Query]:
        return _draw(lambda: make(source), parameters)

    return {
        "rare word": draw(lambda rest: [rest.choice(rare)]),
        "frequent word": draw(lambda rest: [rest.choice(frequent)]),
        "most frequent word": [_query(by_frequency[-1], SEARCH, {})],
        "phrase": draw(lambda rest: _phrases(rest, statistics)),
        "two words": draw(lambda rest: _pairs(rest, statistics)),
        TYPO: draw(lambda rest: _typos(rest, statistics, typed)),
        "identifier": draw(lambda rest: _identifiers(rest, statistics)),
        "Chinese": draw(lambda rest: _parts(rest, rest.choice(statistics.chinese))),
        NO_MATCH: draw(lambda rest: _unknown(rest, statistics)),
        PREFIX: draw(lambda rest: _prefixes(rest, statistics), as_you_type="true"),
        SUGGESTIONS: _draw(lambda: _beginnings(source, statistics), {}, SUGGEST),
    }


def _draw(
    make: Callable[[], Iterable[str]], parameters: dict[str, str], route: str = SEARCH
) -> list[Query]:
    found: dict[str, None] = {}
    for _ in range(20 * QUERY_COUNT):
        found.update(dict.fromkeys(make()))
        if len(found) >= QUERY_COUNT:
            break
    return [_query(text, route, parameters) for text in list(found)[:QUERY_COUNT]]


def _query(text: str, route: str, parameters: dict[str, str]) -> Query:
    limit = {"limit": str(PAGE)} if route == SEARCH else {}
    return Query(text, f"{route}?{urlencode({'q': text} | limit | parameters)}")


def _runs(source: random.Random, statistics: Statistics) -> list[str]:
    """Return the words of a passage without markup in one of the samples."""
    passages = PLAIN_WORDS.findall(source.choice(statistics.samples))
    return source.choice(passages).split() if passages else []


def _phrases(source: random.Random, statistics: Statistics) -> Iterator[str]:
    words = _runs(source, statistics)
    length = source.choice((2, 3, 3, 4))
    if len(words) >= length:
        start = source.randint(0, len(words) - length)
        phrase = words[start : start + length]
        if not set(phrase) <= set(FUNCTION_WORDS):
            yield f'"{" ".join(phrase)}"'


def _pairs(source: random.Random, statistics: Statistics) -> Iterator[str]:
    """Two words of one document, neither of them in nearly all documents or in nearly none."""
    found = sorted(set(ENGLISH_WORD.findall(source.choice(statistics.samples).lower())))
    most = statistics.documents * FREQUENT_PART
    words = [word for word in found if 10 <= statistics.frequencies[word] <= most]
    if len(words) >= 2:
        yield " ".join(source.sample(words, 2))


def _typos(source: random.Random, statistics: Statistics, words: Sequence[str]) -> Iterator[str]:
    """A word of the corpus with one letter left out, doubled, replaced, or two exchanged."""
    word = source.choice(words)
    place = source.randint(1, len(word) - 2)
    before, letter, after = word[:place], word[place], word[place + 1 :]
    typo = source.choice(
        (
            before + after,
            before + source.choice(LETTERS) + letter + after,
            before + source.choice(LETTERS) + after,
            before + after[0] + letter + after[1:],
        )
    )
    if typo not in statistics.frequencies:
        yield typo


def _identifiers(source: random.Random, statistics: Statistics) -> Iterator[str]:
    """A name in code, and a part of another one."""
    names = IN_CODE.findall(source.choice(statistics.samples))
    if len(names) >= 2:
        whole, other = source.sample(names, 2)
        yield whole
        parts = re.split(r"(?<=[^\W_])[_./-]+(?=[^\W_])", other)
        if len(parts) >= 3:
            yield other[other.index(parts[1]) :].split("/")[-1].removesuffix(".py")


def _parts(source: random.Random, text: str) -> Iterator[str]:
    length = source.choice((2, 2, 3, 4))
    start = source.randint(0, len(text) - length)
    yield text[start : start + length]


def _unknown(source: random.Random, statistics: Statistics) -> Iterator[str]:
    """Letters that resemble no word, or such a name."""
    text = "".join(source.choices("bcdfghjklmnpqrstvwxz", k=source.randint(7, 11)))
    text = source.choice((text, f"{text[:5]}_{text[5:]}", f"{text[:3].upper()}-{text[3:]}"))
    if not any(word in statistics.frequencies for word in WORD.findall(text.lower())):
        yield text


def _prefixes(source: random.Random, statistics: Statistics) -> Iterator[str]:
    """The first letters of a word, alone or after another word of the same document."""
    words = [word for word in _runs(source, statistics) if len(word) >= 6]
    if words:
        start = words[-1][: source.randint(2, 6)]
        yield source.choice((start, f"{words[0]} {start}")) if len(words) > 1 else start


def _beginnings(source: random.Random, statistics: Statistics) -> Iterator[str]:
    """The first letters of a heading."""
    heading = source.choice(HEADING.findall(source.choice(statistics.samples)) or [""])
    start = heading[: source.randint(2, 8)].strip().lower()
    if len(start) >= 2:
        yield start
