"""Snippets and titles: what is marked in them, and that it is safe HTML."""

from __future__ import annotations

import html
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.documents.tokens import lexemes_of, tokens_of
from service.search.marks import ELLIPSIS, SNIPPET, Marked, Marker
from service.search.query import parse_query, replace_terms
from service.search.terms import corrected, word_term
from tests.search.test_query import chunks, queries

WELL_FORMED = re.compile(r"(?:[^<>]|<mark>[^<>]+</mark>)*")
FILLER = "Nothing to see in these words, which only fill the section. " * 30


def marker(query: str, *, as_you_type: bool = False) -> Marker:
    return Marker(parse_query(query, as_you_type=as_you_type))


def marked(query: str, text: str, *, as_you_type: bool = False) -> list[str]:
    """Return what is marked in a text."""
    return marks_of(marker(query, as_you_type=as_you_type).mark(text))


def marks_of(marked: Marked) -> list[str]:
    return [html.unescape(each) for each in re.findall("<mark>(.*?)</mark>", marked.html)]


def assert_sound(marked: Marked) -> None:
    """Assert that the marks are well-formed, and that without them the HTML is the text."""
    assert WELL_FORMED.fullmatch(marked.html)
    assert re.sub("</?mark>", "", marked.html) == html.escape(marked.text)


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("refund", "A refund, refunds and Refunding.", ["refund", "refunds", "Refunding"]),
        ("the refund", "the refund", ["refund"]),
        ("refund limits", "limits of a refund", ["limits", "refund"]),
        ("refund or pool", "refund pool", ["refund", "pool"]),
        ("refund -pool", "refund pool", ["refund"]),
        ('"refund limits"', "refund limits, limits of refund", ["refund limits"]),
        ('"refund"', "refund refunds", ["refund"]),
        ("get_db", "calls `get_db()` and get db", ["get_db", "get db"]),
        ("getdb", "get_db", ["get_db"]),
        ("db", "get_db", ["db"]),
        ("create_pool", "asyncpg.create_pool(dsn)", ["create_pool"]),
        ('"create_pool"', "asyncpg.create_pool(dsn)", ["create_pool"]),
        ("FR12", "FR-12 and FR-1, 12", ["FR-12"]),
        ("1.3", "1.3 and 13, 1.30", ["1.3"]),
        ("provider", "LLMProvider", ["Provider"]),
        ("/api/health", "GET /api/health.", ["api/health"]),
        ("ecole", "L'\u00c9cole", ["\u00c9cole"]),
        ("ecole", "L'E\u0301cole", ["E\u0301cole"]),
        ("\u8a2d\u8a08", "\u57fa\u672c\u8a2d\u8a08\u66f8", ["\u8a2d\u8a08"]),
        (
            "\u57fa\u672c\u8a2d\u8a08",
            "\u57fa\u672c\u8a2d\u8a08\u66f8",
            ["\u57fa\u672c\u8a2d\u8a08"],
        ),
        ("a & b", "b & a", ["b"]),
        ("\u66f8", "\u8a2d\u8a08\u66f8", ["\u66f8"]),
        ("lying", "lie", ["lie"]),
        ("lie", "lying", ["lying"]),
        ("AT&T", "AT&T", ["AT&T"]),
        ("pool", "nothing", []),
        ("!?", "nothing!?", []),
    ],
)
def test_what_matches_is_marked(query: str, text: str, expected: list[str]) -> None:
    assert_sound(marker(query).mark(text))
    assert marked(query, text) == expected


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("refu", "refund, a refusal", ["refund", "refusal"]),
        ("get_d", "get_db", ["get_db"]),
        ("create_po", "asyncpg.create_pool, creates pools", ["create_pool"]),
        ("asyncpg.create_po", "asyncpg.create_pool, create_pool", ["asyncpg.create_pool"]),
        ("epic-1.sto", "epic-1.story-10, epic-2.story-1, 1.story", ["epic-1.story"]),
        ("docs/stories/1", "docs/stories/1.10.md, stories/1", ["docs/stories/1"]),
        ("limits refu", "refund limits", ["refund", "limits"]),
        ("refu ", "refund", []),
    ],
)
def test_while_it_is_typed_the_whole_word_is_marked(
    query: str, text: str, expected: list[str]
) -> None:
    assert marked(query, text, as_you_type=True) == expected


@pytest.mark.parametrize(
    "compound",
    ["asyncpg.create_pool", "/api/health/live", "REFUND_LIMIT_DAYS", "a-b-c-d", "v1.2.3"],
)
def test_while_it_is_typed_all_that_is_typed_of_a_compound_is_marked(compound: str) -> None:
    for length in range(1, len(compound) + 1):
        typed = compound[:length]
        if typed[-1].isalnum():
            [found] = marked(typed, f"Some {compound} here.", as_you_type=True)
            assert found.startswith(typed.removeprefix("/"))


