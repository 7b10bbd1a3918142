"""Which story a gate is about, and which of several gates counts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from service.bmad.gate_stories import moment_of
from service.bmad.joining import Joined, TreeDocument, join_trees
from tests.bmad.made import gate, sprint, story

if TYPE_CHECKING:
    from service.bmad.readings import Reading


def _join(trees: dict[str, dict[str, Reading]]) -> dict[str, Joined]:
    return join_trees(
        {
            tree: [TreeDocument(*each) for each in sorted(readings.items())]
            for tree, readings in trees.items()
        }
    )


def _gates(joined: Joined) -> dict[str, list[str]]:
    return {item.path or item.id: [each.path for each in item.gates] for item in joined.items}


@pytest.mark.parametrize(
    "text",
    [
        "1.3",
        "Story 1.3",
        "1-3-login-flow",
        "1.3.login-flow",
        "1.3.login-flow.md",
        "docs/stories/1.3.login-flow.md",
        "./stories/1.3.login-flow.md",
        "story-1.3-login-flow",
        "login-flow",
        "Login flow",
    ],
)
def test_text_of_a_gate_names_a_story_by_id_key_slug_or_path(text: str) -> None:
    readings = {
        "docs/stories/1.3.login-flow.md": story("1.3"),
        "docs/stories/1.4.mail.md": story("1.4"),
        "qa/gates/auth.yml": gate("PASS", story=text),
    }
    joined = _join({"": readings})[""]
    assert _gates(joined)["docs/stories/1.3.login-flow.md"] == ["qa/gates/auth.yml"]
    assert joined.gates_without_story == []


def test_text_of_a_gate_names_a_key_without_a_file() -> None:
    joined = _join(
        {"": {"g.yml": gate("PASS", story="1-3-login"), "s": sprint({"1-3-login": "done"})}}
    )
    assert _gates(joined[""]) == {"1.3": ["g.yml"]}


def test_path_or_slug_in_the_text_tells_files_of_one_id_apart() -> None:
    readings = {
        "s/1.2.b-again.md": story("1.2"),
        "s/1.2.b.md": story("1.2"),
        "g/1.2.yml": gate("PASS", "1.2", story="s/1.2.b.md"),
        "g/1.2-x.yml": gate("PASS", "1.2", story="1-2-b"),
        "g/1.2-b-again.yml": gate("PASS", "1.2"),
    }
    assert _gates(_join({"": readings})[""]) == {
        "s/1.2.b-again.md": ["g/1.2-b-again.yml"],
        "s/1.2.b.md": ["g/1.2.yml", "g/1.2-x.yml"],
    }


def test_path_in_the_text_tells_files_of_one_name_apart() -> None:
    readings = {
        "s/a/1.2.md": story("1.2"),
        "s/b/1.2.md": story("1.2"),
        "g/x.yml": gate("PASS", story="s/b/1.2.md"),
        "g/y.yml": gate("PASS", story="s/a/1.2.md"),
    }
    assert _gates(_join({"": readings})[""]) == {
        "s/a/1.2.md": ["g/y.yml"],
        "s/b/1.2.md": ["g/x.yml"],
    }


def test_number_that_lost_its_zero_names_no_story() -> None:
    joined = _join(
        {"": {"s/2.1.a.md": story("2.1"), "g/2.10-b.yml": gate("PASS", "2.10", story="2.1")}}
    )
    assert [found.path for found in joined[""].gates_without_story] == ["g/2.10-b.yml"]


def test_slug_that_several_stories_have_names_none() -> None:
    joined = _join(
        {
            "": {
                "s/1.1.setup.md": story("1.1"),
                "s/2.1.setup.md": story("2.1"),
                "archive/1.0.mail.md": story("1.0"),
                "s/2.2.mail.md": story("2.2"),
                "g/setup.yml": gate("PASS"),
                "g/mail.yml": gate("PASS"),
            }
        }
    )[""]
    assert [found.path for found in joined.gates_without_story] == ["g/setup.yml"]
    assert _gates(joined)["s/2.2.mail.md"] == ["g/mail.yml"]


def test_slug_is_of_an_archived_story_where_no_other_has_it() -> None:
    joined = _join({"": {"archive/1.0.mail.md": story("1.0"), "g/mail.yml": gate("PASS")}})[""]
    assert _gates(joined) == {"archive/1.0.mail.md": ["g/mail.yml"]}


def test_gate_counts_if_it_is_not_archived() -> None:
    readings = {
        "s/1.1.a.md": story("1.1"),
        "g/1.1-a.yml": gate("PASS", "1.1"),
        "g/archive/1.1-a.yml": gate("FAIL", "1.1", updated="2026-09-01"),
    }
    [item] = _join({"": readings})[""].items
    assert [found.gate["decision"] for found in item.gates] == ["PASS", "FAIL"]


def test_newer_gate_is_told_by_its_moment() -> None:
    readings = {
        "s/1.1.a.md": story("1.1"),
        "g/1.1-a.yml": gate("FAIL", "1.1", updated="2026-01-02T01:00:00+09:00"),
        "g/1.1-b.yml": gate("PASS", "1.1", updated="2026-01-01T20:00:00Z"),
        "g/1.1-c.yml": gate("WAIVED", "1.1", updated="yesterday"),
    }
    [item] = _join({"": readings})[""].items
    assert [found.gate["decision"] for found in item.gates] == ["PASS", "FAIL", "WAIVED"]


@pytest.mark.parametrize(
    "text", ["", "9", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
def test_any_text_has_a_moment(text: str) -> None:
    assert moment_of(text) < moment_of("9999-12-31T23:59:59-23:00")


def test_days_and_odd_times_have_a_moment() -> None:
    assert moment_of("2026-01-01") == moment_of("2026-01-01 at noon") == moment_of("20260101")
    assert moment_of("2026-01-01 10:00") == moment_of("2026-01-01T11:00+01:00")


def test_gate_in_a_tree_without_stories_is_of_the_only_story_below_it() -> None:
    joined = _join(
        {
            "": {"docs/qa/gates/1.1.yml": gate("PASS", "1.1")},
            "backend": {"backend/docs/stories/1.1.a.md": story("1.1")},
        }
    )
    assert _gates(joined["backend"]) == {"backend/docs/stories/1.1.a.md": ["docs/qa/gates/1.1.yml"]}
    assert joined[""].gates_without_story == []


def test_gate_in_a_tree_without_stories_is_of_none_beside_that_tree() -> None:
    joined = _join(
        {
            "api": {"api/gates/1.1.yml": gate("PASS", "1.1")},
            "web": {"web/stories/1.1.a.md": story("1.1")},
        }
    )
    assert [each.path for each in joined["api"].gates_without_story] == ["api/gates/1.1.yml"]


def test_gate_of_another_tree_needs_the_id_and_the_slug_or_the_path() -> None:
    joined = _join(
        {
            "api": {
                "api/stories/1.1.a.md": story("1.1"),
                "api/gates/2.1-b.yml": gate("PASS", "2.1"),
                "api/gates/2.1-other.yml": gate("PASS", "2.1"),
                "api/gates/x.yml": gate("PASS", story="web/stories/2.1.b.md"),
            },
            "web": {"web/stories/2.1.b.md": story("2.1")},
        }
    )
    assert sorted(_gates(joined["web"])["web/stories/2.1.b.md"]) == [
        "api/gates/2.1-b.yml",
        "api/gates/x.yml",
    ]
    assert [each.path for each in joined["api"].gates_without_story] == ["api/gates/2.1-other.yml"]


def test_gate_whose_id_two_trees_have_is_of_none() -> None:
    joined = _join(
        {
            "": {"qa/gates/1.1-a.yml": gate("PASS", "1.1")},
            "api": {"api/stories/1.1.a.md": story("1.1")},
            "web": {"web/stories/1.1.a.md": story("1.1")},
        }
    )
    assert [each.path for each in joined[""].gates_without_story] == ["qa/gates/1.1-a.yml"]


@pytest.mark.parametrize("number", [1, 10])
def test_gates_take_linear_time(number: int) -> None:
    count = 300 * number
    trees: dict[str, dict[str, Reading]] = {}
    for each in range(count):
        trees[f"t{each}"] = {
            f"t{each}/g/1.1-x.yml": gate("PASS", "1.1"),
            f"t{each}/g/2.{each}-x.yml": gate("PASS", f"2.{each}"),
        }
    trees["s"] = {f"s/2.{each}.x.md": story(f"2.{each}") for each in range(count)}
    trees["s"] |= {f"g/{each}.yml": gate("PASS", "2.1", story="x") for each in range(count)}
    started = time.process_time()
    joined = _join(trees)
    assert time.process_time() - started < 0.001 * count + 0.2
    assert sum(len(item.gates) for item in joined["s"].items) == 2 * count
