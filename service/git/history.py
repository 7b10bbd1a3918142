"""The past of a folder: the commits of a branch with the files that each changed, without contents.

The commits are those of the first-parent log: the branch as it was after each push or merge. git
compares their trees, so that no content is fetched for it.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from service.git.errors import GitError, GitTooLargeError, machine_error
from service.git.objects import READ_BYTES, split_records
from service.git.runner import NO_BLOBS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from service.git.options import GitOptions
    from service.git.runner import GitRunner

# The newest commits of a branch: GitRepository.fetch_tree fetches them.
FETCHED_COMMITS: Final = 50
# How deep a first request goes that looks for a commit that was read before.
NEAR_COMMITS: Final = 400
# What a history becomes shorter by, if it has too much: trees to fetch, or changes to list.
SHORTER: Final = 8
# The bytes of the lists of commits and of changed files.
COMMITS_BYTES: Final = 64_000_000
CHANGES_BYTES: Final = 128_000_000
# The most changes of wanted files: of each about 300 bytes are in memory.
MAX_CHANGES: Final = 50_000

EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git knows it without an object
REGULAR_FILES: Final = ("100644", "100755")

TOO_MANY_CHANGES: Final = "Its commits change too many files."
SHORTENED: Final = "Only the newest {commits:,} commits of the history could be read."


class FileChange(NamedTuple):
    """A file that a commit changed: the ids of its contents before and after, None without a file.

    The path begins at the repository's root. Links and submodules count as no file.
    """

    path: str
    before: str | None
    after: str | None


class HistoryCommit(NamedTuple):
    """A commit, its committer date in seconds since 1970, and the wanted files that it changed.

    The date is None where the commit has none that git can read.
    """

    id: str
    seconds: int | None
    changes: list[FileChange]


class History(NamedTuple):
    """Commits that changed wanted files, oldest first, each compared with its first parent.

    `base` is the newest commit that was known, and all commits come after it. Where it is None, the
    first commit is the oldest that could be read, and its changes are all wanted files that it has;
    `is_cut` says that it has parents. `is_partial` says that the server failed to give older ones,
    and may give them another time. `note` is for users: why the history is too short, or None.
    """

    head: str
    base: str | None
    commits: list[HistoryCommit]
    is_cut: bool
    is_partial: bool
    note: str | None

    def list_versions(self, is_wanted: Callable[[FileChange], bool]) -> dict[str, str]:
        """Return the contents that wanted changes brought in, the newest first, for fetch_versions.

        Each has the id of the version after it of the same file, the newest one its own.
        """
        versions: dict[str, str] = {}
        newer: dict[str, str] = {}
        for commit in reversed(self.commits):
            for change in commit.changes:
                path, _, blob = change
                if blob is not None:
                    if is_wanted(change):
                        versions.setdefault(blob, newer.get(path, blob))
                    newer[path] = blob
        return versions


class _Commit(NamedTuple):
    """A commit of the first-parent log, and the id of its tree."""

    id: str
    tree: str
    seconds: int | None


class _TooManyChangesError(Exception):
    """There are more than MAX_CHANGES."""


class HistoryReader:
    """Reads the history of one repository whose newest commits were fetched before."""

    def __init__(self, git: GitRunner, options: GitOptions) -> None:
        self._git = git
        self._options = options

    async def read(
        self,
        url: str,
        head: str,
        folder: str | None,
        *,
        commits: int,
        known: AbstractSet[str],
        is_wanted: Callable[[str], bool],
    ) -> History:
        """Return the history of a fetched commit: at most `commits`, back to one of `known`.

        Fetches older commits and their trees only if no fetched commit is known. A server that does
        not give them makes the history shorter; GitError is raised only if git cannot read what was
        fetched. `is_wanted`, called in a thread, gets the path of each changed file.
        """
        chain = await self._list_commits(head, commits)
        note, is_partial = None, False
        for depth in (min(NEAR_COMMITS, commits), commits) if known else (commits,):
            if any(each.id in known for each in chain) or not self._is_cut(chain, commits):
                break
            if len(chain) >= depth:
                continue
            try:
                note = await self._deepen(url, head, depth)
            except GitError as error:
                note, is_partial = str(error), True
            chain = await self._list_commits(head, commits)
            if note is not None:
                break
        is_cut = self._is_cut(chain, commits)
        base = next((place for place, each in enumerate(chain) if each.id in known), None)
        if base is not None:
            note, is_partial, is_cut = None, False, False
        chain = chain[: commits if base is None else base + 1]
        while True:
            try:
                found = await self._compare(_pair_trees(chain, base), folder, is_wanted)
            except (GitTooLargeError, _TooManyChangesError):
                if len(chain) == 1:
                    raise GitError(TOO_MANY_CHANGES) from None
                chain = chain[: len(chain) // SHORTER or 1]
                base, note, is_cut = None, TOO_MANY_CHANGES, True
            else:
                known_id = None if base is None else chain[base].id
                if note is not None:
                    note = f"{SHORTENED.format(commits=len(chain))} {note}"
                return History(head, known_id, found, is_cut, is_partial, note)

    async def _list_commits(self, head: str, commits: int) -> list[_Commit]:
        """Return the first-parent log as far as it was fetched, newest first: one more at most."""
        flags = ("--first-parent", "--no-commit-header", "--format=%H %T %ct")
        listing = ("rev-list", *flags, f"--max-count={commits + 1}", head, "--")
        output = await self._git.run(*listing, file_bytes=COMMITS_BYTES)
        return await asyncio.to_thread(_read_commits, output)

    def _is_cut(self, chain: Sequence[_Commit], commits: int) -> bool:
        """Return whether the branch has older commits than these, or than the newest `commits`."""
        if len(chain) > commits:
            return True
        shallow = self._git.git_dir / "shallow"
        return shallow.exists() and chain[-1].id in shallow.read_text().split()

    async def _deepen(self, url: str, head: str, commits: int) -> str | None:
        """Fetch so many commits with their trees, or fewer if they have too many bytes.

        Returns a sentence in the latter case.
        """
        note = None
        while True:
            # The depth also keeps git from servers of mere files, which it would ask without end.
            # One commit more than wanted, for git's word whether the oldest one has parents.
            flags = (NO_BLOBS, f"--depth={commits + 1}", "--no-write-fetch-head")
            try:
                await self._git.fetch(
                    url, *flags, wanted=head, file_bytes=self._options.history_bytes
                )
            except GitTooLargeError as error:
                self._git.remove_unfinished()
                note = str(error)
                commits //= SHORTER
                if commits <= FETCHED_COMMITS:
                    return note
            except GitError:
                self._git.remove_unfinished()
                raise
            else:
                return note

    async def _compare(
        self,
        pairs: Sequence[tuple[str, _Commit]],
        folder: str | None,
        is_wanted: Callable[[str], bool],
    ) -> list[HistoryCommit]:
        """Return the commits with what changed in them since the tree of the other id."""
        if not pairs:
            return []
        stdin = self._git.new_path("trees")
        try:
            lines = (f"{tree} {commit.tree}\n" for tree, commit in pairs)
            await asyncio.to_thread(stdin.write_text, "".join(lines))
        except OSError as error:
            raise machine_error(error) from error
        flags = ("--stdin", "-r", "-z", "--raw", "--no-renames", "--no-abbrev")
        folders = () if folder is None else (folder,)
        comparing = ("diff-tree", *flags, "--", *folders)
        output = await self._git.run(*comparing, stdin=stdin, file_bytes=CHANGES_BYTES)
        return await asyncio.to_thread(_read_changes, output, pairs, is_wanted)


def _pair_trees(chain: Sequence[_Commit], base: int | None) -> list[tuple[str, _Commit]]:
    """Return the commits, oldest first, each with the tree before it; without that of `base`."""
    pairs = [(before.tree, commit) for commit, before in pairwise(chain)]
    if base is None:
        pairs.append((EMPTY_TREE, chain[-1]))
    return pairs[::-1]


def _read_commits(path: Path) -> list[_Commit]:
    commits: list[_Commit] = []
    with path.open() as file:
        for line in file:
            commit, tree, seconds = line.rstrip("\n").split(" ")
            commits.append(_Commit(commit, tree, _number(seconds)))
    return commits


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _read_changes(
    path: Path, pairs: Sequence[tuple[str, _Commit]], is_wanted: Callable[[str], bool]
) -> list[HistoryCommit]:
    """Return the commits that changed wanted files, and the first one if it has no tree before."""
    commits = [HistoryCommit(commit.id, commit.seconds, []) for _, commit in pairs]
    place = -1
    count = 0
    with path.open("rb") as file:
        records = split_records(iter(lambda: file.read(READ_BYTES), b""))
        for record in records:
            # A line of two ids is before the first change of each commit, or in place of changes.
            *heads, line = record.split(b"\n")
            place += len(heads)
            change = _read_change(line, next(records, b""), is_wanted)
            if change is not None:
                commits[place].changes.append(change)
                count += 1
                if count > MAX_CHANGES:
                    raise _TooManyChangesError
    start = commits[:1] if pairs[0][0] == EMPTY_TREE else []
    return start + [each for each in commits[len(start) :] if each.changes]


def _read_change(line: bytes, name: bytes, is_wanted: Callable[[str], bool]) -> FileChange | None:
    """Return the change of a wanted file, given its path and `:MODE MODE ID ID STATUS`."""
    try:
        path = name.decode()
    except UnicodeDecodeError:
        return None  # it is no document's path
    if not is_wanted(path):
        return None
    mode_before, mode_after, before, after, _ = line[1:].decode().split(" ")
    was_file, is_file = mode_before in REGULAR_FILES, mode_after in REGULAR_FILES
    change = FileChange(path, before if was_file else None, after if is_file else None)
    return None if change.before == change.after else change
