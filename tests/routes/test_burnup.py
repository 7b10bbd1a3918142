"""The burn-up of a project: as JSON, as CSV and as a chart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from service.drawing.burnup import BURNUP_POLICY
from tests.support.board import Board, read
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    import httpx


pytestmark = pytest.mark.usefixtures("one_day")

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"


def _day(days_ago: int) -> str:
    return str(datetime.now(UTC).date() - timedelta(days=days_ago))


def test_days_of_all_sources_are_added(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project()
    first, second = board.add_source(project, "B"), board.add_source(project, "A")
    first.add_day(9, 3, 0)
    first.add_day(5, 4, 2)
    second.add_day(7, 2, 1)
    second.add_day(5, 0, 0)  # as where all was removed
    other = board.add_source(board.add_project("Other"))
    other.add_day(8, 100, 100)
    found = read(client, f"/api/projects/{project}/burnup")
    assert found["days"] == [
        {"date": _day(9), "scope": 3, "done": 0},
        {"date": _day(7), "scope": 5, "done": 1},
        {"date": _day(5), "scope": 4, "done": 2},
        {"date": _day(0), "scope": 4, "done": 2},
    ]


def test_sources_say_how_much_of_their_history_was_read(
    client: httpx.Client, database: str
) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    board.execute(
        "insert into work_history (project_doc_id, github_url, facts_version, head, commits, "
        "is_cut, is_partial, note, skipped) values (%s, '', 1, '', 50, true, true, 'No.', 0)",
        work.source,
    )
    assert read(client, f"/api/projects/{work.project}/burnup") == {
        "days": [],
        "sources": [{"source": work.named, "is_cut": True, "note": "No."}],
    }


@pytest.mark.parametrize("by_suffix", [True, False])
def test_burn_up_is_csv_and_a_chart_too(
    client: httpx.Client, database: str, *, by_suffix: bool
) -> None:
    board = Board(database)
    work = board.add_source(board.add_project("<Payments>"))
    work.add_day(3, 5, 2)
    path = f"/api/projects/{work.project}/burnup"
    csv, svg = (
        client.get(f"{path}.{suffix}") if by_suffix else client.get(path, headers={"Accept": name})
        for suffix, name in (("csv", "text/csv"), ("svg", "image/svg+xml"))
    )
    assert csv.headers["content-type"].startswith("text/csv; header=present")
    assert csv.text == f"date,scope,done\r\n{_day(3)},5,2\r\n{_day(0)},5,2\r\n"
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert svg.headers["content-security-policy"] == BURNUP_POLICY
    assert "&lt;Payments&gt;: burn-up" in svg.text
    for response in (csv, svg):
        assert response.headers["cache-control"] == "no-cache"
        tag = {"If-None-Match": response.headers["etag"], "Accept": csv.headers["content-type"]}
        assert client.get(f"{path}.csv", headers=tag).status_code == (
            304 if response is csv else 200
        )


@pytest.mark.parametrize("suffix", ["", ".csv", ".svg"])
def test_burn_up_of_an_unknown_project_is_a_404(client: httpx.Client, suffix: str) -> None:
    problem = assert_problem(client.get(f"/api/projects/{UNKNOWN}/burnup{suffix}"), 404)
    assert problem["detail"] == "There is no such project."
