"""A run on a machine whose disks are full, or whose limits are reached."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from service.git.errors import (
    DISK_FULL,
    NO_DESCRIPTORS,
    NO_FOLDER,
    NO_PROCESSES,
    GitMachineError,
    explain,
    machine_error,
)
from service.git.runner import GitRunner
from service.sync.processes import NOT_STARTED
from service.sync.spool import Spool
from tests.support.copies import make_files, run_processes
from tests.support.git_repository import git_options
from tests.support.hub import counts, running_hub
from tests.support.postgres import run_sql
from tests.support.processes import process_limit
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.support.copies import Copies
    from tests.support.git_server import GitServer
    from tests.support.hub import Hub

FILES = make_files()

# /dev/full fails every write as a full disk does, also where a test may mount nothing.
FULL = Path("/dev/full")

CONNECTIONS = """
    select count(*) from pg_stat_activity
    where application_name = 'bmadflow-api' and datname = current_database()
"""


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, DISK_FULL),
        (errno.EDQUOT, DISK_FULL),
        (errno.EMFILE, NO_DESCRIPTORS),
        (errno.ENFILE, NO_DESCRIPTORS),
        (errno.EAGAIN, NO_PROCESSES),
        (errno.ENOMEM, NO_PROCESSES),
        (errno.EROFS, NO_FOLDER),
        (errno.EACCES, NO_FOLDER),
        (errno.ENOENT, NO_FOLDER),
    ],
)
def test_what_the_machine_lacks_is_named(number: int, sentence: str) -> None:
    assert str(machine_error(OSError(number, os.strerror(number)))) == sentence


@pytest.mark.anyio
async def test_git_that_cannot_write_its_output_says_that_the_disk_is_full(
    tmp_path: Path, git: GitServer
) -> None:
    remote = git.create()
    remote.commit({f"{number}.md": b"text" for number in range(300)})
    deadline = asyncio.get_running_loop().time() + 60
    runner = GitRunner(git_options(tmp_path, git), tmp_path, deadline)
    runner.git_dir.symlink_to(remote.path)
    await runner.run("rev-parse", "HEAD")  # the next file is that of the next command
    for number in range(10):
        path = tmp_path / f"output-{number}"
        if not path.exists():
            path.symlink_to(FULL)
    with pytest.raises(GitMachineError, match="disk is full"):
        await runner.run("ls-tree", "-r", "-z", "HEAD")


@pytest.mark.parametrize("buffering", [0, -1], ids=["at once", "buffered"])
def test_a_spool_that_cannot_be_written_says_that_the_disk_is_full(buffering: int) -> None:
    """What is buffered fails when another place is read, and once more when the spool is closed."""
    with (
        pytest.raises(GitMachineError, match="disk is full"),
        Spool(FULL.open("r+b", buffering=buffering)) as spool,
    ):
        spool.read(spool.keep(b"text"))


def test_a_database_on_a_full_disk_is_named_and_nothing_is_half_done(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"1"})
    source = hub.create_source(hub.create_project(), remote)
    assert counts(hub.sync(source)) == (1, 0, 0, 0, 0)
    remote.commit({"a.md": b"2", "b.md": b"2"})
    run_sql(
        hub.database,
        "create function fail() returns trigger language plpgsql as $$ "
        "begin raise exception using errcode = '53100'; end $$",
    )
    run_sql(
        hub.database,
        "create trigger fail before insert on document for each row execute function fail()",
    )
    run = hub.sync(source)
    assert (run["status"], run["error"]) == ("failed", "The database's disk is full; try later.")
    assert run_sql(hub.database, "select content from document") == [("1",)]
    run_sql(hub.database, "drop function fail cascade")
    assert counts(hub.sync(source))[:2] == (1, 1)


@contextmanager
def small_disk(folder: Path) -> Generator[bool]:
    """Mount 400 kB on the folder during the block, and say whether that is allowed here."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    mounted = shutil.which("mount") and subprocess.run(command, capture_output=True, check=False)
    is_mounted = bool(mounted) and mounted.returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_temporary_folder_is_named_and_the_next_run_works(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "small"
    monkeypatch.setenv("TMPDIR", str(folder))
    with small_disk(folder) as is_mounted, running_hub(database, tmp_path) as hub:
        remote = hub.server.create()
        remote.commit({f"{number}.md": os.urandom(2000).hex().encode() for number in range(400)})
        source = hub.create_source(hub.create_project(), remote)
        if is_mounted:  # elsewhere the tests above have the error of each write
            for filled in (200_000, 395_000, 1_000_000):
                with suppress(OSError):
                    (folder / "file").write_bytes(bytes(filled))
                run = hub.sync(source)
                assert (run["status"], run["error"]) == ("failed", DISK_FULL)
                assert [path.name for path in folder.iterdir()] == ["file"]
            subprocess.run(["mount", "-o", "remount,size=50m", str(folder)], check=True)
        assert hub.sync(source)["status"] == "completed"


# For git itself, and for what comes next: asyncio's thread that waits for git, or git's helper.
@pytest.mark.parametrize("more", [0, 1])
def test_a_run_says_that_the_machine_gives_no_process(copies: Copies, more: int) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    hub = copies.hub()
    assert hub.sync(source)["status"] == "completed"
    [process] = run_processes(service)
    with process_limit(process, more):
        run = hub.sync(source)
        assert (run["status"], run["error"]) == ("failed", NO_PROCESSES)
        assert service.is_healthy()
    metrics = hub.client.get("/metrics").text.splitlines()
    assert "bmadflow_syncs_given_up_total 1.0" in metrics
    assert copies.folders() == []
    assert hub.sync(source)["status"] == "completed"
    assert "Traceback" not in copies.log()
    [process] = run_processes(service)
    assert not process.children()


def test_a_run_whose_process_cannot_be_started_says_so(copies: Copies) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    hub = copies.hub()
    assert service.is_healthy()
    worker = psutil.Process(service.process.pid)

    def count_files() -> int:
        """Count the worker's descriptors, without its connections to the database."""
        ((connections,),) = run_sql(copies.database, CONNECTIONS)
        return worker.num_fds() - connections

    open_files: list[int] = []
    with process_limit(worker, 0):
        for count in range(1, 5):
            run = hub.sync(source)
            assert (run["status"], run["error"]) == ("failed", NOT_STARTED)
            service.expect("sync_process_not_started", count)
            assert service.is_healthy()
            open_files.append(count_files())
        eventually(lambda: count_files() <= open_files[1])
    metrics = hub.client.get("/metrics").text.splitlines()
    assert "bmadflow_syncs_given_up_total 4.0" in metrics
    assert hub.sync(source)["status"] == "completed"
    assert "Traceback" not in copies.log()


UNLOADED = "error while loading shared libraries: {}: failed to map segment from shared object"


# As the loader of libraries, git and libcurl say it where RLIMIT_AS or RLIMIT_NPROC is low.
@pytest.mark.parametrize(
    "line",
    [
        "error: cannot fork() for remote-https: Resource temporarily unavailable",
        "error: cannot fork() for git-remote-https: Cannot allocate memory",
        "fatal: fetch-pack: unable to fork off index-pack",
        "fatal: unable to access 'https://host/x/': getaddrinfo() thread failed to start",
        f"prlimit: {UNLOADED.format('libc.so.6')}",
        f"/usr/lib/git-core/git-remote-https: {UNLOADED.format('libgnutls.so.30')}",
    ],
)
def test_what_git_lacks_is_the_machines_fault(line: str) -> None:
    error = explain(128, f"{line}\n".encode(), max_bytes=1, cpu_seconds=2, hidden=[])
    assert isinstance(error, GitMachineError)
    assert str(error) == NO_PROCESSES
