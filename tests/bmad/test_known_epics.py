"""Which part of an id is the epic's, by what documents name."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from service.bmad.identity import Identity, read_id
from service.bmad.keys import read_key
from service.bmad.known_epics import KnownEpics
from tests.bmad.made import epic, epics, listed, sprint, story, word

if TYPE_CHECKING:
    from service.bmad.readings import Reading


def _known(*numbers: str, stories: tuple[str, ...] = ()) -> KnownEpics:
    made = [epic(number) for number in numbers]
    made += [epic("99", stories=[listed(id_) for id_ in stories])] if stories else []
    return KnownEpics([("epics.md", epics(*made))])


@pytest.mark.parametrize(
    ("id_", "epics_there", "epic_", "story_"),
    [
        ("10.1.5", ["10"], "10", "1.5"),
        ("10.1.5", ["10.1"], "10.1", "5"),
        ("10.1.5", ["10", "10.1"], "10.1", "5"),
        ("10.1.5", ["9"], "10.1", "5"),
        ("1-6-2", ["1"], "1", "6.2"),
        ("AP-4.4.1", ["AP-4"], "AP-4", "4.1"),
        ("AP-4.4.1", ["4"], "AP-4.4", "1"),
        ("E12-S04-1", ["E12"], "E12", "04.1"),
        ("0.2.1.3", ["0"], "0", "2.1.3"),
        ("01.02.03", ["1"], "01", "02.03"),
    ],
)
def test_longest_epic_that_there_is_is_the_epic(
    id_: str, epics_there: list[str], epic_: str, story_: str
) -> None:
    assert _known(*epics_there).split(read_id(id_)) == Identity(id_, epic_, story_)


@pytest.mark.parametrize(
    "identity",
    [
        Identity("1.2", "1", "2"),
        Identity("42", None, "42"),
        Identity("", None, None),
        Identity("3.1.5", "7", "3.1.5"),
    ],
)
def test_certain_ids_stay(identity: Identity) -> None:
    assert _known("1", "3").split(identity) == identity


@pytest.mark.parametrize(
    ("id_", "epic_", "story_"),
    [
        ("US-1.2", "1", "2"),
        ("HU-1.2", "1", "2"),
        ("S1.2", "1", "2"),
        ("E1-S2", "1", "2"),
        ("E01.2", "01", "2"),
        ("AP-1.2", "AP-1", "2"),
        ("US-3.2", "US-3", "2"),
    ],
)
def test_word_before_a_number_is_no_part_of_an_epic_that_there_is(
    id_: str, epic_: str, story_: str
) -> None:
    assert _known("1", "2").split(read_id(id_)) == Identity(id_, epic_, story_)


@pytest.mark.parametrize(
    ("id_", "documents"),
    [
        ("E1.2", {"epics.md": epics(epic("1"), epic("E1"))}),
        ("E1.2", {"epics.md": epics(epic("1")), "more.md": epics(epic("E2"))}),
        ("E1.2", {"epics.md": epics(epic("1")), "s/1.1.a.md": story("1.1")}),
        ("S1.2", {"epics.md": epics(epic("1")), "s/1.1.a.md": story("1.1")}),
        ("E1.2", {"epics.md": epics(epic("1")), "s.yaml": sprint({"1-2-a": "done", "e1-2-b": ""})}),
        ("E1.2", {"s/2.1.a.md": story("2.1")}),
        ("US-1.2", {"epics.md": epics(epic("US-1"), epic("1"))}),
    ],
)
def test_epics_with_a_prefix_stay_their_own(id_: str, documents: dict[str, Reading]) -> None:
    assert KnownEpics([*documents.items()]).split(read_id(id_)) == read_id(id_)


def test_word_before_the_number_of_a_key_is_no_part_of_its_epic() -> None:
    assert _known("1").read_key("e1-s2-login").identity == Identity("e1-s2", "1", "2")
    assert _known("1").read_key("us-1-2-login").identity.epic == "1"
    assert _known("E1").read_key("e1-s2-login").identity.epic == "e1"


def test_files_with_a_word_are_those_of_keys_without_it() -> None:
    readings: dict[str, Reading] = {
        "epics.md": epics(epic("1")),
        "s.yaml": sprint({"1-2-a": "done"}),
    }
    assert KnownEpics([*readings.items()]).split(read_id("E1-S2")).epic == "1"


def test_epics_of_trackers_and_their_comments_are_there() -> None:
    entry = {"key": "epic-10", "status": word("done", "sprint_status")}
    known = KnownEpics([("s.yaml", sprint({}, epics=[entry], titles={"3": "Mail"}))])
    assert known.split(read_id("10.1.5")).epic == "10"
    assert known.split(read_id("3.5.1")).epic == "3"


def test_archived_documents_name_no_epic() -> None:
    known = KnownEpics([("archive/epics.md", epics(epic("10")))])
    assert known.split(read_id("10.1.5")).epic == "10.1"


def test_number_of_a_key_is_one_of_its_slug_where_documents_name_the_story_without_it() -> None:
    key = _known("1", stories=("1.6", "1.7", "1.7.1")).read_key("1-6-2-way-sync")
    assert (key.identity, key.slug) == (Identity("1.6", "1", "6"), "2-way-sync")
    key = _known("1", stories=("1.7", "1.7.1")).read_key("1-7-1-x")
    assert (key.identity, key.slug) == (Identity("1.7.1", "1", "7.1"), "x")


@pytest.mark.parametrize(
    "key", ["epic-1", "epic-3-5", "1-2-login", "epic-1-retrospective", "pm-04"]
)
def test_other_keys_are_read_as_without_these_epics(key: str) -> None:
    assert _known("1", stories=("1.2",)).read_key(key) == read_key(key)


@pytest.mark.parametrize("number", [1, 10])
def test_keys_take_linear_time(number: int) -> None:
    count = 300 * number
    known = _known(*(f"{each}" for each in range(count)))
    started = time.process_time()
    for each in range(count):
        assert known.read_key(f"{each}-1-2-x").identity.epic == f"{each}"
    assert time.process_time() - started < 0.0005 * count + 0.2


def test_a_number_alone_is_of_no_epic_though_one_lists_that_number() -> None:
    first = epic("1", stories=[listed("1.1"), listed("1.2")])
    for second in (epic("2"), epic("2", stories=[listed("2.3")])):
        known = KnownEpics([("epics.md", epics(first, second))])
        for number in ("2", "3"):
            identity = Identity(f"STORY-{number}", None, number)
            assert known.split(identity) == identity
            assert known.read_key(f"{number}-cleanup").identity.epic is None
