"""The values of metrics in memory that all workers share, so that any worker can render them all.

The supervisor makes a region of memory for each worker before it starts them. The memory belongs
to no file system: no full disk, no quota and no cleaner of temporary folders reaches it. A worker
that takes the place of a dead one goes on with its region, so that no counter falls back.

A region is a sequence of chunks. A chunk begins with its used bytes and, in the first chunk,
whether the worker lives; entries follow: the length of a key, the key, and as aligned doubles the
value and the time at which it was set.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import tempfile
import threading
from collections import defaultdict
from multiprocessing import reduction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from service.temporary import temporary_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

CHUNK_BYTES: Final = 256 * 1024  # some 60 routes with one status each; a multiple of a page

_HEAD: Final = struct.Struct("=QQ")
_LENGTH: Final = struct.Struct("=I")
_DOUBLES: Final = struct.Struct("=dd")
_USED, _IS_ALIVE = 0, 1  # as indexes of 64-bit numbers


class SharedSample(NamedTuple):
    """One sample of a metric, of all workers together."""

    metric: str
    name: str
    labels: dict[str, str]
    value: float


class Region:
    """A worker's memory, which the workers inherit as a descriptor."""

    def __init__(self, descriptor: int) -> None:
        """Take over a descriptor; `create_regions` makes one."""
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _receive_region, (reduction.DupFd(self.descriptor),)

    def mark(self, *, is_alive: bool) -> None:
        """Say whether the region's worker lives: the gauges of a dead one do not count."""
        os.pwrite(self.descriptor, struct.pack("=Q", is_alive), 8 * _IS_ALIVE)

    def add_chunk(self, offset: int) -> None:
        """Make the memory larger. Raises OSError if the system has none to give."""
        # Written, since memory that is only reserved can be missing when it is first used, and
        # that would be a SIGBUS.
        os.pwrite(
            self.descriptor, _HEAD.pack(_HEAD.size, 0) + bytes(CHUNK_BYTES - _HEAD.size), offset
        )

    def read(self) -> tuple[bool, Generator[tuple[bytes, float, float]]]:
        """Return whether the worker lives, and the entries: key, value and time."""
        content = os.pread(self.descriptor, os.fstat(self.descriptor).st_size, 0)
        _, is_alive = _HEAD.unpack_from(content)
        return bool(is_alive), self._entries(content)

    @staticmethod
    def _entries(content: bytes) -> Generator[tuple[bytes, float, float]]:
        for chunk in range(0, len(content) - _HEAD.size, CHUNK_BYTES):
            used, _ = _HEAD.unpack_from(content, chunk)
            position = chunk + _HEAD.size
            while position < chunk + used:
                key, doubles = _entry_at(content, position)
                yield (key, *_DOUBLES.unpack_from(content, doubles))
                position = doubles + _DOUBLES.size


def _entry_at(content: bytes | mmap.mmap, position: int) -> tuple[bytes, int]:
    """Return an entry's key, and where its doubles are."""
    (length,) = _LENGTH.unpack_from(content, position)
    start = position + _LENGTH.size
    return content[start : start + length], _aligned(start + length)


def _aligned(position: int) -> int:
    return (position + 7) // 8 * 8


def _receive_region(descriptor: Any) -> Region:
    return Region(descriptor.detach())


def create_regions(number: int) -> list[Region]:
    """Return a region for each of several workers. Raises OSError."""
    regions: list[Region] = []
    for _ in range(number):
        region = Region(_open_memory())
        region.add_chunk(0)
        regions.append(region)
    return regions


def _open_memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("bmadflow-metrics")
    # Elsewhere, as on macOS: a file without a name, which nothing can remove. It is written before
    # it is mapped, so that it has its place on the disk.
    with tempfile.TemporaryFile(buffering=0, dir=temporary_parent()) as file:
        return os.dup(file.fileno())


