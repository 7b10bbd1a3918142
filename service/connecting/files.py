"""The files of a user's home that libpq reads: connection services, and passwords.

Both drivers get what is read here, since asyncpg's own readers differ from libpq's in how they
quote, in which files they find, and in what they do where HOME may not be entered.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES: Final = 1_000_000

DEFAULT_SOCKET_FOLDERS: Final = ("/var/run/postgresql", "/tmp")  # noqa: S108  # Debian's, and PostgreSQL's own
# A field of the password file: a backslash escapes a colon and itself.
FIELD: Final = re.compile(r"((?:\\.|[^:\\])*)(:|$)")


def home() -> Path | None:
    """Return the user's home as libpq finds it, or None without one."""
    if folder := os.environ.get("HOME"):
        return Path(folder)
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:  # a uid without an entry in passwd
        return None


def user_name() -> str | None:
    """Return the name of this process's account, or None for a uid without an entry in passwd."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return None


def find_service(name: str, environment: Mapping[str, str]) -> dict[str, str] | None:
    """Return the options of a connection service ("The Connection Service File" in the manual).

    None if no file has that service.
    """
    files: list[Path] = []
    if environment.get("PGSERVICEFILE"):
        files.append(Path(environment["PGSERVICEFILE"]))
    elif folder := home():
        files.append(folder / ".pg_service.conf")
    if environment.get("PGSYSCONFDIR"):
        files.append(Path(environment["PGSYSCONFDIR"]) / "pg_service.conf")
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        if (options := _read_section(text, name)) is not None:
            return options
    return None


def _read_section(text: str, name: str) -> dict[str, str] | None:
    options: dict[str, str] | None = None
    for line in (raw.strip() for raw in text.splitlines()):
        if line.startswith("["):
            if options is not None:
                break
            options = {} if line == f"[{name}]" else None
        elif options is not None and line and not line.startswith("#"):
            key, _, value = line.partition("=")
            options[key.strip()] = value.strip()
    return options


def password_file_fault(path: Path) -> str | None:
    """Return why libpq would not read this password file, or None if it would."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return "is not a plain file"
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            return "may be read or written by others: set its mode to 0600"
        path.read_bytes()
    except (OSError, ValueError):
        return "cannot be read"
    return None


def find_password(path: Path | None, host: str, port: int, database: str, user: str) -> str | None:
    """Return the first matching password of a password file ("The Password File" in the manual).

    None without a match, and for a file that libpq would not read.
    """
    if path is None or password_file_fault(path):
        return None
    if host in DEFAULT_SOCKET_FOLDERS:
        host = "localhost"
    wanted = (host, str(port), database, user)
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = _split_fields(line)
        if line.startswith("#") or len(fields) < len(wanted) + 1:
            continue
        if all(field in ("*", want) for field, want in zip(fields, wanted, strict=False)):
            return fields[len(wanted)] or None
    return None


def _split_fields(line: str) -> list[str]:
    fields: list[str] = []
    position = 0
    while match := FIELD.match(line, position):
        fields.append(re.sub(r"\\(.)", r"\1", match[1]))
        position = match.end()
        if not match[2]:
            break
    return fields
