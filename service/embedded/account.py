"""As whom the programs of the embedded PostgreSQL run: they refuse to run as root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

RUN_SECONDS = 60.0


class AccountError(Exception):
    """Nobody but root could run PostgreSQL there; `str()` says why and what to do."""


class Account(NamedTuple):
    """Who runs a program: us, or other ids, or us under another name by a command before it."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def run(self, command: Sequence[str], *inherited: int) -> subprocess.CompletedProcess[str]:
        """Run a command that inherits these descriptors; its output has the errors in it.

        Raises OSError if it cannot be started, subprocess.TimeoutExpired after RUN_SECONDS.
        """
        # Not PGDATA, PGPORT and the like, which are meant for another server.
        names = {"PATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ"} & os.environ.keys()
        return subprocess.run(
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            errors="replace",
            timeout=RUN_SECONDS,
            cwd="/",
            env={name: os.environ[name] for name in names} | {"LC_ALL": "C"},
            pass_fds=inherited,
            start_new_session=True,  # Ctrl-C in the terminal is not meant for it
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            check=False,
        )

    def can_use(self, path: Path) -> bool:
        """Return whether it may run this program, or pass through this folder."""
        return self.run(["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)]).returncode == 0


def choose_account(folder: Path, binaries: Path) -> Account:
    """Return who runs the programs in `binaries` for the server in `folder`.

    We do, unless we are root. For root it is the folder's owner. In root's own folder, it is root
    under the name of nobody in a user namespace; where those are forbidden, as in Docker, nobody.
    Raises AccountError if that account cannot reach the folder or the programs. Adds no user.
    """
    if os.geteuid() != 0:
        return Account()
    owner = folder.stat()
    if owner.st_uid != 0:
        accounts = [Account((), owner.st_uid, owner.st_gid)]
    else:
        uid, gid = _nobody()
        accounts = [Account((), uid, gid)]
        if shutil.which("unshare"):
            rename = ("unshare", "--user", f"--map-user={uid}", f"--map-group={gid}")
            accounts.insert(0, Account(rename))
    needed = (folder.parent, binaries / "postgres")
    blocked: list[Path] = []
    for account in accounts:
        blocked = [path for path in needed if not account.can_use(path)]
        if not blocked:
            return account
    raise AccountError(
        f"PostgreSQL refuses to run as root, and uid {accounts[-1].uid} cannot reach {blocked[0]}; "
        "move that out of private folders such as /root, run as a normal user"
    )


def hand_over(folder: Path, account: Account) -> None:
    """Give the folder and all in it to an account with ids of its own, if it is another's.

    Raises OSError.
    """
    if account.uid is None or account.gid is None or folder.stat().st_uid == account.uid:
        return
    # The folder itself comes last: interrupted before that, the next start does it all again.
    for parent, _, files in os.walk(folder, topdown=False):
        for path in (*(Path(parent, file) for file in files), Path(parent)):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _nobody() -> tuple[int, int]:
    try:
        user = pwd.getpwnam("nobody")
    except KeyError:  # a container without /etc/passwd; the kernel's own nobody is everywhere
        return 65534, 65534
    return user.pw_uid, user.pw_gid
