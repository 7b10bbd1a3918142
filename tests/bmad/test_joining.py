"""Which files, keys, entries, plans and gates are about one story."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.bmad.joining import Joined, TreeDocument, join_trees
from service.bmad.work_items import is_archived
from tests.bmad.made import entry, epic, epics, gate, plan, sprint, story, ticket_epic, tickets

if TYPE_CHECKING:
    from service.bmad.readings import Reading
    from service.bmad.work_items import WorkItem


def _join(readings: dict[str, Reading]) -> Joined:
    return join_trees({"": [TreeDocument(*each) for each in sorted(readings.items())]})[""]


def _items(readings: dict[str, Reading]) -> list[WorkItem]:
    return _join(readings).items


def test_file_of_the_name_of_a_key_belongs_to_it() -> None:
    [item] = _items(
        {
            "s/1-2-login.md": story("1.2", "in progress"),
            "sprint-status.yaml": sprint({"1-2-login": "done"}),
        }
    )
    assert item.path == "s/1-2-login.md"
    assert [entry["key"] for _, entry in item.keys] == ["1-2-login"]
    assert item.status == "in_progress"  # the file decides


def test_tracker_decides_where_the_file_says_nothing() -> None:
    [item] = _items({"s/1-2-a.md": story("1.2"), "s.yaml": sprint({"1-2-a": "ready-for-dev"})})
    assert item.status == "approved"


def test_file_belongs_to_a_key_by_its_slug_before_its_number() -> None:
    items = _items(
        {
            "s/1.3.login.md": story("1.3"),
            "s/1.2.other.md": story("1.2"),
            "s.yaml": sprint({"1-2-login": "done", "1-3-more": "review"}),
        }
    )
    assert {item.path: [entry["key"] for _, entry in item.keys] for item in items} == {
        "s/1.3.login.md": ["1-2-login"],
        "s/1.2.other.md": [],
        None: ["1-3-more"],
    }


def test_of_files_with_one_slug_the_number_decides() -> None:
    items = _items(
        {
            "s/1.2.setup.md": story("1.2"),
            "s/1.3.setup.md": story("1.3"),
            "s.yaml": sprint({"1-1-setup": "done", "1-3-setup": "review"}),
        }
    )
    assert {item.path: item.status for item in items} == {
        "s/1.2.setup.md": "done",
        "s/1.3.setup.md": "review",
    }


def test_equal_keys_are_one_story_for_all_trackers() -> None:
    """The first tracker decides, and those that are no longer kept add nothing."""
    items = _items(
        {
            "a.yaml": sprint({"1-1-a": "draft", "1-2-b": "draft"}),
            "b.yaml": sprint({"1-01-a": "review"}),
            "old/z.yaml": sprint({"1-1-a": "done", "1-3-c": "done"}),
        }
    )
    assert {item.key: (item.status, item.is_archived, len(item.keys)) for item in items} == {
        "a.yaml\t1-1-a": ("draft", False, 2),
        "a.yaml\t1-2-b": ("draft", False, 1),
        "old/z.yaml\t1-3-c": ("done", True, 1),
    }


def test_file_belongs_to_a_key_by_number() -> None:
    [item] = _items({"s/1.10.sign-in.md": story("1.10"), "s.yaml": sprint({"1-10-login": "done"})})
    assert item.status == "done"


@pytest.mark.parametrize(
    "folder",
    [
        *(
            "archive",
            "_Archive",
            "old",
            "completed",
            "stories-old",
            "old-shop",
            "completed-stories",
        ),
        *("archive-2025", "stories_archive_2025", "99-archive", "backup-before-v6", "v1.2-old"),
        *("sprint-1-completed", "completed-orders", "order-archive", "2024-01-archive"),
        *("epic-3-old", "epic-03-completed", "epic-3-old-stories", "epic-1-archived-2025"),
        *("epic-1-login-old", "epic-1-auth-completed", "epic-1-login-archived", "1.2-login-old"),
        *("epic-1-done-archived", "epic-1-completed-work", "epic-1-old-drafts"),
        *("epic-1-archived-stories-2024", "epic-2-archive-v1", "epic-1-archive-do-not-use"),
        *("epic-1-backup-of-login", "epic-1-backup-2024-05", "epic-1-archive-may-2024"),
        *("archive-features", "backup-pages", "archive-api"),
        *("story-1.2-old", "1-2-obsolete", "epic-old", "epics-1-5-completed"),
    ],
)
def test_folder_that_is_called_an_archive_is_one(folder: str) -> None:
    assert is_archived(f"docs/stories/{folder}/1.1.a.md")


@pytest.mark.parametrize(
    "folder",
    [
        *("epic-3-backup-restore", "Epic_4_Archive_Orders", "épopée-2-backup-data"),
        *("story-2.3-archive-orders", "3-5-archive-orders", "1.2-backup-all-orders"),
        *("backup-service", "backup-and-restore", "data-backup-service", "archive-viewer"),
        *("household", "golden", "done", "legacy"),
    ],
)
def test_folder_that_is_called_by_a_title_with_an_archives_word_is_none(folder: str) -> None:
    assert not is_archived(f"docs/stories/{folder}/1.1.a.md")
    assert is_archived(f"archive/{folder}/1.1.a.md")


def test_of_files_with_one_number_those_that_are_not_archived_come_first() -> None:
    items = _items(
        {
            "archive/1.1.a.md": story("1.1"),
            "s/1.1.b.md": story("1.1"),
            "s.yaml": sprint({"1-1-c": "done"}),
        }
    )
    assert {item.path: bool(item.keys) for item in items} == {
        "archive/1.1.a.md": False,
        "s/1.1.b.md": True,
    }
    assert [item.is_archived for item in items] == [True, False]


def test_spec_belongs_to_the_key_that_its_name_begins_with() -> None:
    """Keys have slugs of 60 characters; of several files the shortest belongs to the key."""
    items = _items(
        {
            "s/spec-1-2-login-with-a-very.md": story("1.2", "in-review"),
            "s/spec-1-2-login-with-a-very-long-tail.md": story("", "draft"),
            "s.yaml": sprint({"1-2-login-with": "backlog"}),
        }
    )
    assert [item.path for item in items if item.keys] == ["s/spec-1-2-login-with-a-very.md"]


def test_key_without_a_file_is_a_story() -> None:
    [item] = _items({"s.yaml": sprint({"2-10-pay-later": "backlog"})})
    assert (item.id, item.epic, item.story, item.title) == ("2.10", "2", "10", "Pay later")
    assert (item.path, item.status) == (None, "draft")


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    reading = sprint({"1-1-a": "done"})
    assert "sprint_status" in reading
    reading["sprint_status"]["stories"] += sprint({"1-1-a": "review"})["sprint_status"]["stories"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    [item] = _items({"s.yaml": reading})
    assert item.status == "review"
    assert len(item.keys) == 2


def test_tracker_that_is_no_longer_kept_decides_nothing_of_stories_of_now() -> None:
    joined = _join(
        {
            "archive/sprint-status.yaml": sprint(
                {"1-1-a": "backlog", "1-2-b": "done", "1-3-old": "review", "1-9-z": "backlog"}
            ),
            "s/1.1.a.md": story("1.1"),
            "s/1.3.new.md": story("1.3"),
            "sprint-status.yaml": sprint({"1-1-a": "done", "1-2-b": "drafted"}),
        }
    )
    found = {(item.path or item.key): (item.status, item.is_archived) for item in joined.items}
    assert found == {
        "s/1.1.a.md": ("done", False),
        "sprint-status.yaml\t1-2-b": ("draft", False),
        "s/1.3.new.md": ("unknown", False),
        "archive/sprint-status.yaml\t1-3-old": ("review", True),
        "archive/sprint-status.yaml\t1-9-z": ("draft", True),
    }


def test_tracker_that_is_no_longer_kept_decides_where_nothing_else_says_a_status() -> None:
    items = _items(
        {
            "archive/sprint-status.yaml": sprint({"1-1-a": "done", "1-2-b": "done"}),
            "archive/1.2.b.md": story("1.2"),
            "s/1.1.a.md": story("1.1"),
        }
    )
    assert {item.path: (item.status, len(item.keys)) for item in items} == {
        "s/1.1.a.md": ("done", 0),
        "archive/1.2.b.md": ("done", 1),
    }


def test_file_is_a_story_because_a_key_has_its_name() -> None:
    other: Reading = {"candidate": story("1.1", "done")["story"]}  # pyright: ignore[reportTypedDictNotRequiredAccess]
    assert _items({"s/1-1-a.md": other}) == []
    joined = _join({"s/1-1-a.md": other, "s.yaml": sprint({"1-1-a": "done"})})
    assert joined.promoted == ["s/1-1-a.md"]
    assert [item.path for item in joined.items] == ["s/1-1-a.md"]


def test_a_document_of_another_kind_is_nothing_but_a_story_where_a_key_has_its_name() -> None:
    candidate = {"candidate": story("1.1", "done")["story"]}  # pyright: ignore[reportTypedDictNotRequiredAccess]
    readings: dict[str, Reading] = {
        "s/1-1-prd.md": {**epics(epic("1", "Payments")), **candidate},  # pyright: ignore[reportAssignmentType]
        "s/1-2-gate.md": {**gate("PASS", "1.2"), **candidate},  # pyright: ignore[reportAssignmentType]
    }
    assert _join(readings).documents == [TreeDocument(path, readings[path]) for path in readings]
    joined = _join(readings | {"s.yaml": sprint({"1-1-prd": "done", "1-2-gate": "review"})})
    assert [document.reading.keys() for document in joined.documents[1:]] == [{"story"}, {"story"}]
    assert [(item.path, item.gates) for item in joined.items] == [
        ("s/1-1-prd.md", []),
        ("s/1-2-gate.md", []),
    ]
    assert joined.gates_without_story == []


def test_a_key_names_a_story_rather_than_another_document_of_its_name() -> None:
    other: Reading = {"candidate": story("1.1")["story"]}  # pyright: ignore[reportTypedDictNotRequiredAccess]
    readings = {"qa/1-1-a.md": other, "s/1-1-a.md": story("1.1"), "z/1-1-a.md": other}
    joined = _join(readings | {"s.yaml": sprint({"1-1-a": "done"})})
    assert joined.promoted == []
    assert [(item.path, len(item.keys)) for item in joined.items] == [("s/1-1-a.md", 1)]


@pytest.mark.parametrize("path", ["s/1.1.a.md", "s/story-1.1.md", "s/story-1-1-a.md"])
@pytest.mark.parametrize("other", ["qa/1-1-a.md", "archive/1-1-a.md", "notes/1-1-a.md"])
def test_a_story_of_a_key_goes_before_a_document_that_is_named_after_it(
    path: str, other: str
) -> None:
    candidate: Reading = {"candidate": story("1.1")["story"]}  # pyright: ignore[reportTypedDictNotRequiredAccess]
    readings = {path: story("1.1"), other: candidate}
    joined = _join(readings | {"s.yaml": sprint({"1-1-a": "done", "1-2-b": "done"})})
    assert joined.promoted == []
    assert {item.path: len(item.keys) for item in joined.items} == {path: 1, None: 1}


@pytest.mark.parametrize(
    ("path", "other"),
    [
        # Another story of that number, as of a product before.
        ("s/1.1.other.md", "notes/1-1-a.md"),
        ("s/story-1.1.md", "stories/1-1-a.md"),
        ("archive/1.1.a.md", "stories/1-1-a.md"),
        ("s/2.1.a.md", "stories/1-1-a.md"),
    ],
)
def test_a_document_of_a_keys_name_goes_before_stories_that_may_be_others(
    path: str, other: str
) -> None:
    candidate: Reading = {"candidate": story("1.1")["story"]}  # pyright: ignore[reportTypedDictNotRequiredAccess]
    id_ = "2.1" if "2.1" in path else "1.1"
    joined = _join({path: story(id_), other: candidate, "s.yaml": sprint({"1-1-a": "done"})})
    assert joined.promoted == [other]


def test_leaf_and_plan_are_one_story_with_their_entry() -> None:
    items = _items(
        {
            "w/tickets.toml": tickets(epics=[ticket_epic("1", "login")]),
            "w/login/tickets.toml": tickets(
                entry("1", "Sign in"), entry("2", "Sign out"), entry("3", "Reset", kind="spike")
            ),
            "w/login/story-sign-in.md": story(title="Sign in"),
            "w/login/story-sign-in-plan.md": plan("1", "built"),
            "w/login/spike-reset.md": story(title="Reset", ticket="3"),
        }
    )
    assert [(item.id, item.path, item.kind, item.status) for item in items] == [
        ("1.3", "w/login/spike-reset.md", "spike", "draft"),
        ("1.1", "w/login/story-sign-in.md", "story", "review"),
        ("1.2", None, "story", "draft"),
    ]


def _candidate(id_: str = "", status: str | None = None, **fields: Any) -> Reading:
    return {"candidate": story(id_, status, **fields)["story"]}  # pyright: ignore[reportTypedDictNotRequiredAccess]


def test_document_is_a_leaf_because_an_entry_has_its_name_or_it_says_the_id() -> None:
    joined = _join(
        {
            "w/tickets.toml": tickets(epics=[ticket_epic("1", "login")]),
            "w/login/tickets.toml": tickets(
                entry("1", "Sign in!"), entry("2", "Crash", kind="bug"), entry("3", "Sign out")
            ),
            "w/login/story-sign-in.md": _candidate(title="sign in"),
            "w/login/bug-other.md": _candidate("", "in-review", title="other", ticket="2"),
            "w/login/story-more.md": _candidate(),
            "w/login/3-notes.md": _candidate("3"),
        }
    )
    items = sorted(joined.items, key=lambda item: item.id)
    assert [(item.id, item.title, item.path, item.status) for item in items] == [
        ("1.1", "Sign in!", "w/login/story-sign-in.md", "draft"),
        ("1.2", "other", "w/login/bug-other.md", "review"),
        ("1.3", "Sign out", None, "draft"),
    ]
    assert joined.promoted == ["w/login/bug-other.md", "w/login/story-sign-in.md"]


def test_document_is_a_story_of_a_spec_because_its_name_begins_with_the_id() -> None:
    items = _items(
        {
            "specs/spec-login/stories.yaml": tickets(entry("1", "Form"), entry("2", "Token")),
            "specs/spec-login/stories/1-form.md": _candidate("", "done"),
            "specs/spec-login/2-notes.md": _candidate("2"),
        }
    )
    assert [(item.epic, item.story, item.path, item.status) for item in items] == [
        ("login", "1", "specs/spec-login/stories/1-form.md", "done"),
        ("login", "2", None, "draft"),
    ]


def test_plan_in_the_backlog_names_the_file_beside_it() -> None:
    joined = _join(
        {
            "w/backlog/bug-crash.md": story(title="Crash"),
            "w/backlog/bug-crash-plan.md": plan("bug-crash", "done"),
            "w/backlog/bug-other-plan.md": plan("bug-gone", "done"),
        }
    )
    assert [item.status for item in joined.items] == ["done"]
    [lost] = joined.plans_without_ticket
    assert (lost.path, lost.plan["ticket"]) == ("w/backlog/bug-other-plan.md", "bug-gone")


def test_stories_of_a_spec_are_in_its_folder() -> None:
    items = _items(
        {
            "specs/spec-login/stories.yaml": tickets(entry("1", "Form"), entry("2", "Token")),
            "specs/spec-login/stories/1-form.md": story("1", "done"),
            "specs/spec-mail/stories.yaml": tickets(entry("1", "Send")),
        }
    )
    assert [(item.epic, item.story, item.path is None) for item in items] == [
        ("login", "1", False),
        ("login", "2", True),
        ("mail", "1", True),
    ]


@pytest.mark.parametrize(
    ("id_", "name", "is_file"),
    [
        ("login", "login", True),
        ("login", "login-by-mail", True),
        ("Login", "login-by-mail", True),
        ("auth-1", "auth-1-login", True),
        ("1-login", "1-login", True),
        ("1-login", "1-login-by-mail", True),
        ("A", "A-login", True),
        ("1", "1-login", True),
        # An id ends where a word does, and a number is no part of another.
        ("log", "login-by-mail", False),
        ("mail", "login-by-mail", False),
        ("1", "1-1-login", False),
        ("auth-1", "auth-1-2-login", False),
        ("", "login", False),
    ],
)
@pytest.mark.parametrize("kind", ["story", "candidate"])
def test_file_of_an_entry_of_a_spec_begins_with_its_id(
    id_: str, name: str, is_file: bool, kind: str
) -> None:
    path = f"specs/spec-login/stories/{name}.md"
    reading: Reading = {kind: story("", "draft")["story"]}  # pyright: ignore[reportAssignmentType, reportTypedDictNotRequiredAccess]
    tracker = tickets(entry(id_, "Something"))
    items = _items({"specs/spec-login/stories.yaml": tracker, path: reading})
    assert [item.path for item in items if item.entry] == [path if is_file else None]
    # Only in the folder "stories" beside the tracker, and in no tree of version 7.
    items = _items({"specs/spec-other/stories.yaml": tracker, path: reading})
    assert [item.path for item in items if item.entry] == [None]


@pytest.mark.parametrize(
    ("kind", "name", "status"),
    [
        ("story", "login-notes", "draft"),
        ("candidate", "login-notes", "draft"),
        ("candidate", "login-review", "draft"),
        ("candidate", "login-review-2", "done"),
        ("candidate", "login-flow", None),
    ],
)
def test_companion_whose_name_begins_with_an_id_is_no_file_of_an_entry(
    kind: str, name: str, status: str | None
) -> None:
    document: Reading = {kind: story("", status)["story"]}  # pyright: ignore[reportAssignmentType, reportTypedDictNotRequiredAccess]
    tracker = tickets(entry("login", "Log in"))
    path = f"specs/spec-shop/stories/{name}.md"
    items = _items({"specs/spec-shop/stories.yaml": tracker, path: document})
    assert [(item.path, item.title) for item in items if item.entry] == [(None, "Log in")]


def test_longest_id_that_begins_a_name_has_the_file() -> None:
    ids = ("login", "login-by", "login-by-mail")
    folder = "specs/spec-login"
    joined = {
        item.story: item.path
        for item in _items(
            {
                f"{folder}/stories.yaml": tickets(*(entry(id_, id_.upper()) for id_ in ids)),
                f"{folder}/stories/login-by-mail.md": story(),
                f"{folder}/stories/login-by-phone.md": story(),
            }
        )
    }
    assert joined == {
        "login": None,
        "login-by": f"{folder}/stories/login-by-phone.md",
        "login-by-mail": f"{folder}/stories/login-by-mail.md",
    }


def test_letters_of_an_id_in_a_spec_are_no_epic() -> None:
    items = _items(
        {
            "specs/spec-login/stories.yaml": tickets(entry("a1", "Form"), entry("a2", "Token")),
            "specs/spec-login/stories/a1-form.md": story("a1", "done"),
        }
    )
    assert [(item.id, item.epic, item.story) for item in items] == [
        ("a1", "login", "a1"),
        ("a2", "login", "a2"),
    ]


def test_gate_belongs_to_the_story_of_its_name_before_that_of_its_text() -> None:
    """A gate's `story: 2.1` may be the number that YAML makes of 2.10."""
    items = _items(
        {
            "s/2.1.a.md": story("2.1"),
            "s/2.10.b.md": story("2.10"),
            "qa/gates/2.10-b.yml": gate("PASS", "2.10", story="2.1"),
        }
    )
    assert {item.id: len(item.gates) for item in items} == {"2.1": 0, "2.10": 1}


