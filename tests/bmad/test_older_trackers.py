"""Which trackers are no longer kept."""

from __future__ import annotations

import pytest

from service.bmad.older_trackers import find_older_trackers, sort_trackers


@pytest.mark.parametrize(
    "path",
    [
        "docs/archive/sprint-status.yaml",
        "old/docs/sprint-status.yaml",
        "docs/sprint-status-backup.yaml",
        "docs/sprint-status.yaml.old.yaml",
        "docs/sprint_status_old.yaml",
        "docs/sprint-status copy.yaml",
        "docs/sprint-status-archived-2026-01-01.yml",
    ],
)
def test_archived_trackers_and_backups_are_older_ones_even_alone(path: str) -> None:
    assert find_older_trackers({path: ["1-1-a"]}) == {path}


@pytest.mark.parametrize(
    "path",
    [
        "sprint-status.yaml",
        "docs/sprint-status.yaml",
        "docs/sprint-status-team-a.yaml",
        "docs/sprint-status-2026-01-01.yaml",
        "docs/sprint-status-golden.yaml",
        "docs/sprint-status-completed.yaml",
    ],
)
def test_tracker_alone_is_kept_whatever_its_date(path: str) -> None:
    assert find_older_trackers({path: ["1-1-a"]}) == set()


def test_dated_tracker_beside_one_without_a_date_is_older() -> None:
    paths = (
        "a/sprint-status.yaml", "a/sprint-status-2026-01-01.yaml", "b/sprint-status-20260101.yaml"
    )  # fmt: skip
    assert find_older_trackers({path: ["1-1-a"] for path in paths}) == {
        "a/sprint-status-2026-01-01.yaml"
    }


def test_of_dated_trackers_the_newest_is_kept() -> None:
    paths = ("sprint-status-20260101.yaml", "sprint-status_2026-02-01_0900.yaml")
    assert find_older_trackers({path: ["1-1-a"] for path in paths}) == {
        "sprint-status-20260101.yaml"
    }


def test_dates_of_trackers_with_other_names_are_not_compared() -> None:
    paths = ["sprint-status-web-2026-01-01.yaml", "sprint-status-api-2026-02-01.yaml"]
    assert find_older_trackers({path: ["1-1-a"] for path in paths}) == set()


@pytest.mark.parametrize(
    ("keys", "is_older"),
    [
        (["1-1-a", "1-2-b", "1-3-c"], True),
        (["1-1-a", "1-2-b", "9-1-z"], True),
        (["1-1-a", "9-1-z"], False),
        (["9-1-z"], False),
        ([], False),
    ],
)
def test_dated_tracker_is_older_if_the_newer_one_has_most_of_its_keys(
    keys: list[str], is_older: bool
) -> None:
    dated = "sprint-status-2026-01-01.yaml"
    newer = ["1-1-a", "1-2-b", "1-3-c", "1-4-d"]
    trackers = {dated: keys, "sprint-status.yaml": newer}
    assert find_older_trackers(trackers) == ({dated} if is_older else set())


def test_trackers_decide_by_path_and_the_highest_number() -> None:
    paths = [
        "_bmad-output/implementation-artifacts/sprint-status.yaml",
        "docs/sprint-artifacts/sprint-status.yaml",
        "docs/sprint-status.yaml",
        "docs/sprint-status-010.yaml",
        "docs/sprint-status-9.yaml",
        "docs/sprint-status-2.yaml",
        "docs/sprint-status-mobile.yaml",
        "sprint-3/sprint-status.yaml",
        "sprint-2/sprint-status-4.yaml",
        "sprint-2/sprint-status-3.yaml",
        "sprint-status.yaml",
    ]
    assert sort_trackers(reversed(paths)) == paths
    assert sort_trackers(sorted(paths)) == paths
