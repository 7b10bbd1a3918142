"""sprint-status.yaml: the method's tracker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.readings import MAX_ID, MAX_ITEMS, MAX_KEY, SprintEntry, SprintStatusReading
from service.bmad.sprint_status import read_sprint_status
from service.bmad.texts import MAX_NOTES
from tests.support.bmad_documents import bmad_document

PATH = "_bmad-output/implementation-artifacts/sprint-status.yaml"
TRACKER = """\
# generated: 2026-03-01
# story_location: /home/someone/shop/stories

# STATUS DEFINITIONS:
# Epic Status:
#   - backlog: Epic not yet started

generated: 2026-03-01
last_updated: 03-18-2026 21:30
project: Shop
story_location: "/home/someone/shop/stories"

development_status:
  # Epic 1: Accounts
  epic-1: in-progress
  1-1-sign-in: done # reviewed twice
  1-2-reset-password: ready-for-dev
  1-2a-lock-accounts: "review"
  epic-1-retrospective: optional

  # ===== Epic 2 - Payments (3 stories) =====
  epic-2: backlog
  2-1-pay-by-card: backlog

action_items:
  - epic: 1
    action: "Review errors in code reviews"
    owner: "Ada"
    status: open
  - epic: 1
    action: Measure the pages
    status: done
