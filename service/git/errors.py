"""Git's failures, as sentences for the user who registered the repository."""

import errno
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


class GitAccessError(GitError):
    """The server wants credentials, or refuses those that it got. `status` is 401, 403 or 404."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class GitMovedError(GitError):
    """The server redirects to another URL, which is not followed."""


class GitMissingObjectError(GitError):
    """The server does not have an object that was asked for by its id."""

    def __init__(self, text: str, object_id: str) -> None:
        super().__init__(text)
        self.object_id = object_id


class GitBrokenTransferError(GitError):
    """The server began to send objects, and did not send all of them whole."""


class GitMachineError(GitError):
    """The service's machine is at fault, not the repository or its server."""


TOO_LARGE = "The repository is too large: it has more than {bytes:,} bytes to fetch."
TOO_MUCH_CPU = "The repository takes git more than {seconds} s of computing time."
TOO_MUCH_TO_UNPACK = (
    "Unpacking the repository takes git more than {seconds} s of computing time, or more memory "
    "than the service's machine has."
)
KILLED = "git was killed on the service's machine, as systems do that lack memory."
UNREACHABLE = "The server cannot be reached."
PROXY_UNREACHABLE = "The proxy (GIT_PROXY) cannot be reached."
PROXY_REFUSES = "The proxy (GIT_PROXY) refuses the connection ({status})."
UNKNOWN_HOST = "The repository's host is unknown: its name has no address."
DISK_FULL = "The service's disk is full; try later."
NO_DESCRIPTORS = "The service has too many files and connections open; try later."
NO_PROCESSES = "The service's machine has no processes or memory to give; try later."
NO_FOLDER = "The service cannot write to its temporary folder."
MOVED = "The repository has moved: register its new URL, or add .git at the end of this one."
MOVED_TO = "The repository has moved to {url}: change the source's URL."
NO_ACCESS = "The repository was not found, or it is private and the service may not read it."
FORBIDDEN = "The server refuses access to the repository (403)."
REFUSES_CREDENTIALS = "The server refuses the service's token for {host} ({status})."
CHANGED = "The repository changed while it was read; try again."
DAMAGED = "The repository is damaged on its server, which cannot read all of it."
BROKE_OFF = "The server broke off in the middle of its response."
NOT_INSTALLED = "git is not installed on the service's machine."
CANNOT_START = "git cannot be started on the service's machine."

# What the service's own files and processes lack, by the number of the system's error.
_LACKING = {
    errno.ENOSPC: DISK_FULL,  # also without inodes
    errno.EDQUOT: DISK_FULL,
    errno.EMFILE: NO_DESCRIPTORS,
    errno.ENFILE: NO_DESCRIPTORS,
    errno.EAGAIN: NO_PROCESSES,
    errno.ENOMEM: NO_PROCESSES,
}

# Each sentence with patterns of what git 2.39 and newer print with LC_ALL=C. The first sentence
# with a match is taken.
_KNOWN = {
    NO_PROCESSES: (
        r"(cannot|unable to) fork|getaddrinfo\(\) thread failed",
        r"error while loading shared libraries: .* (failed to map|cannot map|cannot allocate)",
    ),
    CANNOT_START: (r"^(prlimit|setpriv): ",),
    NO_DESCRIPTORS: (r"Too many open files",),
    PROXY_UNREACHABLE: (r"Could not resolve proxy",),
    PROXY_REFUSES: (r"(HTTP code|CONNECT tunnel failed, response) (?P<status>\d{3})",),
    DISK_FULL: (r"No space left on device", r"Disk quota exceeded"),
    MOVED: (
        r"returned error: 30[12378]",
        r"unable to update url base from redirection",
    ),
    NO_ACCESS: (
        r"could not read (Username|Password)",
        r"Authentication failed",
        r"[Rr]epository .*not found",
        r"returned error: (401|404|410)",
    ),
    FORBIDDEN: (r"returned error: 403",),
    "The server has had too many requests; try later (429).": (r"returned error: 429",),
    "The server responded with an error ({status}).": (r"returned error: (?P<status>\d{3})",),
    UNKNOWN_HOST: (r"Could not resolve host",),
    "The server did not respond in time.": (
        r"Operation too slow",
        r"(Operation|Connection) timed out",
        r"Timeout was reached",
    ),
    UNREACHABLE: (
        r"Failed to connect|Couldn't connect|Connection refused",
        r"No route to host|Network is unreachable",
    ),
    "The server's certificate or its encryption is not accepted.": (r"SSL|TLS|certificate",),
    "The server does not support shallow fetches, which the service needs.": (
        r"dumb http transport",
        r"does not support (shallow|--depth|filter)",
    ),
    CHANGED: (r"not our ref|unadvertised object",),
    "The repository needs more memory than the service may use for it.": (
        r"[Oo]ut of memory|malloc|mmap failed|Cannot allocate memory",
        r"unable to create thread",
    ),
    "The repository uses SHA-256, which is not supported yet.": (r"mismatched algorithms",),
    DAMAGED: (
        r"pack is corrupted",
        r"inflate returned|pack has bad object|serious inflate inconsistency",
        r"(tree entry|tree object|not a tree object)( |$)|bad tree object|missing tree",
        r"pack has \d+ unresolved deltas?|remote did not send all necessary objects",
    ),
    "The repository's URL is of a kind that is not supported.": (r"transport '.*' not allowed",),
    BROKE_OFF: (
        r"bytes of body are still expected|early EOF|unexpected disconnect|hung up",
        r"bad pack header|expected '(packfile|acknowledgments|shallow-info)'",
        r"RPC failed|transfer closed|Empty reply|Recv failure|Connection reset",
    ),
    "There is no git repository at this URL.": (
        r"not valid: is this a git repository",
        r"does not appear to be a git repository",
        r"protocol error|bad (line length|band)|invalid server response",
        r"expected .*(flush|packet|service)|unexpected .*response",
    ),
}
_CLASSES: dict[str, type[GitError]] = {
    NO_PROCESSES: GitMachineError,
    CANNOT_START: GitMachineError,
    NO_DESCRIPTORS: GitMachineError,
    DISK_FULL: GitMachineError,
    PROXY_UNREACHABLE: GitMachineError,
    PROXY_REFUSES: GitMachineError,
    MOVED: GitMovedError,
    DAMAGED: GitBrokenTransferError,
    BROKE_OFF: GitBrokenTransferError,
}
# The sentence is the server's: git's own, or that of JGit.
_MISSING_OBJECT = re.compile(
    r"^fatal: remote error: .*?(?:not our ref |want )([0-9a-f]{40})\b", re.MULTILINE
)
# git's words on a server that cannot read an object; a server could say so only of itself.
_IS_DAMAGED = re.compile(r"^remote: aborting due to possible repository corruption", re.MULTILINE)
# The server's own lines, and URLs. Their text is untrusted, so no pattern may match in it.
_UNTRUSTED = re.compile(r"^remote:.*$|'\w+://[^'\n]*'", re.MULTILINE)
# git's words on a helper that a signal ended.
_DIED = re.compile(r"died of signal (\d+)")


