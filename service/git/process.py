"""One git process: its environment, its limits, and killing its process group."""

import asyncio
import math
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from service.git.errors import NOT_INSTALLED, GitMachineError

# The limit of address space: it stops a git whose server sends refs without end.
MEMORY_BYTES = 1024 * 1024 * 1024
# The share of a GitRepository's time that one process may compute, and the least that it may:
# resolving the deltas of a pack of 256 MB takes about a minute.
CPU_SHARE = 0.4
CPU_SECONDS_MIN = 20
# A process that ignores SIGXCPU is killed so much later.
CPU_SECONDS_MORE = 5
# The bytes of git's standard error that are read, from its end. What git has not written is zeros.
ERROR_BYTES = 16_384
# The longest wait for a killed process group to end.
KILL_SECONDS = 2.0

# The configuration of each git process. Of files git reads GIT_CONFIG_GLOBAL alone.
CONFIGURATION = {
    "core.hooksPath": "/dev/null",
    "core.bigFileThreshold": "1m",  # larger blobs are streamed, not held in memory
    # Of 96 MB, git would fill each: 16 MB take a tenth of its time more for 50,000 documents.
    "core.deltaBaseCacheLimit": "16m",
    "core.fsync": "none",  # the repository is temporary
    "credential.helper": "",
    # Off, since it refuses whole repositories for old commits' time zones and modes, and with a
    # filter git passes no fetch.fsck.… setting on. git itself checks the objects' hashes, and
    # service/sync/paths.py the paths.
    "fetch.fsckObjects": "false",
    "fetch.negotiationAlgorithm": "noop",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",  # always keep the pack: thousands of small files are slow
    "gc.auto": "0",
    "http.followRedirects": "false",  # the redirect's host would get the Authorization header
    "http.lowSpeedLimit": "1",  # in bytes/s: for a server that sends nothing
    "http.proxy": "",
    "maintenance.auto": "false",
    "pack.threads": "2",  # one thread per core would exceed MEMORY_BYTES on 64 cores
    "protocol.version": "2",
}


