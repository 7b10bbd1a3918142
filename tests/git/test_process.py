"""git's environment, its limits and its end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from service.git import process as git_process
from service.git.repository import GitRepository
from tests.support.git_repository import (
    assert_nothing_is_left,
    both_loops,
    fetch_all,
    fetch_error,
    git_options,
    names_in,
    processes_of,
    wait_until,
)
from tests.support.processes import has_ended
from tests.support.waiting import assert_in_time

if TYPE_CHECKING:
    from tests.support.git_server import GitServer

pytestmark = pytest.mark.anyio


def test_git_runs_without_util_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("git", "setpriv"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")  # BusyBox's setpriv has no --pdeathsig
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_process.git_command(1, 1) == [str(tmp_path / "git")]


def test_the_environment_has_only_what_git_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    variables = git_process.git_environment(
        protocols=("https",),
        config_global=None,
        stall_seconds=7,
        configuration={"http.extraHeader": "A: b"},
    )
    assert {name for name in variables if not re.fullmatch(r"GIT_CONFIG_\w+_\d+", name)} == {
        "PATH",
        "HOME",
        "LC_ALL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_GLOBAL",
        "GIT_TERMINAL_PROMPT",
        "GIT_ASKPASS",
        "GIT_ALLOW_PROTOCOL",
        "GIT_NO_LAZY_FETCH",
        "GIT_LITERAL_PATHSPECS",
        "GIT_CONFIG_COUNT",
    }
    count = int(variables["GIT_CONFIG_COUNT"])
    pairs = {
        variables[f"GIT_CONFIG_KEY_{number}"]: variables[f"GIT_CONFIG_VALUE_{number}"]
        for number in range(count)
    }
    assert pairs["http.extraHeader"] == "A: b"
    assert (pairs["http.lowSpeedLimit"], pairs["http.lowSpeedTime"]) == ("1", "7")
    assert pairs["http.followRedirects"] == "false"
    assert pairs["fetch.fsckObjects"] == "false"
    assert f"GIT_CONFIG_KEY_{count}" not in variables


async def test_git_reads_no_configuration_but_the_operators(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        '[url "http://127.0.0.1:1/"]\n\tinsteadOf = http://\n[http]\n\textraHeader = X-Evil: 1\n'
    )
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    for name, value in {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_CONFIG": str(home / ".gitconfig"),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_SYSTEM": str(home / ".gitconfig"),
        "GIT_CONFIG_PARAMETERS": "'http.extraheader=X-Evil: 1'",
        "GIT_DIR": str(tmp_path),
        "GIT_TRACE": str(tmp_path / "trace"),
        "GIT_SSH_COMMAND": "false",
        "http_proxy": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    server.behaviour.authorization = "Basic nobody"
    assert "is private" in await fetch_error(git_options(tmp_path, server), remote.url)
    assert all("authorization" not in request.headers for request in server.requests)
    server.behaviour.authorization = None
    _, contents = await fetch_all(git_options(tmp_path, server), remote.url)
    assert contents == {b"a.md": b"a"}
    assert all("x-evil" not in request.headers for request in server.requests)
    assert not (tmp_path / "trace").exists()
    config = tmp_path / "config"
    config.write_text("[http]\n\tuserAgent = operator/1\n\tfollowRedirects = true\n")
    server.forget()
    await fetch_all(git_options(tmp_path, server, config_global=str(config)), remote.local_url)
    assert {request.headers["user-agent"] for request in server.requests} == {"operator/1"}


async def test_git_does_not_fetch_missing_objects_by_itself(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    options = git_options(tmp_path, server)
    async with GitRepository(options) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        server.forget()
        (name,) = names_in(temporary)
        missing = [
            f"--git-dir={temporary / name / 'repository'}",
            "cat-file",
            "-p",
            next(iter(tree.entries)).id,
        ]
        variables = git_process.git_environment(
            protocols=options.protocols,
            config_global=options.config_global,
            stall_seconds=60,
            configuration={},
        )
        (source, output, errors) = (tmp_path / name for name in ("in", "out", "errors"))
        source.touch()
        command = [*git_process.git_command(1_000_000, 60), *missing]
        code = await git_process.run_git(
            command, variables, stdin=source, stdout=output, stderr=errors
        )
    assert code != 0
    assert b"promisor" in errors.read_bytes()
    assert server.requests == []


async def test_a_failed_start_leaves_no_descriptor_open(tmp_path: Path) -> None:
    nowhere, source = tmp_path / "nowhere/file", Path(os.devnull)
    before = psutil.Process().num_fds()
    for stdin, stdout in ((nowhere, source), (source, nowhere)):
        with pytest.raises(FileNotFoundError):
            await git_process.run_git(["true"], {}, stdin=stdin, stdout=stdout, stderr=source)
    assert psutil.Process().num_fds() == before


async def test_the_helpers_of_a_failed_command_are_killed(tmp_path: Path) -> None:
    (source, output, errors) = (tmp_path / name for name in ("in", "out", "errors"))
    source.touch()
    command = ["/bin/sh", "-c", "sleep 60 & echo $!; exit 3"]
    variables = {"PATH": os.environ["PATH"]}
    code = await git_process.run_git(command, variables, stdin=source, stdout=output, stderr=errors)
    helper = int(output.read_text())
    try:
        assert code == 3
        await wait_until(lambda: has_ended(helper))
    finally:
        with suppress(ProcessLookupError):
            os.kill(helper, signal.SIGKILL)


@both_loops
@pytest.mark.parametrize("how", ["cancelled", "timeout", "error"])
async def test_a_fetch_that_ends_early_leaves_no_process_and_no_file(
    tmp_path: Path, server: GitServer, temporary: Path, how: str
) -> None:
    remote = server.create()
    remote.commit({"a.md": b""})
    server.behaviour.stall_after = 200
    if how == "error":
        server.behaviour.hang_up_after = 100
    seconds = 0.7 if how == "timeout" else 30.0
    start = time.monotonic()
    task = asyncio.create_task(
        fetch_error(git_options(tmp_path, server, seconds=seconds), remote.url)
    )
    if how == "cancelled":
        await wait_until(lambda: len(server.requests) >= 3)
        assert processes_of(temporary)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        expected = {"timeout": "took longer than 0.7 s", "error": "broke off"}
        assert expected[how] in await task
    assert_nothing_is_left(temporary)
    assert_in_time(time.monotonic() - start, 8)


@both_loops
async def test_cancellation_at_any_time_leaves_no_process_and_no_file(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    options = git_options(tmp_path, server)
    start = time.monotonic()
    await fetch_all(options, remote.url)
    seconds = time.monotonic() - start
    cancelled = 0
    while cancelled < 10:
        task = asyncio.create_task(fetch_all(options, remote.url))
        await asyncio.sleep(seconds * cancelled / 10)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            cancelled += 1
        else:  # it had ended: `seconds`, measured on the first fetch, is too long
            seconds *= 0.8
        assert_nothing_is_left(temporary)


async def test_git_survives_the_end_of_an_executors_thread(
    tmp_path: Path, server: GitServer
) -> None:
    """The kernel kills git with the thread that started it: it must be the event loop's."""
    remote = server.create()
    remote.commit({"a.md": b"a"})
    server.behaviour.stall_after = 200
    with ThreadPoolExecutor(1) as executor:
        asyncio.get_running_loop().set_default_executor(executor)
        task = asyncio.create_task(fetch_all(git_options(tmp_path, server), remote.url))
        await wait_until(lambda: len(server.requests) >= 3)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    server.behaviour.resume.set()
    _, contents = await task
    assert contents == {b"a.md": b"a"}