def test_newer_gate_counts_and_both_are_kept() -> None:
    [item] = _items(
        {
            "s/1.1.a.md": story("1.1"),
            "qa/gates/1.1-a.yml": gate("PASS", "1.1", updated="2026-02-01"),
            "qa/gates/1.1-b.yml": gate("FAIL", "1.1", updated="2026-01-01"),
        }
    )
    assert [found.gate["decision"] for found in item.gates] == ["PASS", "FAIL"]


def test_review_in_a_story_is_a_gate_after_those_of_files() -> None:
    own = gate("PASS", score=100)["gate"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    readings = {"s/1.1.a.md": story("1.1", gate=own)}
    [item] = _items(readings)
    assert [(found.path, found.gate["score"]) for found in item.gates] == [("s/1.1.a.md", 100)]
    [item] = _items(readings | {"qa/gates/1.1-a.yml": gate("FAIL", "1.1")})
    assert [found.path for found in item.gates] == ["qa/gates/1.1-a.yml", "s/1.1.a.md"]
    [item] = _items(readings | {"qa/gates/old/1.1-a.yml": gate("FAIL", "1.1")})
    assert [found.path for found in item.gates] == ["s/1.1.a.md", "qa/gates/old/1.1-a.yml"]


def test_gate_of_no_story_is_kept_apart() -> None:
    joined = _join({"s/1.1.a.md": story("1.1"), "qa/gates/9.9-x.yml": gate("PASS", "9.9")})
    assert [found.path for found in joined.gates_without_story] == ["qa/gates/9.9-x.yml"]


@pytest.mark.parametrize("folder", ["login", "epic-login"])
def test_folder_of_an_epic_may_have_the_word_epic_before_its_slug(folder: str) -> None:
    [item] = _items(
        {
            "w/tickets.toml": tickets(epics=[ticket_epic("1", "login")]),
            f"w/{folder}/tickets.toml": tickets(entry("1", "Form")),
            f"w/{folder}/story-form.md": story(title="Form"),
        }
    )
    assert (item.id, item.epic, item.path) == ("1.1", "1", f"w/{folder}/story-form.md")


def test_tickets_are_those_of_version_7_whatever_the_case_of_their_file() -> None:
    [item] = _items({"w/login/Tickets.TOML": tickets(entry("1", "Form"))})
    assert (item.is_ticket, item.epic) == (True, None)
