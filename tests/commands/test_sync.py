"""`python -m service sync`, from scripts and on a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import psycopg
import pytest

from service import ROOT
from service.commands.registration import repository_name
from service.migrations.run import migrate, rollback
from tests.support.git_server import BLOBS, GitServer, Link, git_server
from tests.support.hub import hub_settings, hub_variables
from tests.support.migrations import roll_back_what_runs_need
from tests.support.postgres import Postgres, run_sql
from tests.support.processes import has_ended
from tests.support.service import Service, run_command, service_environment, serving
from tests.support.waiting import eventually, within
from tests.support.wire import TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

REGISTERED = """
    select project.name, project_doc.name, github_url, github_folder_path, branch
    from project_doc
    join project on project.id = project_doc.project_id
    order by 1, 2, 3, 4, 5
    """
RUNS = "select status, claim_id is null, attempts from sync_run order by created_at"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "repositories") as server:
        yield server


@pytest.fixture
def variables(database: str, server: GitServer, tmp_path: Path) -> dict[str, str]:
    """The command's environment: database, git server and temporary directory."""
    (tmp_path / "temporary").mkdir()
    found = {"DATABASE_URL": database, "TMPDIR": str(tmp_path / "temporary"), "LOG_FORMAT": "auto"}
    return found | hub_variables(tmp_path, server)


def run_with(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command(*arguments, cwd=ROOT, **variables)


def left_behind(variables: dict[str, str]) -> list[Path]:
    return list(Path(variables["TMPDIR"]).iterdir())


def assert_one_line(result: subprocess.CompletedProcess[str], *said: str) -> None:
    assert (result.returncode, result.stdout) == (1, ""), result
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ")
    for text in said:
        assert text in line
    assert len(line) < 400


def test_a_new_repository_is_registered_and_synced(
    database: str, server: GitServer, variables: dict[str, str]
) -> None:
    remote = server.create("team/payments")
    files = {"docs/a.md": b"# A\n", "docs/b.md": b"# B\n", "docs/\x1b[2Jc.md": Link(b"a.md")}
    remote.commit({**files, "README.md": b"# Not this\n"})
    variables |= {"BACKEND_HOST": "::1", "BACKEND_PORT": "8123"}
    result = run_with(variables, "sync", f"{remote.url}/", "--folder", "/docs/")
    assert (result.returncode, result.stderr) == (0, "")
    summary, skipped, where = result.stdout.splitlines()
    assert re.fullmatch(
        r"payments: 2 documents synced in [0-9.]+ s, [0-9,]+ bytes fetched: "
        r"2 added, 0 changed, 0 moved, 0 unchanged, 0 removed, 1 skipped",
        summary,
    )
    assert skipped == "skipped: 'docs/\\x1b[2Jc.md' is a symbolic link"
    [(project,)] = run_sql(database, "select id from project")
    assert where == (f"while the service runs: http://[::1]:8123/projects/{project}")
    assert run_sql(database, REGISTERED) == [("payments", "payments", remote.url, "docs", None)]
    assert run_sql(database, "select file_path from document order by 1") == [
        ("docs/a.md",),
        ("docs/b.md",),
    ]
    assert not left_behind(variables)


def test_a_second_command_syncs_the_registered_source(
    database: str, server: GitServer, variables: dict[str, str]
) -> None:
    remote = server.create("team/payments")
    remote.commit({"docs/a.md": b"1"})
    remote.commit({"docs/b.md": b"1"}, branch="next")
    wanted = ["sync", remote.url, "--folder=docs", "--project= Pay \u00e4nd go "]
    for added, changed in ((1, 0), (0, 0), (0, 1)):
        result = run_with(variables, *wanted)
        assert (result.returncode, result.stderr) == (0, "")
        assert f": {added} added, {changed} changed," in result.stdout
        assert result.stdout.startswith("Pay \u00e4nd go: 1 document synced in ")
        if not added:
            remote.commit({"docs/a.md": b"2"})
    name = "Pay \u00e4nd go"
    assert run_sql(database, REGISTERED) == [(name, "payments", remote.url, "docs", None)]
    # Another branch is another source, of the same project.
    assert run_with(variables, *wanted, "--branch", "next").returncode == 0
    assert run_sql(database, REGISTERED) == [
        (name, "payments", remote.url, "docs", "next"),
        (name, "payments", remote.url, "docs", None),
    ]


def test_two_commands_at_once_register_one_source(
    database: str, server: GitServer, variables: dict[str, str]
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"1"})
    with ThreadPoolExecutor() as threads:
        running = [threads.submit(run_with, variables, "sync", remote.url) for _ in range(4)]
        results = [future.result() for future in running]
    assert [(result.returncode, result.stderr) for result in results] == [(0, "")] * 4
    assert run_sql(database, REGISTERED) == [("docs", "docs", remote.url, None, None)]


