"""The tree of a project's documents, written as JSON in the order in which front ends show it.

Every node of the JSON repeats its folder's path: 20,000 documents below 100 folders each are 20 MB
of paths and 1.1 GB of JSON. So a tree is kept as one text for the files of each folder, without the
folder's path, and its JSON is written in pieces while it is sent.
"""

from __future__ import annotations

import threading
import zlib
from contextlib import suppress
from json.encoder import encode_basestring
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import orjson

from service.temporary import temporary_parent

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

# About as many characters a piece of the JSON has, at least.
PIECE: Final = 64 * 1024

# A text of so many files of one folder is a part of a piece.
FILES_AT_ONCE: Final = 200

# The most characters of a tree that are kept uncompressed, and the most compressed bytes of the
# rest that are kept in memory; a temporary file has the others.
PLAIN_KEPT: Final = 16_000_000
COMPRESSED_KEPT: Final = 8_000_000
BLOCK: Final = 256 * 1024  # characters that are compressed together
FASTEST: Final = 1  # zlib's level

# Stands for the path of a file's folder. JSON has no such character, since it escapes it.
FOLDER_PATH: Final = "\0"


class TreeSource(NamedTuple):
    """A source that has documents."""

    id: object
    name: str


class TopFolder(NamedTuple):
    """The folder of a source, where the project has several: the name to show, and the path."""

    name: str
    path: str


# The files of one folder, or some of them: name and path of the source's folder, or None; the path
# in the repository; the JSON of the files.
_Section: TypeAlias = tuple[tuple[str, str] | None, str, str]


def arrange_sources(sources: Sequence[TreeSource]) -> list[tuple[TreeSource, TopFolder | None]]:
    """Return the sources in the order of the tree, each with its folder at the top.

    Of several sources, each is a folder at the top, so that every document stands once, under its
    source; one source has none. A node's path is unique in the tree, because front ends use it as a
    folder's id. All documents of a source have the same prefix before their paths in the
    repository, so that relative links between them can be followed.
    """
    if len(sources) < 2:
        return [(source, None) for source in sources]
    tops: list[tuple[TreeSource, TopFolder]] = []
    taken: set[str] = set()
    for source in sources:
        name, number = source.name, 2
        # Not . or .., which a reader that follows relative links would resolve away.
        while (path := name.replace("/", "-")) in taken or path in (".", ".."):
            name = f"{source.name} ({number})"
            number += 1
        taken.add(path)
        tops.append((source, TopFolder(name, path)))
    tops.sort(key=lambda item: (item[1].name.casefold(), item[1].name))
    return [*tops]


