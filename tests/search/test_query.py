"""Queries: from what a person types to terms, tsquery and tokens."""

from __future__ import annotations

import re
import string
import unicodedata
from itertools import chain
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.documents.pairs import pairs_in
from service.documents.parts import IN_HEADING, Part, make_parts
from service.documents.sections import Section
from service.documents.tokens import form_of, lexemes_of, tokenize, tokens_of
from service.documents.words import STOP_WORDS, read_units
from service.search.french import MAX_INFLECTED
from service.search.query import (
    MAX_ALTERNATIVES,
    MAX_TERMS,
    Query,
    all_terms,
    halve_words,
    parse_query,
    some_terms,
    split_compounds,
)
from service.search.rank import rank_part
from service.search.terms import MAX_CJK_WORD, SHORT_PREFIX
from tests.search.test_corpus import read_corpus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Postgres

MAX_QUERY = 256

queries = st.one_of(
    st.text(max_size=MAX_QUERY),
    st.lists(
        st.sampled_from(
            [
                "or",
                "OR",
                "-",
                '"',
                " ",
                "  ",
                "pool",
                "the",
                "get_db",
                "1.3",
                "-pool",
                '-"',
                "\u8a2d\u8a08\u66f8",
                "\u201c",
                "l'",
                "*",
                "\\",
                "'",
                "&|!",
                ":*",
                "\t",
            ]
        ),
        max_size=30,
    ).map("".join),
)


@pytest.fixture(scope="module")
def connection(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        yield connection


def texts(query: Query) -> list[list[str]]:
    """Return what each alternative looks for, without the marks of tokens, -what not, and ?more."""
    return [
        [
            *(_plain(term.text) for term in each.terms),
            *(f"-{_plain(t.text)}" for t in each.excluded),
            *(f"?{_plain(t.text)}" for t in each.optional),
        ]
        for each in query.alternatives
    ]


def _plain(text: str) -> str:
    return " ".join(map(form_of, text.split()))


def part_of(text: str, heading: str = "") -> Part:
    headings = [{"level": 1, "text": heading, "anchor": "h"}] if heading else []
    metadata = {"title": "T", "headings": headings}
    [part] = make_parts(metadata, [Section(0 if heading else None, text)], "docs/x.md")
    return part


def finds(connection: psycopg.Connection[Any], query: Query, part: Part) -> bool:
    """Return whether the index finds the part, and the rank a section of it."""
    if not query.alternatives:
        return False
    matches = "select %s::tsvector @@ %s::tsquery"
    row = connection.execute(matches, (part.vector, all_terms(query))).fetchone()
    required = [term.required for term in query.terms] if len(query.alternatives) == 1 else []
    has_sequences = all(sequence in part.tokens for sequence in required)
    for pair in [number for sequence in required for number in pairs_in(sequence)]:
        bit = "select get_bit(decode(%s, 'hex'), %s::bigint & (4 * length(%s) - 1))"
        row_of_bit = connection.execute(bit, (part.pairs, pair, part.pairs)).fetchone()
        has_sequences = has_sequences and row_of_bit == (1,)
    ranked = rank_part(query, part.tokens)
    return row == (True,) and has_sequences and ranked.has_all


# --- syntax


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("refund limits", [["refund", "limits"]]),
        ("  refund\tlimits\n", [["refund", "limits"]]),
        ("refund refund", [["refund"]]),
        ("What is the refund?", [["refund"]]),
        ("Why doesn't it refund?", [["refund"]]),
        ("I haven\u2019t a refund unless it isn't made", [["refund", "made"]]),
        ("how do I make sure of limits", [["limits"]]),
        ("make limits", [["make", "limits"]]),
        ("how do limits work", [["limits", "?work"]]),
        ("which limits did we pick in the end?", [["limits", "?pick", "?end"]]),
        ("what do we need", [["need"]]),
        ("limits work", [["limits", "work"]]),
        ("limits work?", [["limits", "?work"]]),
        ('how do "work limits" work', [["work limits", "?work"]]),
        ("why does work-time work", [["worktime", "?work"]]),
        ('"refund limits"', [["refund limits"]]),
        ('"refund limits" pool', [["refund limits", "pool"]]),
        ('refund"limits"pool', [["refund", "limits", "pool"]]),
        ("\u201crefund limits\u201d", [["refund limits"]]),
        ("\u00abrefund limits\u00bb", [["refund limits"]]),
        ('""', []),
        ('"" refund', [["refund"]]),
        ("refund -limits", [["refund", "-limits"]]),
        ('refund -"limits of"', [["refund", "-limits of"]]),
        ("refund -get_db", [["refund", "-getdb"]]),
        ("refund - limits", [["refund", "limits"]]),
        ("refund-limits", [["refundlimits"]]),
        ("-refund limits", [["limits", "-refund"]]),
        ("refund or limits", [["refund"], ["limits"]]),
        ("refund OR limits pool", [["refund"], ["limits", "pool"]]),
        ("refund or or limits", [["refund"], ["limits"]]),
        ("refund or -limits", [["refund"]]),
        ("refund -pool or limits", [["refund", "-pool"], ["limits"]]),
        ("or refund", [["refund"]]),
        ("refund or", [["refund"]]),
        ('"refund or limits"', [["refund or limits"]]),
        ("get_db", [["getdb"]]),
        ("asyncpg.create_pool()", [["asyncpgcreate createpool"]]),
        ("FR12 1.3", [["fr12", "1.3"]]),
    ],
)
def test_words_phrases_negations_and_or(text: str, expected: list[list[str]]) -> None:
    assert texts(parse_query(text)) == expected


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('"refund limits', "refund limits"),
        ('refund "limits', "refund limits"),
        ('refund limits"', "refund limits"),
        ('"refund limits" "pool', '"refund limits" pool'),
        ('refund -"limits', "refund limits"),
        ("\u201crefund limits", "refund limits"),
    ],
)
def test_an_unbalanced_quote_is_no_quote(text: str, same: str) -> None:
    assert parse_query(text).alternatives == parse_query(same).alternatives


