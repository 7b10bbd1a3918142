"""A machine whose git is missing, unusable or too old."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from service.git.errors import GitMachineError
from service.git.version import check_installed, check_version

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("printed", "is_enough"),
    [
        ("git version 2.37.0", True),
        ("git version 2.39.5 (Apple Git-154)", True),
        ("git version 2.100.1.windows.1", True),
        ("git version 3.0", True),
        ("git version 2.36.9", False),
        ("git version 1.99", False),
        ("something else", False),
        ("", False),
    ],
)
def test_git_2_37_or_newer_is_required(printed: str, is_enough: bool) -> None:
    if is_enough:
        check_version(printed)
    else:
        with pytest.raises(GitMachineError, match=r"git 2\.37 or newer"):
            check_version(printed)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "not installed"),
        ("#!/nowhere\n", "cannot be started"),
        ("#!/bin/sh\nexit 1\n", "cannot be started"),
        ("#!/bin/sh\necho git version 2.20.1\n", "git 2.37 or newer"),
        ("#!/bin/sh\nprintf '\\377'\n", "git 2.37 or newer"),
    ],
)
def test_an_unusable_git_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, said: str
) -> None:
    asyncio.run(check_installed())
    if script is not None:
        git = tmp_path / "git"
        git.write_text(script)
        git.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitMachineError, match=said):
        asyncio.run(check_installed())
