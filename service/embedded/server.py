"""The server of a private folder: makes its cluster, launches it, looks at it and stops it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.embedded import probe
from service.embedded.account import choose_account, hand_over
from service.embedded.errors import EmbeddedPostgresError, folder_error
from service.locks import POLL_SECONDS, is_free, lock
from service.temporary import shared_parent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.embedded.account import Account

START_SECONDS: Final = 60.0
# Fast shutdown, then immediate, which itself kills stuck children after 5 s, then SIGKILL.
STOP_STEPS = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 6.0), (signal.SIGKILL, 5.0))
SOCKET_FOLDER_PREFIX: Final = "bmadflow-postgres-"
SOCKET_PATH_BYTES: Final = 103  # macOS; Linux has 107, see sun_path in unix(7)
# Lines of postmaster.pid, from 1, by src/include/utils/pidfile.h in PostgreSQL's source.
PID_LINE: Final = 1
SOCKET_FOLDER_LINE: Final = 5


class Server:
    """The server of one folder, which any process that uses the folder may have launched."""

    def __init__(self, directory: Path) -> None:
        """Look at the server in `directory`, which has `data`, `log` and the locks."""
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "server.log"
        self._lock = directory / "server.lock"

    def is_running(self) -> bool:
        """Return whether any process of the server is alive."""
        return not is_free(self._lock)

    def read_process(self) -> str:
        """Return the pid of a server that runs, or ran until it was killed; else ''."""
        return self._pid_file_line(PID_LINE)

    def read_socket_folder(self) -> Path | None:
        """Return the folder of its socket, or None as long as there is none."""
        line = self._pid_file_line(SOCKET_FOLDER_LINE)
        return Path(line) if line else None

    def has_lost_socket(self) -> bool:
        """Return whether the server runs without its socket, as after `rm -r /tmp/*`.

        PostgreSQL makes its socket only when it starts. A socket in the server's own folder is not
        looked for: it goes when the folder is deleted, and a start would fill that again.
        """
        folder = self.read_socket_folder()
        if folder is None or folder == self.directory or not self.is_running():
            return False
        return not (folder / probe.SOCKET).exists()

    def put_log_aside(self) -> None:
        """Make the log, if there is one, the older log, of which one is kept."""
        if self.log.exists():
            self.log.replace(f"{self.log}.old")

    def _pid_file_line(self, line: int) -> str:
        return "".join(read_or_empty(self.data / "postmaster.pid").split("\n")[line - 1 : line])

    def launch(
        self, binaries: Path, major: int, options: Mapping[str, str], start_lock: int
    ) -> None:
        """Start the server, and make its cluster first if there is none.

        Returns before the server responds. Raises EmbeddedPostgresError, AccountError, OSError or
        subprocess.TimeoutExpired.
        """
        account = choose_account(self.directory, binaries)
        hand_over(self.directory, account)
        folder = self._make_socket_folder(account)
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster(binaries, major, account, start_lock)
        for stale in (self.data / "postmaster.pid", folder / f"{probe.SOCKET}.lock"):
            stale.unlink(missing_ok=True)
        self.put_log_aside()
        settings = {
            **options,
            "listen_addresses": "",
            "port": str(probe.PORT),
            "unix_socket_directories": '"' + str(folder).replace('"', '""') + '"',
            "log_checkpoints": "off",
        }
        command = [str(binaries / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        # Only the holder of start.lock keeps server.lock; a process that watches the server takes
        # it for a moment.
        server = lock(self._lock, seconds=START_SECONDS)
        if server is None:
            raise self._error("its lock stays taken; end what holds it and try again")
        try:  # the shell ends at once: init adopts the server, which outlives this process
            script = 'log=$1; shift; "$@" >>"$log" 2>&1 &'
            account.run(["/bin/sh", "-c", script, "sh", str(self.log), *command], server)
        finally:
            os.close(server)

    def _make_cluster(self, binaries: Path, major: int, account: Account, start_lock: int) -> None:
        unfinished = self.directory / "data.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        command = [str(binaries / "initdb"), "-D", str(unfinished), "-U", probe.SUPERUSER]
        command += ["-A", "trust", "-E", "UTF8", "--no-instructions"]
        if major >= 17:  # the first with locales that do not depend on the machine
            command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        else:
            command += ["--locale=C.UTF-8"]
        # initdb inherits start.lock: if it outlives this process, no other one deletes its folder.
        result = account.run(command, start_lock)
        if result.returncode:
            raise folder_error(
                self.directory, f"initdb failed: {first_error(result.stdout)}; put that right"
            )
        unfinished.rename(self.data)

    def _make_socket_folder(self, account: Account) -> Path:
        # libpq splits a host at commas.
        socket_path = os.fsencode(self.directory / probe.SOCKET)
        if len(socket_path) <= SOCKET_PATH_BYTES and b"," not in socket_path:
            return self.directory
        owner = os.geteuid() if account.uid is None else account.uid
        digest = hashlib.sha256(socket_path).hexdigest()[:16]
        folder = Path(shared_parent(), f"{SOCKET_FOLDER_PREFIX}{owner}-{digest}")
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if status.st_mode != stat.S_IFDIR | 0o700 or status.st_uid not in {os.geteuid(), owner}:
            raise folder_error(
                self.directory, f"{folder} is not a private folder of ours; remove it"
            )
        os.chown(folder, owner, -1)
        return folder

    def stop(self) -> None:
        """Stop the server, which takes 21 s at most."""
        folder = self.read_socket_folder()
        for number, seconds in STOP_STEPS:
            signalled, deadline = False, time.monotonic() + seconds
            while self.is_running() and time.monotonic() < deadline:
                # A server launched a moment ago has no pid file yet.
                signalled = signalled or self._signal(number)
                time.sleep(POLL_SECONDS)
        if folder is not None and folder.name.startswith(SOCKET_FOLDER_PREFIX):
            with contextlib.suppress(OSError):  # not empty, or gone: a leftover does no harm
                folder.rmdir()

    def _signal(self, number: int) -> bool:
        """Signal the postmaster; return False if its pid is not known yet."""
        process = self.read_process()
        if not process.isdigit():
            return False
        # A dead postmaster's pid may be another process's by now. macOS has no /proc to check that.
        arguments = Path("/proc", process, "cmdline")
        if arguments.exists() and f"{self.data}\0" not in read_or_empty(arguments):
            return False
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(int(process), number)
            os.kill(int(process), signal.SIGCONT)  # a stopped process handles no signal
        return True

    def _error(self, text: str) -> EmbeddedPostgresError:
        return folder_error(self.directory, text)


def read_or_empty(path: Path) -> str:
    """Return a file's text; '' for one that is missing, or in /proc and its process has ended."""
    try:
        return os.fsdecode(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
        return ""


def first_error(output: str) -> str:
    """Return the first error in the output of PostgreSQL's programs, or else its last line."""
    # Without what clients were told while the server was starting: that is no reason.
    own = [line for line in output.splitlines() if "FATAL:  the database system is " not in line]
    lines = re.findall(r"(?:error|FATAL|PANIC): +(.+)", "\n".join(own)) or own[-1:]
    return lines[0] if lines else "it says nothing"
