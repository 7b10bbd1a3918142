"""`python -m service progress`, from scripts and on a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.board import Board
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
        "█ done  ▓ review  ▒ in progress  ░ other",
    ]


def test_a_project_has_its_epics_what_comes_next_and_its_problems(database: str) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    work.add_epic("1", "Payments")
    work.add_story("1.1", "Limits", "done")
    work.add_story("1.2", "Emails", "in_progress")
    work.add_story("1.3", "Cards", "approved", is_ready=True)
    waits = [{"id": "1.2", "title": "Emails", "status": "in_progress"}]
    work.add_story("1.4", "Refunds", "draft", waits_for=waits)
    work.add_story("", "Lost", "draft")
    work.add_problem("info")
    result = progress(database, "Payments")
    assert (result.returncode, result.stderr) == (0, "")
    assert squeeze(result.stdout) == [
        f"all stories  {'█' * 4}{'▒' * 4}{'░' * 12}  20%  1 of 5",
        f"1 Payments  {'█' * 5}{'▒' * 5}{'░' * 10}  25%  1 of 4",
        f"no epic  {'░' * 20}  0%  0 of 1",
        "",
        "█ done  ▓ review  ▒ in progress  ░ other",
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
        "problems: 1 info",
    ]
    assert progress(database, work.project.upper()).stdout == result.stdout


def test_the_sources_of_several_are_named(database: str) -> None:
    board = Board(database)
    project = board.add_project()
    for name in ("Planning", "Platform"):
        work = board.add_source(project, name)
        work.add_epic("1", "Same")
        work.add_story("1.1")
    lines = progress(database, "Payments").stdout.splitlines()
    assert [line.split()[-1] for line in lines[1:3]] == ["Planning", "Platform"]


def test_no_control_character_of_a_document_reaches_the_terminal(database: str) -> None:
    board = Board(database)
    hostile = "\x1b[31mevil \x1b]0;t\x07 \x9b2J \u202efdp\nline"
    project = board.add_project(hostile)
    work, other = board.add_source(project, hostile), board.add_source(project)
    for each in (work, other):
        each.add_epic("1", hostile * 20)
        each.add_story("1.1", hostile, waits_for=[{"id": "", "title": hostile, "status": None}])
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