class FileTree:
    """The tree of a project: `add` the files of one source, `end_source`, and so on; then `pieces`.

    In each folder, folders come before files, then by name in any case. All methods take long with
    many files: call them in a thread. Afterwards `close` removes a temporary file; its disk may be
    full, which raises OSError in `end_source`.
    """

    def __init__(self, project_id: object) -> None:
        self._head = f'{{"project_id":"{project_id}","tree":['
        self._sections = _Sections()
        # The files of the source so far, by the path of their folder: sort key, and JSON.
        self._files: dict[str, list[tuple[str, str, str]]] = {}

    def add(self, files: Iterable[Sequence[object]]) -> None:
        """Add documents of the source: path from the repository's root, id, type, and bytes."""
        folders = self._files
        path: str
        for path, id_, file_type, size in files:  # pyright: ignore[reportAssignmentType]
            folder, _, name = path.rpartition("/")
            quoted = encode_basestring(name)
            text = (
                f'{{"type":"file","id":"{id_}","name":{quoted},"path":"{FOLDER_PATH}{quoted[1:]},'
                f'"file_type":"{file_type}","size":{size}}}'
            )
            siblings = folders.get(folder)
            if siblings is None:
                siblings = folders[folder] = []
            # The name itself keeps names that differ in case in a stable order.
            siblings.append((name.casefold(), name, text))

    def end_source(self, top: TopFolder | None) -> None:
        """End a source, whose documents stand below `top` if that is given.

        Call it in the order of `arrange_sources`.
        """
        place = None if top is None else (top.name, top.path)
        for folder in sorted(self._files, key=_folder_key):
            files = self._files.pop(folder)
            files.sort()
            for start in range(0, len(files), FILES_AT_ONCE):
                texts = ",".join(text for _, _, text in files[start : start + FILES_AT_ONCE])
                self._sections.append((place, folder, texts))
        self._sections.flush()

    @property
    def kept(self) -> int:
        """The characters and bytes that the tree keeps in memory, about."""
        return self._sections.kept

    def pieces(self) -> Generator[bytes]:
        """Yield the JSON in pieces; several readers may do so at the same time."""
        parts = [self._head]
        size = 0
        opened: list[str] = []  # the names in the path of the open folder
        prefixes = [""]  # the JSON of that path, with a slash, and before it of each folder above
        comma = ""
        for top, folder, files in self._sections:
            names = folder.split("/") if folder else []
            if top is not None:
                names.insert(0, top[1])
            depth = _count_common(opened, names)
            parts.append("]}" * (len(opened) - depth))
            del opened[depth:], prefixes[depth + 1 :]
            for name in names[depth:]:
                quoted = encode_basestring(name)
                shown = quoted if top is None or opened else encode_basestring(top[0])
                node = f'{comma}{{"type":"folder","name":{shown},"path":"{prefixes[-1]}{quoted[1:]}'
                parts.append(f'{node},"children":[')
                size += len(node)
                comma = ""
                opened.append(name)
                prefixes.append(f"{prefixes[-1]}{quoted[1:-1]}/")
            text = files.replace(FOLDER_PATH, prefixes[-1])
            parts += (comma, text)
            comma = ","
            size += len(text)
            if size >= PIECE:
                yield "".join(parts).encode()
                parts.clear()
                size = 0
        parts.append("]}" * len(opened) + "]}")
        yield "".join(parts).encode()

    def close(self) -> None:
        """Remove the temporary file, if there is one."""
        self._sections.close()


def _folder_key(folder: str) -> str:
    """Return what sorts folders so that each folder's subfolders come before its own files.

    The key has NUL, which no name has, after each name, and then whether a subfolder follows.
    """
    if not folder:
        return "\2"
    names = [f"\1{name.casefold()}\0{name}\0" for name in folder.split("/")]
    return "".join([*names, "\2"])


def _count_common(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


class _Sections:
    """The sections of a tree, in memory as long as they are few: see PLAIN_KEPT."""

    def __init__(self) -> None:
        self._plain: list[_Section] = []
        self._plain_size = 0
        self._block: list[_Section] = []
        self._block_size = 0
        self._file: SpooledTemporaryFile[bytes] | None = None
        self._ends: list[int] = []  # of each compressed block in the file
        self._lock = threading.Lock()  # one reader at a time moves in the file

    @property
    def kept(self) -> int:
        compressed = min(self._ends[-1], COMPRESSED_KEPT) if self._ends else 0
        return self._plain_size + self._block_size + compressed

    def append(self, section: _Section) -> None:
        size = len(section[1]) + len(section[2])
        if self._file is None and not self._block and self._plain_size + size <= PLAIN_KEPT:
            self._plain.append(section)
            self._plain_size += size
            return
        self._block.append(section)
        self._block_size += size
        if self._block_size >= BLOCK:
            self._write_block()

    def _write_block(self) -> None:
        if self._file is None:
            self._file = SpooledTemporaryFile(  # noqa: SIM115 - see close
                max_size=COMPRESSED_KEPT, dir=str(temporary_parent())
            )
        self._file.write(zlib.compress(orjson.dumps(self._block), FASTEST))
        self._ends.append(self._file.tell())
        self._block = []
        self._block_size = 0

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def __iter__(self) -> Generator[_Section]:
        yield from self._plain
        start = 0
        for end in self._ends:
            yield from self._read_block(start, end)
            start = end
        yield from self._block

    def _read_block(self, start: int, end: int) -> list[_Section]:
        assert self._file is not None
        with self._lock:
            self._file.seek(start)
            block = self._file.read(end - start)
        sections: list[_Section] = orjson.loads(zlib.decompress(block))
        return sections

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # on a full disk, closing fails as well as writing
                self._file.close()