"""


def read(text: str, path: str = PATH) -> SprintStatusReading:
    reading = read_sprint_status(bmad_document(text, path, "yaml"))
    assert reading is not None
    return reading


def words(entries: list[SprintEntry]) -> dict[str, tuple[str, str, int]]:
    return {
        entry["key"]: (
            entry["status"]["status"],
            entry["status"]["word"],
            entry["status"]["line"],
        )
        for entry in entries
    }


def statuses(*lines: str) -> str:
    return "\n".join(["development_status:", *(f"  {line}" for line in lines), ""])


def test_the_tracker_of_the_method_is_read() -> None:
    reading = read(TRACKER)
    assert words(reading["stories"]) == {
        "1-1-sign-in": ("done", "done", 16),
        "1-2-reset-password": ("approved", "ready-for-dev", 17),
        "1-2a-lock-accounts": ("review", "review", 18),
        "2-1-pay-by-card": ("draft", "backlog", 23),
    }
    assert words(reading["epics"]) == {
        "epic-1": ("in_progress", "in-progress", 15),
        "epic-2": ("draft", "backlog", 22),
    }
    assert [entry["key"] for entry in reading["retrospectives"]] == ["epic-1-retrospective"]
    assert {entry["status"]["place"] for entry in reading["stories"]} == {"sprint_status"}
    assert reading["titles"] == {"1": "Accounts", "2": "Payments (3 stories)"}
    assert reading["last_updated"] == "03-18-2026 21:30"
    assert reading["notes"] == []


def test_action_items_have_their_epic_owner_status_and_line() -> None:
    first, second = read(TRACKER)["action_items"]
    assert (first["epic"], first["owner"], first["line"]) == ("1", "Ada", 26)
    assert first["action"] == "Review errors in code reviews"
    assert first["status"] is not None
    assert (first["status"]["word"], first["status"]["line"]) == ("open", 29)
    assert second["owner"] is None
    assert second["status"] is not None
    assert second["status"]["status"] == "done"


def test_the_location_of_stories_is_never_read() -> None:
    assert "/home" not in repr(read(TRACKER))


@pytest.mark.parametrize(
    "path",
    [
        "sprint-status.yaml",
        "docs/sprint-status.yml",
        "docs/stories/sprint_status.yaml",
        "docs/sprint-artifacts/sprint-status-phase-2.yaml",
    ],
)
def test_the_name_says_that_it_is_the_tracker(path: str) -> None:
    assert read(TRACKER, path)["stories"]


@pytest.mark.parametrize(
    ("path", "file_type"),
    [
        ("docs/status.yaml", "yaml"),
        ("docs/sprint-status.md", "md"),
        ("docs/sprint-status-template.yaml", "yaml"),
        ("_bmad/bmm/sprint-status.yaml", "yaml"),
        (".bmad-core/data/sprint-status.yaml", "yaml"),
    ],
)
def test_other_documents_are_no_trackers(path: str, file_type: str) -> None:
    assert read_sprint_status(bmad_document(TRACKER, path, file_type)) is None


def test_a_key_that_is_there_twice_has_two_entries() -> None:
    entries = read(statuses("1-1-a: done", "1-2-b: done", "1-1-a: review"))["stories"]
    assert [(entry["key"], entry["status"]["word"]) for entry in entries] == [
        ("1-1-a", "done"), ("1-2-b", "done"), ("1-1-a", "review"),
    ]  # fmt: skip
    again = statuses("1-1-a: done") + statuses("1-1-a: review")
    assert len(read(again)["stories"]) == 2


def test_a_value_may_be_a_mapping_with_a_status() -> None:
    reading = read(
        statuses(
            "epic-1:",
            "  title: Accounts",
            "  status: in-progress",
            "1-1-a: {status: done, points: 3}",
            "1-2-b:",
            "  assignee: Ada",
            "1-3-c:",
        )
    )
    assert words(reading["epics"]) == {"epic-1": ("in_progress", "in-progress", 4)}
    assert words(reading["stories"]) == {
        "1-1-a": ("done", "done", 5),
        "1-2-b": ("unknown", "", 6),
        "1-3-c": ("unknown", "", 8),
    }
    assert reading["titles"] == {"1": "Accounts"}
    assert reading["notes"] == ["Line 6: the key 1-2-b has no status."]


def test_stories_may_be_inside_of_their_epic() -> None:
    text = statuses(
        "epic-1:", "  status: done", "  stories:", "    1-1-a: done", "    1-2-b: review"
    )
    reading = read(text)
    assert [entry["key"] for entry in reading["epics"]] == ["epic-1"]
    assert [entry["key"] for entry in reading["stories"]] == ["1-1-a", "1-2-b"]


def test_keys_are_of_stories_unless_they_name_an_epic_or_a_retrospective() -> None:
    reading = read(
        statuses(
            "epic-120-s01: done",
            "epic-1b: backlog",
            "epic-0.0: done",
            "pm-04: done",
            "epic-foundation: done",
            "1-0\u00b71-end-to-end-tests: done",
            "2-1-\u8ba2\u5355: done",
            "epic-1b-retrospective: done",
            "epic-foundation-retrospective: optional",
        )
    )
    assert [entry["key"] for entry in reading["stories"]] == [
        "epic-120-s01", "pm-04", "1-0\u00b71-end-to-end-tests", "2-1-\u8ba2\u5355",
    ]  # fmt: skip
    assert [entry["key"] for entry in reading["epics"]] == [
        "epic-1b", "epic-0.0", "epic-foundation",
    ]  # fmt: skip
    assert len(reading["retrospectives"]) == 2


def test_a_status_that_nobody_foresaw_is_unknown_and_shown() -> None:
    assert words(read(statuses("1-1-a: parked", "1-2-b: done"))["stories"]) == {
        "1-1-a": ("unknown", "parked", 2),
        "1-2-b": ("done", "done", 3),
    }


def test_titles_of_epics_are_in_comments() -> None:
    titles = read(
        statuses(
            "# Epic 1: Accounts", "epic-1: done", "# --- EPIC AP-2 \u2014 Payments ---",
            "epic-3: done # Epic 3: Reports", "# Epic 4 has no title", "# Epic Status: done",
            "# Epic 1: Another", "# Epic 5:", "#Epic 6b: A: B",
        )
    )["titles"]  # fmt: skip
    assert titles == {"1": "Accounts", "AP-2": "Payments", "3": "Reports", "6b": "A: B"}


def test_the_last_update_may_be_in_a_comment() -> None:
    comment = "# last_updated: 2026-07-23T23:17:39+0800\n"
    assert read(comment + statuses("1-1-a: done"))["last_updated"] == "2026-07-23T23:17:39+0800"
    assert read(comment + "last_updated: 2026-08-01\n")["last_updated"] == "2026-08-01"
    assert read(statuses("1-1-a: done"))["last_updated"] is None


def test_broken_yaml_loses_only_the_lines_that_cannot_be_read() -> None:
    reading = read(
        statuses(
            "epic-1: in-progress",
            "1-1-a: done",
            "1-2-b: review: twice",
            "1-3-c: done",
            "# Epic 2: Payments",
            "1-4-d [done]",
            "1-5-e: 'done'",
            "  note: done",
        )
        + 'last_updated: "2026-03-18\naction_items:\n  - action: Measure\n'
    )
    assert words(reading["stories"]) == {
        "1-1-a": ("done", "done", 3),
        "1-2-b": ("review", "review: twice", 4),
        "1-3-c": ("done", "done", 5),
        "1-5-e": ("done", "done", 8),
    }
    assert [entry["key"] for entry in reading["epics"]] == ["epic-1"]
    assert reading["last_updated"] == "2026-03-18"
    assert [item["action"] for item in reading["action_items"]] == ["Measure"]
    assert len(reading["notes"]) == 2
    assert reading["notes"][0].startswith("Line 4 cannot be read: ")


@pytest.mark.parametrize(
    "value", ["[unclosed", "[unclosed\n  A: done", "{1-1-a: done, A: [", "a: b", "'a\n  A: done"]
)
def test_broken_value_on_the_line_of_its_key_has_no_keys(value: str) -> None:
    reading = read(f"development_status: {value}\n")
    assert [*reading["stories"], *reading["epics"], *reading["retrospectives"]] == []
    assert len(reading["notes"]) == 1


def test_broken_lines_below_their_key_are_read_beside_a_comment() -> None:
    reading = read("development_status: # all\n  1-1-a: done\n  1-2-b: review: twice\n")
    assert [entry["key"] for entry in reading["stories"]] == ["1-1-a", "1-2-b"]


def test_text_on_a_line_that_is_no_yaml_is_no_key() -> None:
    lines = ("1-1-a: done", "note: a: b", "login: done: yes", "1-2-b: parked: b", "epic-2: x: y")
    reading = read("development_status:\n" + "".join(f"  {line}\n" for line in lines))
    assert [entry["key"] for entry in reading["stories"]] == ["1-1-a", "login", "1-2-b"]
    assert [entry["key"] for entry in reading["epics"]] == ["epic-2"]
    whole = read("development_status:\n  1-1-a: done\n  note: a\n")
    assert [entry["key"] for entry in whole["stories"]] == ["1-1-a", "note"]


def test_entries_indented_with_tabs_are_read() -> None:
    reading = read("development_status:\n\tepic-1: done\n\t1-1-a: review\n")
    assert [entry["key"] for entry in reading["stories"]] == ["1-1-a"]
    assert reading["notes"]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("", "It has no development_status."),
        ("project: A\n", "It has no development_status."),
        ("- a\n", "It has no development_status."),
        ("development_status: soon\n", "Line 1: development_status is not a mapping."),
    ],
)
def test_a_tracker_without_statuses_has_a_note(text: str, note: str) -> None:
    reading = read(text)
    assert reading["stories"] == []
    assert reading["notes"] == [note]


def test_an_empty_mapping_of_statuses_needs_no_note() -> None:
    assert read("development_status:\n")["notes"] == []


def test_lists_and_texts_are_bounded() -> None:
    keys = [f"1-{number}-a: done" for number in range(MAX_ITEMS + 1)]
    reading = read(statuses(f"{'k' * 400}: {'w' * 400}", *keys))
    assert len(reading["stories"]) == MAX_ITEMS
    assert len(read(statuses(*["1-1-a: []"] * 30))["notes"]) == MAX_NOTES
    assert len(reading["stories"][0]["key"]) == MAX_KEY
    assert len(reading["stories"][0]["status"]["word"]) == MAX_ID


pieces = st.sampled_from(
    [
        *"\n\t #:'\"-{}[]",
        "development_status:\n",
        "  1-1-a: done\n",
        "  epic-1: ",
        "# Epic 1: A\n",
        "action_items:\n",
        "  - epic: 1\n",
        "    status: open\n",
        "\u2028",
        "\x00",
        "*x",
        "&x",
    ]
)


@given(st.text() | st.lists(pieces).map("".join))
def test_any_text_is_read(text: str) -> None:
    check(text)


@given(st.data())
def test_a_changed_tracker_is_read(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(TRACKER)))
    end = data.draw(st.integers(start, min(len(TRACKER), start + 5)))
    check(TRACKER[:start] + data.draw(st.lists(pieces, max_size=3).map("".join)) + TRACKER[end:])


def check(text: str) -> None:
    reading = read(text)
    assert "\\x00" not in repr(reading)
    lines = bmad_document(text, PATH, "yaml").lines
    for entry in [*reading["stories"], *reading["epics"], *reading["retrospectives"]]:
        assert 1 <= entry["status"]["line"] <= len(lines)
