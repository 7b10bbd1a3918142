"""One git process: what it may see and use, and its sure end."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from service.git.errors import GitError

# Of address space: stops a server that sends refs without end.
MEMORY_BYTES = 1024 * 1024 * 1024
# Bytes per second, and for how many seconds a server may stay below that.
SLOW_BYTES = 1000
STALL_SECONDS = 20
# How long the killed may take to be gone.
GONE_SECONDS = 2.0

# The whole configuration of each git, whatever the machine's says.
CONFIGURATION = {
    "core.hooksPath": "/dev/null",
    "core.bigFileThreshold": "1m",  # giants are streamed, not held in memory
    "core.fsync": "none",  # the repository is thrown away
    "credential.helper": "",
    "fetch.fsckObjects": "true",  # refuses ../, .git/, absolute paths, duplicates
    "fetch.negotiationAlgorithm": "noop",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",  # always a pack: thousands of small files are slow
    "gc.auto": "0",
    "http.followRedirects": "false",  # the Authorization header would follow, too
    "http.lowSpeedLimit": str(SLOW_BYTES),
    "http.proxy": "",
    "maintenance.auto": "false",
    "pack.threads": "2",  # on a machine with 64 cores, the limit of memory would not do
    "protocol.version": "2",
}


def git_environment(
    *, protocols: Sequence[str], config_global: str | None, configuration: Mapping[str, str]
) -> dict[str, str]:
    """Return the whole environment of a git: nothing of the user's or the machine's comes in.

    `configuration` comes on top of CONFIGURATION, here and not in arguments that `ps` shows.
    """
    pairs = {
        **CONFIGURATION,
        "http.lowSpeedTime": str(STALL_SECONDS),
        **configuration,
    }
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",  # git and curl would look for .netrc there
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": config_global or os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_ALLOW_PROTOCOL": ":".join(protocols),
        "GIT_NO_LAZY_FETCH": "1",  # a missing object is an error, not a request of its own
        "GIT_LITERAL_PATHSPECS": "1",  # a folder may be called `*`
        "GIT_CONFIG_COUNT": str(len(pairs)),
    }
    for number, (key, value) in enumerate(pairs.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def git_command(file_bytes: int) -> list[str]:
    """Return what starts git: with limits and tied to this process's life, where that can be.

    Both come from util-linux. Without them, as on macOS, git runs without limits of its memory
    and of the size of its files, and outlives a service that is killed by SIGKILL for as long as
    its server sends. Raises GitError if there is no git.
    """
    git = shutil.which("git")
    if git is None:
        raise GitError("git is not installed on the service's machine.")
    command: list[str] = []
    setpriv = shutil.which("setpriv")
    if setpriv and _can_tie(setpriv):
        command += [setpriv, "--pdeathsig", "KILL", "--"]
    prlimit = shutil.which("prlimit")
    if prlimit:
        limits = [f"--fsize={file_bytes}", f"--as={MEMORY_BYTES}", "--core=0"]
        command += [prlimit, *limits, "--"]
    return [*command, git]


@cache
def _can_tie(setpriv: str) -> bool:
    """Return whether this is util-linux's setpriv: BusyBox has one that cannot."""
    command = [setpriv, "--pdeathsig", "KILL", "--", "true"]
    finished = subprocess.run(command, capture_output=True, check=False)
    return finished.returncode == 0


async def run_git(
    command: Sequence[str], variables: Mapping[str, str], *, stdin: Path, stdout: Path, stderr: Path
) -> int:
    """Run a command between files to its end; return its exit code, negative for a signal.

    When this is cancelled, or the command fails, its whole process group is killed: git leaves
    its helpers behind when it is killed alone. Raises OSError if it cannot be started.
    """
    with (
        stdin.open("rb") as source,
        stdout.open("wb") as output,
        stderr.open("wb") as errors,
    ):
        # All of the group inherit the one end; the other reads its end of file when all are gone.
        life, inherited = os.pipe()
        with os.fdopen(life, "rb"):
            starting = asyncio.ensure_future(
                asyncio.create_subprocess_exec(
                    *command,
                    stdin=source,
                    stdout=output,
                    stderr=errors,
                    pass_fds=(inherited,),
                    cwd="/",
                    env=dict(variables),
                    start_new_session=True,
                )
            )
            starting.add_done_callback(lambda _: os.close(inherited))
            code = -1
            try:
                # Cancelled in the middle of its start, it would run all the same.
                process = await asyncio.shield(starting)
                code = await process.wait()
            finally:
                if code != 0:
                    await _end(starting, life)
    return code


async def _end(starting: asyncio.Future[asyncio.subprocess.Process], life: int) -> None:
    """Kill the group and wait until it is gone: until then it may still write files."""
    try:
        process = await starting
    except OSError:  # it never started; whoever awaited it was told
        return
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of zombies
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(life, gone.set)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(GONE_SECONDS):
                await gone.wait()
                await _reap(process.pid)
    finally:
        loop.remove_reader(life)


async def _reap(group: int) -> None:
    """Wait for the group's orphans where they became our children: where we are a container's init.

    Otherwise they are somebody else's, and there is nothing to do.
    """
    with suppress(ChildProcessError):
        while True:
            if not _reap_one(group):
                await asyncio.sleep(0.005)


def _reap_one(group: int) -> bool:
    return os.waitpid(-group, os.WNOHANG) != (0, 0)
