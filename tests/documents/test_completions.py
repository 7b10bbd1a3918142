"""The forms of titles and headings that a search box completes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.documents.completions import (
    MAX_FORM,
    MAX_HEADINGS,
    SEPARATOR,
    beginning_of,
    find_beginning,
    form_of,
    make_completions,
)


def headings(*texts: str, level: int = 2) -> list[dict[str, Any]]:
    return [{"level": level, "text": text, "anchor": text} for text in texts]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Non-functional  Requirements:", "non functional requirements "),
        ("Story 1.2: `get_db()`", "story 1 2 get db "),
        ("Dépendances & Équipe", "dependances equipe "),
        ("De\u0301pendances", "dependances "),  # the accent as a character of its own
        ("\uff26\uff55\uff4c\uff4c width", "full width "),
        ("Straße", "strasse "),
        ("系统架构 (v2)", "系统架构 v2 "),
        ("— … —", ""),
        ("🚀", ""),
    ],
)
def test_the_form_of_a_heading_is_its_folded_words(text: str, form: str) -> None:
    assert form_of(text) == form


def test_a_form_is_cut() -> None:
    assert form_of("word " * 100) == "word " * (MAX_FORM // 5)
    assert form_of("w" * 300) == "w" * MAX_FORM + " "


@pytest.mark.parametrize(
    ("typed", "beginning"),
    [
        ("non func", "non func"),
        ("  NON\t func", "non func"),
        ("story 1.", "story 1 "),
        ("story ", "story "),
        ("...", ""),
        (" ", ""),
    ],
)
def test_a_typed_separator_ends_the_word(typed: str, beginning: str) -> None:
    assert beginning_of(typed) == beginning


def test_a_document_completes_its_title_and_each_heading_once() -> None:
    metadata = {
        "title": "Payments",
        "headings": headings("PAYMENTS", "Status", "***", "Why?", "status:", "Why not"),
    }
    assert make_completions(metadata) == [
        (0, "payments "),
        (2, "status "),
        (4, "why "),
        (6, "why not "),
    ]


def test_a_document_without_headings_completes_its_title() -> None:
    assert make_completions({"title": "epics.yaml"}) == [(0, "epics yaml ")]


def test_of_too_many_headings_the_highest_ones_are_completed() -> None:
    deep = headings(*[f"Deep {number}" for number in range(MAX_HEADINGS)], level=3)
    metadata = {"title": "All", "headings": [*deep, *headings("Last")]}
    completions = make_completions(metadata)
    assert (MAX_HEADINGS + 1, "last ") in completions
    assert len(completions) == 1 + MAX_HEADINGS


@pytest.mark.parametrize(
    ("text", "typed", "marked"),
    [
        ("Non-functional Requirements", "non func", "[Non-func]tional Requirements"),
        ("Success Criteria", "crit", "Success [Crit]eria"),
        ("Story 1.2: Refunds", "story 1.", "[Story 1].2: Refunds"),
        ("Les dépenses", "depe", "Les [dépe]nses"),
        ("Les de\u0301penses", "dé", "Les [de\u0301]penses"),
        ("系统架构设计", "架构", "系统[架构]设计"),
        ("Straße", "strass", "[Straß]e"),
        ("Recreate a create", "create", "Recreate a [create]"),
        ("Status", "status ", "[Status]"),
    ],
)
def test_the_place_of_what_is_typed_is_found(text: str, typed: str, marked: str) -> None:
    place = find_beginning(text, beginning_of(typed))
    assert place is not None
    start, end = place
    assert f"{text[:start]}[{text[start:end]}]{text[end:]}" == marked


def test_a_part_of_a_word_is_not_its_beginning() -> None:
    assert find_beginning("Recreate", "create") is None


@given(st.text(max_size=120), st.integers(0, 120), st.integers(1, 120))
@example("a\u0301b", 0, 1)
@example("Non-functional", 4, 3)
@example("\u8bbe\u8ba1\u67b6\u6784", 2, 2)
def test_whatever_begins_a_word_of_a_heading_is_found(text: str, start: int, length: int) -> None:
    beginning = beginning_of(text[start : start + length])
    is_word = start == 0 or SEPARATOR.fullmatch(text[start - 1 : start])
    if not beginning or not is_word or not form_of(text[start:]).startswith(beginning):
        return
    place = find_beginning(text, beginning)
    assert place is not None
    first, last = place
    assert 0 <= first < last <= len(text)
    assert form_of(text[first:last]).startswith(beginning.rstrip())