def test_the_project_is_named_after_the_repository_within_255_characters(
    database: str, server: GitServer, variables: dict[str, str]
) -> None:
    remote = server.create("team/")
    remote.commit({"a.md": b"1"})
    assert run_with(variables, "sync", remote.url).returncode == 0
    assert [row[0] for row in run_sql(database, REGISTERED)] == [".git"]
    assert repository_name(f"https://git.example/{'x' * 300}") == "x" * 255
    assert repository_name("https://git.example/%E3%85%A4.git") == "%E3%85%A4.git"
    assert repository_name("https://git.example/docs%E3%85%A4") == "docs"
    assert repository_name("https://git.example/team/.git") == ".git"
    assert repository_name("https://git.example/My%20Project/_git/Caf%C3%A9.git") == "Café"


def test_the_first_20_skipped_files_are_listed(
    server: GitServer, variables: dict[str, str]
) -> None:
    remote = server.create()
    remote.commit({f"{number:02}.md": Link(b"a") for number in range(25)})
    result = run_with(variables, "sync", remote.url)
    assert result.returncode == 0
    assert "0 documents synced" in result.stdout
    assert "25 skipped" in result.stdout
    lines = [line for line in result.stdout.splitlines() if line.startswith("skipped: ")]
    assert lines[0] == "skipped: '00.md' is a symbolic link"
    assert len(lines) == 21
    assert re.fullmatch(r"skipped: 5 more, all at /api/project-docs/\S+/syncs/\S+", lines[-1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http://git.example/a/b"], "must begin with https://"),
        (["git@git.example:a/b"], "must begin with https://"),
        (["https://elsewhere.example/a/b"], "elsewhere.example"),
        (["https://git.example/a/b/tree/main/docs"], "branch and its folder"),
        (["https://git.example/a/b", "--folder", "../x"], "folder"),
        (["https://git.example/a/b", "--branch", "a..b"], "branch"),
        (["https://git.example/a/b", "--project", "x" * 256], "--project: must have 1 to 255"),
        (["https://git.example/a/b", "--project", "a\nb"], "--project: must not hold control"),
        (["https://git.example/a/b", "--project", "a\udcffb"], "--project: must not hold"),
    ],
)
def test_invalid_arguments_register_nothing(
    database: str, variables: dict[str, str], arguments: list[str], said: str
) -> None:
    assert_one_line(run_with(variables, "sync", *arguments), said)
    assert run_sql(database, REGISTERED) == []


def test_a_machine_without_git_is_reported_before_anything_is_registered(
    database: str, variables: dict[str, str], tmp_path: Path
) -> None:
    result = run_with(variables | {"PATH": str(tmp_path)}, "sync", "https://git.example/a/b")
    assert_one_line(result, "git is not installed")
    assert run_sql(database, REGISTERED) == []


def test_a_missing_repository_is_reported_and_not_registered(
    database: str, server: GitServer, variables: dict[str, str]
) -> None:
    result = run_with(variables, "sync", "https://git.example/not/there")
    assert_one_line(result, "The repository was not found")
    assert not left_behind(variables)
    server.create("team/empty")
    assert_one_line(run_with(variables, "sync", "https://git.example/team/empty.git"))
    assert run_sql(database, "select name from project") == []


def test_a_failed_sync_keeps_what_was_registered_before(
    database: str, server: GitServer, variables: dict[str, str]
) -> None:
    remote = server.create()
    remote.commit({"docs/a.md": b"1"})
    assert run_with(variables, "sync", remote.url).returncode == 0
    registered = run_sql(database, REGISTERED)
    assert_one_line(run_with(variables, "sync", remote.url, "--folder", "slip"), "slip")
    assert run_sql(database, REGISTERED) == registered
    server.behaviour.status = 500
    assert_one_line(run_with(variables, "sync", remote.url))
    assert run_sql(database, REGISTERED) == registered
    assert run_sql(database, RUNS)[-1] == ("failed", True, 1)


