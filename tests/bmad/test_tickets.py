"""tickets.toml and stories.yaml: the work in build order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.readings import MAX_ID, MAX_ITEMS, MAX_KEY, MAX_TEXT, TicketsReading
from service.bmad.texts import MAX_NOTES
from service.bmad.tickets import MAX_SLUG, read_spec, read_tickets, slug_of
from tests.support.bmad_documents import bmad_document

INITIATIVE = """\
# The epics of the shop

[[epic]]
id = 1
slug = "epic-accounts"
title = "Accounts"
covers = ["FR1", "FR2"]

[[epic]]
id = 2
slug = "epic-payments"
title = "Payments"
after = ["epic-accounts"]
"""
EPIC = """\
[[entry]]
id = 1
type = "story"
title = "Pay by card"
description = "A shopper pays, once."
verify = "A payment is booked."
covers = ["FR3"]
after = ["1.3", "epic-accounts"]
risk = "high"
estimate = 3
hitl = true

[[entry]]
id = "2a"
type = "spike"
title = "Which provider?"
after = [1]
unknown = "Fees of the providers"

[[entry]]
id = 10
type = "bug"
title = "Totals are wrong: \u00e9t\u00e9 & more"
after = 1
unknown = false
"""
STORIES = """\
- id: "1"
  title: Limit the rate
  description: >-
    A bucket of tokens
    for each client.
  spec_checkpoint: true
- id: "3-2"
  title: Show the limits
  status: done
