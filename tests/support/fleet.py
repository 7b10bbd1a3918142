"""HAProxy, PgBouncer, a primary with a standby, and clients, for several copies of the service."""

from __future__ import annotations

import asyncio
import csv
import itertools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections import Counter
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg
import pytest

from service.embedded.account import choose_account, hand_over
from service.embedded.postgres import find_binaries
from service.server.sockets import ListenError, listen
from tests.support.output import tail
from tests.support.postgres import FAST, Postgres, freeze_server, run_sql
from tests.support.processes import freeze
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

# Debian installs both in /usr/sbin, which is not in the PATH of ordinary users.
PROGRAMS = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin"
HAPROXY = shutil.which("haproxy", path=PROGRAMS)
PGBOUNCER = shutil.which("pgbouncer", path=PROGRAMS)

# In CI a missing program fails the tests instead of skipping them.
needs_haproxy = pytest.mark.skipif(
    HAPROXY is None and "CI" not in os.environ, reason="there is no HAProxy on this machine"
)
needs_pgbouncer = pytest.mark.skipif(
    PGBOUNCER is None and "CI" not in os.environ, reason="there is no PgBouncer on this machine"
)

# Below the ephemeral ports: an outgoing connection could take the port of a copy that restarts.
PORTS = range(20_000, 32_000)

STOP_SECONDS = 15.0
RESPONSE_SECONDS = 30.0
MAX_PAUSE_SECONDS = 0.02


def free_ports(number: int) -> list[int]:
    """Return unused ports of 127.0.0.1."""
    found: dict[int, list[socket.socket]] = {}
    try:
        while len(found) < number:
            port = random.choice(PORTS)
            with suppress(ListenError):
                found[port] = listen("127.0.0.1", port)
    finally:
        for listener in itertools.chain(*found.values()):
            listener.close()
    return list(found)


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the process listens; fail with the end of its log if it ends before."""
    eventually(lambda: is_listening(port) or process.poll() is not None)
    assert process.poll() is None, tail(log)


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def running_program(
    command: Sequence[str], log: Path, folder: Path | None = None, keep: Sequence[int] = ()
) -> Generator[subprocess.Popen[bytes]]:
    """Run a program while the block runs.

    If `folder` is given, the program owns it and never runs as root: PostgreSQL and PgBouncer
    refuse to. `keep` are file descriptors that it inherits.
    """
    prefix, uid, gid = (), None, None
    if folder is not None:
        account = choose_account(folder, find_binaries())
        hand_over(folder, account)
        prefix, uid, gid = account
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            user=uid,
            group=gid,
            extra_groups=None if uid is None else [],
            pass_fds=keep,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# As docs/operating.md has it, with more frequent checks. These need `timeout check`: otherwise
# `inter` is the limit, and a busy machine is no outage.
HAPROXY_CONFIGURATION = """
global
    stats socket {socket}

frontend api
    mode http
    bind fd@{listener}
    timeout client 30s
    default_backend bmadflow

backend bmadflow
    mode http
    timeout connect 5s
    timeout server 30s
    timeout check 5s
    option httpchk GET /api/health
    http-check expect status 200
    default-server check inter 150ms fall 1 rise 1
    # A copy that drains responds to health requests with 503. HAProxy's own checks have to get that
    # response; a client's health request means the service, so HAProxy retries it on another copy.
    retry-on conn-failure 503
    retries 1
    option redispatch
    http-request disable-l7-retry unless {{ path /api/health }}
"""

PGBOUNCER_CONFIGURATION = """
[databases]
* = host={socket} port=5432

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = {pool_size}
server_login_retry = 1
"""


class HAProxy:
    """HAProxy in front of copies of the service on these ports of 127.0.0.1."""

    def __init__(self, folder: Path, ports: Sequence[int]) -> None:
        self._folder = folder
        self._socket = folder / "haproxy"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._ports = ports

    @contextmanager
    def run(self) -> Generator[Self]:
        assert HAPROXY is not None
        configuration = self._folder / "haproxy.cfg"
        servers = [f"    server copy-{port} 127.0.0.1:{port}\n" for port in self._ports]
        text = HAPROXY_CONFIGURATION.format(socket=self._socket, listener=self._listener.fileno())
        configuration.write_text(text + "".join(servers))
        command = [HAPROXY, "-db", "-f", str(configuration)]
        log = self._folder / "haproxy.log"
        with (
            self._listener,
            running_program(command, log, keep=[self._listener.fileno()]) as process,
        ):
            eventually(lambda: self._socket.exists() or process.poll() is not None)
            assert process.poll() is None, tail(log)
            yield self

    def statistics(self) -> dict[int, dict[str, str]]:
        """Return HAProxy's statistics of each copy, by its port."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self._socket))
            connection.sendall(b"show stat\n")
            table = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        rows = csv.DictReader(table.removeprefix("# ").splitlines())
        copies = [row for row in rows if row["svname"].startswith("copy-")]
        return {int(row["svname"].removeprefix("copy-")): row for row in copies}

    def is_up(self, port: int) -> bool:
        """Return whether the last health check succeeded; before the first, HAProxy says UP."""
        copy = self.statistics()[port]
        return copy["status"] == "UP" and copy["check_status"].endswith("L7OK")

    def good_responses(self, port: int) -> int:
        """Return how many responses of status 2xx a copy has sent."""
        return int(self.statistics()[port]["hrsp_2xx"])


