"""File locks between the processes of one machine."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from service.locks import is_free, lock

if TYPE_CHECKING:
    from pathlib import Path


def test_an_exclusive_lock_excludes_every_other_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = lock(path)
    assert held is not None
    assert lock(path) is None
    assert lock(path, shared=True) is None
    assert not is_free(path)
    os.close(held)
    assert is_free(path)


def test_shared_locks_exclude_only_exclusive_ones(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, second = lock(path, shared=True), lock(path, shared=True)
    assert first is not None
    assert second is not None
    os.close(first)
    assert lock(path) is None
    assert not is_free(path)
    os.close(second)
    assert is_free(path)


def test_a_process_that_inherits_a_lock_holds_it_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = lock(path)
    assert held is not None
    with subprocess.Popen(["/bin/sleep", "600"], pass_fds=(held,)) as child:
        os.close(held)
        assert not is_free(path)
        child.kill()
    assert is_free(path)


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = lock(path)
    assert held is not None
    start = time.monotonic()
    assert lock(path, seconds=0.1) is None
    assert time.monotonic() - start >= 0.1
    with subprocess.Popen(["/bin/sleep", "0.2"], pass_fds=(held,)):
        os.close(held)
        taken = lock(path, seconds=10)
    assert taken is not None
    os.close(taken)


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic link"):
        lock(tmp_path / "lock")
    assert not (tmp_path / "target").exists()
