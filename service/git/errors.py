"""Git's failures, as sentences for the user who registered the repository."""

import re
import signal
from collections.abc import Iterable

from service.characters import UNPRINTABLE

TEXT_MAX = 300

# Escape sequences that move a terminal's cursor or set its title (ECMA-48). git prints text that
# the server chooses.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CREDENTIALS = re.compile(r"//[^/\s@']*@")


class GitError(Exception):
    """A repository cannot be read. `str()` is a sentence for users, without secrets or paths."""


class GitTooLargeError(GitError):
    """The server sent more bytes than may be fetched."""


class GitRefError(GitError):
    """The branch, or HEAD, does not exist."""


TOO_LARGE = "The repository is too large: it has more than {bytes:,} bytes to fetch."
UNKNOWN_HOST = "The repository's host is unknown: its name has no address."
DISK_FULL = "The service's disk is full; try later."
CANNOT_START = "git cannot be started on the service's machine."

# Each sentence with patterns of what git 2.39 and newer print with LC_ALL=C. The first sentence
# with a match is taken.
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
# The server's own lines, and URLs. Their text is untrusted, so no pattern may match in it.
_UNTRUSTED = re.compile(r"^remote:.*$|'\w+://[^'\n]*'", re.MULTILINE)
# A helper that exceeds the size of a file is killed by SIGXFSZ; where that signal is ignored, its
# write fails with EFBIG.
_FILE_TOO_LARGE = re.compile(rf"died of signal {int(signal.SIGXFSZ)}\b|File too large")


def clean(text: str) -> str:
    """Return the text as one printable line of at most TEXT_MAX characters, without credentials."""
    text = UNPRINTABLE.sub(" ", _ESCAPES.sub("", text))
    text = _CREDENTIALS.sub("//", text)
    text = " ".join(text.split())
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


def explain(code: int, errors: bytes, *, max_bytes: int, hidden: Iterable[str]) -> GitError:
    """Return the error of a git that exited with `code` and printed `errors` on standard error.

    Its sentence shows none of the texts in `hidden`: secrets and local paths.
    """
    text = _UNTRUSTED.sub("", errors.decode(errors="replace"))
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