class PgBouncer:
    """PgBouncer in transaction mode, with `pool_size` connections to PostgreSQL per database."""

    def __init__(self, folder: Path, postgres: Postgres, pool_size: int) -> None:
        self._folder = folder / "pgbouncer"
        self._postgres = postgres
        self._pool_size = pool_size
        [self._port] = free_ports(1)

    def url_of(self, database_url: str) -> str:
        """Return the URL of a database by way of PgBouncer."""
        return f"postgresql://postgres@127.0.0.1:{self._port}{urlsplit(database_url).path}"

    @staticmethod
    def version() -> tuple[int, int]:
        assert PGBOUNCER is not None
        output = subprocess.run(
            [PGBOUNCER, "-V"], capture_output=True, text=True, check=True
        ).stdout
        found = re.match(r"PgBouncer (\d+)\.(\d+)", output)
        assert found, output
        return int(found[1]), int(found[2])

    @contextmanager
    def run(self) -> Generator[Self]:
        assert PGBOUNCER is not None
        self._folder.mkdir(exist_ok=True)
        users, configuration = self._folder / "users.txt", self._folder / "pgbouncer.ini"
        users.write_text('"postgres" ""')
        text = PGBOUNCER_CONFIGURATION.format(
            socket=parse_qs(urlsplit(self._postgres.url).query)["host"][0],
            port=self._port,
            users=users,
            pool_size=self._pool_size,
        )
        configuration.write_text(text)
        log = self._folder / "pgbouncer.log"
        with running_program([PGBOUNCER, str(configuration)], log, folder=self._folder) as process:
            wait_for_port(self._port, process, log)
            yield self


class TcpPostgres:
    """PostgreSQL on a port of 127.0.0.1, with a copy of the data of a stopped server."""

    def __init__(self, folder: Path, stopped: Postgres) -> None:
        self.folder = folder
        [self.port] = free_ports(1)
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"postgresql://postgres@{self.host}/bmadflow"
        folder.mkdir(mode=0o700)
        shutil.copytree(stopped.folder / "data", folder / "data")

    @contextmanager
    def run(self, standby_of: TcpPostgres | None = None) -> Generator[Self]:
        """Run the server while the block runs, as a primary or as the standby of a running one."""
        data, log = self.folder / "data", self.folder / "server.log"
        options = FAST | {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
        }
        if standby_of is not None:
            (data / "standby.signal").touch()
            options["primary_conninfo"] = f"host=127.0.0.1 port={standby_of.port} user=postgres"
        command = [str(find_binaries() / "postgres"), "-D", str(data)]
        command += [f"--{name}={value}" for name, value in options.items()]
        with running_program(command, log, folder=self.folder) as process:
            self._process = psutil.Process(process.pid)
            eventually(lambda: self.is_ready() or process.poll() is not None, 30)
            assert process.poll() is None, tail(log)
            if standby_of is not None:
                receiving = "select count(*) from pg_stat_wal_receiver where status = 'streaming'"
                eventually(lambda: run_sql(self.url, receiving) == [(1,)])
            try:
                yield self
            finally:
                self.kill()

    def is_ready(self) -> bool:
        try:
            run_sql(self.url, "select 1")
        except psycopg.OperationalError:
            return False
        return True

    def sessions(self) -> int:
        """Return how many connections the service has to this server."""
        query = "select count(*) from pg_stat_activity where application_name = 'bmadflow-api'"
        return int(run_sql(self.url, query)[0][0])

    def promote(self) -> None:
        assert run_sql(self.url, "select pg_promote()") == [(True,)]

    def kill(self) -> None:
        """End the server as a crash does: sessions and port close without a message."""
        with suppress(psutil.NoSuchProcess):
            freeze(self._process)
            for child in self._process.children(recursive=True):
                child.kill()
            # Not SIGKILL: the postmaster would leave its shared memory behind.
            self._process.send_signal(signal.SIGQUIT)
            self._process.resume()
            self._process.wait(STOP_SECONDS)

    def freeze(self) -> None:
        """Stop all its processes, so that it neither responds nor refuses, like a lost machine."""
        freeze_server(self._process)


class SteadyLoad:
    """Clients that each keep a connection open and send one request after the other."""

    REQUEST_ID = "load"

    def __init__(self, url: str, paths: Sequence[str], clients: int) -> None:
        self._address = urlsplit(url)
        self._paths = itertools.cycle(paths)
        self._clients = clients
        self._is_ended = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.responses: Counter[str] = Counter()  # with status 200, by path
        self.failures: list[str] = []
        self.connections = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_ended = True
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._run_client() for _ in range(self._clients)))

    async def _run_client(self) -> None:
        while not self._is_ended:
            path = "connecting"
            try:
                address = self._address.hostname, self._address.port
                reader, writer = await asyncio.open_connection(*address)
                self.connections += 1
                with closing(writer):
                    while not self._is_ended:
                        path = next(self._paths)
                        async with asyncio.timeout(RESPONSE_SECONDS):
                            status = await self._request(reader, writer, path)
                        if status == 200:
                            self.responses[path] += 1
                        else:
                            self.failures.append(f"{path}: {status}")
                        # When a copy stops, some connections should be idle and others not.
                        await asyncio.sleep(random.uniform(0, MAX_PAUSE_SECONDS))
            except (OSError, EOFError) as error:  # a TimeoutError is an OSError
                self.failures.append(f"{path}: {error!r}")
                await asyncio.sleep(MAX_PAUSE_SECONDS)

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str
    ) -> int:
        request = (
            f"GET {path} HTTP/1.1\r\nhost: localhost\r\nx-request-id: {self.REQUEST_ID}\r\n\r\n"
        )
        writer.write(request.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        return int(head.split()[1])
