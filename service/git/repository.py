"""Brings a folder of a git repository here: what is in it, then the contents that are wanted.

Nothing that the caller does not want is fetched, nothing is checked out, and nothing of the
repository is run. Paths come as they are: the caller decides what to do with symbolic links (mode
120000), submodules (type commit) and names that are no UTF-8.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import sys
import weakref
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

from service.git.address import resolve_public
from service.git.errors import (
    CANNOT_START,
    DISK_FULL,
    TOO_LARGE,
    GitError,
    GitRefError,
    GitTooLargeError,
    explain,
)
from service.git.folder import TemporaryFolder, remove_leftovers
from service.git.names import parse_branch, parse_folder
from service.git.process import git_command, git_environment, run_git

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = [
    "MAX_FILE_BYTES",
    "Blobs",
    "Entry",
    "GitError",
    "GitOptions",
    "GitRepository",
    "Tree",
    "remove_leftovers",
]

MAX_FILE_BYTES = 5_000_000
# Each is 41 bytes of the request.
BATCH_BLOBS = 10_000
# About 100 KB for most repositories, and enough to date two folders of three.
HISTORY_COMMITS = 50
GIT_VERSION_MIN = (2, 37)  # the first with http.curloptResolve; older ones ignore it in silence
ERROR_BYTES = 16_384

GITHUB = "github.com"
OBJECT_ID = re.compile(r"[0-9a-f]{40}")
FETCH = ("fetch", "-q", "--no-tags", "--no-auto-maintenance")
NO_BLOBS = "--filter=blob:none"  # but those that are asked for by their ids
NO_GIANTS = f"--filter=blob:limit={MAX_FILE_BYTES + 1}"
NEWEST = ("rev-list", "--max-count=1", "--no-commit-header")


@dataclass(frozen=True, kw_only=True)
class GitOptions:
    """What git may do, and for how long."""

    # Those that git may use. Others than https are for tests.
    protocols: tuple[str, ...] = ("https",)
    # Hosts may have any address, and git looks it up itself: for a server inside the network, or
    # where `config_global` sends URLs elsewhere.
    private_networks: bool = False
    # A file of the operator's, in git's own format: certificates, `insteadOf`.
    config_global: str | None = None
    # Sent to `token_host` alone, which is `host` or `host:port`.
    token: str | None = field(default=None, repr=False)
    token_host: str = GITHUB
    # For all that one GitRepository does, from its `async with` on.
    seconds: float = 300.0
    # The most that one fetch may bring, and that all fetches of one GitRepository may bring, and
    # that the wanted contents may have together, unpacked.
    max_bytes: int = 268_435_456
    # The most files, links and submodules in the folder, wanted or not.
    max_files: int = 100_000


class Entry(NamedTuple):
    """One file, link or submodule. The path begins at the repository's root."""

    path: bytes
    mode: str
    type: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A folder as it is in a commit."""

    commit: str
    # When the last commit that changed the folder was made; None where it names no such time.
    commit_date: datetime | None
    # If not, that was longer ago: the date is that of the oldest commit that was looked at.
    is_date_exact: bool
    # Equal if and only if all that is in the folder is.
    tree_id: str
    entries: list[Entry]


class Blobs:
    """The wanted contents, in one file: to be read from any thread, also after GitRepository's end.

    `sizes` has the bytes of each that can be read. `too_large` are those of more than
    MAX_FILE_BYTES, with their size if that is known.
    """

    def __init__(self, path: Path, sizes: dict[str, int], too_large: dict[str, int | None]) -> None:
        """Take over a file that `git cat-file --batch` wrote for the ids of `sizes`, in order."""
        self.sizes = sizes
        self.too_large = too_large
        self._places: dict[str, int] = {}
        end = 0
        for blob, size in sizes.items():
            self._places[blob] = end
            end += len(_header(blob, size)) + size + 1
        # It stays readable when its directory is gone, and is closed when nobody can read it.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        if os.fstat(self._file).st_size != end:
            raise GitError("git gave other contents than those that were asked for.")

    def read(self, blob: str) -> bytes:
        """Return a content. Raises KeyError if it was not asked for or is too large."""
        header = _header(blob, self.sizes[blob])
        length = len(header) + self.sizes[blob]
        read = os.pread(self._file, length, self._places[blob])
        if len(read) != length or not read.startswith(header):
            raise GitError("git gave other contents than those that were asked for.")
        return read[len(header) :]


class GitRepository:
    """What has been fetched of one repository, in a temporary directory; an async context manager.

    All methods raise GitError. When one is cancelled or takes too long, its processes are killed.
    """

    def __init__(self, options: GitOptions) -> None:
        """Do nothing yet."""
        self._options = options
        self._pins: dict[tuple[str, int], str] = {}
        self._is_checked = False
        self._tree_id: str | None = None
        self._results = 0

    async def __aenter__(self) -> Self:
        """Make the directory."""
        self._deadline = asyncio.get_running_loop().time() + self._options.seconds
        try:
            self._folder = TemporaryFolder()
        except OSError as error:
            raise GitError("The service cannot make a temporary directory.") from error
        self._git_dir = self._folder.path / "repository"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Remove it: in a thread, since unlinking a large file takes its time."""
        removing = asyncio.ensure_future(asyncio.to_thread(self._folder.remove))
        try:
            await asyncio.shield(removing)
        finally:
            await removing  # also for whoever is cancelled just now

    async def read_head(self, url: str, branch: str | None) -> str:
        """Return the id of the branch's newest commit, or of HEAD's where `branch` is None."""
        name = _ref(branch)
        heads = ("--heads",) if branch is not None else ()
        listed = await self._list_refs(url, *heads, "--", url, name)
        if commit := await asyncio.to_thread(_find_ref, listed, name):
            return commit
        if branch is not None:
            raise GitError(f"The repository has no branch {branch}.")
        if (await self._list_refs(url, "--heads", "--", url)).stat().st_size:
            raise GitError("The repository's default branch does not exist; name a branch.")
        raise GitError("The repository is empty: it has no commits yet.")

    async def fetch_tree(self, url: str, branch: str | None, folder: str | None) -> Tree:
        """Fetch the newest commits without contents, and return what the folder holds.

        `branch` None is HEAD, `folder` None the whole repository.
        """
        ref = _ref(branch)
        if folder is not None:
            try:
                folder = parse_folder(folder)
            except ValueError as error:
                raise GitError(str(error)) from None
        await self._initialise()
        flags = (NO_BLOBS, f"--depth={HISTORY_COMMITS}")
        try:
            await self._remote(url, *FETCH, *flags, "--end-of-options", url, ref)
        except GitRefError:
            await self.read_head(url, branch)  # says it better
            raise
        commit, root, seconds = (await self._head()).split()
        is_exact = True
        self._tree_id = root
        if folder is not None:
            self._tree_id = await self._find_folder(commit, folder)
            seconds, is_exact = await self._date_folder(commit, folder)
        output = await self._git("ls-tree", "-r", "-z", self._tree_id)
        prefix = b"" if folder is None else folder.encode() + b"/"
        entries = await asyncio.to_thread(_read_tree, output, prefix, self._options.max_files)
        return Tree(
            commit=commit,
            commit_date=_date(seconds),
            is_date_exact=is_exact,
            tree_id=self._tree_id,
            entries=entries,
        )

    async def fetch_blobs(self, url: str, ids: Collection[str]) -> Blobs:
        """Fetch contents by the ids of a Tree's entries, as few bytes as the server allows."""
        wanted = list(dict.fromkeys(ids))
        if not all(OBJECT_ID.fullmatch(blob) for blob in wanted):
            raise GitError("An id is not that of a git object.")
        await self._initialise()
        there = await self._sizes()
        missing = [blob for blob in wanted if blob not in there]
        try:
            for start in range(0, len(missing), BATCH_BLOBS):
                await self._fetch_batch(url, missing[start : start + BATCH_BLOBS])
        except GitTooLargeError:
            await self._fetch_without_giants(url)
        if missing:
            there = await self._sizes()
        sizes: dict[str, int] = {}
        too_large: dict[str, int | None] = {}
        for blob in wanted:
            size = there.get(blob)
            if size is None or size > MAX_FILE_BYTES:
                too_large[blob] = size
            else:
                sizes[blob] = size
        if sum(sizes.values()) > self._options.max_bytes:
            raise GitError(f"The files have more than {self._options.max_bytes:,} bytes together.")
        names = await self._write_ids(sizes)
        output = await self._git("cat-file", "--batch", "--buffer", stdin=names)
        return await asyncio.to_thread(Blobs, output, sizes, too_large)

    def fetched_bytes(self) -> int:
        """Return the bytes of the packs so far: about what was transferred."""
        packs = self._git_dir.glob("objects/pack/*.pack")
        return sum(pack.stat().st_size for pack in packs)

    async def _list_refs(self, url: str, *arguments: str) -> Path:
        """Return the file of the refs' ids and names, also of those that end with a given name."""
        return await self._remote(url, "ls-remote", *arguments, git_dir=os.devnull)

    async def _initialise(self) -> None:
        if not self._git_dir.exists():
            await self._git("init", "-q", "--bare", "--template=")

    async def _head(self) -> str:
        """Return the fetched commit, its tree and its committer's seconds since 1970."""
        output = await self._git(*NEWEST, "--format=%H %T %ct", "FETCH_HEAD", "--")
        return output.read_text()

    async def _find_folder(self, commit: str, folder: str) -> str:
        """Return the folder's tree id."""
        # Not rev-parse COMMIT:FOLDER: only this says what a missing object is.
        output = (await self._git("ls-tree", "-z", commit, "--", folder)).read_bytes()
        if not output:
            raise GitError(f"The repository has no folder {folder} in this branch.")
        _, kind, tree = output.partition(b"\t")[0].decode().split()
        if kind != "tree":
            raise GitError(f"{folder} is not a folder in this branch.")
        return tree

    async def _date_folder(self, commit: str, folder: str) -> tuple[str, bool]:
        """Return the seconds since 1970 of the last commit that changed the folder.

        And whether it did: git takes the oldest fetched commits for the ones that made everything.
        """
        output = await self._git(*NEWEST, "--format=%H %ct", commit, "--", folder)
        newest, seconds = output.read_text().split()
        shallow = self._git_dir / "shallow"
        is_oldest = shallow.exists() and newest in shallow.read_text().split()
        return seconds, not is_oldest

    async def _sizes(self) -> dict[str, int]:
        """Return the sizes of the blobs that are here."""
        arguments = ("cat-file", "--batch-all-objects", "--unordered", "--batch-check")
        output = await self._git(*arguments)
        return await asyncio.to_thread(_read_sizes, output)

    async def _fetch_batch(self, url: str, ids: list[str]) -> None:
        names = await self._write_ids(ids)
        flags = (NO_BLOBS, "--depth=1", "--no-write-fetch-head", "--stdin")
        await self._remote(url, *FETCH, *flags, "--end-of-options", url, stdin=names)
        if self.fetched_bytes() > self._options.max_bytes:
            raise GitTooLargeError(TOO_LARGE.format(bytes=self._options.max_bytes))

    async def _fetch_without_giants(self, url: str) -> None:
        """Fetch all that is in the folder but giants: a server says of none how large it is."""
        for partial in self._partials():
            partial.unlink()
        if self._tree_id is None:
            raise GitError("The folder has to be fetched first.")
        # Two filters would both count.
        flags = (NO_GIANTS, "--refetch", "--depth=1", "--no-write-fetch-head")
        await self._remote(url, *FETCH, *flags, "--end-of-options", url, self._tree_id)

    async def _write_ids(self, ids: Iterable[str]) -> Path:
        path = self._new_path("ids")
        try:
            await asyncio.to_thread(path.write_text, "".join(f"{blob}\n" for blob in ids))
        except OSError as error:
            raise GitError(DISK_FULL) from error
        return path

    async def _remote(
        self, url: str, *arguments: str, stdin: Path | None = None, git_dir: str | None = None
    ) -> Path:
        """Run a git that connects to `url`; return the file of its output."""
        parts = _split(url, self._options.protocols)
        configuration: dict[str, str] = {}
        if not self._options.private_networks:
            if parts not in self._pins:
                self._pins[parts] = await resolve_public(*parts)
            configuration["http.curloptResolve"] = self._pins[parts]
        host, port = parts
        name = f"[{host}]" if ":" in host else host
        address = name if port == 443 else f"{name}:{port}"
        token = self._options.token
        is_for_token = url.startswith("https:") and address == self._options.token_host.lower()
        if token and is_for_token:
            authorization = _authorization(host, token)
            configuration["http.extraHeader"] = f"Authorization: {authorization}"
        return await self._git(
            *arguments, stdin=stdin, git_dir=git_dir, configuration=configuration
        )

    async def _git(
        self,
        *arguments: str,
        stdin: Path | None = None,
        git_dir: str | None = None,
        configuration: Mapping[str, str] | None = None,
    ) -> Path:
        """Run git to its end; return the file of its output."""
        if not self._is_checked:
            self._is_checked = True
            await self._check_version()
        directory = f"--git-dir={git_dir or self._git_dir}"
        return await self._run([directory, *arguments], stdin, configuration or {})

    async def _check_version(self) -> None:
        output = (await self._run(["version"], None, {})).read_text()
        found = re.search(r"(\d+)\.(\d+)", output)
        if found is None or (int(found[1]), int(found[2])) < GIT_VERSION_MIN:
            raise GitError("The service needs git 2.37 or newer on its machine.")

    async def _run(
        self, arguments: list[str], stdin: Path | None, configuration: Mapping[str, str]
    ) -> Path:
        options = self._options
        output, errors = self._new_path("output"), self._new_path("errors")
        # The contents come with a line for each, and only when they are known not to be too large.
        is_contents = arguments[1:2] == ["cat-file"]
        command = git_command(options.max_bytes * (2 if is_contents else 1))
        variables = git_environment(
            protocols=options.protocols,
            config_global=options.config_global,
            configuration=configuration,
        )
        try:
            async with asyncio.timeout_at(self._deadline):
                code = await run_git(
                    [*command, *arguments],
                    variables,
                    stdin=stdin or Path(os.devnull),
                    stdout=output,
                    stderr=errors,
                )
        except TimeoutError:
            raise GitError(
                f"Reading the repository took longer than {options.seconds:g} s."
            ) from None
        except OSError as error:
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise GitError(DISK_FULL if is_full else CANNOT_START) from error
        if code != 0:
            secrets = {configuration.get("http.extraHeader", "").rpartition(" ")[2], options.token}
            paths = (str(self._folder.path), options.config_global)
            hidden = [text for text in (*paths, *secrets) if text]
            # When its helper is killed for the size of its file, git does not always say so.
            if any(partial.stat().st_size >= options.max_bytes for partial in self._partials()):
                raise GitTooLargeError(TOO_LARGE.format(bytes=options.max_bytes))
            printed = _read_end(errors, ERROR_BYTES)
            raise explain(code, printed, max_bytes=options.max_bytes, hidden=hidden)
        return output

    def _partials(self) -> list[Path]:
        """Return the packs that were not finished."""
        return list(self._git_dir.glob("objects/pack/tmp_*"))

    def _new_path(self, name: str) -> Path:
        self._results += 1
        return self._folder.path / f"{name}-{self._results}"


