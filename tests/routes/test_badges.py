"""GET /api/projects/{id}/badge.svg."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from service.database.database import CANCEL_SECONDS
from service.routes.badges import BADGE_SECONDS
from tests.support.board import Board, Work, gate
from tests.support.problems import assert_problem
from tests.support.service import json_log, serving
from tests.support.waiting import within

if TYPE_CHECKING:
    import httpx

    from tests.support.postgres import Postgres

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"
GREY = "#a4a4a4"
BRIGHTGREEN, GREEN, YELLOW, ORANGE = "#44cc11", "#97ca00", "#dfb317", "#fe7d37"
RED, BLUE = "#c2301c", "#0a69ad"
COLORS = {GREY, BRIGHTGREEN, GREEN, YELLOW, ORANGE, RED, BLUE}


@pytest.fixture
def work(database: str) -> Work:
    """The work of a project's only source."""
    board = Board(database)
    return board.add_source(board.add_project())


def badge_of(work: Work) -> str:
    return f"/api/projects/{work.project}/badge.svg"


def show(client: httpx.Client, work: Work, metric: str) -> tuple[str, str]:
    """Return the text of a badge, and its colour."""
    response = client.get(badge_of(work), params={"metric": metric})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/svg+xml"
    [title] = re.findall("<title>(.*)</title>", response.text)
    [color] = COLORS & set(re.findall('fill="(#[0-9a-f]+)"', response.text))
    return title, color


def add_stories(work: Work, *statuses: str) -> None:
    for status in statuses:
        work.add_story("1.1", status=status)
    work.add_story("1.1", status="done", archived=True)
    work.count()


@pytest.mark.parametrize(
    ("statuses", "done", "stories"),
    [
        (["done"], ("100%", BRIGHTGREEN), ("1 of 1 done", BRIGHTGREEN)),
        (["done", "cancelled"], ("100%", BRIGHTGREEN), ("1 of 1 done", BRIGHTGREEN)),
        (["done"] * 199 + ["draft"], ("99%", GREEN), ("199 of 200 done", BLUE)),
        (["done", "draft"], ("50%", YELLOW), ("1 of 2 done", BLUE)),
        (["draft", "unknown", "review"], ("0%", ORANGE), ("0 of 3 done", BLUE)),
        (["cancelled"], ("no stories", GREY), ("no stories", GREY)),
        ([], ("no stories", GREY), ("no stories", GREY)),
    ],
)
def test_a_badge_shows_how_many_stories_are_done(
    client: httpx.Client,
    work: Work,
    statuses: list[str],
    done: tuple[str, str],
    stories: tuple[str, str],
) -> None:
    add_stories(work, *statuses)
    assert show(client, work, "done") == (f"stories done: {done[0]}", done[1])
    assert show(client, work, "stories") == (f"stories: {stories[0]}", stories[1])


@pytest.mark.parametrize(
    ("severities", "shown"),
    [
        (["info", "warning", "error", "error"], ("problems: 2 errors", RED)),
        (["error"], ("problems: 1 error", RED)),
        (["info", "warning"], ("problems: 1 warning", YELLOW)),
        (["info", "info"], ("problems: 2 info", GREEN)),
        ([], ("problems: none", BRIGHTGREEN)),
    ],
)
def test_a_badge_shows_the_most_severe_problems(
    client: httpx.Client, work: Work, severities: list[str], shown: tuple[str, str]
) -> None:
    for severity in severities:
        work.add_problem(severity)
    work.count()
    assert show(client, work, "problems") == shown


def test_a_problem_is_counted_from_its_day_on(client: httpx.Client, work: Work) -> None:
    for days in (-1, 0, 1):
        work.add_problem(days=days)
    work.count()
    assert show(client, work, "problems") == ("problems: 2 warnings", YELLOW)


@pytest.mark.parametrize(
    ("decisions", "shown"),
    [
        (["PASS", "FAIL", "CONCERNS", "WAIVED"], ("FAIL", RED)),
        (["PASS", "WAIVED", "CONCERNS"], ("CONCERNS", YELLOW)),
        (["WAIVED", "PASS"], ("WAIVED", BLUE)),
        (["PASS", None], ("PASS", BRIGHTGREEN)),
        ([None], ("no gate", GREY)),
        ([], ("no gate", GREY)),
    ],
)
def test_a_badge_shows_the_worst_decision_of_the_gates(
    client: httpx.Client, work: Work, decisions: list[str | None], shown: tuple[str, str]
) -> None:
    for decision in decisions:
        work.add_story("1.1", gate=gate(decision))
    work.add_story("1.2")
    work.add_story("1.3", gate=gate("FAIL"), archived=True)
    work.count()
    assert show(client, work, "gate") == (f"QA gate: {shown[0]}", shown[1])


