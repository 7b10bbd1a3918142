"""deferred-work.md: what was left for later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.deferred_work import read_deferred_work
from service.bmad.document import BmadDocument
from service.bmad.readings import MAX_ITEMS, MAX_TEXT, DeferredItem
from tests.support.bmad_documents import bmad_document
from tests.support.linear_time import assert_linear

PATH = "_bmad-output/implementation-artifacts/deferred-work.md"
BULLETS = """\
# Deferred Work

Findings that were not in the scope of their story.

## Deferred from: code review of 1-1-sign-in (2026-04-13)

- One origin only: `CORS` needs a list of them,
  for the pages of partners [src/app.py:12]
- ~~The cache has no limit.~~ **RESOLVED 2026-05-26**
- [x] **Retries** are missing
- [ ] **Timeouts** are missing
  - Only of the mail server.
- ✅ **Resolved in 7dc0388**: the key is checked
* The version is not shown

## Notes

- This is none.
"""
RECORDS = """\
# Deferred Work

- source_spec: `_bmad-output/implementation-artifacts/spec-1-2-pay.md`
  summary: The second `goal` is
    split off.
  evidence: Both can be shipped alone.

- source_spec: none
  summary: Refunds
  evidence: Out of scope.
- source_spec: `/home/someone/shop/spec-1-3-ship.md`
  summary: ~~Labels~~
  status: done
"""


def read(text: str, path: str = PATH) -> list[DeferredItem]:
    return read_deferred_work(bmad_document(text, path))


def test_bullets_below_a_heading_are_items() -> None:
    source = "code review of 1-1-sign-in (2026-04-13)"
    first = "One origin only: CORS needs a list of them, for the pages of partners [src/app.py:12]"
    items = read(BULLETS)
    assert [(item["text"], item["is_open"], item["line"]) for item in items] == [
        (first, True, 7),
        ("The cache has no limit. RESOLVED 2026-05-26", False, 9),
        ("Retries are missing", False, 10),
        ("Timeouts are missing", True, 11),
        ("✅ Resolved in 7dc0388: the key is checked", False, 13),
        ("The version is not shown", True, 14),
    ]
    assert {item["source"] for item in items} == {source}


def test_records_have_a_summary_and_a_source() -> None:
    assert read(RECORDS) == [
        {
            "text": "The second goal is split off.",
            "source": "_bmad-output/implementation-artifacts/spec-1-2-pay.md",
            "is_open": True,
            "line": 3,
        },
        {"text": "Refunds", "source": None, "is_open": True, "line": 8},
        {"text": "Labels", "source": "spec-1-3-ship.md", "is_open": False, "line": 11},
    ]


def test_fields_may_be_items_of_their_own() -> None:
    text = (
        "## DW-1\n\n- **source_spec:** spec-1.md\n- **summary:** A\n- **evidence:** B\n\n"
        "## DW-2\n\n- summary: C\n- status: resolved\n"
    )
    assert [(item["text"], item["source"], item["is_open"]) for item in read(text)] == [
        ("A", "spec-1.md", True), ("C", None, False),
    ]  # fmt: skip


def test_a_record_below_a_heading_has_its_source() -> None:
    text = "## Deferred from: story 1.2\n\n- summary: A\n  evidence: B\n"
    assert [(item["text"], item["source"]) for item in read(text)] == [("A", "story 1.2")]


@pytest.mark.parametrize(
    ("item", "is_open"),
    [
        ("~~A~~", False),
        ("**~~A~~** because", False),
        ("[x] A", False),
        ("[ ] A", True),
        ("\u2705 A", False),
        ("**RESOLVED** A", False),
        ("A. **RESOLVED 2026-05-26**", False),
        ("**Fixed** A", False),
        ("**Resolved in 7dc0388**: A", False),
        ("FIXED: A", False),
        ("A is NOT RESOLVED", True),
        ("UNRESOLVED: A", True),
        ("Closed accounts sign in", True),
        ("**Fixed widths** break", True),
        ("Fixed-width columns break", True),
        ("**Done button** is hidden", True),
        ("A is not ~~fast~~ good", True),
    ],
)
def test_only_a_mark_of_the_author_closes_an_item(item: str, is_open: bool) -> None:
    [found] = read(f"## Deferred from: a\n\n- {item}\n")
    assert found["is_open"] is is_open


def test_an_item_below_another_says_that_it_is_done() -> None:
    text = "## Deferred from: a\n\n- A\n  - Status: resolved\n- Status: 404 is shown\n- B\n"
    assert [(item["text"], item["is_open"]) for item in read(text)] == [
        ("A", False), ("Status: 404 is shown", True), ("B", True),
    ]  # fmt: skip


def test_headings_below_keep_the_source_and_others_end_it() -> None:
    text = (
        "## Deferred from: a\n\n### Tests\n\n- A\n\n## Deferred from: b\n\n- B\n\n# Other\n\n- C\n"
    )
    assert [(item["text"], item["source"]) for item in read(text)] == [("A", "a"), ("B", "b")]


@pytest.mark.parametrize(
    ("path", "file_type"),
    [
        ("docs/work.md", "md"),
        ("docs/deferred-work.txt", "txt"),
        ("docs/deferred-work-template.md", "md"),
        ("_bmad/deferred-work.md", "md"),
    ],
)
def test_other_documents_have_no_items(path: str, file_type: str) -> None:
    assert read_deferred_work(bmad_document(BULLETS, path, file_type)) == []


def test_lists_and_texts_are_bounded() -> None:
    text = "## Deferred from: a\n\n" + f"- {'x' * 400}\n" * (MAX_ITEMS + 1)
    items = read(text)
    assert len(items) == MAX_ITEMS
    assert len(items[0]["text"]) == MAX_TEXT


pieces = st.sampled_from(
    [
        *"\n\t #:'\"-*|~",
        "- ",
        "## Deferred from: a\n",
        "source_spec: ",
        "summary: ",
        "status: done\n",
        "~~",
        "[x] ",
        "```\n",
        "  ",
        "<del>",
        "\x00",
        "/home/x",
    ]
)


@given(st.text() | st.lists(pieces).map("".join))
def test_any_text_is_read(text: str) -> None:
    check(text)


@given(st.data(), st.sampled_from([BULLETS, RECORDS]))
def test_a_changed_text_is_read(data: st.DataObject, text: str) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 5)))
    check(text[:start] + data.draw(st.lists(pieces, max_size=3).map("".join)) + text[end:])


def check(text: str) -> None:
    document = bmad_document(text, PATH)
    items = read_deferred_work(document)
    assert "\\x00" not in repr(items)
    assert all(item["text"] and 1 <= item["line"] <= len(document.lines) for item in items)


@pytest.mark.parametrize("piece", ["summary: a\n", "- summary: a\n", "a\n", "- a\n", "summary:\n"])
def test_the_time_is_linear(piece: str) -> None:
    def make(size: int) -> BmadDocument:
        return bmad_document("## Deferred from: a\n\n- summary: a\n  " + piece * size, PATH)

    assert_linear(read_deferred_work, make, 2_000)