- title: No id
"""


def read(text: str, path: str = "out/shop/epic-payments/tickets.toml") -> TicketsReading:
    file_type = "toml" if path.endswith("toml") else "yaml"
    reading = read_tickets(bmad_document(text, path, file_type))
    assert reading is not None
    return reading


def test_epics_of_an_initiative_are_read_in_order() -> None:
    assert read(INITIATIVE, "out/shop/tickets.toml") == {
        "epics": [
            {
                "id": "1",
                "slug": "epic-accounts",
                "title": "Accounts",
                "covers": ["FR1", "FR2"],
                "after": [],
                "line": 3,
            },
            {
                "id": "2",
                "slug": "epic-payments",
                "title": "Payments",
                "covers": [],
                "after": ["epic-accounts"],
                "line": 9,
            },
        ],
        "entries": [],
        "notes": [],
    }


def test_entries_of_an_epic_are_read_in_order() -> None:
    reading = read(EPIC)
    assert reading["epics"] == []
    assert reading["notes"] == []
    first, second, third = reading["entries"]
    assert first == {
        "id": "1",
        "slug": "pay-by-card",
        "kind": "story",
        "title": "Pay by card",
        "description": "A shopper pays, once.",
        "covers": ["FR3"],
        "after": ["1.3", "epic-accounts"],
        "is_unknown": False,
        "line": 1,
    }
    assert (second["id"], second["kind"], second["after"]) == ("2a", "spike", ["1"])
    assert (second["is_unknown"], second["line"]) == (True, 13)
    assert (third["id"], third["kind"], third["after"]) == ("10", "bug", ["1"])
    assert (third["is_unknown"], third["slug"]) == (False, "totals-are-wrong-ete-more")


def test_ids_are_texts_as_written() -> None:
    entries = read('[[entry]]\nid = 2.10\nafter = [1.10, 3, "epic-a", true]\n')["entries"]
    assert (entries[0]["id"], entries[0]["after"]) == ("2.10", ["1.10", "3", "epic-a"])


@pytest.mark.parametrize(
    ("value", "is_unknown"),
    [
        ("true", True),
        ("false", False),
        ('"Fees"', True),
        ('""', False),
        ('"none"', False),
        ('["Fees"]', True),
        ("[]", False),
    ],
)
def test_an_entry_may_have_an_unknown(value: str, is_unknown: bool) -> None:
    assert read(f"[[entry]]\nunknown = {value}\n")["entries"][0]["is_unknown"] is is_unknown


def test_invalid_toml_gives_a_note_and_nothing_else() -> None:
    reading = read("[[entry]]\nid = 1\n\n[[entry]]\nid = \n")
    assert (reading["epics"], reading["entries"]) == ([], [])
    [note] = reading["notes"]
    assert note.startswith("It is not TOML: ")


def test_an_entry_without_an_id_or_of_an_unknown_type_has_a_note() -> None:
    reading = read('\n[[entry]]\ntype = "chore"\ntitle = "A"\n[[epic]]\n')
    assert reading["entries"][0]["kind"] == "story"
    assert reading["notes"] == [
        "Line 2: the type chore is not known.", "Line 5: it has no id.", "Line 2: it has no id.",
    ]  # fmt: skip


def test_stories_of_a_specification_are_read_in_order_and_have_no_status() -> None:
    reading = read(STORIES, "_bmad-output/specs/spec-limits/stories.yaml")
    assert [(each["id"], each["title"], each["line"]) for each in reading["entries"]] == [
        ("1", "Limit the rate", 1), ("3-2", "Show the limits", 7), ("", "No id", 10),
    ]  # fmt: skip
    assert reading["entries"][0]["description"] == "A bucket of tokens for each client."
    assert reading["notes"] == ["Line 10: it has no id."]
    assert "done" not in repr(reading)


@pytest.mark.parametrize("path", ["specs/spec-a/stories.yaml", "Spec-a/stories.yml"])
def test_list_of_stories_may_be_below_a_key(path: str) -> None:
    reading = read('version: 1\nstories:\n  - id: "1"\n    title: Form\n  - id: 2.10\n', path)
    assert [(each["id"], each["title"], each["line"]) for each in reading["entries"]] == [
        ("1", "Form", 3), ("2.10", "", 5),
    ]  # fmt: skip
    assert reading["notes"] == []


def test_stories_of_a_specification_in_another_form_have_a_note() -> None:
    reading = read("stories:\n  first: {id: 1}\n", "specs/spec-a/stories.yaml")
    assert (reading["entries"], reading["notes"]) == ([], ["It has no list of stories."])


def test_broken_stories_give_those_before_the_error() -> None:
    text = '- id: "1"\n  title: A\n- id: "2"\n  title: B: C\n'
    reading = read(text, "specs/spec-a/stories.yml")
    assert [each["id"] for each in reading["entries"]] == ["1", "2"]
    assert len(reading["notes"]) == 1


@pytest.mark.parametrize(
    ("path", "file_type", "text"),
    [
        ("pyproject.toml", "toml", EPIC),
        ("_bmad/method/tickets.toml", "toml", EPIC),
        (".bmad/templates/tickets.toml", "toml", EPIC),
        ("docs/tickets.yaml", "yaml", STORIES),
        ("docs/user-stories.yaml", "yaml", STORIES),
        ("stories.yaml", "yaml", "stories:\n  - a\n"),
        ("stories.yaml", "yaml", "stories:\n  - title: Button\n"),
        ("specs/stories.yaml", "yaml", ""),
        ("specs/spec-a/stories.yaml", "yaml", ""),
        # Of components, and of tests in a browser.
        ("storybook/stories.yaml", "yaml", 'stories:\n  - id: "button"\n    title: Button\n'),
        ("apps/web/specs/stories.yaml", "yaml", "stories:\n  login: {steps: [open]}\n"),
        ("specs/spec-a/data/stories.yaml", "yaml", 'stories:\n  - id: "1"\n'),
        ("docs/stories.md", "md", STORIES),
    ],
)
def test_other_documents_have_no_tickets(path: str, file_type: str, text: str) -> None:
    assert read_tickets(bmad_document(text, path, file_type)) is None


def test_slugs_are_those_of_the_method() -> None:
    assert slug_of("Which provider? (EU)") == "which-provider-eu"
    assert slug_of("\u652f\u4ed8") == ""
    assert len(slug_of("word " * 40)) < MAX_SLUG
    assert slug_of("x" * 100) == "x" * MAX_SLUG


def test_texts_and_lists_are_bounded() -> None:
    long = "x" * 400
    reading = read(
        f'[[entry]]\nid = "{long}"\ntitle = "{long}"\ndescription = "{long}"\nafter = ["{long}"]\n'
        "covers = [" + '"a", ' * (MAX_ITEMS + 1) + "]\n" + "[[entry]]\n" * MAX_ITEMS
    )
    [entry] = reading["entries"][:1]
    assert (len(entry["id"]), len(entry["after"][0])) == (MAX_ID, MAX_KEY)
    assert (len(entry["title"]), len(entry["description"])) == (MAX_TEXT, MAX_TEXT)
    assert (len(entry["covers"]), len(reading["entries"])) == (MAX_ITEMS, MAX_ITEMS)
    assert len(reading["notes"]) == MAX_NOTES
    assert read("[[entry]]\nid = 0x" + "f" * 20_000)["entries"][0]["id"] == ""


pieces = st.sampled_from(
    [
        *"\n\t #=.,:-[]{}\"'\\",
        "[[entry]]\n",
        "[[epic]]\n",
        "id = 1\n",
        "- id: 1\n",
        "  title: A\n",
        "after = [",
        '"""',
        "\x00",
        '"\\u0000"',
    ]
)
sources = st.sampled_from([(EPIC, "a/tickets.toml"), (STORIES, "specs/a/stories.yaml")])