def git_environment(
    *,
    protocols: Sequence[str],
    config_global: str | None,
    stall_seconds: int,
    configuration: Mapping[str, str],
) -> dict[str, str]:
    """Return the whole environment of a git process, which inherits only PATH.

    git ends a transfer in which nothing comes for `stall_seconds`. `configuration` is added to
    CONFIGURATION. Both go into the environment, since `ps` shows arguments.
    """
    pairs = {
        **CONFIGURATION,
        "http.lowSpeedTime": str(stall_seconds),
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
        "GIT_NO_LAZY_FETCH": "1",  # a missing object is an error, not one more request
        "GIT_LITERAL_PATHSPECS": "1",  # a folder may be called `*`
        "GIT_CONFIG_COUNT": str(len(pairs)),
    }
    for number, (key, value) in enumerate(pairs.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def cpu_limit(seconds: float) -> int:
    """Return how long a process of a GitRepository that may take `seconds` may compute."""
    return math.ceil(max(CPU_SECONDS_MIN, seconds * CPU_SHARE))


def git_command(file_bytes: int, cpu_seconds: int) -> list[str]:
    """Return the start of git's command line, with limits on memory, time and each file's size.

    Lower hard limits of this process, as from `ulimit`, stay. The limits need prlimit of
    util-linux. With its setpriv, the kernel kills git when the thread that started git ends.
    Without them, as on macOS, git has no such limits, and outlives a service killed by SIGKILL for
    as long as its server sends. Raises GitMachineError without git.
    """
    git = shutil.which("git")
    if git is None:
        raise GitMachineError(NOT_INSTALLED)
    command: list[str] = []
    setpriv = shutil.which("setpriv")
    if setpriv and _has_pdeathsig(setpriv):
        command += [setpriv, "--pdeathsig", "KILL", "--"]
    prlimit = shutil.which("prlimit")
    if prlimit:
        cpu = lower_limit(resource.RLIMIT_CPU, cpu_seconds)
        cpu_hard = lower_limit(resource.RLIMIT_CPU, cpu_seconds + CPU_SECONDS_MORE)
        limits = [
            f"--fsize={lower_limit(resource.RLIMIT_FSIZE, file_bytes)}",
            f"--as={lower_limit(resource.RLIMIT_AS, MEMORY_BYTES)}",
            f"--cpu={cpu}:{cpu_hard}",
            "--core=0",
        ]
        command += [prlimit, *limits, "--"]
    return [*command, git]


def lower_limit(limit: int, value: int) -> int:
    """Return the lower of `value` and this process's own hard limit, as in resource.RLIMIT_AS.

    Its soft limit of memory is for its own work: see sync/process_main.py.
    """
    _, hard = resource.getrlimit(limit)
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


@cache
def _has_pdeathsig(setpriv: str) -> bool:
    """Return whether setpriv has the option --pdeathsig: util-linux's has it, BusyBox's has not."""
    command = [setpriv, "--pdeathsig", "KILL", "--", "true"]
    finished = subprocess.run(command, capture_output=True, check=False)
    return finished.returncode == 0


async def run_git(
    command: Sequence[str],
    variables: Mapping[str, str],
    *,
    stdin: Path,
    stdout: Path,
    stderr: Path,
    watch: Callable[[int], Awaitable[None]] | None = None,
) -> int:
    """Run a command to its end, and return its exit code, negative for a signal.

    Its input, output and errors are files. `watch` gets the process group; what it raises ends the
    command. If that happens, the call is cancelled or the command fails, the whole process group is
    killed: helpers outlive a git that is killed alone. Raises OSError if the command cannot be
    started.
    """
    with (
        stdin.open("rb") as source,
        stdout.open("wb") as output,
        stderr.open("wb") as errors,
    ):
        # Room for git's errors, without which it cannot say that the disk is full.
        # Written, since not every file system and C library has posix_fallocate.
        errors.write(bytes(ERROR_BYTES))
        errors.seek(0)
        # Every process of the group inherits the write end, so that the read end becomes readable
        # (end of file) when the last of them has ended.
        read_end, inherited = os.pipe()
        with os.fdopen(read_end, "rb"):
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
                # Cancelling a start does not prevent it: let it finish, then kill the process.
                process = await asyncio.shield(starting)
                if watch is None:
                    code = await process.wait()
                else:
                    code = await _wait_watched(process, watch)
            finally:
                if code != 0:
                    await _kill_group(starting, read_end)
    return code


async def _wait_watched(
    process: asyncio.subprocess.Process, watch: Callable[[int], Awaitable[None]]
) -> int:
    waiting = asyncio.ensure_future(process.wait())
    watching = asyncio.ensure_future(watch(process.pid))
    try:
        await asyncio.wait((waiting, watching), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            watching.result()  # raises
        return await waiting
    finally:
        waiting.cancel()
        watching.cancel()


async def _kill_group(starting: asyncio.Future[asyncio.subprocess.Process], read_end: int) -> None:
    """Kill the process group and wait until it has ended: until then it may still write files."""
    try:
        process = await starting
    except OSError:  # not started; run_git raises this
        return
    with suppress(ProcessLookupError, PermissionError):  # macOS raises the latter for zombies
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(read_end, ended.set)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(KILL_SECONDS):
                await ended.wait()
                await _reap_orphans(process.pid)
    finally:
        loop.remove_reader(read_end)


async def _reap_orphans(group: int) -> None:
    """Reap the group's orphans if this process inherits them: on Linux it asks for that.

    See sync/process_main.py. Elsewhere the system's init inherits and reaps them.
    """
    with suppress(ChildProcessError):
        while True:
            if not _reap_one(group):
                await asyncio.sleep(0.005)


def _reap_one(group: int) -> bool:
    return os.waitpid(-group, os.WNOHANG) != (0, 0)


def read_end(path: Path, length: int) -> bytes:
    """Return the last bytes of a file, which a server can make as large as the limit allows."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - length))
        return file.read(length)
