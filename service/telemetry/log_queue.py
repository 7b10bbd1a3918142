"""A bounded queue of log lines, and the thread that writes them: a log may block, the service not.

The reader of a pipe may stop reading, a terminal may be stopped with Ctrl-S, a disk may hang. A
write to such a log takes as long as the fault, so only a thread of its own writes.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import threading
import time
from collections import deque
from functools import cache
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

# Lines that wait for the writer. A line that comes while there are more is dropped and counted.
QUEUE_LINES: Final = 20_000
QUEUE_CHARACTERS: Final = 4 * 1024 * 1024

# The pause between two writes under load: fewer wakings of the thread, and fewer system calls.
BATCH_SECONDS: Final = 0.01

# At the end of the process: the time without any progress, and in all, for the lines that wait.
STUCK_SECONDS: Final = 0.5
FLUSH_SECONDS: Final = 2.0

# The most that one system call writes, so that `flush` sees the progress of a slow reader.
WRITE_BYTES: Final = 64 * 1024


class LogQueue:
    """Text that a thread writes to a file descriptor, in the order in which it was put.

    `put` never waits for the file. A signal handler may call it: the lock is re-entrant.
    """

    def __init__(self, descriptor: int) -> None:
        """Return a queue for this descriptor, which stays the caller's."""
        self._descriptor = descriptor
        self.report_dropped: Callable[[int], None] | None = None
        self._lock = threading.RLock()
        self._texts: deque[str] = deque()
        self._characters = 0
        self._dropped = 0
        self._reported = 0
        self._forget_thread()
        os.register_at_fork(after_in_child=self._start_in_child)
        atexit.register(self.flush)

    def _forget_thread(self) -> None:
        self._thread: threading.Thread | None = None
        # SimpleQueue's put is re-entrant, other than an Event's set.
        self._woken: SimpleQueue[None] = SimpleQueue()
        self._is_asleep = False
        self._is_writing = False
        self._is_cut = False
        self._written = 0  # bytes, or attempts that failed: what flush sees as progress
        self._given_up_at = -1  # the same, when flush last waited in vain

    def _start_in_child(self) -> None:
        # The parent's thread writes what the parent put, and another thread may have had the lock.
        self._lock = threading.RLock()
        self._texts = deque()
        self._characters = self._dropped = self._reported = 0
        self._forget_thread()

    @property
    def dropped(self) -> int:
        """The number of lines that were dropped, or that could not be written, since the start."""
        return self._dropped

    def put(self, text: str) -> None:
        """Queue a text, which is dropped if too many wait."""
        with self._lock:
            is_full = (
                len(self._texts) >= QUEUE_LINES or self._characters >= QUEUE_CHARACTERS
            ) and threading.current_thread() is not self._thread  # that reports what was dropped
            if is_full:
                self._dropped += 1
                return
            self._texts.append(text)
            self._characters += len(text)
            if self._is_asleep:
                self._is_asleep = False
                self._woken.put(None)
            elif self._thread is None:
                self._start_thread()

    def flush(self) -> None:
        """Wait until all is written, for FLUSH_SECONDS at most, or STUCK_SECONDS in vain.

        Python calls this several times at the end of a process: only the first one waits in vain.
        """
        if self._thread is None:  # the system gave no thread: this one writes, at the end
            while self._texts and select.select([], [self._descriptor], [], STUCK_SECONDS)[1]:
                self._write_waiting()
            return
        deadline = time.monotonic() + FLUSH_SECONDS
        seen, seen_at = self._written, time.monotonic()
        while (self._texts or self._is_writing) and time.monotonic() < deadline:
            if seen != self._written:
                seen, seen_at = self._written, time.monotonic()
            elif seen == self._given_up_at:
                return
            elif time.monotonic() > seen_at + STUCK_SECONDS:
                self._given_up_at = seen
                return
            time.sleep(BATCH_SECONDS / 5)

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._write_forever, name="log", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:  # the system has no thread to give; the next line asks again
            self._thread = None

    def _write_forever(self) -> None:
        while True:
            with self._lock:
                self._is_asleep = not self._texts
            if self._is_asleep:
                self._woken.get()
            self._write_waiting()
            time.sleep(BATCH_SECONDS)

    def _write_waiting(self) -> None:
        with self._lock:
            self._is_writing = True
            texts, self._texts = self._texts, deque()
            self._characters = 0
        is_written = self._write("".join(texts).encode(errors="backslashreplace"))
        if not is_written:
            with self._lock:
                self._dropped += len(texts)
        elif self._dropped > self._reported and self.report_dropped:
            dropped = self._dropped
            self.report_dropped(dropped - self._reported)
            self._reported = dropped
        self._is_writing = False

    def _write(self, data: bytes) -> bool:
        """Write all of it, however long that takes; return whether that was possible."""
        rest = memoryview(b"\n" + data if self._is_cut else data)
        while rest:
            try:
                count = os.write(self._descriptor, rest[:WRITE_BYTES])
            except BlockingIOError:  # another process made the shared file non-blocking
                select.select([], [self._descriptor], [])
                continue
            except OSError:
                # A full disk, a closed pipe, a closed descriptor or a terminal that is gone.
                self._is_cut = self._is_cut or len(rest) < len(data)
                self._written += 1
                return False
            self._written += count
            rest = rest[count:]
        self._is_cut = False
        return True


class QueuedStream(io.TextIOBase):
    """A text file that puts what is written into a queue; it replaces sys.stderr.

    So tracebacks, warnings and the errors of commands keep their order, and block nothing either.
    """

    # Those in which the queue writes.
    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, queue: LogQueue, stream: TextIO) -> None:
        """Return a stream in place of `stream`, which stays open for as long as this exists."""
        self._queue = queue
        self._stream = stream

    @property
    def dropped_lines(self) -> int:
        """The number of lines that were dropped."""
        return self._queue.dropped

    def fileno(self) -> int:
        """Return the descriptor that the queue writes to."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Return whether that is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """Return True."""
        return True

    def flush(self) -> None:
        """Wait until all is written, as LogQueue.flush does: no line of the log calls this."""
        self._queue.flush()

    def write(self, text: str, /) -> int:
        """Queue the text; return its length."""
        self._queue.put(text)
        return len(text)


@cache
def queue_for(descriptor: int) -> LogQueue:
    """Return this process's queue for a descriptor: one, or two threads would mix their lines."""
    return LogQueue(descriptor)
