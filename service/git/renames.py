"""Renamed files with changed content, found by git's own measure of similarity."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.git.errors import machine_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from service.git.runner import GitRunner

# git's own threshold: half of the larger content is in the other one.
SIMILARITY = "-M50%"
REFS = ("refs/renames/old", "refs/renames/new")


async def find_renames(
    git: GitRunner,
    old: Sequence[tuple[str, str]],
    new: Sequence[tuple[str, str]],
    read: Callable[[str], bytes],
) -> dict[str, str]:
    """Return the old path of each renamed file, by its new path; raises GitError.

    Files are given as path and id of content. `read`, called in a thread, returns the content of an
    old file, which the repository need not have; it has those of the new files.
    """
    # git takes contents from trees only. Without compression, and without a pack, which would count
    # as fetched.
    configuration = {"core.compression": "0", "fastimport.unpackLimit": str(len(old) + 1000)}
    stream = git.new_path("renames")
    await asyncio.to_thread(_write_trees, stream, old, new, read)
    await git.run("fast-import", "--quiet", stdin=stream, configuration=configuration)
    limit = f"-l{max(len(old), len(new))}"
    options = ("-r", "-z", SIMILARITY, limit, "--diff-filter=R", "--name-status")
    output = await git.run("diff-tree", *options, *REFS, "--")
    *fields, _ = (await asyncio.to_thread(output.read_bytes)).split(b"\0")
    pairs = zip(fields[1::3], fields[2::3], strict=True)
    return {new[_number(after) - len(old)][0]: old[_number(before)][0] for before, after in pairs}


def _write_trees(
    path: Path,
    old: Sequence[tuple[str, str]],
    new: Sequence[tuple[str, str]],
    read: Callable[[str], bytes],
) -> None:
    """Write the input of fast-import: one commit with the old files, one with the new ones."""

    def parts() -> Iterator[bytes]:
        yield _begin_commit(REFS[0])
        for number, (name, blob) in enumerate(old):
            content = read(blob)
            yield b"M 100644 inline %s\n" % _name(number, name)
            yield b"data %d\n%s\n" % (len(content), content)
        yield _begin_commit(REFS[1])
        for number, (name, blob) in enumerate(new):
            yield b"M 100644 %s %s\n" % (blob.encode(), _name(len(old) + number, name))

    try:
        with path.open("wb") as file:
            file.writelines(parts())
    except OSError as error:
        raise machine_error(error) from error


def _begin_commit(ref: str) -> bytes:
    return b"commit %s\ncommitter sync <sync> 0 +0000\ndata 0\n\n" % ref.encode()


def _name(number: int, path: str) -> bytes:
    # A folder of its own for each file: git compares names, and no two paths are equal.
    name = path.rpartition("/")[2].encode()
    for character, escaped in ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n")):
        name = name.replace(character, escaped)
    return b'"%d/%s"' % (number, name)


def _number(name: bytes) -> int:
    return int(name.partition(b"/")[0])