def test_undoing_a_registration_keeps_sources_that_others_add_meanwhile(
    database: str, server: GitServer, variables: dict[str, str]
) -> None:
    remote = server.create("team/docs")
    remote.commit({"a.md": b"x" * 10_000})
    server.behaviour.stall_after = 100
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    waiting += " and datname = current_database()"
    with ThreadPoolExecutor() as threads, psycopg.connect(database) as other:
        running = threads.submit(run_with, variables, "sync", remote.url)
        eventually(lambda: server.stalled, TIMEOUT_SECONDS)
        other.execute(
            "insert into project_doc (project_id, name, github_url) "
            "select id, 'Mine', 'https://git.example/mine' from project"
        )
        server.behaviour.status = 500
        server.behaviour.resume.set()
        eventually(lambda: run_sql(database, waiting) == [(1,)], TIMEOUT_SECONDS)
        other.commit()
        assert_one_line(running.result())
    assert [row[:2] for row in run_sql(database, REGISTERED)] == [("docs", "Mine")]


def test_a_missing_schema_is_reported(
    empty_database: str, server: GitServer, variables: dict[str, str]
) -> None:
    variables["DATABASE_URL"] = empty_database
    result = run_with(variables, "sync", "https://git.example/a")
    assert_one_line(result, "the schema is behind the code", "migrate")


def test_nothing_is_registered_on_a_schema_behind_the_code(
    database: str, server: GitServer, variables: dict[str, str]
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"# A\n"})
    rollback(database, print, confirm=None)
    assert_one_line(run_with(variables, "sync", remote.url), "the schema is behind the code")
    assert run_sql(database, REGISTERED) == []


def test_a_rollback_during_the_sync_is_reported_and_the_run_waits_for_the_next_one(
    database: str, server: GitServer, variables: dict[str, str]
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"# A\n"})
    server.behaviour.stall_after = 0
    server.behaviour.stall_only = BLOBS
    with ThreadPoolExecutor() as threads:
        running = threads.submit(run_with, variables, "sync", remote.url)
        eventually(lambda: server.stalled, TIMEOUT_SECONDS)
        roll_back_what_runs_need(database)
        server.behaviour.stall_after = None
        server.behaviour.resume.set()
        assert_one_line(running.result(), "the schema is behind the code")
    assert run_sql(database, RUNS) == [("queued", True, 0)]
    migrate(database, print)
    assert run_with(variables, "sync", remote.url).returncode == 0
    assert run_sql(database, RUNS) == [("completed", True, 1)]


def test_a_read_only_database_is_reported(
    postgres: Postgres, database: str, variables: dict[str, str]
) -> None:
    name = re.search(r"/(test_\w+)", database)
    assert name
    run_sql(database, f"alter database {name[1]} set default_transaction_read_only to on")
    result = run_with(variables, "sync", "https://git.example/a")
    assert_one_line(result, "the database refuses", "25006")


def test_an_unreachable_database_is_reported_in_time(variables: dict[str, str]) -> None:
    variables["DATABASE_URL"] = "postgresql://user:secret-word@127.0.0.1:1/none"
    with within(20):
        result = run_with(variables, "sync", "https://git.example/a")
    assert_one_line(result, "the database cannot be reached", "DATABASE_URL")
    assert "secret-word" not in result.stderr


def test_a_frozen_database_is_reported_in_time(
    own_postgres: Postgres, variables: dict[str, str]
) -> None:
    variables["DATABASE_URL"] = own_postgres.url
    own_postgres.freeze()
    with within(20):
        result = run_with(variables, "sync", "https://git.example/a")
    own_postgres.thaw()
    assert_one_line(result, "the database does not respond")


def test_the_command_works_on_an_embedded_database_beside_the_service(
    server: GitServer,
    variables: dict[str, str],
    tmp_path: Path,
    start_service: Callable[..., Service],
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"1"})
    variables["DATABASE_URL"] = f"embedded:{tmp_path / 'postgres'}"
    assert run_with(variables, "migrate").returncode == 0
    result = run_with(variables, "sync", remote.url)
    assert (result.returncode, result.stderr) == (0, "")
    remote.commit({"b.md": b"1"})
    service = start_service(**variables | {"LOG_FORMAT": "json"})
    url = service.url
    result = run_with(variables, "sync", remote.url)
    assert (result.returncode, result.stderr) == (0, "")
    assert "1 added, 0 changed, 0 moved, 1 unchanged" in result.stdout
    project = result.stdout.split()[-1].rpartition("/projects/")[2]
    tree = httpx.get(f"{url}/api/projects/{project}/file-tree", timeout=20).json()["tree"]
    assert [node["path"] for node in tree] == ["a.md", "b.md"]


