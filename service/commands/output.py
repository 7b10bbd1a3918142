"""Standard output and standard error of a command, also where they are closed, full or unread."""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

FAILED = 1


class Output:
    """Prints the lines of a command, whose work goes on where they cannot be written."""

    is_needed = True  # whether lost lines are a failure
    failed = FAILED  # the exit code of that failure

    def __init__(self) -> None:
        """Open the standard streams with which this process was started closed.

        Otherwise the next file or socket would get the descriptor of standard output or error.
        """
        self._failure: OSError | None = None
        for name in ("stdin", "stdout", "stderr"):
            if getattr(sys, name) is None:
                # The lowest free descriptor, which is that of the stream.
                setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: PTH123, SIM115

        for stream in (sys.stdout, sys.stderr):  # a locale may lack the letters of a path or name
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")

    def print_line(self, line: str) -> None:
        """Print a line to standard output at once."""
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except OSError as error:
            self._fail(error)

    def print_errors(self, lines: str) -> None:
        """Print lines to standard error, each as an error."""
        for line in lines.splitlines():
            self.print_note(f"error: {line}")

    def print_note(self, line: str) -> None:
        """Print a line to standard error: what is no result of the command."""
        try:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except OSError:  # the exit code is all that is left to say
            _discard(sys.stderr)

    def finish(self, code: int) -> int:
        """Return the exit code of a command that ended with `code`.

        Lost lines, if they are needed, make 0 another code: that of a process which SIGPIPE ended
        where the reader had enough, as in `status | true`, and otherwise `failed`, with an error.
        """
        self._flush()
        if self._failure is None or not self.is_needed:
            return code
        if isinstance(self._failure, BrokenPipeError):
            return code or 128 + signal.SIGPIPE
        self.print_errors(f"cannot write to standard output: {self._failure.strerror}")
        return code or self.failed

    def _flush(self) -> None:
        # argparse writes without a flush.
        try:
            sys.stdout.flush()
        except OSError as error:
            self._fail(error)
        try:
            sys.stderr.flush()
        except OSError:
            _discard(sys.stderr)

    def _fail(self, error: OSError) -> None:
        self._failure = self._failure or error
        _discard(sys.stdout)


def _discard(stream: TextIO) -> None:
    """Send what the stream holds, and all that follows, nowhere.

    Python would otherwise write it when it ends, fail again, and exit with 120.
    """
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, stream.fileno())
    os.close(descriptor)
