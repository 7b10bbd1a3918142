"""The password file, read as libpq reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.connecting.files import find_password

if TYPE_CHECKING:
    from pathlib import Path

PASSWORDS = r"""
# comment:*:*:*:no
short:*:*
db:5432:app:u:first
db:5432:app:u:second
db:*:app:u:other port
*:*:a\:b:u:colon\:and\\slash
localhost:*:*:u:local
/run/mine:*:*:u:mine
*:*:*:é:ü
*:*:empty:u:
"""


@pytest.mark.parametrize(
    ("host", "port", "database", "user", "password"),
    [
        ("db", 5432, "app", "u", "first"),
        ("db", 5433, "app", "u", "other port"),
        ("db", 5433, "app", "v", None),
        ("x", 1, "a:b", "u", r"colon:and\slash"),
        ("localhost", 1, "x", "u", "local"),
        ("/var/run/postgresql", 1, "x", "u", "local"),
        ("/run/mine", 1, "x", "u", "mine"),
        ("/run/other", 1, "x", "u", None),
        ("x", 1, "x", "é", "ü"),
        ("x", 1, "empty", "u", None),
        ("short", 1, "x", "u", None),
    ],
)
def test_the_first_line_that_matches_has_the_password(
    host: str, port: int, database: str, user: str, password: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "passwords"
    path.write_text(PASSWORDS)
    path.chmod(0o600)
    assert find_password(path, host, port, database, user) == password


@pytest.mark.parametrize("fault", ["missing", "a folder", "read by others"])
def test_a_file_that_libpq_would_not_read_has_no_password(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    if fault == "a folder":
        path.mkdir()
    elif fault == "read by others":
        path.write_text("*:*:*:*:secret\n")
        path.chmod(0o640)
    assert find_password(path, "db", 1, "app", "u") is None