def machine_error(error: OSError, otherwise: str = NO_FOLDER) -> GitMachineError:
    """Return the error of a file or a process of the service: what its machine lacks.

    `otherwise` is the sentence for all other causes.
    """
    return GitMachineError(_LACKING.get(error.errno or 0, otherwise))


def clean(text: str) -> str:
    """Return the text as one printable line of at most TEXT_MAX characters, without credentials."""
    text = UNPRINTABLE.sub(" ", _ESCAPES.sub("", text))
    text = _CREDENTIALS.sub("//", text)
    text = " ".join(text.split())
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


def explain(
    code: int, errors: bytes, *, max_bytes: int, cpu_seconds: int, hidden: Iterable[str]
) -> GitError:
    """Return the error of a git that exited with `code` and printed `errors` on standard error.

    `max_bytes` and `cpu_seconds` are the limits that it had. The error's sentence shows none of the
    texts in `hidden`: secrets and local paths.
    """
    text = errors.decode(errors="replace")
    if _IS_DAMAGED.search(text):
        return GitBrokenTransferError(DAMAGED)
    text = _UNTRUSTED.sub("", text)
    died = _DIED.search(text)
    killed_by = -code if code < 0 else int(died[1]) if died else 0
    # Where SIGXFSZ is ignored, a write beyond the limit fails with EFBIG.
    if killed_by == signal.SIGXFSZ or "File too large" in text:
        return GitTooLargeError(TOO_LARGE.format(bytes=max_bytes))
    if killed_by == signal.SIGXCPU:
        return GitError(TOO_MUCH_CPU.format(seconds=cpu_seconds))
    if killed_by == signal.SIGKILL:
        return GitMachineError(KILLED)
    if "couldn't find remote ref" in text:
        return GitRefError("The branch is not there any more.")
    if missing := _MISSING_OBJECT.search(text):
        return GitMissingObjectError(CHANGED, missing[1])
    for sentence, patterns in _KNOWN.items():
        # re compiles and keeps a pattern at its first use. All of them would delay the start.
        if found := re.search("|".join(patterns), text, re.MULTILINE):
            if sentence in (NO_ACCESS, FORBIDDEN):
                return GitAccessError(sentence, _access_status(sentence, text))
            error = _CLASSES.get(sentence, GitError)
            return error(sentence.format(**found.groupdict()))
    if "invalid index-pack output" in text:
        # git fetch does not report a signal that ended index-pack, which prints all other faults.
        return GitError(TOO_MUCH_TO_UNPACK.format(seconds=cpu_seconds))
    for secret in hidden:
        text = text.replace(secret, "…")
    lines = [line for line in text.splitlines() if line.startswith(("fatal:", "error:"))]
    if lines:
        return GitError(clean(f"git says: {lines[-1].partition(':')[2]}"))
    return GitError(f"git ended unexpectedly ({code}).")


def _access_status(sentence: str, text: str) -> int:
    """Return the HTTP status that git names; 401 where git then asked for a user or a password."""
    if sentence == FORBIDDEN:
        return 403
    return 404 if re.search(r"[Rr]epository .*not found|error: (404|410)", text) else 401
