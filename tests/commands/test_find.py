"""`python -m service find`, from scripts and on a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from service import ROOT
from service.routes.search_parameters import MAX_LIMIT, MAX_QUERY
from tests.support.hub import Synced, running_hub
from tests.support.service import run_command, service_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Postgres

FILES = {
    "docs/README.md": (
        b"# Payments\n\n## Refunds `<b>` &amp; limits\n\n"
        b"A refund is bounded by `&amp;<i>` and its payment.\n\n## Other\n\nNothing.\n"
    ),
    "docs/hostile.md": "# An \x1b[31mevil\n\nThe \x1b]0;t\x07menace \x9b2J \u202efdp.\n".encode(),
    **{f"notes/{number}.txt": b"Many notes." for number in range(12)},
}
README = [
    "docs/README.md  (Payments, readme)",
    "  Payments > Refunds <b> & limits",
    "    A refund is bounded by &amp;<i> and its payment.",
]
BOLD_README = [
    "docs/README.md  (Payments, readme)",
    "  Payments > \x1b[1mRefunds\x1b[22m <b> & limits",
    "    A \x1b[1mrefund\x1b[22m is bounded by &amp;<i> and its payment.",
]


@pytest.fixture(scope="module")
def documents(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with two projects, whose documents are synced."""
    url = postgres.create_database(template="migrated")
    with running_hub(url, tmp_path_factory.mktemp("hub")) as hub:
        Synced(hub, FILES)
        remote = hub.server.create("team/other")
        remote.commit({"other.md": b"# Other\n\nNo refund.\n"})
        hub.sync(hub.create_source(hub.create_project("The others"), remote))
    yield url
    postgres.drop_database(url)


def find(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command("find", *arguments, DATABASE_URL=url)


def find_on_terminal(url: str, *arguments: str, **variables: str) -> str:
    """Return what the command writes to a terminal that is its standard output."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "service", "find", *arguments]
    environment = service_environment(DATABASE_URL=url, **variables)
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=follower
    ) as process:
        os.close(follower)
        written = b""
        try:
            while data := os.read(leader, 4096):
                written += data
        except OSError:  # the command has ended
            pass
        assert process.wait(60) == 0
    os.close(leader)
    return written.decode().replace("\r\n", "\n")


def test_results_have_path_headings_and_snippet(documents: str) -> None:
    result = find(documents, "refund", "bounded")
    assert result.stdout.splitlines()[:3] == README
    assert (result.returncode, result.stderr) == (0, "")


def test_a_search_may_be_one_argument_or_many(documents: str) -> None:
    outputs = {
        find(documents, *arguments).stdout
        for arguments in (('"is bounded" -nothing',), ('"is bounded"', "--", "-nothing"))
    }
    assert [output.splitlines() for output in outputs] == [README]


def test_matches_are_bold_on_a_terminal(documents: str) -> None:
    lines = find_on_terminal(documents, "refund", "--project", "Payments").splitlines()
    assert lines == BOLD_README


def test_no_color_takes_the_bold_letters_away(documents: str) -> None:
    lines = find_on_terminal(documents, "refund", "--project", "Payments", NO_COLOR="1")
    assert lines.splitlines() == README


def test_no_control_character_of_a_document_reaches_the_terminal(documents: str) -> None:
    shown = find_on_terminal(documents, "menace")
    assert "docs/hostile.md" in shown
    assert "evil" in shown
    assert "2J" in shown
    without_bold = shown.replace("\x1b[1m", "").replace("\x1b[22m", "")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", without_bold)


def test_a_correction_is_said(documents: str) -> None:
    result = find(documents, "boundde", "--project", "Payments")
    assert result.returncode == 0
    assert result.stdout.splitlines()[0] == README[0]
    assert result.stderr == "not found: boundde; searched for bounded\n"


def test_the_results_of_a_project_and_of_a_kind(documents: str) -> None:
    def paths(*arguments: str) -> set[str]:
        lines = find(documents, "refund", *arguments).stdout.splitlines()
        return {line.split("  ")[0] for line in lines if line and not line.startswith(" ")}

    assert paths() == {"docs/README.md", "other.md"}
    assert paths("--project", "The others") == {"other.md"}
    assert paths("--kind", "readme") == {"docs/README.md"}


def test_no_more_documents_are_shown_than_the_limit(documents: str) -> None:
    result = find(documents, "notes", "--limit", "2")
    assert result.stdout.count("notes/") >= 2
    assert len(result.stdout.split("\n\n")) == 2
    assert result.stderr == "2 of 12 documents\n"


def test_the_last_word_may_be_a_beginning(documents: str) -> None:
    assert find(documents, "boun", "--as-you-type").stdout.splitlines()[0] == README[0]


def test_nothing_found_is_one_line_and_code_1_as_of_grep(documents: str) -> None:
    result = find(documents, "zzyzzx")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "nothing found\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((" " * (MAX_QUERY + 1),), f"more than {MAX_QUERY} characters"),
        (("",), "or none"),
        (("a", "--limit", "0"), f"1 to {MAX_LIMIT}"),
        (("a", "--limit", str(MAX_LIMIT + 1)), f"1 to {MAX_LIMIT}"),
        (("a", "--project", "No\x1b[2J such"), "there is no project 'No\\x1b[2J such'"),
        (("\udcff",), "not UTF-8"),
    ],
)
def test_a_search_that_cannot_be_is_refused_with_code_2(
    documents: str, arguments: tuple[str, ...], said: str
) -> None:
    result = find(documents, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_results_that_cannot_be_written_are_a_failure_and_not_nothing_found(documents: str) -> None:
    script = '"$0" -m service find refund > /dev/full'
    result = subprocess.run(
        ["bash", "-c", script, sys.executable],
        cwd=ROOT,
        env=service_environment(DATABASE_URL=documents),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr == "error: cannot write to standard output: No space left on device\n"


def test_a_schema_that_is_behind_is_an_error_line(empty_database: str) -> None:
    result = find(empty_database, "a")
    assert result.returncode == 2
    assert result.stderr == "error: the schema is behind the code: run migrate first\n"


def test_an_unreachable_database_is_an_error_line() -> None:
    result = find("postgresql://user:secret-word@127.0.0.1:1/none", "a")
    assert result.returncode == 2
    assert result.stderr.startswith("error: the database cannot be reached")
    assert "secret-word" not in result.stderr
