"""Misspelt words, and those that they may have been meant for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.documents.vocabulary import (
    LONGEST,
    SHORTEST,
    closest,
    count_errors,
    is_correctable,
    transpositions,
)

letters = st.text(alphabet="abcd", max_size=6)


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
    assert closest("refunt", words) == ["refund"]
    assert closest("rfeund", words) == ["refund"]
    # Of several their order stays.
    assert closest("xefund", ["refund", "befund"]) == ["refund", "befund"]


def test_the_first_letter_is_rarely_wrong() -> None:
    assert closest("pend", ["send", "pond", "pent"]) == ["pond", "pent"]
    assert closest("pend", ["send"]) == ["send"]


def test_a_short_word_may_have_one_error_and_a_long_one_two() -> None:
    assert closest("pooo", ["pool"]) == ["pool"]
    assert closest("ppoo", ["pool"]) == []
    assert closest("settlemnet", ["settlement"]) == ["settlement"]
    assert closest("setlemnet", ["settlement"]) == ["settlement"]
    assert closest("sttlmnet", ["settlement"]) == []


def test_a_word_is_no_correction_of_itself() -> None:
    assert closest("pool", ["pool", "poll"]) == ["poll"]
