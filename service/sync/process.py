"""The process of a run, from the side of its worker, which can kill it whatever it does.

A worker's event loop and interpreter are never held by a run: fetching, parsing, comparing and
writing happen in a process of their own, with a connection to the database of its own. Such
a process does one run after the other. `process_main.py` is its own side.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from service.git.folder import remove_leftovers
from service.sync.messages import MESSAGE_BYTES_MAX, describe_time_limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.sync.claims import Claim
    from service.sync.messages import RunOptions

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# The longest wait for a process that starts: half a second on an idle machine.
START_SECONDS: Final = 30.0

# A process ends its run at the time limit by itself. One that is this late is killed.
LATE_SECONDS: Final = 5.0

# The time for a run to end when it is told to, before its process is killed.
CANCEL_SECONDS: Final = 0.5

# The time for a process to end that has done its last run.
RETIRE_SECONDS: Final = 1.0

# The longest wait for a process that was killed to end, and for its folder to be removed.
KILL_SECONDS: Final = 2.0

# Variables that a process does not inherit. It gets the secrets that it needs through its socket.
SECRET_VARIABLES: Final = (
    "API_READ_TOKEN",
    "API_TOKEN",
    "BITBUCKET_WEBHOOK_SECRET",
    "DATABASE_URL",
    "GITEA_WEBHOOK_SECRET",
    "GITHUB_WEBHOOK_SECRET",
    "GITLAB_WEBHOOK_SECRET",
    "GIT_PROXY",
    "GIT_TOKEN",
    "GIT_TOKENS",
    "MIGRATIONS_DATABASE_URL",
)

# glibc's options: see mallopt(3). It reserves 64 MB of address space for each of up to 8 arenas per
# core. Blocks above the threshold go back to the system when they are freed; without a fixed one,
# the threshold grows to 32 MB with the blocks that are freed.
ALLOCATOR: Final = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "131072"}

# Imported modules are never garbage: collecting during the imports only takes time.
PROGRAM: Final = (
    "import gc, sys; gc.disable(); sys.path[:] = sys.argv[1:]; "
    "from service.sync.process_main import main; main()"
)


class RunFailedError(Exception):
    """A run failed, and could not record that itself. `str()` is a sentence for users."""


class ProcessEndedError(Exception):
    """A process ended in the middle of a run: its exit code, negative for a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


class RunProcess:
    """One process, and the worker's end of its socket."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, options: RunOptions) -> RunProcess:
        """Start a process and wait until it is ready. Raises OSError and ProcessEndedError."""
        reader, writer, theirs = await _open_channel()
        starting = asyncio.ensure_future(_start_python(theirs, options.turns))
        starting.add_done_callback(lambda _: theirs.close())
        try:
            # Cancelling a start does not prevent it: let it finish, then kill the process.
            started = cls(await asyncio.shield(starting), reader, writer)
            started.send(options)
            async with asyncio.timeout(START_SECONDS):
                await started.receive()
        except BaseException:
            with suppress(OSError):
                await cls(await starting, reader, writer).kill()
            writer.close()
            raise
        return started

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended, or has closed its end of the socket."""
        return self._process.returncode is not None or self._reader.at_eof()

    def send(self, order: object) -> None:
        """Send an object, pickled."""
        self._writer.write(pickle.dumps(order))

    async def receive(self) -> dict[str, Any]:
        """Return the process's next message. Raises ProcessEndedError."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            line = b""
        if not line.endswith(b"\n"):
            raise ProcessEndedError(await self._process.wait())
        return json.loads(line)

    async def do_run(
        self, claim: Claim, seconds: float, report: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Have a run done, and return the message that ends it; `report` gets those before."""
        self.send(claim)
        try:
            async with asyncio.timeout(seconds + LATE_SECONDS):
                return await self._receive_end(report)
        except TimeoutError:
            await self.kill()
            raise RunFailedError(describe_time_limit(seconds)) from None
        except asyncio.CancelledError:
            if end := await self._cancel_run():
                return end
            raise
        except BaseException:
            await self.kill()
            raise

    async def _receive_end(self, report: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        while "end" not in (message := await self.receive()):
            report(message)
        return message

    async def _cancel_run(self) -> dict[str, Any] | None:
        """End the run and the process; return the message that ends the run, if there was one."""
        end = None
        with suppress(OSError, TimeoutError, ProcessEndedError):
            self._order_end()
            async with asyncio.timeout(CANCEL_SECONDS):
                end = await self._receive_end(lambda _: None)
                end["is_last"] = True
                await self._process.wait()
        await self.kill()
        return end

    async def retire(self) -> None:
        """Let the process end by itself, and kill it if it does not."""
        try:
            with suppress(OSError, TimeoutError):
                self._order_end()
                async with asyncio.timeout(RETIRE_SECONDS):
                    await self._process.wait()
        finally:
            await self.kill()

    def _order_end(self) -> None:
        """Close the process's input, which it takes for the order to end."""
        if not self._writer.is_closing():
            self._writer.write_eof()

    async def kill(self) -> None:
        """Kill the process unless it has ended, and remove what is left of its git.

        Waits for KILL_SECONDS at most: a disk that hangs delays either for ever. The next run tries
        again to remove what is left.
        """
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        is_first = not self._writer.is_closing()
        self._writer.close()
        try:
            async with asyncio.timeout(KILL_SECONDS):
                if await self._process.wait() and is_first:
                    with suppress(OSError):  # no temporary folder, so nothing is left in it
                        await asyncio.to_thread(remove_leftovers)
        except TimeoutError:
            if self._process.returncode is None:
                log.error("sync_process_not_ended", process_pid=self._process.pid)  # noqa: TRY400


def _command() -> list[str]:
    """Return the command line: this interpreter with its options, PROGRAM and sys.path."""
    # Imported late: a service that never syncs takes less memory.
    from multiprocessing.spawn import get_command_line

    command = get_command_line()
    return [
        *command[: command.index("-c")],
        "-c",
        PROGRAM,
        *(str(Path(p).absolute()) for p in sys.path),
    ]


def _environment() -> dict[str, str]:
    left_out = {*SECRET_VARIABLES, *(f"{name}_FILE" for name in SECRET_VARIABLES)}
    inherited = {name: value for name, value in os.environ.items() if name not in left_out}
    return ALLOCATOR | inherited


async def _open_channel() -> tuple[asyncio.StreamReader, asyncio.StreamWriter, socket.socket]:
    """Return the worker's end of a new socket, and the process's end."""
    with ExitStack() as unless_open:
        ours, theirs = map(unless_open.enter_context, socket.socketpair())
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=MESSAGE_BYTES_MAX)
        unless_open.pop_all()
    return reader, writer, theirs


async def _start_python(stdin: socket.socket, turns: int | None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *_command(),
        stdin=stdin.fileno(),
        stdout=asyncio.subprocess.DEVNULL,
        env=_environment(),
        pass_fds=() if turns is None else (turns,),
        # A terminal sends its Ctrl-C to a process group: the worker decides about its runs.
        start_new_session=True,
    )
