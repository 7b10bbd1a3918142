"""The record of a history, and how a run adds to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.bmad import past_record
from service.bmad.past_facts import Fact, Facts
from service.bmad.past_record import (
    CommitRow,
    FactRow,
    PastCommit,
    PastVersion,
    Record,
    TooManyChangesError,
    compare_commits,
    extend_record,
    join_records,
)

NOW = datetime(2027, 1, 1, tzinfo=UTC)
DRAFT = Fact("story", "draft")
DONE = Fact("story", "done")
EMPTY = Record([], [])


def day(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)


def commit(number: int, *versions: PastVersion, name: str = "c") -> PastCommit:
    """A commit of a day."""
    return PastCommit(f"{name}{number}", day(number), versions)


def version(path: str, fact: Fact, blob_id: str = "1") -> PastVersion:
    return PastVersion(path, blob_id, {"": fact})


def extend(
    record: Record, *commits: PastCommit, base: str | None = None, is_cut: bool = False
) -> Record:
    extension = extend_record(compare_commits(record, commits, base, is_cut=is_cut, now=NOW), {})
    return join_records(record, extension)


def test_only_what_changed_is_recorded() -> None:
    tracker: Facts = {"1-1": Fact("key", "draft"), "1-2": Fact("key", "draft")}
    record = extend(
        EMPTY,
        commit(0, version("a.md", DRAFT), PastVersion("s.yaml", "1", tracker)),
        commit(1, PastVersion("s.yaml", "2", tracker | {"1-2": Fact("key", "done")})),
        commit(2, PastVersion("s.yaml", "3", tracker | {"1-2": Fact("key", "done")})),
        commit(3, PastVersion("s.yaml", None, {}), version("a.md", DRAFT, "2")),
    )
    assert record.commits == [
        CommitRow(0, "c0", day(0), False),
        CommitRow(1, "c1", day(1), False),
        CommitRow(2, "c3", day(3), False),
    ]
    assert record.facts == [
        FactRow(0, "a.md", "", DRAFT, "1"),
        FactRow(0, "s.yaml", "1-1", Fact("key", "draft"), None),
        FactRow(0, "s.yaml", "1-2", Fact("key", "draft"), None),
        FactRow(1, "s.yaml", "1-2", Fact("key", "done"), None),
        FactRow(2, "a.md", "", DRAFT, "2"),
        FactRow(2, "s.yaml", "1-1", None, None),
        FactRow(2, "s.yaml", "1-2", None, None),
    ]


def test_later_commits_are_added_after_the_newest_one_that_was_read() -> None:
    record = extend(EMPTY, commit(0, version("a.md", DRAFT)), commit(1, version("a.md", DONE)))
    again = extend(record, commit(2, version("b.md", DRAFT)), base="c1")
    assert [row.position for row in again.commits] == [0, 1, 2]
    # A commit that changed no story is not in the record.
    assert (
        extend(record, commit(3, version("b.md", DRAFT)), base="unknown").commits[2].position == 2
    )
    assert extend(record, base="c1") == record


def test_a_branch_that_was_set_back_loses_what_came_after() -> None:
    record = extend(
        EMPTY,
        commit(0, version("a.md", DRAFT)),
        commit(1, version("a.md", DONE, "2")),
        commit(2, version("b.md", DRAFT)),
    )
    assert extend(record, base="c1") == Record(record.commits[:2], record.facts[:2])
    forced = extend(record, commit(3, version("c.md", DRAFT), name="d"), base="c0")
    assert [(row.position, row.commit) for row in forced.commits] == [(0, "c0"), (1, "d3")]
    assert [row.path for row in forced.facts] == ["a.md", "c.md"]


def test_another_history_keeps_what_is_older_and_removes_files_that_it_does_not_have() -> None:
    record = extend(
        EMPTY,
        commit(0, version("a.md", DRAFT), version("b.md", DRAFT)),
        commit(1, version("a.md", DONE, "2")),
        commit(5, version("a.md", DRAFT, "3")),
    )
    start = commit(3, version("a.md", DONE, "2"), version("c.md", DRAFT), name="d")
    forced = extend(record, start, is_cut=True)
    assert forced.commits[2] == CommitRow(2, "d3", day(3), True)
    assert forced.facts[3:] == [
        FactRow(2, "b.md", "", None, None),
        FactRow(2, "c.md", "", DRAFT, "1"),
    ]
    # A history that began before the record takes its place.
    older = extend(record, commit(0, version("a.md", DONE), name="d"))
    assert [row.commit for row in older.commits] == ["d0"]


def test_a_version_that_cannot_be_read_changes_nothing() -> None:
    record = extend(
        EMPTY, commit(0, version("a.md", DRAFT)), commit(1, PastVersion("a.md", "2", None))
    )
    assert [row.commit for row in record.commits] == ["c0"]
    unread = commit(5, PastVersion("a.md", "2", None), name="d")
    assert extend(record, unread, is_cut=True).facts == record.facts


def test_dates_never_go_back_and_are_none_of_the_future() -> None:
    commits = [
        commit(3, version("a.md", DRAFT)),
        commit(1, version("a.md", DRAFT, "2")),
        PastCommit("none", None, [version("a.md", DRAFT, "3")]),
        commit(4000, version("a.md", DRAFT, "4")),
        commit(5, version("a.md", DRAFT, "5")),
    ]
    record = extend(EMPTY, *commits)
    assert [row.date for row in record.commits] == [day(3), day(3), day(3), NOW, NOW]
    later = extend(extend(EMPTY, *commits[:1]), *commits[1:], base="c3")
    assert later == record


def test_a_first_commit_without_stories_is_recorded() -> None:
    assert extend(EMPTY, commit(0)).commits == [CommitRow(0, "c0", day(0), False)]
    assert extend(EMPTY) == EMPTY


def test_facts_of_the_stored_documents_come_later_with_the_same_record() -> None:
    old, done = version("a.md", DRAFT), version("a.md", DONE, "2")
    tracker: Facts = {"1-1": Fact("key", "draft"), "1-2": Fact("key", "draft")}
    before = extend(EMPTY, commit(0, old), commit(1, version("b.md", DRAFT)))
    same = PastVersion("c.md", "3", {})
    last = PastVersion("s.yaml", "4", tracker)
    whole = extend(before, commit(2, done), commit(9, same), commit(3, last), base="c1")
    commits = [
        commit(2, done._replace(facts=None, is_current=True)),
        commit(9, same._replace(facts=None, is_current=True)),
        commit(3, last._replace(facts=None, is_current=True)),
    ]
    compared = compare_commits(before, commits, "c1", is_cut=False, now=NOW)
    extension = extend_record(compared, {"a.md": {"": DONE}, "s.yaml": tracker})
    assert join_records(before, extension) == whole
    # The commit that changed no fact has neither a position nor a date.
    assert [(row.position, row.date) for row in whole.commits[2:]] == [(2, day(2)), (3, day(3))]


def test_more_changes_than_a_run_can_record_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_record, "MAX_CHANGED_FACTS", 2)
    commits = [commit(number, version("a.md", DRAFT, str(number))) for number in range(3)]
    assert len(extend(EMPTY, *commits[:2]).facts) == 2
    with pytest.raises(TooManyChangesError, match="more than"):
        extend(EMPTY, *commits)
    current = PastVersion("b.md", "1", None, is_current=True)
    compared = compare_commits(
        EMPTY, [*commits[:2], commit(3, current)], None, is_cut=False, now=NOW
    )
    assert compared.current == {"b.md"}
    with pytest.raises(TooManyChangesError):
        extend_record(compared, {"b.md": {"": DRAFT}})
