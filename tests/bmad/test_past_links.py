"""The burn-up's last day is the board: both link files, entries and plans by the same rules.

What the history follows through time are numbers of stories, which the board has not: which story
it is that a renamed file continues changes no status and no count.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.bmad.key_files import MAX_SHARED
from service.bmad.past_facts import Fact, facts_of, may_be_work
from service.bmad.past_links import Links
from service.bmad.past_record import (
    PastCommit,
    PastVersion,
    Record,
    compare_commits,
    extend_record,
)
from service.bmad.past_stories import replay
from service.bmad.past_trees import PastTrees
from service.bmad.trees import find_trees
from tests.bmad.made import board_of, entry, epic, epics, plan, sprint, story, ticket_epic, tickets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.bmad.past_stories import PastStories
    from service.bmad.readings import Reading

NOW: Final = datetime(2027, 1, 1, tzinfo=UTC)
START: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
State = dict[str, "Reading"]


def candidate(id_: str = "", status: str | None = None, **fields: Any) -> Reading:
    reading = story(id_, status, **fields)
    assert "story" in reading
    return {"candidate": reading["story"]}


def play(states: Sequence[Mapping[str, Reading]]) -> PastStories:
    """Return the stories of commits, one a day, after each of which there are these documents."""
    commits: list[PastCommit] = []
    before: Mapping[str, Reading] = {}
    for number, state in enumerate(states):
        versions = [PastVersion(path, None, {}) for path in before if path not in state]
        versions += [
            PastVersion(path, f"{reading}", facts_of(reading))
            for path, reading in state.items()
            if reading != before.get(path)
        ]
        commits.append(PastCommit(f"c{number}", START + timedelta(days=number), versions))
        before = state
    compared = compare_commits(Record([], []), commits, None, is_cut=False, now=NOW)
    return replay(extend_record(compared, {}).added, states[-1], find_trees(states[-1]))


def stories_of_board(state: Mapping[str, Reading]) -> dict[str, tuple[str, bool]]:
    """Return the status of each story by its key, and whether it is in scope."""
    rows = board_of(dict(sorted(state.items())), []).stories
    return {
        row.key: (row.status, not row.is_archived and row.status != "cancelled") for row in rows
    }


def stories_of_past(past: PastStories) -> dict[str, tuple[str, bool]]:
    return {
        each.path or "\t".join(each.trackers[0]): (each.status, each.is_counted)
        for each in past.stories
        if each.status is not None
    }


def check(*states: Mapping[str, Reading]) -> dict[str, tuple[str, bool]]:
    """Compare the board and the history after the last commit, and return the stories."""
    past = play(states)
    board = stories_of_board(states[-1])
    assert stories_of_past(past) == board
    counted = [status for status, is_counted in board.values() if is_counted]
    assert past.days[-1][1:] == (len(counted), counted.count("done"))
    return board


OUT: Final = "_bmad-output/implementation-artifacts"
SHAPES: Final[dict[str, State]] = {
    "v4": {
        "docs/stories/1.1.login.md": story("1.1", "done"),
        "docs/stories/1.2.logout.md": story("1.2"),
        "docs/stories/archive/1.1.old.md": story("1.1", "done"),
        "docs/epics.md": epics(epic("1")),
    },
    "v6": {
        f"{OUT}/1-1-login.md": story("1.1", "in progress"),
        f"{OUT}/1-2-other-name.md": story("1.2"),
        f"{OUT}/reset.md": story("", "done"),
        f"{OUT}/1-4-notes.md": candidate("1.4"),
        f"{OUT}/1-5-nobody.md": candidate("1.5", "done"),
        f"{OUT}/sprint-status.yaml": sprint(
            {
                "1-1-login": "done",
                "1-2-logout": "review",
                "1-3-reset": "draft",
                "1-4-notes": "done",
                "2-1-later": "backlog",
                "2-2-never": "cancelled",
            }
        ),
    },
    "files of one number, and one of one slug": {
        "s/1.1.a.md": story("1.1"),
        "s/1.1.b.md": story("1.1", "done"),
        "s/2.1.setup.md": story("2.1"),
        "s/2.2.setup.md": story("2.2"),
        "s/sprint-status.yaml": sprint(
            {"1-1-c": "review", "1-1-b": "draft", "2-2-setup": "done", "3-1-setup": "review"}
        ),
    },
    "two trackers of a tree": {
        "docs/sprint-status.yaml": sprint({"1-1-a": "done", "1-2-b": "done", "1-3-c": "review"}),
        f"{OUT}/sprint-status.yaml": sprint({"1-1-a": "review", "1-2-b": "draft"}),
        "docs/stories/1.2.b.md": story("1.2"),
    },
    "trackers with numbers": {
        "docs/sprint-status-9.yaml": sprint({"1-1-a": "done", "1-2-b": "done"}),
        "docs/sprint-status-10.yaml": sprint({"1-1-a": "review", "1-2-b": "draft"}),
        "docs/stories/1.2.b.md": story("1.2"),
    },
    "an archived tracker": {
        "docs/old/sprint-status.yaml": sprint({"1-1-a": "done", "1-2-b": "done", "1-3-c": "done"}),
        "docs/done/sprint-status.yaml": sprint({"1-2-b": "review"}),
        "docs/stories/1.1.a.md": story("1.1"),
    },
    "an archived file with a key": {
        "docs/stories/completed/1-1-a.md": story("1.1"),
        "docs/sprint-status.yaml": sprint({"1-1-a": "done", "1-2-b": "done"}),
    },
    "6.11 specs": {
        f"{OUT}/spec-1-2-sign-in.md": story("1.2", "in-review"),
        f"{OUT}/spec-1-2-sign-in-with-mail.md": story("", "done"),
        f"{OUT}/spec-1-3-candidate.md": candidate("", "done"),
        f"{OUT}/sprint-status.yaml": sprint({"1-2-sign": "done", "1-3": "backlog"}),
        "specs/spec-pay/stories.yaml": tickets(entry("1", "Card"), entry("2", "Cash")),
        "specs/spec-pay/stories/1-card.md": story("1", "done"),
        "specs/spec-pay/stories/3-more.md": story("3"),
        "specs/spec-pay/3-more-plan.md": plan("3", "done"),
    },
    "v7": {
        "out/shop/tickets.toml": tickets(epics=[ticket_epic("4", "pay")]),
        "out/shop/pay/tickets.toml": tickets(
            entry("1", "By card"),
            entry("2", "By cash", slug="cash"),
            entry("3", "Reset", kind="spike"),
            entry("", "No id"),
            entry("3", "The same id"),
            entry("5", "In a plan"),
        ),
        "out/shop/pay/story-by-card.md": story(),
        "out/shop/pay/story-by-card-plan.md": plan("4.1", "built"),
        "out/shop/pay/story-cash.md": story("", "done"),
        "out/shop/pay/story-cash-plan.md": plan("2"),
        "out/shop/pay/spike-else.md": story("", None, ticket="3"),
        "out/shop/pay/story-in-a-plan-plan.md": plan("5", "dropped"),
        "out/shop/pay/lost-plan.md": plan("9", "done"),
        "out/backlog/bug-crash.md": story(kind="bug"),
        "out/backlog/bug-crash-plan.md": plan("bug-crash", "done"),
        "out/backlog/bug-crash-2-plan.md": plan("bug-crash", "in-progress"),
    },
    "a monorepo": {
        "docs/sprint-status.yaml": sprint({"1-1-logout": "done", "5-1-x": "draft"}),
        "apps/web/docs/stories/1.1.login.md": story("1.1"),
        "apps/web/docs/epics.md": epics(epic("1")),
        "apps/api/docs/stories/3.1.a.md": story("3.1"),
        "apps/api/docs/stories/3.2.b.md": story("3.2"),
        "apps/app/docs/stories/3.1.c.md": story("3.1"),
        "apps/app/docs/sprint-status.yaml": sprint({"3-1-a": "done", "5-1-x": "done"}),
        "tracking/sprint-status.yaml": sprint({"3-2-b": "done"}),
        "lib/docs/stories/5.1.y.md": story("5.1"),
    },
    "trackers of sprints, and copies": {
        "docs/sprint-status-2026-01-06.yaml": sprint({"1-1-a": "done", "1-2-b": "done"}),
        "docs/sprint-status-2026-01-20.yaml": sprint({"2-1-c": "draft", "2-2-d": "review"}),
        "docs/sprint-status-2026-01-27.yaml": sprint({"2-1-c": "done", "2-2-d": "done"}),
        "docs/sprint-status-completed.yaml": sprint({"3-1-e": "done"}),
        "docs/stories/2-1-c.md": story("2.1"),
    },
    "an epics folder": {
        "docs/epics/epic-01/01-a.md": story("1.1", "done"),
        "docs/epics/epic-01/02-b.md": story("1.2"),
        "docs/epics/epic-01/epic-1.md": epics(epic("1")),
        "docs/sprint-status.yaml": sprint({"epic-1-s02": "review", "1-1": "draft"}),
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_last_day_of_the_burn_up_is_the_board(shape: str) -> None:
    state = SHAPES[shape]
    assert check(state)
    # In any order of commits, with the trackers first or last, and after all was deleted.
    for paths in (
        sorted(state),
        sorted(state, reverse=True),
        sorted(state, key=lambda path: path[::-1]),
    ):
        states = [{path: state[path] for path in paths[: end + 1]} for end in range(len(paths))]
        for end in range(len(states)):
            check(*states[: end + 1])
        check(*states, {}, state)
        check(*states, *reversed(states))


def test_paths_of_the_shapes_are_read_from_the_history() -> None:
    paths = [path for state in SHAPES.values() for path in state]
    assert {path for path in paths if not may_be_work(path)} == {
        "docs/epics.md",
        "apps/web/docs/epics.md",
    }


WORDS: Final = ("draft", "done", "cancelled", "review", "wondrous", None)
SLUGS: Final = ("a", "setup", "sign-in", "sign-in-with-mail", "")
WORK: Final = ("out/shop/", "out/shop/pay/", "specs/spec-pay/", "out/shop/backlog/")
PRODUCTS: Final = ("", "", "apps/web/", "apps/api/")
FOLDERS: Final = (
    "docs/stories/",
    "docs/stories/done/",
    "docs/stories/old/",
    f"{OUT}/",
    "docs/epics/epic-1/",
)


def random_document(random: Random) -> tuple[str, Reading]:
    """Return a document of one of the layouts, and its path."""
    product, slug = random.choice(PRODUCTS), random.choice(SLUGS)
    epic_number, number = random.choice(("1", "2", "E1")), random.choice(("1", "2", "10"))
    status = random.choice(WORDS)
    id_ = random.choice((f"{epic_number}.{number}", f"{epic_number}.{number}", "", "1.1"))
    key = f"{epic_number}-{number}-{slug}".strip("-").lower()
    shape = random.randrange(12)
    if shape < 5:
        name = random.choice(
            (
                key,
                f"{epic_number}.{number}.{slug}",
                f"story-{slug}",
                f"spec-{key}",
                f"spec-{key}-long",
            )
        )
        make = random.choice((story, story, story, candidate))
        return f"{product}{random.choice(FOLDERS)}{name}.md", make(id_, status)
    if shape < 7:
        keys = {
            f"{random.choice('12')}-{random.choice(('1', '2', '10'))}-{random.choice(SLUGS)}".strip(
                "-"
            ): word
            for word in random.choices(WORDS[:5], k=random.randrange(6))
        }
        folder = random.choice(("docs/", f"{OUT}/", "docs/archive/", "tracking/", ""))
        date = random.choice(("", "", "-2026-01-01", "-2026-02-01"))
        return f"{product}{folder}sprint-status{date}.yaml", sprint(
            {key: str(word) for key, word in keys.items()}
        )
    if shape == 7:
        return f"{product}docs/epics.md", epics(epic(epic_number))
    folder = product + random.choice(WORK)
    if shape == 8:
        ids = (
            *("1", "2", "3", ""),
            *(("a", "sign", "sign-in", "1-a") if "specs" in folder else ()),
        )
        entries = [
            entry(
                random.choice(ids),
                random.choice(("A", "Setup", "Sign in")),
                kind=random.choice(("story", "bug")),
            )
            for _ in range(random.randrange(4))
        ]
        made = [ticket_epic(random.choice("45"), "pay")] if random.random() < 0.5 else []
        is_spec = "specs" in folder
        name = "stories.yaml" if is_spec else "tickets.toml"
        return f"{folder}{name}", tickets(*entries, epics=[] if is_spec else made)
    slug = random.choice(("a", "setup", "sign-in"))
    kind = random.choice(("story", "bug"))
    if shape < 11:
        ticket = random.choice((None, None, "1", "2"))
        in_spec = random.choice((f"{number}-{slug}", slug, f"{slug}-by-mail"))
        name = f"{kind}-{slug}" if "specs" not in folder else f"stories/{in_spec}"
        make = random.choice((story, story, candidate))
        return f"{folder}{name}.md", make(random.choice(("", number)), status, ticket=ticket)
    ticket = random.choice(("1", "2", "4.1", f"{kind}-{slug}"))
    return f"{folder}{kind}-{slug}-plan.md", plan(ticket, status)


def random_states(random: Random) -> list[State]:
    states: list[State] = []
    state: State = {}
    for _ in range(random.randrange(1, 8)):
        state = dict(state)
        for _ in range(random.randrange(1, 6)):
            path, reading = random_document(random)
            state[path] = reading
        for path in [path for path in state if random.random() < 0.15]:
            reading = state.pop(path)
            if random.random() < 0.5 and path.endswith(".md"):  # renamed
                state[path.replace("docs/stories/", "docs/stories/done/")] = reading
        states.append(state)
    return states


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32))
def test_last_day_of_any_history_is_the_board(seed: int) -> None:
    check(*random_states(Random(seed)))


def test_what_too_many_files_have_says_nothing_of_any() -> None:
    state: State = {f"docs/stories/{n}/1.1.md": story("1.1") for n in range(MAX_SHARED + 1)}
    state["docs/sprint-status.yaml"] = sprint({"1-1-a": "done"})
    assert "docs/sprint-status.yaml\t1-1-a" in check({}, state)
    fewer = {path: reading for path, reading in state.items() if "/7/" not in path}
    assert check(state, fewer)["docs/stories/0/1.1.md"] == ("done", True)
    check(fewer, state)


def test_a_change_looks_only_at_what_it_may_link() -> None:
    links = Links(PastTrees(Record([], []), {}, {}))
    for number in range(200):
        links.put(
            (f"docs/stories/{number}.1.s{number}.md", ""),
            Fact("story", None, f"{number}.1", str(number), "1"),
        )
        links.put(("docs/sprint-status.yaml", f"{number}-1-s{number}"), Fact("key", "draft"))
    links.update()
    before = links.steps
    links.put(("docs/sprint-status.yaml", "7-1-s7"), Fact("key", "done"))
    assert links.update().gone == set()
    links.put(("docs/stories/7.1.s7.md", ""), None)
    links.update()
    assert links.steps - before < 10
