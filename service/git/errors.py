"""What can go wrong with git, in sentences that may be shown to whoever registered a repository."""

import re
import signal
from collections.abc import Iterable

TEXT_MAX = 300

# A server chooses some of what git prints. Sequences that move a terminal's cursor or set its title
# (ECMA-48), then all other controls and the marks that turn the direction of text around.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd]+")
_CREDENTIALS = re.compile(r"//[^/\s@']*@")


class GitError(Exception):
    """A repository cannot be read. `str()` is one sentence for users: no secret, no local path."""


class GitTooLargeError(GitError):
    """One answer was more than may be fetched."""


class GitRefError(GitError):
    """The branch, or HEAD, is not there."""


TOO_LARGE = "The repository is too large: it has more than {bytes:,} bytes to fetch."
UNKNOWN_HOST = "The repository's host is unknown: its name has no address."
DISK_FULL = "The service's disk is full; try later."
CANNOT_START = "git cannot be started on the service's machine."

# What git 2.39 and newer print with LC_ALL=C, by what it means. The first that is found counts.
_KNOWN = {
    CANNOT_START: (r"^(prlimit|setpriv): ",),
    DISK_FULL: (r"No space left on device", r"Disk quota exceeded"),
    "The repository has moved: register its new URL, or add .git at the end of this one.": (
        r"returned error: 30[12378]",
        r"unable to update url base from redirection",
    ),
    "The repository was not found, or it is private and the service may not read it.": (
        r"could not read (Username|Password)",
        r"Authentication failed",
        r"[Rr]epository .*not found",
        r"returned error: (401|404|410)",
    ),
    "The server refuses access to the repository (403).": (r"returned error: 403",),
    "The server has had too many requests; try later (429).": (r"returned error: 429",),
    "The server answered with an error ({status}).": (r"returned error: (?P<status>\d{3})",),
    UNKNOWN_HOST: (r"Could not resolve host",),
    "The server did not answer in time.": (
        r"Operation too slow",
        r"(Operation|Connection) timed out",
        r"Timeout was reached",
    ),
    "The server cannot be reached.": (
        r"Failed to connect|Couldn't connect|Connection refused",
        r"No route to host|Network is unreachable",
    ),
    "The server's certificate or its encryption is not accepted.": (r"SSL|TLS|certificate",),
    "The server does not support shallow fetches, which the service needs.": (
        r"dumb http transport",
        r"does not support (shallow|--depth|filter)",
    ),
    "The repository changed while it was read; try again.": (r"not our ref|unadvertised object",),
    "The repository needs more memory than the service may use for it.": (
        r"[Oo]ut of memory|malloc|mmap failed|Cannot allocate memory",
        r"unable to create thread",
    ),
    "The repository uses SHA-256, which is not supported yet.": (r"mismatched algorithms",),
    "The repository holds files or commits that git's own checks refuse.": (
        r"fsck error",
        r"(error|fatal): (error in )?object [0-9a-f]+: \w+:",
    ),
    "The repository's URL is of a kind that is not supported.": (r"transport '.*' not allowed",),
    "The server broke off in the middle of its answer.": (
        r"bytes of body are still expected|early EOF|unexpected disconnect|hung up",
        r"RPC failed|transfer closed|Empty reply|Recv failure|Connection reset",
    ),
    "There is no git repository at this URL.": (
        r"not valid: is this a git repository",
        r"does not appear to be a git repository",
        r"protocol error|bad (line length|band)|invalid server response",
        r"expected .*(flush|packet|service)|unexpected .*response",
    ),
}
_PATTERNS = {
    sentence: re.compile("|".join(patterns), re.MULTILINE) for sentence, patterns in _KNOWN.items()
}
# What a server or a URL can make git print: it says nothing of what went wrong.
_FOREIGN = re.compile(r"^remote:.*$|'\w+://[^'\n]*'", re.MULTILINE)
# By name where the kernel killed it, by EFBIG where the signal is ignored.
_FILE_TOO_LARGE = re.compile(rf"died of signal {int(signal.SIGXFSZ)}\b|File too large")


def clean(text: str) -> str:
    """Return the text on one line, without control characters and credentials, cut."""
    text = _CONTROLS.sub(" ", _ESCAPES.sub("", text))
    text = _CREDENTIALS.sub("//", text)
    text = " ".join(text.split())
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


def explain(code: int, errors: bytes, *, max_bytes: int, hidden: Iterable[str]) -> GitError:
    """Return what a git that exited with `code` died of, by what it printed on standard error.

    `hidden` is cut out of what is shown: secrets and local paths.
    """
    text = _FOREIGN.sub("", errors.decode(errors="replace"))
    if code == -signal.SIGXFSZ or _FILE_TOO_LARGE.search(text):
        return GitTooLargeError(TOO_LARGE.format(bytes=max_bytes))
    if "couldn't find remote ref" in text:
        return GitRefError("The branch is not there any more.")
    for sentence, pattern in _PATTERNS.items():
        if found := pattern.search(text):
            return GitError(sentence.format(**found.groupdict()))
    for secret in hidden:
        text = text.replace(secret, "…")
    lines = [line for line in text.splitlines() if line.startswith(("fatal:", "error:"))]
    if lines:
        return GitError(clean(f"git says: {lines[-1].partition(':')[2]}"))
    return GitError(f"git ended unexpectedly ({code}).")