class SharedValues:
    """The regions of all workers, of which the one at `own` is this worker's to write."""

    def __init__(self, regions: Sequence[Region], own: int) -> None:
        """Map the own region, with the values that an earlier worker left in it."""
        self._regions = regions
        self._own = regions[own]
        self._chunks: list[mmap.mmap] = []
        self._lock = threading.Lock()
        # By key, in which chunk a value is, and where.
        self._places: dict[bytes, tuple[mmap.mmap, int]] = {}
        # A worker that was killed while it added a chunk leaves a part of one, without entries.
        whole = os.fstat(self._own.descriptor).st_size // CHUNK_BYTES
        for chunk in range(whole):
            self._map_chunk(chunk * CHUNK_BYTES)
        self._is_exhausted = False

    def _map_chunk(self, offset: int) -> mmap.mmap:
        chunk = mmap.mmap(self._own.descriptor, CHUNK_BYTES, offset=offset)
        self._chunks.append(chunk)
        used, _ = _HEAD.unpack_from(chunk)
        position = _HEAD.size
        while position < used:
            key, doubles = _entry_at(chunk, position)
            self._places[key] = chunk, doubles
            position = doubles + _DOUBLES.size
        return chunk

    def cells(self, key: bytes) -> memoryview[float]:
        """Return the two doubles of a value: from the region or, without memory, this worker's."""
        with self._lock:
            try:
                chunk, position = self._places.get(key) or self._add(key)
            except (OSError, ValueError) as error:
                # The service goes on; no other worker knows of this value.
                if not self._is_exhausted:
                    self._is_exhausted = True
                    log.error("metrics_memory_exhausted", error=repr(error))  # noqa: TRY400
                return memoryview(bytearray(_DOUBLES.size)).cast("d")
        return memoryview(chunk)[position : position + _DOUBLES.size].cast("d")

    def _add(self, key: bytes) -> tuple[mmap.mmap, int]:
        chunk = self._chunks[-1]
        used, _ = _HEAD.unpack_from(chunk)
        end = _aligned(used + _LENGTH.size + len(key)) + _DOUBLES.size
        if end > CHUNK_BYTES:
            offset = len(self._chunks) * CHUNK_BYTES
            self._own.add_chunk(offset)
            chunk = self._map_chunk(offset)
            return self._add(key)
        _LENGTH.pack_into(chunk, used, len(key))
        chunk[used + _LENGTH.size : used + _LENGTH.size + len(key)] = key
        # There may be a part of the key that a killed worker was adding.
        _DOUBLES.pack_into(chunk, end - _DOUBLES.size, 0.0, 0.0)
        # Last: a worker that is killed here leaves no half of an entry.
        memoryview(chunk).cast("Q")[_USED] = end
        self._places[key] = chunk, end - _DOUBLES.size
        return self._places[key]

    def value_class(self) -> Callable[..., SharedValue]:
        """Return what prometheus-client shall use for its values: see its docs on uWSGI."""

        def create(
            typ: str,
            metric: str,
            name: str,
            label_names: Sequence[str],
            label_values: Sequence[str],
            _: str,
            multiprocess_mode: str = "",
            **__: object,
        ) -> SharedValue:
            labels = dict(zip(label_names, label_values, strict=True))
            key = json.dumps([multiprocess_mode, metric, name, labels], separators=(",", ":"))
            value = SharedValue(self.cells(key.encode()))
            if typ == "gauge":  # what an earlier worker left is not so any more
                value.set(0)
            return value

        return create

    def mark_alive(self) -> None:
        """Let the gauges of this worker count from now on."""
        self._own.mark(is_alive=True)

    def read(self) -> list[SharedSample]:
        """Return the samples of all workers: sums, and for gauges what their mode says."""
        totals: defaultdict[bytes, float] = defaultdict(float)
        gauges: defaultdict[bytes, list[tuple[float, float]]] = defaultdict(list)
        for region in self._regions:
            is_alive, entries = region.read()
            for key, value, time in entries:
                if key.startswith(b'[""'):  # a counter or a part of a histogram
                    totals[key] += value
                elif is_alive:
                    gauges[key].append((time, value))
        for key, values in gauges.items():
            totals[key] = _AGGREGATIONS[json.loads(key)[0]](values)
        samples: list[SharedSample] = []
        for key, value in totals.items():
            _, metric, name, labels = json.loads(key)
            samples.append(SharedSample(metric, name, labels, value))
        return samples


_AGGREGATIONS: Final[dict[str, Callable[[list[tuple[float, float]]], float]]] = {
    "livesum": lambda values: sum(value for _, value in values),
    "livemax": lambda values: max(value for _, value in values),
    "livemostrecent": lambda values: max(values)[1],
}


class SharedValue:
    """A value in shared memory, with the methods that prometheus-client expects of it."""

    def __init__(self, cells: memoryview[float]) -> None:
        """Return the value in `cells`, which are a value and its time."""
        self._cells = cells
        self._lock = threading.Lock()

    def inc(self, amount: float) -> None:
        """Add to the value."""
        with self._lock:
            self._cells[0] += amount

    def set(self, value: float, timestamp: float | None = None) -> None:
        """Set the value; the time is needed only by gauges of which the most recent counts."""
        with self._lock:
            self._cells[0] = value
            self._cells[1] = timestamp or 0.0

    def get(self) -> float:
        """Return the value of this worker."""
        return self._cells[0]

    def set_exemplar(self, exemplar: object) -> None:
        """Do nothing: the text format has no exemplars."""

    def get_exemplar(self) -> None:
        """Return None."""