@pytest.mark.parametrize("text", ["--flag", "-- flag", "---flag", "\u2014flag", "flag --", "+flag"])
def test_several_dashes_are_no_negation(text: str) -> None:
    assert texts(parse_query(text)) == [["flag"]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-",
        "--",
        '"',
        '"""',
        '-"-"',
        "!?",
        "***",
        "()",
        "\u3002\u3001",
        "\u2026",
        "|&!",
        "\x01",
    ],
)
def test_punctuation_looks_for_nothing(text: str) -> None:
    assert parse_query(text) == Query((), "")
    assert parse_query(text, as_you_type=True) == Query((), "")


@pytest.mark.parametrize("text", ["-refund", "-refund -limits", '-"refund limits"', "-a or -b"])
def test_only_negations_look_for_nothing(text: str) -> None:
    assert parse_query(text).alternatives == ()


@pytest.mark.parametrize("text", ["the", "or", "or or", "who are you", '"of the"', "C++", '"the"'])
def test_only_stop_words_are_looked_for_in_headings(
    text: str, connection: psycopg.Connection[Any]
) -> None:
    query = parse_query(text)
    assert finds(connection, query, part_of("text", heading=f"x {text} y"))
    assert not finds(connection, query, part_of("text", heading="x"))


def test_limits() -> None:
    many = [f"w{number}" for number in range(40)]
    assert texts(parse_query(" ".join(many))) == [many[:MAX_TERMS]]
    stop_words = sorted(STOP_WORDS)[: 3 * MAX_TERMS]
    assert len(parse_query(" ".join(stop_words)).terms) == MAX_TERMS
    assert len(parse_query("the " * 3 * MAX_TERMS).terms) == 1
    compound = ".".join(f"word{letter}" for letter in string.ascii_lowercase)
    assert len(split_compounds(parse_query(compound)).terms) == MAX_TERMS
    # The alternatives beyond the limit are no part of the last one.
    assert texts(parse_query(" or ".join(many))) == [[word] for word in many[:MAX_ALTERNATIVES]]


