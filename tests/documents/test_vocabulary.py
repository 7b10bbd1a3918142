"""Misspelt words, and those that they may have been meant for."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.documents.vocabulary import (
    LONGEST,
    SHORTEST,
    closest,
    count_errors,
    is_correctable,
    least_similarity,
    most_errors,
    transpositions,
)
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from collections.abc import Callable

letters = st.text(alphabet="abcd", max_size=6)
words = st.text(alphabet="abcd", min_size=SHORTEST, max_size=12)


CHANGES: list[Callable[[str, int, str], str]] = [
    lambda word, at, letter: word[:at] + letter + word[at + 1 :],
    lambda word, at, letter: word[:at] + letter + word[at:],
    lambda word, at, _: word[:at] + word[at + 1 :],
    lambda word, at, _: word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :],
]
changes = st.tuples(st.sampled_from(CHANGES), st.integers(0, 11), st.sampled_from("abcde"))


def similarity(first: str, second: str) -> float:
    of_first, of_second = (
        {f"  {word} "[place : place + 3] for place in range(len(word) + 1)}
        for word in (first, second)
    )
    return len(of_first & of_second) / len(of_first | of_second)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("pool", True),
        ("abc", False),
        ("a" * LONGEST, True),
        ("a" * (LONGEST + 1), False),
        ("pool2", False),
        ("~pool", False),
        ("^pool", False),
        ("1.30", False),
        ("\u0434\u043e\u0440\u043e\u0433\u0430", True),
        ("\u8a2d\u8a08", False),
    ],
)
def test_a_word_of_4_to_30_letters_may_be_corrected(word: str, expected: bool) -> None:
    assert (SHORTEST, LONGEST) == (4, 30)
    assert is_correctable(word) is expected


@pytest.mark.parametrize(
    ("written", "meant", "errors"),
    [
        ("", "", 0),
        ("pool", "pool", 0),
        ("pol", "pool", 1),
        ("poool", "pool", 1),
        ("pooi", "pool", 1),
        ("opol", "pool", 1),
        ("polo", "pool", 1),
        ("", "abc", 3),
        ("ca", "abc", 3),  # each letter is transposed once at most
        ("authentification", "authentication", 2),
    ],
)
def test_errors_are_letters_that_are_wrong_missing_added_or_transposed(
    written: str, meant: str, errors: int
) -> None:
    assert count_errors(written, meant) == errors
    assert count_errors(meant, written) == errors


@given(letters, letters, letters)
def test_the_number_of_errors_is_like_a_distance(first: str, second: str, third: str) -> None:
    errors = count_errors(first, second)
    assert (errors == 0) == (first == second)
    assert errors == count_errors(second, first)
    assert abs(len(first) - len(second)) <= errors <= max(len(first), len(second))
    assert count_errors(first + third, second + third) <= errors


@given(st.text(min_size=1, max_size=8))
def test_transpositions_have_one_error_each(word: str) -> None:
    found = transpositions(word)
    assert [count_errors(word, each) for each in found] == [1] * len(found)
    assert len(found) == sum(first != second for first, second in pairwise(word))


def test_the_words_with_the_least_errors_are_the_closest() -> None:
    words = ["refund", "refunds", "refine", "fund", "return"]
    assert closest("refunt", words, 1) == ["refund"]
    assert closest("rfeund", words, 1) == ["refund"]
    # Of several their order stays.
    assert closest("xefund", ["refund", "befund"], 1) == ["refund", "befund"]


def test_the_first_letter_is_rarely_wrong() -> None:
    assert closest("pend", ["send", "pond", "pent"], 1) == ["pond", "pent"]
    assert closest("pend", ["send"], 1) == ["send"]


def test_a_short_word_may_have_one_error_and_a_long_one_two() -> None:
    assert (most_errors("refund"), most_errors("refunds")) == (1, 2)
    assert closest("pooo", ["pool"], 1) == ["pool"]
    assert closest("ppoo", ["pool"], 1) == []
    assert closest("settlemnet", ["settlement"], 2) == ["settlement"]
    assert closest("setlemnet", ["settlement"], 2) == ["settlement"]
    assert closest("sttlmnet", ["settlement"], 2) == []


@given(form=words, changed=st.lists(changes, min_size=1, max_size=2))
def test_words_with_so_many_errors_are_so_similar(
    form: str, changed: list[tuple[Callable[[str, int, str], str], int, str]]
) -> None:
    word = form
    for change, at, letter in changed:
        word = change(word, at, letter)
    assume(word not in {form, *transpositions(form)})
    assert similarity(form, word) >= least_similarity(form, count_errors(form, word))


def test_a_similarity_at_the_threshold_is_found(database: str) -> None:
    # PostgreSQL stores a similarity in 24 bits: of these two it rounds the least one down.
    for form, word, errors in [
        ("auhtenticaiton", "authentication", 2),
        ("misconfigurxtion", "misconfiguration", 1),
    ]:
        least = least_similarity(form, errors)
        [found] = run_sql(
            database,
            f"select set_config('pg_trgm.similarity_threshold', '{least}', false)",
            f"select '{word}' % '{form}'",
        )
        assert found == (True,)


def test_similarity_is_counted_as_postgresql_counts_it(database: str) -> None:
    pairs = [("refund", "refnud"), ("aaaa", "aaab"), ("pool", "spool"), ("settlement", "setlemnet")]
    for first, second in pairs:
        rows = run_sql(database, f"select similarity('{first}', '{second}')")
        assert rows == [(pytest.approx(similarity(first, second)),)]


def test_a_word_is_no_correction_of_itself() -> None:
    assert closest("pool", ["pool", "poll"], 1) == ["poll"]