def _ref(branch: str | None) -> str:
    """Return the ref of a branch: never a tag of that name, nor anything but a name."""
    if branch is None:
        return "HEAD"
    try:
        return f"refs/heads/{parse_branch(branch)}"
    except ValueError as error:
        raise GitError(str(error)) from None


def _split(url: str, protocols: Collection[str]) -> tuple[str, int]:
    """Return the host and the port of a URL, such as `https://host/path` and of no other form."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = parts = None
    if parts is None or not host or parts.scheme not in protocols or "@" in parts.netloc:
        raise GitError("This is not the URL of a repository that the service can read.")
    return host, port or (80 if parts.scheme == "http" else 443)


def _authorization(host: str, token: str) -> str:
    if host == "bitbucket.org":
        user = "x-token-auth"
    elif host.split(".")[0] == "gitlab":
        user = "oauth2"
    else:
        user = "x-access-token"
    return f"Basic {b64encode(f'{user}:{token}'.encode()).decode()}"


def _read_end(path: Path, length: int) -> bytes:
    """Return the last bytes of a file, which a server may have made as long as one may be."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - length))
        return file.read(length)


def _find_ref(path: Path, name: str) -> str | None:
    """Return the id of exactly this ref out of what `git ls-remote` printed."""
    # Line by line: a repository may have a million refs of which the names end like this one.
    with path.open("rb") as file:
        for line in file:
            commit, _, found = line.rstrip(b"\n").partition(b"\t")
            if found == name.encode():
                return commit.decode()
    return None


def _read_tree(path: Path, prefix: bytes, max_files: int) -> list[Entry]:
    """Return what `git ls-tree -r -z` printed."""
    entries: list[Entry] = []
    with path.open("rb") as file:
        # A few trees that name each other can print millions of lines: never all of them at once.
        rest = b""
        while part := file.read(1 << 20):
            *records, rest = (rest + part).split(b"\0")
            if len(entries) + len(records) > max_files:
                raise GitError(f"The folder has more than {max_files:,} files.")
            for record in records:
                head, _, name = record.partition(b"\t")
                mode, kind, blob = head.decode().split()
                entries.append(Entry(prefix + name, sys.intern(mode), sys.intern(kind), blob))
    return entries


def _read_sizes(path: Path) -> dict[str, int]:
    """Return the blobs' sizes out of what `git cat-file --batch-check` printed."""
    sizes: dict[str, int] = {}
    with path.open() as file:
        for line in file:
            blob, kind, size = line.split()
            if kind == "blob":
                sizes[blob] = int(size)
    return sizes


def _header(blob: str, size: int) -> bytes:
    return f"{blob} blob {size}\n".encode()


def _date(seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None
