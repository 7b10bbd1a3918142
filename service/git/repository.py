"""Fetches a folder of a git repository: first its tree, then the contents that the caller wants.

Nothing else is fetched, nothing is checked out, and no code of the repository runs. Paths are
returned as they are in git: the caller decides about symbolic links (mode 120000), submodules
(type commit) and names that are not UTF-8.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from service.git.contents import BlobFetcher
from service.git.errors import GitError, GitRefError, GitTooLargeError, machine_error
from service.git.folder import TemporaryFolder
from service.git.history import FETCHED_COMMITS, HistoryReader
from service.git.names import parse_branch, parse_folder
from service.git.objects import (
    Entries,
    Tree,
    find_default_branch,
    find_entry,
    find_ref,
    read_ancestors,
)
from service.git.renames import find_renames
from service.git.runner import NO_BLOBS, NO_TREES, GitRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from service.git.history import History
    from service.git.objects import Blobs
    from service.git.options import GitOptions

# The most commits of that history that are looked at, with merged branches, and the bytes of their
# list. A server may send a million.
HISTORY_LISTED = 20_000
HISTORY_BYTES = 16_000_000
# The most bytes of the list of a folder's files: 500,000 with paths of 200 bytes. Without a limit a
# few kilobytes of trees that contain each other print terabytes.
LISTING_BYTES = 128_000_000

NEWEST_COMMIT = ("rev-list", "--max-count=1", "--no-commit-header")


class GitRepository:
    """One remote repository, fetched into a temporary directory; an async context manager.

    All methods raise GitError. When one is cancelled or takes too long, its processes are killed.
    """

    def __init__(self, options: GitOptions) -> None:
        """Store the options; entering the context creates the directory."""
        self._options = options
        # The name of the repository's default branch, once it was read.
        self.default_branch: str | None = None

    async def __aenter__(self) -> Self:
        """Create the directory."""
        deadline = asyncio.get_running_loop().time() + self._options.seconds
        try:
            self._folder = TemporaryFolder()
        except OSError as error:
            raise machine_error(error) from error
        self._git = GitRunner(self._options, self._folder.path, deadline)
        self._blobs = BlobFetcher(self._git, self._options)
        self._history = HistoryReader(self._git, self._options)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Remove the directory, in a thread: unlinking a large file blocks."""
        removing = asyncio.ensure_future(asyncio.to_thread(self._folder.remove))
        try:
            await asyncio.shield(removing)
        finally:
            await removing  # a cancelled task, too, ends only when the directory is gone

    async def read_head(self, url: str, branch: str | None) -> str:
        """Return the id of the branch's newest commit, or of HEAD's where `branch` is None.

        In the latter case it also sets `default_branch`.
        """
        name = _ref(branch)
        self.default_branch = None
        if branch is not None:
            listed = await self._list_refs(url, "--heads", "--", url, name)
        else:
            listed = await self._list_head(url)
        if commit := await asyncio.to_thread(find_ref, listed, name):
            return commit
        if branch is not None:
            raise GitError(f"The repository has no branch {branch}.")
        if (await self._list_refs(url, "--heads", "--", url)).stat().st_size:
            raise GitError("The repository's default branch does not exist; name a branch.")
        raise GitError("The repository is empty: it has no commits yet.")

    async def read_default_branch(self, url: str) -> None:
        """Set `default_branch`, to None if HEAD is detached or the repository is empty."""
        await self._list_head(url)

    async def fetch_tree(self, url: str, branch: str | None, folder: str | None) -> Tree:
        """Fetch the newest commits without contents, and return the folder's tree.

        `branch` None is HEAD, `folder` None the whole repository.
        """
        ref = _ref(branch)
        if folder is not None:
            try:
                folder = parse_folder(folder)
            except ValueError as error:
                raise GitError(str(error)) from None
        await self._git.initialise()
        flags = (NO_BLOBS, f"--depth={FETCHED_COMMITS}")
        try:
            await self._git.fetch(url, *flags, wanted=ref)
        except GitRefError:
            await self.read_head(url, branch)  # its error says why the ref is missing
            raise
        commit, root, seconds = await self._read_fetched_head()
        is_exact = True
        tree_id = root if folder is None else await self._find_folder(commit, folder)
        self._blobs.commit, self._blobs.tree_id = commit, tree_id
        if folder is not None:
            seconds, is_exact = await self._date_folder(commit, folder) or (seconds, False)
        entries = await self._list_entries(tree_id, folder)
        return Tree(
            commit=commit,
            commit_date=_date(seconds),
            is_date_exact=is_exact,
            tree_id=tree_id,
            entries=entries,
        )

    async def _list_entries(self, tree_id: str, folder: str | None) -> Entries:
        # With the folders: trees without files print nothing else, however many paths lead to them.
        output = await self._list_tree("-r", "-t", tree_id)
        prefix = b"" if folder is None else folder.encode() + b"/"
        return await asyncio.to_thread(Entries, output, prefix, self._options.max_entries)

    async def _list_tree(self, *arguments: str) -> Path:
        try:
            return await self._git.run("ls-tree", "-z", *arguments, file_bytes=LISTING_BYTES)
        except GitTooLargeError:
            raise GitError(
                f"The list of the folder's files has more than {LISTING_BYTES / 1e6:g} MB: name a "
                "folder that has less."
            ) from None

    async def read_history(self, url: str, branch: str | None, head: str) -> set[str]:
        """Return the ids of the newest commits that `head`, once the branch's newest, leads to.

        Fetches the commits alone, without trees, if fetch_tree fetched none. The server may then
        show a newer branch than before: its commits above `head` are not returned. The result is
        empty if the branch does not have `head`.
        """
        await self._git.initialise()
        if not (self._git.git_dir / "FETCH_HEAD").exists():
            flags = (NO_TREES, f"--depth={FETCHED_COMMITS}")
            ref = _ref(branch)
            await self._git.fetch(url, *flags, wanted=ref)
        listing = ("rev-list", "--parents", f"--max-count={HISTORY_LISTED}", "FETCH_HEAD", "--")
        try:
            output = await self._git.run(*listing, file_bytes=HISTORY_BYTES)
        except GitTooLargeError:
            raise GitError("The newest commits of the branch have too many parents.") from None
        return await asyncio.to_thread(read_ancestors, output, head)

    async def fetch_blobs(self, url: str, ids: Collection[str]) -> Blobs:
        """Fetch contents by the ids of a Tree's entries, in as few bytes as the server allows.

        The Blobs say which of them the server cannot give, while it gives others.
        """
        return await self._blobs.fetch(url, ids)

    async def fetch_history(
        self,
        url: str,
        head: str,
        folder: str | None,
        *,
        commits: int,
        known: AbstractSet[str],
        is_wanted: Callable[[str], bool],
    ) -> History:
        """Return the history of the commit that fetch_tree returned: see HistoryReader.read."""
        return await self._history.read(
            url, head, folder, commits=commits, known=known, is_wanted=is_wanted
        )

    async def fetch_versions(self, url: str, versions: Mapping[str, str]) -> Blobs:
        """Fetch contents of past versions, the first ones first, within the options' history_bytes.

        Each has the id of the version after it: see BlobFetcher.fetch_first. The Blobs say which
        are missing: beyond the limit, or because the server does not give them.
        """
        return await self._blobs.fetch_first(url, versions)

    async def find_renames(
        self,
        old: Sequence[tuple[str, str]],
        new: Sequence[tuple[str, str]],
        read: Callable[[str], bytes],
    ) -> dict[str, str]:
        """Return the old path of each renamed file, by its new path: see git.renames."""
        return await find_renames(self._git, old, new, read)

    def fetched_bytes(self) -> int:
        """Return the size of all packs in bytes: about as many as were transferred."""
        return self._git.fetched_bytes()

    @property
    def refused_tokens(self) -> dict[str, int]:
        """The HTTP status of each host that refused the service's token for it."""
        return self._git.refused_tokens

    async def _list_head(self, url: str) -> Path:
        listed = await self._list_refs(url, "--symref", "--", url, "HEAD")
        self.default_branch = await asyncio.to_thread(find_default_branch, listed)
        return listed

    async def _list_refs(self, url: str, *arguments: str) -> Path:
        """Return the file with ids and names of the refs whose names end with a given one."""
        return await self._git.run_remote(url, "ls-remote", *arguments, git_dir=os.devnull)

    async def _read_fetched_head(self) -> tuple[str, str, str]:
        """Return the fetched commit's id, its tree's id and its date in seconds since 1970.

        The date is empty where the commit has none that git can read.
        """
        output = await self._git.run(*NEWEST_COMMIT, "--format=%H,%T,%ct", "FETCH_HEAD", "--")
        commit, tree, seconds = output.read_text().strip().split(",")
        return commit, tree, seconds

    async def _find_folder(self, commit: str, folder: str) -> str:
        """Return the folder's tree id."""
        # Not `rev-parse COMMIT:FOLDER`, whose error does not say whether folder or object is gone.
        # And not `ls-tree COMMIT -- FOLDER`, which misses a folder in a tree that is not sorted.
        kind, tree = "tree", commit
        for name in folder.split("/"):
            entry = None
            if kind == "tree":
                listed = await self._list_tree(tree)
                entry = await asyncio.to_thread(find_entry, listed, name.encode())
            if entry is None:
                raise GitError(f"The repository has no folder {folder} in this branch.")
            kind, tree = entry
        if kind != "tree":
            raise GitError(f"{folder} is not a folder in this branch.")
        return tree

    async def _date_folder(self, commit: str, folder: str) -> tuple[str, bool] | None:
        """Return the date of the last commit that changed the folder, and whether that is certain.

        The date is in seconds since 1970. It is not certain for the oldest fetched commits: without
        their parents, each seems to git to have added every file. Returns None if git finds no
        commit, as in trees that are not sorted.
        """
        output = await self._git.run(*NEWEST_COMMIT, "--format=%H,%ct", commit, "--", folder)
        newest, _, seconds = output.read_text().strip().partition(",")
        if not newest:
            return None
        shallow = self._git.git_dir / "shallow"
        is_oldest = shallow.exists() and newest in shallow.read_text().split()
        return seconds, not is_oldest


def _ref(branch: str | None) -> str:
    """Return the full ref of a branch, so that git does not take a tag of the same name."""
    if branch is None:
        return "HEAD"
    try:
        return f"refs/heads/{parse_branch(branch)}"
    except ValueError as error:
        raise GitError(str(error)) from None


def _date(seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None