def test_a_run_in_progress_at_a_service_is_awaited_and_reported(
    database: str, server: GitServer, variables: dict[str, str], tmp_path: Path
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"x" * 10_000})
    server.behaviour.stall_after = 100
    with serving(database, **hub_settings(tmp_path, server)) as client:
        project = client.post("/api/projects", json={"name": "docs"}).json()["id"]
        source = {"name": "Mine", "github_url": remote.url}
        source = client.post(f"/api/projects/{project}/docs", json=source).json()["id"]
        client.post(f"/api/project-docs/{source}/sync")
        eventually(lambda: len(server.requests) >= 2)
        with on_terminal(variables, remote.url) as terminal:
            terminal.read_until("asking git.example")
            server.behaviour.resume.set()
            text = terminal.read_to_end()
            assert terminal.process.wait(20) == 0
    assert "1 added" in text
    assert run_sql(database, "select count(*) from sync_run") == [(1,)]


# --- on a terminal


@contextmanager
def on_terminal(variables: dict[str, str], *arguments: str) -> Generator[Terminal]:
    """Run the command with a terminal of its own as standard input, output and error."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "sync", *arguments],
        cwd=ROOT,
        env=service_environment(**variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)


class Terminal:
    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self.text = ""

    def read_until(self, text: str) -> None:
        while text not in self.text:
            piece = self._read()
            assert piece, self.text
            self.text += piece

    def read_to_end(self) -> str:
        while piece := self._read():
            self.text += piece
        return self.text

    def _read(self) -> str:
        assert select.select([self._descriptor], [], [], TIMEOUT_SECONDS)[0], self.text
        with suppress(OSError):  # EIO, once no process has the terminal open
            return os.read(self._descriptor, 4096).decode()
        return ""


def shown(text: str) -> list[str]:
    """The lines that the terminal shows at the end."""
    lines = [line.rpartition("\x1b[K")[2] for line in text.replace("\r\n", "\n").split("\n")]
    return [line for line in lines if line]


def test_a_terminal_shows_progress_and_then_only_the_summary(
    server: GitServer, variables: dict[str, str]
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"x" * 10_000, "b.md": b"y" * 10_000})
    server.behaviour.stall_after = 100
    with on_terminal(variables, remote.url) as terminal:
        terminal.read_until("asking git.example")
        server.behaviour.resume.set()
        text = terminal.read_to_end()
        assert terminal.process.wait(20) == 0
    summary, where = shown(text)
    assert summary.startswith("docs: 2 documents synced in ")
    assert where.startswith("while the service runs: http")


def test_a_terminal_shows_the_number_of_documents_read(
    database: str, server: GitServer, variables: dict[str, str], tmp_path: Path
) -> None:
    remote = server.create()
    # A service elsewhere does it: it holds the run, and says how far it is.
    with serving(database, **hub_settings(tmp_path, server), sync_concurrency=0) as client:
        project = client.post("/api/projects", json={"name": "docs"}).json()["id"]
        source = {"name": "Mine", "github_url": remote.url}
        source = client.post(f"/api/projects/{project}/docs", json=source).json()["id"]
        client.post(f"/api/project-docs/{source}/sync")
    run_sql(
        database,
        "update sync_run set status = 'running', claim_id = gen_random_uuid(), claimed_until = "
        "now() + interval '1 hour', started_at = now(), files_total = 1200, files_done = 7",
    )
    with on_terminal(variables, remote.url) as terminal:
        terminal.read_until("\x1b[K7 of 1,200 documents")
        run_sql(database, "update sync_run set files_done = 1008")
        terminal.read_until("\x1b[K1,008 of 1,200 documents")
        run_sql(database, "delete from project_doc")
        assert shown(terminal.read_to_end()) == [
            "error: the source was deleted while it was synced"
        ]
        assert terminal.process.wait(20) == 1


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_the_command_and_releases_its_run(
    database: str, server: GitServer, variables: dict[str, str], sent: int, code: int
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"x" * 10_000})
    server.behaviour.stall_after = 100
    with on_terminal(variables, remote.url) as terminal:
        terminal.read_until("asking")
        process = psutil.Process(terminal.process.pid)
        eventually(lambda: len(server.requests) >= 2)
        helpers = process.children(recursive=True)
        assert helpers
        assert left_behind(variables)
        with within(15):  # and not the 300 s that git may take
            os.killpg(terminal.process.pid, sent)  # to the whole group, as a terminal does
            assert terminal.process.wait(20) == code
        lines = shown(terminal.read_to_end())
    assert lines in (["error: interrupted"], [])
    assert lines or sent != signal.SIGINT
    assert all(has_ended(helper.pid) for helper in helpers)
    assert not left_behind(variables)
    # Released: the next command starts the run anew.
    assert run_sql(database, RUNS) == [("queued", True, 0)]
    server.behaviour.resume.set()
    result = run_with(variables, "sync", remote.url)
    assert result.returncode == 0
    assert run_sql(database, RUNS) == [("completed", True, 1)]
