"""Sections of Markdown documents as ranges of characters."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mcp.document_answer import ReadPiece, write_document
from service.mcp.document_sections import Sections
from service.mcp.places import SourcePlace

TEXT = """---
title: "# no heading"
---
Before.

# One

```
# no heading
```

## Two\r
\r
Text \U0001f680.\r
\r
### Three

<a id="own"></a> Here.

Four
----

> # Quoted

<h2 id="raw">Raw <em>heading</em></h2>

## Two

Last.
"""


def read(text: str, wanted: str) -> str | None:
    found = Sections(text).find(wanted)
    return None if found is None else text[found.start : found.end]


@pytest.mark.parametrize(
    ("wanted", "begins", "ends"),
    [
        ("one", "# One\n", '### Three\n\n<a id="own"></a> Here.\n\nFour\n----\n\n'),
        ("two", "## Two\r\n\r\nText", "Here.\n\n"),
        ("#two", "## Two\r\n\r\nText", "Here.\n\n"),
        ("user-content-three", "### Three\n", "Here.\n\n"),
        ("Three", "### Three\n", "Here.\n\n"),
        ("four", "Four\n----\n", "\n\n"),
        ("two-1", "## Two\n\nLast.\n", "Last.\n"),
        ("quoted", "> # Quoted", "Last.\n"),
        ("raw-heading", "<h2 id=", "</h2>\n\n"),
        ("own", '<a id="own">', "Here.\n\n"),
    ],
)
def test_an_anchor_leads_to_a_section_with_its_subsections(
    wanted: str, begins: str, ends: str
) -> None:
    section = read(TEXT, wanted)
    assert section is not None
    assert section.startswith(begins)
    assert section.endswith(ends)


def test_the_nearest_of_many_similar_anchors_takes_a_fraction_of_a_second() -> None:
    headings = [f"# {number:011b}{'ab' * 40}\n\n" for number in range(2_000)]
    sections = Sections("".join(headings).replace("0", "a").replace("1", "b"))
    start = time.thread_time()
    which, anchors = sections.suggest("b" * 11 + "ab" * 40)
    assert time.thread_time() - start < 0.3
    assert (which, len(anchors)) == ("The nearest are", 5)


def test_an_unknown_anchor_has_the_nearest_or_the_first_ones() -> None:
    sections = Sections(TEXT)
    assert sections.find("no-heading") is None
    assert sections.suggest("thre") == ("The nearest are", ["three"])
    which, anchors = sections.suggest("xxxx")
    assert which == "There are"
    assert anchors[:2] == ["one", "two"]


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["a", "b", ""])), max_size=12))
def test_sections_nest_and_cover_the_rest_of_the_text(headings: list[tuple[int, str]]) -> None:
    text = "".join(f"{'#' * level} {name}\n\ntext\n\n" for level, name in headings)
    found = Sections(text).all
    for one, other in itertools.pairwise(found):
        assert one.start < other.start
        assert one.end <= other.start or other.end <= one.end
        assert (one.end > other.start) == (other.level > one.level)
    if found:
        assert max(section.end for section in found) == len(text)


def test_an_outline_leaves_out_sections_with_very_long_anchors() -> None:
    text = f"# A\n\n## {'x' * 300}\n\n{'word ' * 3_000}\n\n## B\n\nb\n"
    piece = ReadPiece(text, 0, len(text), None, Sections(text).all)
    source = SourcePlace("1", "Docs", "1", "Payments", None, None, None)
    document = {"id": "1", "path": "a.md", "title": "A", "kind": "other"}
    project = {"name": "Payments", "id": "1", "url": "/"}
    answer = write_document(piece, document, project, source, "/", 1_000).structured
    assert [section["anchor"] for section in answer["outline"]] == ["a", "b"]