@given(st.text() | st.lists(pieces).map("".join), sources)
def test_any_text_is_read(text: str, source: tuple[str, str]) -> None:
    check(text, source[1])


@given(st.data(), sources)
def test_a_changed_text_is_read(data: st.DataObject, source: tuple[str, str]) -> None:
    text, path = source
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 5)))
    piece = data.draw(st.lists(pieces, max_size=3).map("".join))
    check(text[:start] + piece + text[end:], path)


def check(text: str, path: str) -> None:
    document = bmad_document(text, path, "toml" if path.endswith("toml") else "yaml")
    reading = read_tickets(document)
    assert "\\x00" not in repr(reading)
    for each in [*reading["epics"], *reading["entries"]] if reading else []:
        assert 1 <= each["line"] <= len(document.lines)


@pytest.mark.parametrize(
    ("text", "title", "line"),
    [
        ("---\ntitle: Book a visit\n---\n\n# SPEC: Booking\n", "Book a visit", 5),
        ("# SPEC: Booking\n\n# Other\n", "Booking", 1),
        ("\n# Specification \u2014 **Booking**\n", "Booking", 2),
        ("# Special offers\n", "Special offers", 1),
        ("---\ntitle: Book a visit\n---\nText.\n", "Book a visit", 1),
        ("---\ntitle: [1]\n---\n# Booking\n", "Booking", 4),
    ],
)
def test_spec_has_the_title_of_its_epic(text: str, title: str, line: int) -> None:
    spec = read_spec(bmad_document(text, "docs/specs/spec-booking/SPEC.md"))
    assert spec is not None
    assert (spec["title"], spec["line"]) == (title, line)


@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        ("---\nstatus: in-progress\n---\n\n# A\n", [("in_progress", 2, "front_matter")]),
        ("---\nstatus: final\n---\n\n# A\n", []),
        ("---\nstatus: [done]\n---\n\n# A\n", []),
        ("# A\n\n**Status:** Done | **Owner:** Ann\n\n## Why\n", [("done", 3, "text")]),
        ("# A\n\n| Status | Owner |\n|---|---|\n| Done | Ann |\n", [("done", 5, "text")]),
        (
            "---\nstatus: done\n---\n# A\n\nStatus: In Review\n",
            [("done", 2, "front_matter"), ("review", 6, "text")],
        ),
        ("# A\n\n## Login\n\nStatus: Done\n", []),
        # A field of what the product has.
        ("# A\n\nThe order has a field.\nStatus: Done when paid\n", []),
        ("# A\n\n- Status: paid or open\n", []),
        ("# A\n\n- Status: Done\n", []),
        ("# A\n\n> Status - Done\n", []),
        (
            "---\nstatus: in-progress\n---\n# A\n\nStatus: see stories\n",
            [("in_progress", 2, "front_matter")],
        ),
        (f"# A\n{'x' * 5}{chr(10) * 40}Status: Done\n", []),
    ],
)
def test_spec_says_its_status_above_its_sections(
    text: str, statuses: list[tuple[str, int, str]]
) -> None:
    spec = read_spec(bmad_document(text, "docs/specs/spec-booking/SPEC.md"))
    assert spec is not None
    assert [(each["status"], each["line"], each["place"]) for each in spec["statuses"]] == statuses


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("Text.\n", "specs/spec-booking/SPEC.md"),
        ("# SPEC:\n", "specs/spec-booking/SPEC.md"),
        ("# A\n", "specs/spec-booking/spec-a.md"),
        ("# A\n", "_bmad/bmm/SPEC.md"),
    ],
)
def test_other_documents_are_no_spec(text: str, path: str) -> None:
    assert read_spec(bmad_document(text, path)) is None
