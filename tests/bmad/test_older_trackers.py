"""Which trackers are no longer kept."""

from __future__ import annotations

import pytest

from service.bmad.older_trackers import find_older_trackers


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
    assert find_older_trackers([path]) == {path}


@pytest.mark.parametrize(
    "path",
    [
        "sprint-status.yaml",
        "docs/sprint-status.yaml",
        "docs/sprint-status-team-a.yaml",
        "docs/sprint-status-2026-01-01.yaml",
        "docs/sprint-status-golden.yaml",
    ],
)
def test_tracker_alone_is_kept_whatever_its_date(path: str) -> None:
    assert find_older_trackers([path]) == set()


def test_dated_tracker_beside_one_without_a_date_is_older() -> None:
    assert find_older_trackers(
        ["a/sprint-status.yaml", "a/sprint-status-2026-01-01.yaml", "b/sprint-status-20260101.yaml"]
    ) == {"a/sprint-status-2026-01-01.yaml"}


def test_of_dated_trackers_the_newest_is_kept() -> None:
    assert find_older_trackers(
        ["sprint-status-20260101.yaml", "sprint-status_2026-02-01_0900.yaml"]
    ) == {"sprint-status-20260101.yaml"}


def test_dates_of_trackers_with_other_names_are_not_compared() -> None:
    paths = ["sprint-status-web-2026-01-01.yaml", "sprint-status-api-2026-02-01.yaml"]
    assert find_older_trackers(paths) == set()
