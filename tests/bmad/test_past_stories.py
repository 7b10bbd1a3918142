"""The burn-up and the stories of a record."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from service.bmad import past_stories
from service.bmad.past_facts import Fact
from service.bmad.past_record import (
    PastCommit,
    PastVersion,
    Record,
    compare_commits,
    extend_record,
    join_records,
)
from service.bmad.past_stories import PastStories, PastStory, replay

if TYPE_CHECKING:
    import pytest

    from service.bmad.readings import Status

NOW = datetime(2027, 1, 1, tzinfo=UTC)
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
EMPTY = Record([], [])
TRACKER = "_bmad-output/implementation-artifacts/sprint-status.yaml"


def story(
    path: str,
    status: Status | None,
    id_: str = "",
    blob_id: str | None = None,
    ticket: str | None = None,
) -> PastVersion:
    epic, _, number = id_.rpartition(".")
    fact = Fact("story", status, id_ or None, epic or None, number or None, ticket)
    return PastVersion(path, blob_id or f"{path} {status}", {"": fact})


def gone(path: str) -> PastVersion:
    return PastVersion(path, None, {})


def keys(statuses: dict[str, Status], path: str = TRACKER) -> PastVersion:
    facts = {key: Fact("key", status) for key, status in statuses.items()}
    return PastVersion(path, repr(statuses), facts)


def tickets(path: str, slugs: dict[str, str]) -> PastVersion:
    facts = {id_: Fact("entry", None, id_, ticket=f"story-{slug}") for id_, slug in slugs.items()}
    return PastVersion(path, repr(slugs), facts)


def plan(path: str, ticket: str, status: Status | None) -> PastVersion:
    return PastVersion(path, f"{ticket} {status}", {"": Fact("plan", status, ticket=ticket)})


def commits_of(*days: list[PastVersion]) -> list[PastCommit]:
    """A commit on each day, from START on."""
    return [
        PastCommit(f"c{number}", START + timedelta(days=number), versions)
        for number, versions in enumerate(days)
    ]


def record_of(*days: list[PastVersion], is_cut: bool = False) -> Record:
    extension = extend_record(
        compare_commits(EMPTY, commits_of(*days), None, is_cut=is_cut, now=NOW), {}
    )
    return extension.added


def play(*days: list[PastVersion], is_cut: bool = False) -> PastStories:
    return replay(record_of(*days, is_cut=is_cut), {}, {})


def counts(past: PastStories) -> list[tuple[int, int]]:
    return [(day.scope, day.done) for day in past.days]


def statuses_of(*days: list[PastVersion]) -> list[list[Status | None]]:
    """The statuses of all stories after each day."""
    return [[each.status for each in play(*days[: end + 1]).stories] for end in range(len(days))]


def only(past: PastStories) -> PastStory:
    [found] = past.stories
    return found


def test_files_are_counted_day_by_day() -> None:
    days = [
        [story("docs/stories/1.1.a.md", "draft", "1.1")],
        [story("docs/stories/1.2.b.md", None, "1.2"), story("docs/stories/1.3.c.md", "cancelled")],
        [story("docs/stories/1.1.a.md", "done", "1.1")],
        [story("docs/stories/1.1.a.md", "cancelled", "1.1")],
        [gone("docs/stories/1.2.b.md")],
    ]
    past = play(*days)
    assert counts(past) == [(1, 0), (2, 0), (2, 1), (1, 0), (0, 0)]
    assert past.days[0].day == date(2026, 1, 1)
    assert statuses_of(*days) == [
        ["draft"],
        ["draft", "unknown", "cancelled"],
        ["done", "unknown", "cancelled"],
        ["cancelled", "unknown", "cancelled"],
        ["cancelled", None, "cancelled"],
    ]
    first = past.stories[0]
    last = START + timedelta(days=3)
    assert (first.status_since, first.is_since_exact, first.changed_at) == (last, True, last)


def test_the_day_is_that_of_utc() -> None:
    late = datetime(2026, 1, 2, 23, tzinfo=UTC)
    commits = [
        PastCommit("a", late, [story("docs/stories/1.1.md", "draft")]),
        PastCommit("b", late + timedelta(minutes=59), [story("docs/stories/1.2.md", "done")]),
        PastCommit("c", late + timedelta(minutes=60), [story("docs/stories/1.1.md", "done")]),
    ]
    past = replay(
        extend_record(compare_commits(EMPTY, commits, None, is_cut=False, now=NOW), {}).added,
        {},
        {},
    )
    assert [(each.day.day, each.scope, each.done) for each in past.days] == [(2, 2, 1), (3, 2, 2)]


def test_what_the_oldest_commit_of_a_cut_history_has_may_be_older() -> None:
    past = play(
        [story("docs/stories/1.1.md", "draft"), story("docs/stories/1.2.md", "done")],
        [story("docs/stories/1.1.md", "review"), story("docs/stories/1.3.md", "draft")],
        is_cut=True,
    )
    assert counts(past) == [(2, 1), (3, 1)]
    first, second, third = past.stories
    assert first.is_since_exact
    assert (second.is_since_exact, second.changed_at) == (False, None)
    assert (third.is_since_exact, third.changed_at) == (True, START + timedelta(days=1))


def test_a_file_and_its_key_are_one_story() -> None:
    past = play(
        [keys({"1-1-sign-in": "draft", "1-2-sign-out": "draft", "1-3-reset": "draft"})],
        [story("docs/stories/1-1-sign-in.md", "in_progress", "1.1")],
        [story("docs/stories/sign-out.md", None)],
        [story("docs/stories/1.3.story.md", "done", "1.3")],
        [keys({"1-1-sign-in": "done", "1-2-sign-out": "review", "1-3-reset": "draft"})],
    )
    assert counts(past) == [(3, 0), (3, 0), (3, 0), (3, 1), (3, 1)]
    # The file decides, and the tracker where the file says nothing.
    assert [each.status for each in past.stories] == ["in_progress", "review", "done"]
    assert [each.path for each in past.stories] == [
        "docs/stories/1-1-sign-in.md",
        "docs/stories/sign-out.md",
        "docs/stories/1.3.story.md",
    ]
    assert past.stories[1].trackers == [(TRACKER, "1-2-sign-out")]


def test_a_number_gives_two_files_one_key_at_most() -> None:
    past = play(
        [keys({"1-1-sign-in": "done"})],
        [
            story("docs/stories/1.1.old.md", None, "1.1"),
            story("docs/stories/1.1.new.md", None, "1.1"),
        ],
    )
    assert counts(past) == [(1, 1), (2, 1)]
    # A better link goes before: the key's own name.
    past = play(
        [keys({"1-1-sign-in": "done"}), story("docs/stories/1.1.old.md", None, "1.1")],
        [story("docs/stories/1-1-sign-in.md", None, "1.1")],
    )
    assert counts(past) == [(1, 1), (2, 1)]
    assert [(each.path, each.status) for each in past.stories] == [
        ("docs/stories/1.1.old.md", "unknown"),
        ("docs/stories/1-1-sign-in.md", "done"),
    ]


def test_two_projects_of_a_monorepo_do_not_mix() -> None:
    past = play(
        [keys({"1-1-a": "done"}, "apps/one/docs/sprint-status.yaml")],
        [story("apps/two/docs/stories/1-1-a.md", "draft", "1.1")],
    )
    assert counts(past) == [(1, 1), (2, 1)]


def test_keys_survive_a_tracker_that_is_rewritten() -> None:
    days = [
        [keys({"1-1-a": "done", "1-2-b": "review"})],
        [keys({"1-1-a": "done"})],
        [gone(TRACKER)],
        [keys({"1-1-a": "draft", "1-2-b": "review"})],
        # It moves.
        [gone(TRACKER), keys({"1-1-a": "draft", "1-2-b": "done"}, "docs/sprint-status.yaml")],
    ]
    past = play(*days)
    assert counts(past) == [(2, 1), (1, 1), (0, 0), (2, 0), (2, 1)]
    assert statuses_of(*days) == [
        ["done", "review"],
        ["done", None],
        [None, None],
        ["draft", "review"],
        ["draft", "done"],
    ]


def test_a_renamed_file_stays_one_story() -> None:
    for new in (
        story("docs/done/2.1.other.md", "done", "2.1", blob_id="same"),
        story("docs/other/1.1.a.md", "review", "3.1"),
        story("docs/stories/sign-in.md", "review", "1.1"),
    ):
        past = play(
            [story("docs/stories/1.1.a.md", "done", "1.1", blob_id="same")],
            [gone("docs/stories/1.1.a.md"), new],
        )
        assert only(past).path == new.path


def test_all_files_deleted_and_back_again() -> None:
    files = ["docs/stories/1.1.md", "docs/stories/1.2.md"]
    days = [
        [story(files[0], "done", "1.1"), story(files[1], "draft"), keys({"1-1-a": "done"})],
        [*map(gone, files), gone(TRACKER)],
        [story(files[0], "draft", "1.1")],
    ]
    past = play(*days)
    assert counts(past) == [(2, 1), (0, 0), (1, 0)]
    assert statuses_of(*days) == [["done", "draft"], [None, None], ["draft", None]]


def test_archived_stories_do_not_count() -> None:
    old = "docs/stories/archive/1.1.md"
    past = play(
        [story("docs/stories/1.1.md", "done", "1.1", blob_id="1")],
        [gone("docs/stories/1.1.md"), story(old, "done", "1.1", blob_id="1")],
        [keys({"1-1-a": "done"})],
    )
    assert counts(past) == [(1, 1), (0, 0), (0, 0)]
    assert only(past).trackers == [(TRACKER, "1-1-a")]


def test_a_candidate_is_a_story_while_a_key_has_its_name() -> None:
    path = "docs/notes/1-1-a.md"

    def candidate(status: Status) -> PastVersion:
        return PastVersion(path, status, {"": Fact("candidate", status, "1.1", "1", "1")})

    days = [
        [candidate("draft")],
        [candidate("review")],
        [keys({"1-1-a": "done", "1-2-b": "draft"})],
        [candidate("in_progress")],
        [keys({"1-1-a": "done"})],
        [keys({"1-2-b": "draft"})],
        [keys({"1-1-a": "done"})],
    ]
    assert counts(play(*days)) == [(0, 0), (0, 0), (2, 0), (2, 0), (1, 0), (1, 0), (1, 0)]
    assert [each[0] for each in statuses_of(*days)[2:]] == [
        "review",
        "in_progress",
        "in_progress",
        None,
        "in_progress",
    ]
    first = play(*days[:3]).stories[0]
    assert (first.path, first.trackers) == (path, [(TRACKER, "1-1-a")])
    # Its file is older than its entry.
    assert (first.changed_at, first.status_since) == (
        START + timedelta(days=1),
        START + timedelta(days=2),
    )


def test_tickets_are_planned_until_their_plan_says_more() -> None:
    folder = "out/shop/epic-pay"
    days = [
        [tickets(f"{folder}/tickets.toml", {"1": "pay-by-card", "2": "refund", "3": "export"})],
        [
            story(f"{folder}/story-pay-by-card.md", None),
            story(f"{folder}/story-refund.md", "draft"),
        ],
        [plan(f"{folder}/story-pay-by-card-plan.md", "1", "in_progress")],
        [plan(f"{folder}/story-pay-by-card-plan.md", "1", "done")],
        [story(f"{folder}/story-refund.md", "done")],
        [plan(f"{folder}/story-export-plan.md", "3", "cancelled")],
        [gone(f"{folder}/story-pay-by-card-plan.md")],
    ]
    past = play(*days)
    assert counts(past) == [(3, 0), (3, 0), (3, 0), (3, 1), (3, 2), (2, 2), (2, 1)]
    assert statuses_of(*days)[1:] == [
        ["draft", "draft", "draft"],
        ["in_progress", "draft", "draft"],
        ["done", "draft", "draft"],
        ["done", "done", "draft"],
        ["done", "done", "cancelled"],
        ["draft", "done", "cancelled"],
    ]
    assert past.stories[0].path == f"{folder}/story-pay-by-card.md"


def test_a_plan_in_the_backlog_is_for_the_file_beside_it() -> None:
    past = play(
        [story("out/backlog/bug-crash.md", None)],
        [plan("out/backlog/bug-crash-plan.md", "bug-crash", "done")],
    )
    assert counts(past) == [(1, 0), (1, 1)]
    assert only(past).status == "done"


def test_stories_of_a_specification_belong_to_the_entries_beside_their_folder() -> None:
    past = play(
        [tickets("specs/spec-pay/stories.yaml", {"1": "card", "2": "cash"})],
        [story("specs/spec-pay/stories/1-card.md", "done", "1")],
    )
    assert counts(past) == [(2, 0), (2, 1)]


PATHS = [
    "docs/stories/1.1.a.md",
    "docs/stories/1-1-a.md",
    "docs/stories/1.2.md",
    "docs/stories/old/1.1.a.md",
    "out/epic-x/story-a.md",
    "out/epic-x/story-a-plan.md",
    "out/epic-x/tickets.toml",
    TRACKER,
    "docs/sprint-status.yaml",
]
STATUSES: list[Status] = ["draft", "done", "cancelled", "review"]


def random_version(random: Random, path: str) -> PastVersion:
    blob_id = random.choice(["b1", "b2", None])
    if path.endswith(".yaml"):
        named = random.sample(["1-1-a", "1-2-b", "a", "x-1-1-a"], random.randrange(4))
        facts = {key: Fact("key", random.choice(STATUSES)) for key in named}
        return PastVersion(path, blob_id, facts)
    if path.endswith(".toml"):
        numbers = random.sample(["1", "2"], random.randrange(3))
        facts = {id_: Fact("entry", None, id_) for id_ in numbers}
        return PastVersion(path, blob_id, facts)
    fact = Fact(
        random.choice(["plan", "candidate", "story", "story"]),
        random.choice([None, *STATUSES]),
        random.choice([None, "1.1", "1.2"]),
        random.choice([None, "1"]),
        random.choice([None, "1", "2"]),
        random.choice([None, "1", "a"]),
    )
    return PastVersion(path, blob_id, random.choice([None, {}, {"": fact}, {"": fact}]))


def random_commits(random: Random) -> list[PastCommit]:
    return [
        PastCommit(
            f"c{number}",
            random.choice([None, START + timedelta(days=random.randrange(10))]),
            [random_version(random, path) for path in random.sample(PATHS, random.randrange(5))],
        )
        for number in range(random.randrange(1, 12))
    ]


def test_histories_of_too_many_like_stories_have_only_their_last_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(past_stories, "MAX_STEPS", 2)
    days = [[story(f"docs/stories/1.{number}.md", "done")] for number in range(6)]
    assert counts(play(*days)) == [(1, 1), (2, 2), (6, 6)]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_runs_one_by_one_give_what_one_run_gives(seed: int, is_cut: bool) -> None:
    random = Random(seed)
    commits = random_commits(random)
    whole = extend_record(compare_commits(EMPTY, commits, None, is_cut=is_cut, now=NOW), {}).added
    record = EMPTY
    past = PastStories([], [])
    base = None
    ends = sorted({random.randrange(1, len(commits) + 1) for _ in range(4)} | {len(commits)})
    for begin, end in zip([0, *ends], ends, strict=False):
        part = extend_record(
            compare_commits(record, commits[begin:end], base, is_cut=is_cut, now=NOW), {}
        )
        assert part.kept == (record.commits[-1].position if record.commits else -1)
        record = join_records(record, part)
        base = commits[end - 1].id
        before, past = past, replay(record, {}, {})
        # Later commits change nothing of what came out before.
        assert past.days[: max(len(before.days) - 1, 0)] == before.days[:-1]
        assert len(past.stories) >= len(before.stories)
        assert all(0 <= each.done <= each.scope for each in past.days)
    assert record == whole
    assert past == replay(whole, {}, {})
    assert past.days[-1].scope == sum(each.is_counted for each in past.stories)
    assert past.days[-1].done == sum(each.is_done for each in past.stories)


def test_the_last_change_is_that_of_a_file_or_its_plan_or_else_of_an_entry() -> None:
    folder = "out/pay/"
    record = record_of(
        [
            tickets(f"{folder}tickets.toml", {"1": "card"}),
            story(f"{folder}story-card.md", None, ticket="1"),
            keys({"7-1-other": "draft"}),
        ],
        [story(f"{folder}story-card.md", None, blob_id="2", ticket="1")],
        [plan(f"{folder}story-card-plan.md", "1", "draft")],
        [PastVersion(f"{folder}story-card-plan.md", "3", {"": Fact("plan", "draft", ticket="1")})],
        [keys({"7-1-other": "done"})],
    )
    dates = {each.path: each.changed_at for each in replay(record, {}, {}).stories}
    assert dates == {
        f"{folder}story-card.md": START + timedelta(days=3),
        None: START + timedelta(days=4),
    }