# --- what it finds


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("get_db", "calls `get_db()` first"),
        ("getdb", "get_db"),
        ("db", "get_db"),
        ("cors_origins", "CORS_ORIGINS=*"),
        ("origins", "CORS_ORIGINS"),
        ("cors origins", "cors_origins"),
        ("/api/health", "GET /api/health?a=b"),
        ("api/health", "https://example.com/api/health."),
        ("health", "/api/health"),
        ("asyncpg.create_pool", "await asyncpg.create_pool(dsn)"),
        ("create_pool", "asyncpg.create_pool"),
        ("createPool", "asyncpg.create_pool"),
        ("create-pool", "create pool"),
        ("FR-12", "FR12: refunds"),
        ("FR12", "(FR-12)"),
        ("fr_12", "FR-12"),
        ("1.3", "Story 1.3: Refunds"),
        ("1.3", "1.3.2"),
        ("epic-1.story-10", "docs/stories/epic-1.story-10.md"),
        ("story-10", "epic-1.story-10"),
        ("LLMProvider", "class LLMProvider(ABC):"),
        ("llmprovider", "LLMProvider"),
        ("llm provider", "LLMProvider"),
        ("provider", "LLMProvider"),
        ("pool", "asyncpg.create_pool"),
        ("pools", "The pool is created."),
        ("p\u00f4le", "pole"),
        ("ecole", "L'\u00c9COLE"),
        ("cafe\u0301", "caf\u00e9"),
        ("architecture", "l\u2019architecture"),
        ("l'architecture", "architecture"),
        ("\u8a2d\u8a08", "\u57fa\u672c\u8a2d\u8a08\u66f8"),
        ("\u66f8", "\u8a2d\u8a08\u66f8\u306e"),
        ("\u30ac\u30a4\u30c9", unicodedata.normalize("NFD", "\u30ac\u30a4\u30c9")),
        ('"refund limits"', "The refund, limits of"),
        ('"refund limits"', "refund \u2014 limits"),
        ('"the end of the day"', "At the end of the day."),
        ('"\u7b2c1\u7ae0"', "\u7b2c1\u7ae0\u306e\u6982\u8981"),
        ('"\u8a2d\u8a08\u66f8"', "\u57fa\u672c\u8a2d\u8a08\u66f8\u306e"),
        ('"create_pool(dsn)"', "asyncpg.create_pool(dsn)"),
        ('"create_pool"', "asyncpg.create_pool(dsn)"),
        ('"get user name"', "getUserName"),
        ("o\u00f9 est stock\u00e9e", "Il faut le stocker."),
        ("o\u00f9 est stock\u00e9e", "Les stock\u00e9s"),
        ("les stocker", "Ils stockent"),
        ("comment se connectent-ils", "se connecter"),
        ("pourquoi le sign-on", "single sign-on"),
        ("U.S.", "in the U.S., as"),
        ("who:it", "who:it"),
    ],
)
def test_a_text_is_found(query: str, text: str, connection: psycopg.Connection[Any]) -> None:
    assert finds(connection, parse_query(query), part_of(text))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("1.3", "13"),
        ("1.3", "1 and 3"),
        ("13", "1.3"),
        ("FR-12", "FR-1 and 12"),
        ("FR-1", "FR-12"),
        ("get_db", "db get"),
        ("create_pool", "pool create"),
        ("create_pool", "create the pool"),
        ('"refund limits"', "limits refund"),
        ('"refund limits"', "refund of limits"),
        ('"refunds"', "refund"),
        ('"end of day"', "end of the day"),
        ('"create_pool"', "create a pool"),
        ('"create_pool_now"', "create_pool pool_now"),
        ("U.S.", "us"),
        ("stockee", "stocker"),
        ("pourquoi le sign-on", "sign"),
        ("le moteur", "la mote"),
        ("refund -limits", "refund limits"),
        ('refund -"of limits"', "refund of limits"),
        ("\u8a2d\u66f8", "\u8a2d\u8a08\u66f8"),
        ("\u8a2d\u8a08\u66f8", "\u8a2d\u8a08 \u8a08\u66f8"),
        ("\u30ab", "\u30ac\u30ac"),
    ],
)
def test_another_text_is_not_found(
    query: str, text: str, connection: psycopg.Connection[Any]
) -> None:
    assert not finds(connection, parse_query(query), part_of(text))


