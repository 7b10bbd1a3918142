"""The account that runs the server when root starts it."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.embedded.account import Account, hand_over
from service.embedded.postgres import EmbeddedPostgresError
from tests.support.embedded import end_processes, one_line, postmaster, query, server
from tests.support.postgres import run_sql

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that does not exist yet, in one that every user may enter."""
    parent = Path(tempfile.mkdtemp())
    parent.chmod(0o755)
    yield parent / "pg"
    end_processes(parent)
    shutil.rmtree(parent)


@as_root
def test_as_root_the_server_has_neither_uid_0_nor_capabilities(new_folder: Path) -> None:
    with server(new_folder) as dsn:
        status = str(query(dsn, "select pg_read_file('/proc/self/status')"))
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in lines["Uid"].split()
    assert int(lines["CapEff"], 16) == 0


@as_root
def test_without_namespaces_root_runs_the_server_as_nobody(
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
                run_sql(dsn, f"create table step{step} ()")
                assert query(dsn, "select count(*) from step0") == 0


@as_root
def test_a_folder_that_the_user_nobody_cannot_reach_is_reported_in_one_line(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(open_folder.parent))
    open_folder.parent.chmod(0o700)
    with pytest.raises(EmbeddedPostgresError, match="cannot reach") as error:
        server(open_folder).start()
    assert str(open_folder.parent) in one_line(error)
    assert open_folder.parent.stat().st_mode & 0o777 == 0o700


@as_root
def test_a_folder_of_an_unknown_user_is_reported_in_one_line(open_folder: Path) -> None:
    open_folder.mkdir()
    os.chown(open_folder, 12345, 12345)
    with pytest.raises(EmbeddedPostgresError, match="user ID 12345: user does not exist") as error:
        server(open_folder).start()
    one_line(error)


@as_root
def test_in_a_users_folder_root_runs_the_server_as_that_user(open_folder: Path) -> None:
    open_folder.mkdir()
    user = pwd.getpwnam("daemon")
    os.chown(open_folder, user.pw_uid, user.pw_gid)
    with server(open_folder):
        assert Path("/proc", str(postmaster(open_folder))).stat().st_uid == user.pw_uid
    assert {path.lstat().st_uid for path in open_folder.rglob("*")} == {user.pw_uid}


@as_root
@pytest.mark.parametrize("done", [1, 2, 3])
def test_an_interrupted_hand_over_is_completed_by_the_next_one(
    new_folder: Path, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    (new_folder / "data").mkdir(parents=True)
    (new_folder / "data/file").touch()
    (new_folder / "file").touch()
    chown = os.chown
    handed: list[Path] = []

    def chown_some(path: Path, uid: int, gid: int, *, follow_symlinks: bool) -> None:
        if len(handed) == done:
            raise KeyboardInterrupt
        handed.append(path)
        chown(path, uid, gid, follow_symlinks=follow_symlinks)

    account = Account(uid=nobody(), gid=nobody())
    with monkeypatch.context() as patch:
        patch.setattr(os, "chown", chown_some)
        with pytest.raises(KeyboardInterrupt):
            hand_over(new_folder, account)
    hand_over(new_folder, account)
    assert {path.stat().st_uid for path in (new_folder, *new_folder.rglob("*"))} == {nobody()}


@as_root
def test_a_link_is_handed_over_without_its_target(tmp_path: Path, new_folder: Path) -> None:
    target = tmp_path / "target"
    target.touch()
    new_folder.mkdir()
    (new_folder / "link").symlink_to(target)
    hand_over(new_folder, Account(uid=nobody(), gid=nobody()))
    assert (new_folder / "link").lstat().st_uid == nobody()
    assert target.stat().st_uid == os.geteuid()


def nobody() -> int:
    return pwd.getpwnam("nobody").pw_uid
