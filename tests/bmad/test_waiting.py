"""What stories wait for, and which can start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.bmad.epic_list import EpicList
from service.bmad.joining import TreeDocument, join_trees
from service.bmad.waiting import MAX_CYCLES, Dependencies
from tests.bmad.made import entry, plan, story, ticket_epic, tickets

if TYPE_CHECKING:
    from service.bmad.readings import Reading


def _waiting(readings: dict[str, Reading]) -> dict[str, tuple[list[str], bool]]:
    """Return what each story waits for, and whether it is ready, by its id."""
    documents = [TreeDocument(*each) for each in sorted(readings.items())]
    items = join_trees({"": documents})[""].items
    dependencies = Dependencies(items, EpicList("", documents, items))
    return {
        item.id: (
            [each.name for each in dependencies.waits_for(item)],
            dependencies.is_ready(item),
        )
        for item in items
    }


def test_entries_wait_for_siblings_other_entries_and_epics() -> None:
    waiting = _waiting(
        {
            "w/tickets.toml": tickets(epics=[ticket_epic("1", "login"), ticket_epic("2", "mail")]),
            "w/login/tickets.toml": tickets(
                entry("1", "Form"),
                entry("2", "Token", after=["1"]),
                entry("3", "Done", after=["2"]),
            ),
            "w/login/story-form-plan.md": plan("1", "in-review"),
            "w/mail/tickets.toml": tickets(
                entry("1", "Send", after=["1.3"]),
                entry("2", "Read", after=["epic-login"]),
                entry("3", "Sort", after=["1.1"]),
                entry("4", "Find", is_unknown=True),
                entry("5", "Lost", after=["9.9"]),
            ),
        }
    )
    assert waiting == {
        "1.1": ([], False),  # in review
        "1.2": ([], True),
        "1.3": (["2"], False),
        "2.1": (["1.3"], False),
        "2.2": (["epic-login"], False),
        "2.3": ([], True),
        "2.4": ([], False),
        "2.5": (["9.9"], False),
    }


def test_stories_of_older_versions_are_ready_when_they_are_approved() -> None:
    waiting = _waiting(
        {
            "s/1.1.a.md": story("1.1", "Done"),
            "s/1.2.b.md": story("1.2", "Approved", after=["1.1"]),
            "s/1.3.c.md": story("1.3", "Approved", after=["1.2"]),
            "s/1.4.d.md": story("1.4", "Draft"),
            "s/1.5.e.md": story("1.5", "Approved", after=["what the others need"]),
            "archive/1.6.f.md": story("1.6", "Approved"),
        }
    )
    assert waiting == {
        "1.1": ([], False),
        "1.2": ([], True),
        "1.3": (["1.2"], False),
        "1.4": ([], False),
        "1.5": ([], True),
        "1.6": ([], False),
    }


def test_story_waits_for_a_missing_one_that_is_surely_a_story() -> None:
    """Another number may be a version: 1.8 of Java."""
    waiting = _waiting(
        {
            "s/1.1.a.md": story("1.1", "Done"),
            "s/1.2.b.md": story("1.2", "Approved", after=["9.9"], after_stories=["9.9"]),
            "s/1.3.c.md": story("1.3", "Approved", after=["1.8", "the schema"]),
        }
    )
    assert waiting == {"1.1": ([], False), "1.2": (["9.9"], False), "1.3": ([], True)}


def test_word_epic_names_an_epic_and_no_story_of_its_number() -> None:
    waiting = _waiting(
        {
            "s/1.1.a.md": story("1.1", "Done"),
            "s/2.1.b.md": story("2.1", "Draft"),
            "s/story-1.md": story("1", "Draft"),
            "s/3.1.c.md": story("3.1", "Approved", after=["Epic 1"]),
            "s/3.2.d.md": story("3.2", "Approved", after=["Epic 2"]),
        }
    )
    assert waiting["3.1"] == ([], True)
    assert waiting["3.2"] == (["Epic 2"], False)


def test_name_of_an_epic_and_a_story_is_that_story() -> None:
    names = ["Epic 1 Story 1.1", "epic-1-story-1", "Story 1.1"]
    waiting = _waiting(
        {
            "s/epic-1-story-1.md": story("1.1", "Done"),
            "s/1.2.b.md": story("1.2", "Approved", after=names, after_stories=names),
        }
    )
    assert waiting["1.2"] == ([], True)


def _cycles(readings: dict[str, Reading]) -> list[list[str]]:
    documents = [TreeDocument(*each) for each in sorted(readings.items())]
    items = join_trees({"": documents})[""].items
    dependencies = Dependencies(items, EpicList("", documents, items))
    return [[each.id for each in cycle] for cycle in dependencies.cycles(items)]


def test_cycles_are_stories_and_epics_that_wait_for_each_other() -> None:
    readings = {
        "s/1.1.a.md": story("1.1", "Draft", after=["1.2", "2.1"]),
        "s/1.2.b.md": story("1.2", "Blocked", after=["1.3"]),
        "s/1.3.c.md": story("1.3", "Draft", after=["1.2"]),
        "s/2.1.d.md": story("2.1", "Approved", after=["Epic 3"]),
        "s/3.1.e.md": story("3.1", "In Progress", after=["2.1"]),
        "s/3.2.f.md": story("3.2", "Draft", after=["1.1"]),
        "s/4.1.g.md": story("4.1", "Draft", after=["1.1", "1.2"]),
    }
    assert _cycles(readings) == [
        ["1.2", "1.3"],
        ["2.1", "3", "3.1"],
        ["1.1", "2.1", "3", "3.2"],
    ]


def test_what_is_finished_is_in_no_cycle() -> None:
    for status in ("Done", "Review", "Cancelled"):
        readings = {
            "s/1.1.a.md": story("1.1", "Draft", after=["1.2"]),
            "s/1.2.b.md": story("1.2", status, after=["1.1"]),
        }
        assert not _cycles(readings)


def test_entry_that_waits_for_itself_is_a_cycle() -> None:
    assert _cycles({"w/tickets.toml": tickets(entry("1", "A"), entry("5", "B", after=["5"]))}) == [
        ["5"]
    ]


def test_of_many_cycles_only_the_first_are_listed() -> None:
    readings = {
        f"s/1.{number}.md": story(
            f"1.{number}", "Draft", after=[f"1.{number + 1 - number % 2 * 2}"]
        )
        for number in range(2, 1000)
    }
    assert len(_cycles(readings)) == MAX_CYCLES


def test_whole_epic_is_met_when_it_has_stories_and_all_of_them_are_finished() -> None:
    waiting = _waiting(
        {
            "w/tickets.toml": tickets(
                entry("1", "A", after=["login"]),
                entry("2", "B", after=["mail"]),
                entry("3", "C", after=["none"]),
                epics=[
                    ticket_epic("1", "login"),
                    ticket_epic("2", "mail"),
                    ticket_epic("3", "none"),
                ],
            ),
            "w/login/tickets.toml": tickets(entry("1", "Form"), entry("2", "Gone")),
            "w/login/a-plan.md": plan("1", "done"),
            "w/login/b-plan.md": plan("2", "dropped"),
            "w/mail/tickets.toml": tickets(entry("1", "Send")),
            "w/mail/a-plan.md": plan("1", "dropped"),
        }
    )
    assert {name: waiting[name] for name in "123"} == {
        "1": ([], True),
        "2": (["mail"], False),
        "3": (["none"], False),
    }


def test_no_story_waits_for_its_own_epic() -> None:
    assert _waiting({"s/1.1.a.md": story("1.1", "Approved", after=["epic 1"])}) == {
        "1.1": ([], True)
    }


def test_of_stories_with_one_id_one_waits_for_that_which_is_not_archived() -> None:
    waiting = _waiting(
        {
            "docs/archive/1.1.a.md": story("1.1", "Draft"),
            "docs/stories/1.1.b.md": story("1.1", "Done"),
            "docs/stories/1.2.c.md": story("1.2", "Approved", after=["1.1"]),
        }
    )
    assert waiting["1.2"] == ([], True)


def test_number_alone_is_a_sibling_and_no_epic() -> None:
    """An entry that waits for a sibling that is gone does not wait for the epic of that number."""
    waiting = _waiting(
        {
            "w/tickets.toml": tickets(epics=[ticket_epic("1", "login"), ticket_epic("2", "mail")]),
            "w/login/tickets.toml": tickets(entry("1", "Form")),
            "w/login/story-form-plan.md": plan("1", "done"),
            "w/mail/tickets.toml": tickets(entry("5", "Send", after=["1"]), entry("6", "Read")),
        }
    )
    assert waiting == {"1.1": ([], False), "2.5": (["1"], False), "2.6": ([], True)}