chunks = st.one_of(
    st.text(st.characters(exclude_categories=["Z", "Cs", "Cc"]), min_size=1, max_size=20),
    st.text(alphabet="abAB12-_./:'\u00e9e\u0301\u4e2d\u6587\u30ab\uff9e", min_size=1, max_size=20),
)


@settings(deadline=None, max_examples=300)
@given(before=chunks, chunk=chunks, after=chunks)
def test_what_is_indexed_of_a_text_is_found(
    connection: psycopg.Connection[Any], before: str, chunk: str, after: str
) -> None:
    query = parse_query(chunk)
    assume(lexemes_of(tokens_of(chunk)) and query.alternatives)
    assume(not any(each.excluded for each in query.alternatives))
    # Stop words are indexed of headings alone, and a quotation of nothing else is looked for there.
    assume(not any(form.startswith(IN_HEADING) for form in forms_of(query)))
    assert finds(connection, query, part_of(f"{before} {chunk} {after}"))


def forms_of(query: Query) -> Iterator[str]:
    for alternative in query.alternatives:
        for term in alternative.terms:
            for way in term.ways:
                yield from chain.from_iterable(way)


@settings(deadline=None, max_examples=300)
@given(before=chunks, first=chunks, second=chunks, after=chunks)
def test_each_phrase_of_a_text_is_found(
    connection: psycopg.Connection[Any], before: str, first: str, second: str, after: str
) -> None:
    phrase = f"{first} {second}".translate(
        dict.fromkeys(map(ord, '"\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02'))
    )
    assume(any(lexemes_of(tokens_of(chunk)) for chunk in phrase.split()))
    assert finds(connection, parse_query(f'"{phrase}"'), part_of(f"{before} {phrase} {after}"))


@settings(deadline=None, max_examples=300)
@given(text=queries, as_you_type=st.booleans(), lacking=st.integers(1, 6))
def test_any_text_is_a_query_of_postgresql(
    connection: psycopg.Connection[Any],
    text: str,
    as_you_type: bool,
    lacking: int,
) -> None:
    query = parse_query(text, as_you_type=as_you_type)
    assert all(each.terms for each in query.alternatives)
    if query.alternatives:
        for tsquery in (all_terms(query), all_terms(query, "^", "+"), some_terms(query, lacking)):
            row = connection.execute("select numnode(%s::tsquery) > 0", (tsquery,)).fetchone()
            assert row == (True,)
            assert len(tsquery) < 50_000


# --- as you type


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("r", "refund"),
        ("refu", "the refund"),
        ("refunds", "refund"),
        ("limits of refu", "refund limits"),
        ("get_d", "get_db"),
        ("get_", "get_db"),
        ("asyncpg.create_po", "asyncpg.create_pool"),
        ("LLMProv", "LLMProvider"),
        ("FR-1", "FR-12"),
        ("1.", "1.3"),
        ("/api/hea", "/api/health"),
        ("th", "thorough"),
        ("or", "order"),
        ("\u8a2d", "\u57fa\u672c\u8a2d\u8a08"),
        ("\u00e9c", "ecole"),
    ],
)
def test_the_last_word_may_be_a_prefix(
    query: str, text: str, connection: psycopg.Connection[Any]
) -> None:
    assert finds(connection, parse_query(query, as_you_type=True), part_of(text))


