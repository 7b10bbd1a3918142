"""The account that runs the embedded PostgreSQL, whose programs refuse to run as root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

RUN_SECONDS = 60.0


class AccountError(Exception):
    """No account but root could run PostgreSQL there; `str()` says why and what to do."""


class Account(NamedTuple):
    """The account that runs a program: by default, this process's own.

    `prefix` is a command that runs the program under another account, such as unshare.
    """

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def run(self, command: Sequence[str], *inherited: int) -> subprocess.CompletedProcess[str]:
        """Run a command that inherits these descriptors; `stdout` has its errors, too.

        Raises OSError if it cannot be started, subprocess.TimeoutExpired after RUN_SECONDS.
        """
        # PGDATA, PGPORT and the like are left out: they are meant for another server.
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
            start_new_session=True,  # Ctrl-C in the terminal must not reach it
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            check=False,
        )

    def can_use(self, path: Path) -> bool:
        """Return whether the account may run this program, or pass through this folder."""
        return self.run(["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)]).returncode == 0


def choose_account(folder: Path, binaries: Path) -> Account:
    """Return the account that runs the programs in `binaries` for the server in `folder`.

    It is this process's own account, unless that is root: then it is the folder's owner. If that is
    root, too, it is root under nobody's ids in a user namespace; where namespaces are forbidden, as
    in Docker, it is nobody. No user is added. Raises AccountError if the account cannot reach the
    folder or the programs.
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
    """Give the folder and everything in it to the account, unless it owns the folder already.

    Does nothing for an account without ids, which is this process's own. Raises
    OSError.
    """
    if account.uid is None or account.gid is None or folder.stat().st_uid == account.uid:
        return
    # The folder itself comes last: if this is interrupted, the next start begins again.
    for parent, _, files in os.walk(folder, topdown=False):
        for path in (*(Path(parent, file) for file in files), Path(parent)):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _nobody() -> tuple[int, int]:
    try:
        user = pwd.getpwnam("nobody")
    except KeyError:  # a container without /etc/passwd; this is the kernel's overflow uid
        return 65534, 65534
    return user.pw_uid, user.pw_gid