def test_a_corrected_word_is_marked() -> None:
    query = parse_query("refnud")
    [term] = query.terms
    meant = replace_terms(query, {term: [corrected(word_term("refnud"), "refund")]})
    assert marks_of(Marker(meant).mark("A refund, refunds, refnud.")) == [
        "refund",
        "refunds",
        "refnud",
    ]


def test_html_in_a_text_is_escaped() -> None:
    text = "<script>alert('a & b')</script> <mark>refund</mark> &lt; \"q\""
    found = marker("refund script").mark(text)
    assert_sound(found)
    assert found.text == text
    assert marks_of(found) == ["script", "script", "refund"]
    assert "<script" not in found.html
    assert "&lt;<mark>script</mark>&gt;alert(&#x27;a &amp; b&#x27;)" in found.html


def test_a_marked_text_is_on_one_line() -> None:
    found = marker("b").mark(" a\n\tb\r\n\u2003c ")
    assert found == Marked("a b c", "a <mark>b</mark> c")


@pytest.mark.parametrize(
    ("query", "as_you_type", "match"),
    [
        ("refund", False, "refund"),
        ("refunds", False, "refunding"),
        ("ecole", False, "\u00c9cole"),
        ("get_db", False, "get_db"),
        ("getdb", False, "get_db"),
        ("get_d", True, "get_db"),
        ('"create_pool"', False, "asyncpg.create_pool"),
        ("FR12", False, "FR-12"),
        ("FR-12", False, "FR12"),
        ('"refund limits"', False, "refund, limits"),
        ("refu", True, "refund"),
        ("\u8a2d\u8a08\u66f8", False, "\u57fa\u672c\u8a2d\u8a08\u66f8"),
        ('"\u7b2c1\u7ae0"', False, "\u7b2c1\u7ae0"),
    ],
)
def test_a_snippet_shows_the_match(query: str, as_you_type: bool, match: str) -> None:
    text = f"{FILLER} begin {match} end. {FILLER}"
    found = marker(query, as_you_type=as_you_type).snippet(text)
    assert_sound(found)
    assert marks_of(found)
    assert match in found.text
    assert found.text.startswith(ELLIPSIS)
    assert found.text.endswith(ELLIPSIS)


def test_a_snippet_shows_where_most_terms_are() -> None:
    text = f"refund {FILLER} limits {FILLER} the limits of a refund {FILLER}"
    assert marks_of(marker("refund limits").snippet(text)) == ["limits", "refund"]


def test_a_short_text_is_its_own_snippet() -> None:
    assert marker("pool").snippet("no match\nhere").text == "no match here"
    assert marker("pool").snippet("").html == ""


def test_a_snippet_without_a_match_is_the_beginning() -> None:
    found = marker("pool").snippet(FILLER)
    assert found.text.startswith("Nothing to see")
    assert found.text.endswith(ELLIPSIS)
    assert "<mark>" not in found.html


@settings(deadline=None, max_examples=300)
@given(query=queries, text=st.one_of(st.text(max_size=400), chunks), as_you_type=st.booleans())
def test_marks_are_well_formed_and_add_nothing_to_a_text(
    query: str, text: str, as_you_type: bool
) -> None:
    found = marker(query, as_you_type=as_you_type).mark(text)
    assert_sound(found)
    assert found.text == re.sub(r"\s+", " ", text).strip()


@settings(deadline=None, max_examples=200)
@given(
    query=queries,
    chosen=st.lists(st.one_of(chunks, st.sampled_from(["pool", "refund", "get_db"])), max_size=8),
    times=st.integers(0, 60),
)
def test_a_snippet_is_a_piece_of_its_text(query: str, chosen: list[str], times: int) -> None:
    text = " ".join(chosen * times)
    found = marker(query).snippet(text)
    assert_sound(found)
    assert len(found.text) <= SNIPPET + 2 * len(ELLIPSIS)
    piece = found.text.removeprefix(ELLIPSIS).removesuffix(ELLIPSIS)
    assert piece in re.sub(r"\s+", " ", text)


@settings(deadline=None, max_examples=300)
@given(before=chunks, chunk=chunks, after=chunks)
def test_what_was_typed_is_marked(before: str, chunk: str, after: str) -> None:
    if (
        lexemes_of(tokens_of(chunk))
        and not chunk.startswith("-")
        and '"'
        not in unicodedata.normalize(
            "NFKC",
            chunk.translate(dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u00ab\u00bb"), '"')),
        )
    ):
        assert marked(chunk, f"{before} {chunk} {after}")