@pytest.mark.parametrize("query", ["refu ", "refu limits", '"refu"', "limits -refu"])
def test_no_other_word_is_a_prefix(query: str, connection: psycopg.Connection[Any]) -> None:
    part = part_of("refund limits")
    found = finds(connection, parse_query(query, as_you_type=True), part)
    assert found == (query == "limits -refu")
    assert not finds(connection, parse_query("refu"), part)


@settings(deadline=None, max_examples=200)
@given(word=st.text(st.characters(categories=["L"]), min_size=1, max_size=12), data=st.data())
def test_every_prefix_of_a_word_finds_it(
    connection: psycopg.Connection[Any], word: str, data: st.DataObject
) -> None:
    units = [*read_units(word)]
    assume(lexemes_of(tokens_of(word)) and len(units) == 1)
    length = data.draw(st.integers(1, len(word)))
    start = data.draw(st.integers(0, length - 1)) if units[0].is_cjk else 0
    query = parse_query(word[start:length], as_you_type=True)
    assert query.alternatives
    # A part of a run of characters in the text that is a pair's half has no lexeme of its own.
    assert finds(connection, query, part_of(word))


def test_every_prefix_of_a_word_is_ranked() -> None:
    words = {word for text in read_corpus().values() for word in re.findall("[a-z]+", text)}
    for word in words:
        for length in range(1, len(word) + 1):
            query = parse_query(word[:length], as_you_type=True)
            assert rank_part(query, f" \t \t \n \t \t{tokenize(word)}").sections, word[:length]


def test_a_short_prefix_has_no_stem() -> None:
    [short] = parse_query("ref", as_you_type=True).terms
    [longer] = parse_query("refu", as_you_type=True).terms
    assert SHORT_PREFIX == 3
    assert short.ways == ((("ref*",),),)
    assert len(longer.ways) == 2


def test_a_long_run_of_characters_is_looked_for_by_its_pairs() -> None:
    run = "\u65e5\u672c\u8a9e\u6587\u7ae0"
    assert len(parse_query(run[:MAX_CJK_WORD]).terms) == 1
    assert len(parse_query(run).terms) == len(run) - 1


def test_words_that_ask_part_a_run_of_characters() -> None:
    # "How do I restore the baseline of a student?" and "what is it?"
    query = parse_query("\u600e\u4e48\u6062\u590d\u5b66\u751f\u7684\u57fa\u7ebf")
    assert texts(query) == texts(parse_query("\u6062\u590d\u5b66\u751f \u57fa\u7ebf"))
    assert len(parse_query("\u4ec0\u4e48").terms) == 1


def test_a_word_of_four_characters_has_halves() -> None:
    query = halve_words(parse_query("\u6062\u590d\u6761\u4ef6 \u57fa\u7ebf"))
    assert texts(query) == [
        ["\u6062\u590d", "\u6761\u4ef6", "\u57fa\u7ebf", "?\u6062\u590d \u590d\u6761 \u6761\u4ef6"]
    ]
    for text in ("four word more", '"\u6062\u590d\u6761\u4ef6"', "\u57fa\u7ebf\u5b66"):
        assert halve_words(parse_query(text)) == parse_query(text)


def test_a_long_compound_of_words_can_be_split() -> None:
    query = split_compounds(parse_query("FileService.ensure_dir walnut"))
    assert texts(query) == [["file", "service", "ensure", "dir", "walnut"]]
    for text in ("create_pool", "epic-1.story-10", "1.2.3", '"FileService.ensure_dir"'):
        assert split_compounds(parse_query(text)) == parse_query(text)


def test_a_long_query_has_no_other_forms() -> None:
    words = [f"stock\u00e9e{letter}er" for letter in "abcdefg"]
    few, many = parse_query(" ".join(words[:MAX_INFLECTED])), parse_query(" ".join(words))
    assert len(few.terms[0].ways[0][0]) > 2
    assert len(many.terms[0].ways[0][0]) == 2
