"""Where temporary files are made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from service import temporary
from service.temporary import temporary_parent

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_folder_is_chosen_anew_where_it_went_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "own"
    monkeypatch.setenv("TMPDIR", str(folder))
    for _ in range(2):
        assert temporary_parent() != folder
        folder.mkdir()
        assert temporary_parent() == folder
        folder.rmdir()


def test_the_variables_come_in_order_then_the_default_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, last = (tmp_path / name for name in ("one", "other", "last"))
    monkeypatch.setattr(temporary, "DEFAULT_PARENTS", (str(tmp_path / "nowhere"), str(last)))
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setenv("TEMP", "")
    monkeypatch.setenv("TMP", str(other))
    for folder in (last, other, one):
        folder.mkdir()
        if folder == one:
            monkeypatch.setenv("TMPDIR", str(one))
        assert temporary_parent() == folder


def test_a_file_or_a_folder_that_may_not_be_written_to_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "file"))
    monkeypatch.setenv("TEMP", str(closed))
    monkeypatch.setenv("TMP", str(tmp_path))
    # Root may write to any.
    assert temporary_parent() == (closed if os.geteuid() == 0 else tmp_path)


def test_without_any_folder_the_first_default_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "first"
    monkeypatch.setattr(temporary, "DEFAULT_PARENTS", (str(first), str(tmp_path / "second")))
    for variable in temporary.VARIABLES:
        monkeypatch.setenv(variable, str(tmp_path / "nowhere"))
    assert temporary_parent() == first