def test_a_badge_is_of_all_sources(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project()
    first, second = board.add_source(project), board.add_source(project)
    for work, status in ((first, "done"), (second, "draft")):
        work.add_story("1.1", status=status, gate=gate("FAIL" if work is second else "PASS"))
        work.count()
    board.add_source(project)  # never synced
    assert show(client, first, "done")[0] == "stories done: 50%"
    assert show(client, first, "gate")[0] == "QA gate: FAIL"
    second.delete_source()
    assert show(client, first, "done")[0] == "stories done: 100%"
    assert show(client, first, "gate")[0] == "QA gate: PASS"


@pytest.mark.parametrize("metric", ["done", "stories", "problems", "gate"])
def test_the_badge_of_what_was_not_synced_is_grey(
    client: httpx.Client, work: Work, metric: str
) -> None:
    title, color = show(client, work, metric)
    assert title.endswith(": not synced")
    assert color == GREY


@pytest.mark.parametrize("metric", ["", "x", "<b>", "\0", "Done"])
def test_the_badge_of_an_unknown_metric_is_grey(
    client: httpx.Client, work: Work, metric: str
) -> None:
    assert show(client, work, metric) == ("BMADFlow: unknown metric", GREY)
    assert client.get(f"{badge_of(work)}?metric=%ff").status_code == 200


def test_the_metric_is_done_if_none_is_given(client: httpx.Client, work: Work) -> None:
    add_stories(work, "done")
    assert "stories done: 100%" in client.get(badge_of(work)).text


def test_a_badge_that_the_client_has_is_a_304(client: httpx.Client, work: Work) -> None:
    add_stories(work, "done", "draft")
    response = client.get(badge_of(work))
    assert response.headers["cache-control"] == "no-cache"
    tag = response.headers["etag"]
    same = client.get(badge_of(work), headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert same.headers["cache-control"] == "no-cache"
    work.board.execute("update source_progress set stories = '{}'")
    changed = client.get(badge_of(work), headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_the_badge_of_an_unknown_project_is_a_404(client: httpx.Client) -> None:
    for metric in ("done", "gate", "x"):
        path = f"/api/projects/{UNKNOWN}/badge.svg?metric={metric}"
        assert_problem(client.get(path), 404)
    assert_problem(client.get("/api/projects/x/badge.svg"), 400)


def test_the_badge_is_grey_while_the_database_is_away(own_postgres: Postgres) -> None:
    board = Board(own_postgres.url)
    work = board.add_source(board.add_project())
    add_stories(work, "done")
    unavailable = ("BMADFlow: not available", GREY)
    with json_log() as read_log, serving(own_postgres.url) as client:
        shown = ("stories done: 100%", BRIGHTGREEN)
        assert show(client, work, "done") == shown
        own_postgres.stop()
        for metric in ("done", "gate", "x"):
            assert show(client, work, metric) == unavailable
        response = client.get(badge_of(work))
        assert response.headers["cache-control"] == "no-cache"
        assert_problem(client.get("/api/projects/x/badge.svg"), 400)
        assert_problem(client.get(f"/api/projects/{work.project}/progress"), 503)
        own_postgres.start()
        assert show(client, work, "done") == shown
        assert_problem(client.get(f"/api/projects/{UNKNOWN}/badge.svg"), 404)
    entries = [json.loads(line) for line in read_log().splitlines()]
    lost = [entry for entry in entries if entry["message"] == "database_unavailable"]
    assert {(entry["level"], entry["reason"]) for entry in lost} == {("warning", "unreachable")}
    assert len(lost) == 5


def test_a_frozen_database_delays_no_badge_for_long(own_postgres: Postgres) -> None:
    board = Board(own_postgres.url)
    work = board.add_source(board.add_project())
    add_stories(work, "done")
    with serving(own_postgres.url) as client:
        assert show(client, work, "done")[1] == BRIGHTGREEN
        own_postgres.freeze()
        try:
            # The first on the open connection, the second on a new one.
            for _ in range(2):
                with within(2 * BADGE_SECONDS + CANCEL_SECONDS + 1):
                    assert show(client, work, "done") == ("BMADFlow: not available", GREY)
        finally:
            own_postgres.thaw()
