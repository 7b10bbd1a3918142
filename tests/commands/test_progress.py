"""`python -m service progress`, from scripts and on a terminal."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.board import Board, awaited
from tests.support.service import run_command

if TYPE_CHECKING:
    import subprocess


def progress(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command("progress", *arguments, DATABASE_URL=url, PYTHONUTF8="1")


def squeeze(text: str) -> list[str]:
    """Return the lines with two spaces between columns."""
    return [re.sub(" {2,}", "  ", line) for line in text.splitlines()]


def test_all_projects_have_a_line_with_a_bar(database: str) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    for status in ("done", "draft", "cancelled"):
        work.add_story("1.1", status=status)
    work.add_problem("error")
    work.add_problem("warning")
    work.add_problem("info")
    work.count()
    work.add_run("failed", "2026-11-25T03:01:00+00:00")
    board.add_project("New one")
    result = progress(database)
    assert (result.returncode, result.stderr) == (0, "")
    bar = "█" * 10 + "░" * 10
    assert squeeze(result.stdout) == [
        "New one  no stories  none  never synced",
        f"Payments  {bar}  50%  1 of 2  1 error, 1 warning, 1 info  1 of 1 syncs failed",
        "",
        "█ done  ▓ in review  ▒ in progress  ░ other",
    ]


def test_a_project_has_its_epics_what_comes_next_and_its_problems(database: str) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    work.add_epic("1", "Payments")
    work.add_story("1.1", "Limits", "done")
    work.add_story("1.2", "Emails", "in_progress")
    work.add_story("1.3", "Cards", "approved", is_ready=True)
    waits = [awaited("1.2", "Emails", "in_progress")]
    work.add_story("1.4", "Refunds", "draft", waits_for=waits)
    work.add_story("", "Lost", "draft")
    work.add_story("1.5", "Odd", "unknown")
    work.add_problem("info")
    result = progress(database, "Payments")
    assert (result.returncode, result.stderr) == (0, "")
    lines = squeeze(result.stdout)
    assert lines == [
        f"all stories  {'█' * 4}{'▒' * 3}{'░' * 13}  16%  1 of 6",
        f"1 Payments  {'█' * 4}{'▒' * 4}{'░' * 12}  20%  1 of 5",
        f"no epic  {'░' * 20}  0%  0 of 1",
        "",
        "█ done  ▓ in review  ▒ in progress  ░ other",
        "",
        "can start now: 1",
        "  1.3 Cards",
        "",
        "under way: 1",
        "  1.2 Emails",
        "",
        "blocked: 1",
        "  1.4 Refunds  (waits for 1.2)",
        "",
        "to prepare: 1",
        "  Lost",
        "",
        "of unknown status, and in no list above: 1",
        "",
        "problems: 1 info",
        "  broken link: 1 info",
        "  The link to b.md leads to no file.",
    ]
    assert progress(database, work.project.upper()).stdout == result.stdout


@pytest.mark.usefixtures("one_day")
def test_a_project_has_a_bar_for_the_stories_done_in_each_week(database: str) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    work.add_story("1.1", status="done")
    for days_ago, done in ((70, 5), (42, 7), (28, 1207), (14, 1206)):
        work.add_day(days_ago, 2000, done)
    lines = progress(database, "Payments").stdout.splitlines()
    first = lines.index("done in each week from Monday on") + 1
    weeks = [line.split() for line in lines[first : first + 8]]
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday())
    assert [week[0] for week in weeks] == [
        f"{monday - timedelta(weeks=number)}" for number in reversed(range(8))
    ]
    assert [week[1:] for week in weeks] == [
        ["0"],
        ["2", "█"],
        ["0"],
        ["1,200", "█" * 20],
        ["0"],
        ["-1"],
        ["0"],
        ["0"],
    ]


def changed(number: int, before: str | None, after: str | None, title: str) -> dict[str, object]:
    return {"id": f"1.{number}", "title": title, "path": None, "from": before, "to": after}


def test_a_project_has_what_the_last_sync_changed(database: str) -> None:
    board = Board(database)
    work = board.add_source(board.add_project(), "Planning")
    work.add_story("1.1")
    work.add_activity("2026-11-24T03:01:00+00:00", added=9)
    statuses = [
        changed(1, "in_progress", "done", "Limits"),
        changed(2, None, "draft", "New"),
        changed(3, "done", None, "Old"),
    ]
    work.add_activity("2026-11-25T05:01:00+02:00", added=1, moved=1200, statuses=statuses)
    lines = progress(database, "Payments").stdout.splitlines()
    first = lines.index("last change: 2026-11-25 03:01 UTC, Planning, commit 3f786850e387")
    assert lines[first + 1 : first + 6] == [
        "  documents: 1 added, 1,200 moved",
        "  stories: 1 of another status, 1 new, 1 gone",
        "  1.1 Limits: in progress → done",
        "  1.2 New: new, draft",
        "  1.3 Old: gone, was done",
    ]
    plain = run_command(
        "progress", "Payments", DATABASE_URL=database, PYTHONIOENCODING="ascii:backslashreplace"
    )
    assert "  1.1 Limits: in progress -> done\n" in plain.stdout
    assert plain.stdout.isascii()


def test_only_some_of_the_stories_that_the_last_sync_changed_are_shown(database: str) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    work.add_story("1.1")
    statuses = [changed(number, "draft", "done", "Same") for number in range(1, 1013)]
    work.add_activity("2026-11-25T03:01:00+00:00", changed=1, statuses=statuses[:12])
    lines = progress(database, "Payments").stdout.splitlines()
    assert sum("draft → done" in line for line in lines) == 10
    assert "  and 2 more stories" in lines


def test_no_line_of_a_project_is_wider_than_a_terminal(database: str) -> None:
    board = Board(database)
    project = board.add_project()
    long = "A title of many words, as people write them in tools that have room for them"
    for name in ("Documents of planning", "Documents of the platform"):
        work = board.add_source(project, name)
        work.add_epic("1", long)
        work.add_epic("2", long, tree="products/of/the/company")
        work.add_problem(path=f"{'deep/' * 50}x.md", line=12345, detail=f"{long} " * 9)
        waits = [awaited(f"1.{number}", long) for number in range(50)]
        for number, status in enumerate(("done", "in_progress", "draft", "approved")):
            work.add_story(f"1.{number}", long, status, waits_for=waits)
        work.add_day(8, 2000, 1200)
        statuses = [changed(number, "in_progress", "cancelled", long) for number in range(12)]
        work.add_activity(
            "2026-11-25T03:01:00+00:00", added=1, changed=2, moved=3, removed=4, statuses=statuses
        )
        work.count()
    lines = progress(database, project).stdout.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    lines = progress(database).stdout.splitlines()
    assert [line for line in lines if len(line) > 80] == []


def test_the_sources_of_several_are_named(database: str) -> None:
    board = Board(database)
    project = board.add_project()
    for name in ("Planning", "Platform"):
        work = board.add_source(project, name)
        work.add_epic("1", "Same")
        work.add_story("1.1")
    lines = progress(database, "Payments").stdout.splitlines()
    assert [line.split()[-1] for line in lines[1:3]] == ["Planning", "Platform"]


def test_the_trees_of_several_are_named(database: str) -> None:
    board = Board(database)
    work = board.add_source(board.add_project(), "Planning")
    deep = "products/of/the/company/shop/web"
    for tree in ("", "apps/web", deep):
        work.add_epic("1", "Same", tree=tree)
        work.add_story("1.1", "One", "approved", tree=tree, is_ready=True)
    shown = [".", "apps/web", f"…{deep[-21:]}"]
    lines = progress(database, "Payments").stdout.splitlines()
    assert [line.split()[-1] for line in lines[1:4]] == shown
    first = lines.index("can start now: 3") + 1
    assert lines[first : first + 3] == [f"  1.1 One  [{tree}]" for tree in shown]
    board.execute("update epic set item = item - 'tree' where item ->> 'tree' = %s", deep)
    assert progress(database, "Payments").stdout.splitlines()[3].split()[-1] == "?"
    other = board.add_source(work.project, "Platform")
    other.add_epic("1", "Same")
    lines = progress(database, "Payments").stdout.splitlines()
    assert lines[2].endswith("  Planning apps/web")
    assert lines[4].endswith("  Platform .")


def test_no_control_character_of_a_document_reaches_the_terminal(database: str) -> None:
    board = Board(database)
    hostile = "\x1b[31mevil \x1b]0;t\x07 \x9b2J \u202efdp\nline"
    project = board.add_project(hostile)
    work, other = board.add_source(project, hostile), board.add_source(project)
    for each in (work, other):
        each.add_epic("1", hostile * 20)
        each.add_story("1.1", hostile, waits_for=[awaited("", hostile)])
        each.count()
    for arguments in ((), (project,)):
        shown = progress(database, *arguments).stdout
        assert "evil" in shown
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", shown)


def test_the_bars_are_plain_where_the_output_is_not_utf_8(database: str) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    work.add_story("1.1", status="done")
    work.count()
    result = run_command("progress", DATABASE_URL=database, PYTHONIOENCODING="ascii:replace")
    assert "#" * 20 in result.stdout
    assert result.returncode == 0


@pytest.mark.parametrize("arguments", [(), ("Payments",)])
def test_nothing_to_show_is_one_line_and_code_1(database: str, arguments: tuple[str, ...]) -> None:
    if arguments:
        Board(database).add_project()
    result = progress(database, *arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == ("no stories\n" if arguments else "no projects\n")


@pytest.mark.parametrize(
    ("project", "said"),
    [("No\x1b[2J such", "there is no project 'No\\x1b[2J such'"), ("\udcff", "not UTF-8")],
)
def test_an_unknown_project_is_refused_with_code_2(database: str, project: str, said: str) -> None:
    result = progress(database, project)
    assert (result.returncode, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_a_schema_that_is_behind_is_an_error_line(empty_database: str) -> None:
    result = progress(empty_database)
    assert result.returncode == 2
    assert result.stderr == "error: the schema is behind the code: run migrate first\n"


def test_a_project_has_the_most_severe_problem_of_each_kind(database: str) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    work.add_story("1.1", "Emails", "in_progress")
    board.execute("update story set status_since = '2026-11-20T23:30:00+00:00'")
    for number in range(11):
        work.add_problem("warning", path=f"docs/{number}.md", line=number + 1)
    work.add_problem("error", path="docs/" + "deep/" * 30 + "x.md", line=7)
    work.add_problem("info", kind="status_conflict", detail="a sentence of words " * 20)
    work.add_problem("error", kind="duplicate_id", path="docs/e.md", detail="Two have 1.1.")
    lines = progress(database, "Payments").stdout.splitlines()
    assert "  1.1 Emails  (since 2026-11-20)" in lines
    first = lines.index("problems: 2 errors, 11 warnings, 1 info")
    assert lines[first + 1] == "  broken link: 1 error, 11 warnings"
    assert lines[first + 2].startswith("    …")
    assert lines[first + 2].endswith("deep/x.md:7")
    assert len(lines[first + 2]) == 80
    assert lines[first + 3 : first + 8] == [
        "    The link to b.md leads to no file.",
        "  duplicate id: 1 error",
        "    docs/e.md",
        "    Two have 1.1.",
        "  status conflict: 1 info",
    ]
    assert len(lines) == first + 10
    assert lines[-1].endswith("…")
    assert max(map(len, lines)) == 80
