from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.readings import MAX_ID, STATUSES
from service.bmad.statuses import (
    MAX_WORD,
    WORDS,
    is_built,
    is_status_alone,
    read_status,
    status_word,
)


@pytest.mark.parametrize(("word", "status"), [*WORDS.items()])
def test_each_word_of_the_table_is_read(word: str, status: str) -> None:
    assert read_status(word) == status
    assert read_status(word.upper()) == status
    assert read_status(f"**{word.title()}** ✅") == status
    assert read_status(word.replace(" ", "-")) == status
    assert read_status(word.replace(" ", "_")) == status


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("ready-for-dev", "approved"),
        ("InProgress", "in_progress"),
        ("in_review", "review"),
        ("Ready for Review", "review"),
        ("Ready", "approved"),
        ("Ready for Done", "review"),
        ("Blocked by story 1.2", "blocked"),
        ("Implemented", "review"),
        ("Implemented + Tested", "done"),
        ("Implemented+Tested", "done"),
        ("Implemented & tested", "done"),
        ("Termin\u00e9", "done"),
        ("Termine\u0301", "done"),
        ("Prêt pour développement", "approved"),
        ("完成", "unknown"),
        ("완료", "done"),
    ],
)
def test_the_longest_word_counts(word: str, status: str) -> None:
    assert read_status(word) == status


@pytest.mark.parametrize(
    "word",
    [
        "✅ Done",
        "**Done** ✅",
        "`done`",
        "~~Draft~~ Done",
        "- Done",
        "1. Done",
        "- [x] Done",
        "[x] Done",
        "[Done]",
        "[Done](../sprint-status.yaml)",
        "<span>Done</span>",
        "<!-- one of: draft, done --> Done",
        ":white_check_mark: Done",
        "Done (2025-10-06)",
        "Done\uff08QA\uff09",
        "Done — merged, draft no more",
        "Done - in review before",
        "Done | Epic 1",
        "Draft → In Review → Done",
        "Draft -> Done",
        "Done (was draft → review)",
        "Draft (May) → Done (June)",
        "done, merged",
        "Done.",
        "DONE!",
        '"done"',
    ],
)
def test_what_surrounds_a_word_counts_for_nothing(word: str) -> None:
    assert read_status(word) == "done"


@pytest.mark.parametrize(
    "arrow", ["→", "➔", "➜", "➡", "➡\ufe0f", "⟶", "⇒", "↦", "⮕", "->", "-->", "=>", ">", ">>", "»"]
)
def test_of_a_status_that_an_arrow_leads_to_the_last_counts(arrow: str) -> None:
    assert read_status(f"Draft {arrow} In Review {arrow} Done") == "done"
    assert read_status(f"**Draft** {arrow} ✅ **Done** (was review {arrow} draft)") == "done"
    assert read_status(f"Done {arrow}") == "done"
    assert read_status(f"{arrow} Done") == "done"


def test_row_of_all_words_is_a_legend_of_which_the_first_counts() -> None:
    assert read_status("Draft > Approved > In Progress > Review > Done") == "draft"
    assert read_status("Approved > In Progress » Ready-for-Review") == "review"


def test_what_an_arrow_leads_to_is_not_guessed_and_other_chevrons_are_none() -> None:
    assert read_status("Draft → Parked") == "unknown"
    assert read_status("Done > 80 %") == "done"
    assert read_status("Done > see the review") == "done"
    assert read_status("Blocked > waiting for 1.2 > done soon") == "blocked"
    assert read_status("Draft > done soon") == "draft"
    assert read_status("Done ← Draft") == "done"


@pytest.mark.parametrize(
    "word",
    [
        "",
        "✅",
        "Undone",
        "Donezo",
        "Not done",
        "[ ] Done",
        "optional",
        "PASS",
        "readyish",
        "🟢 Live",
    ],
)
def test_other_words_are_unknown(word: str) -> None:
    assert read_status(word) == "unknown"


@pytest.mark.parametrize(
    "word", ["done (obsolete since 2.3)", "**Done** (Obsolete)", "Done \uff08obsolete\uff09"]
)
def test_what_is_done_because_it_is_obsolete_is_cancelled(word: str) -> None:
    assert read_status(word) == "cancelled"
    assert read_status("done (obsoletes 2.3)") == "done"


@pytest.mark.parametrize(
    ("word", "is_it"),
    [
        ("built", True),
        ("**Built** (see the plan)", True),
        ("in-progress → built", True),
        ("in-review", False),
        ("rebuilt", False),
        ("done (built in June)", False),
        ("", False),
    ],
)
def test_built_is_told_from_other_words_of_review(word: str, *, is_it: bool) -> None:
    assert is_built(word) is is_it


@pytest.mark.parametrize(
    ("word", "is_it"),
    [
        ("Done", True),
        ("**Ready-for-Review** ✅ (2025-01-01)", True),
        ("- [x] Done.", True),
        ("Done means that it is paid", False),
        ("Ready orders", False),
        ("Parked", False),
        ("", False),
    ],
)
def test_a_word_alone_is_told_from_one_that_goes_on(word: str, *, is_it: bool) -> None:
    assert is_status_alone(word) is is_it


def test_a_word_is_cut_and_has_no_markup() -> None:
    assert status_word("  **Ready\nfor_dev** \0 ✅", 7, "text") == {
        "status": "approved",
        "word": "Ready for_dev \ufffd ✅",
        "line": 7,
        "place": "text",
    }
    assert len(status_word("done " * 1_000, 1, "plan")["word"]) <= MAX_ID


@given(
    st.text() | st.text(st.sampled_from("done obsete[]()x-*_`~→>»+&|<!>:✅"), max_size=2 * MAX_WORD)
)
def test_any_text_has_a_status(word: str) -> None:
    found = status_word(word, 1, "text")
    assert found["status"] in STATUSES
    assert found["status"] == read_status(word)
    assert len(found["word"]) <= MAX_ID
    assert found["word"].encode().decode() == found["word"]
    assert "\0" not in found["word"]
