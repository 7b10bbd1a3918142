"""The history of a repository: dated commits, which begin with nothing and end with its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.support.git_server import Remote


class Commit(NamedTuple):
    """A commit: its date, its message, the files that it writes or deletes, and its renames."""

    at: datetime
    message: str
    files: Mapping[str, bytes | None]
    renames: Mapping[str, str]


class Day(NamedTuple):
    """A day of the burn-up with commits: the stories in scope, and the done ones, at its end.

    In scope are all stories that a file or a tracker names, but those cancelled or archived.
    """

    date: str
    scope: int
    done: int


class Write(NamedTuple):
    """Writes a file."""

    path: str
    text: str


class Edit(NamedTuple):
    """Replaces a text that a file has once."""

    path: str
    old: str
    new: str


class Rename(NamedTuple):
    """Renames a file."""

    old: str
    new: str


class Delete(NamedTuple):
    """Deletes a file."""

    path: str


Change = Write | Edit | Rename | Delete


def status(path: str, old: str, new: str) -> Edit:
    """Return the edit of a status that a line has alone."""
    return Edit(path, f"\n{old}\n", f"\n{new}\n")


def change_value(path: str, name: str, old: str, new: str) -> Edit:
    """Return the edit of the value of a name that a line has alone: "status: done"."""
    return Edit(path, f"\n{name}: {old}\n", f"\n{name}: {new}\n")


def tick(path: str, text: str) -> Edit:
    """Return the edit that ticks the box in front of a text."""
    return Edit(path, f"- [ ] {text}", f"- [x] {text}")


@dataclass
class History:
    """The commits so far, and the text of each file after the last of them."""

    commits: list[Commit] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    def commit(self, at: str, message: str, *changes: Change) -> None:
        """Commit changes at a time of UTC, "2026-03-02 09:00". A rename is no edit as well."""
        date = datetime.fromisoformat(at).replace(tzinfo=UTC)
        assert not self.commits or self.commits[-1].at < date, at
        files: dict[str, bytes | None] = {}
        renames: dict[str, str] = {}
        for change in changes:
            match change:
                case Write(path, text):
                    self.files[path] = text
                    files[path] = text.encode()
                case Edit(path, old, new):
                    text = self.files[path]
                    assert text.count(old) == 1, (at, path, old, text.count(old))
                    self.files[path] = text.replace(old, new)
                    files[path] = self.files[path].encode()
                case Rename(old, new):
                    self.files[new] = self.files.pop(old)
                    renames[old] = new
                case Delete(path):
                    del self.files[path]
                    files[path] = None
        self.commits.append(Commit(date, message, files, renames))

    def line(self, path: str, text: str) -> int:
        """Return the line of a text that the last version of a file has once."""
        whole = self.files[path]
        assert whole.count(text) == 1, (path, text, whole.count(text))
        return whole.count("\n", 0, whole.index(text)) + 1


class Product(NamedTuple):
    """A repository: its history, and the days of its burn-up."""

    history: History
    days: Sequence[Day]


def make_product(
    steps: Iterable[Callable[[History], None]],
    month: str,
    figures: Mapping[int, tuple[int, int]],
) -> Product:
    """Return a repository whose history begins with nothing, and is made step by step.

    `figures` has the stories in scope and the done ones by the day of the month, "2026-03".
    """
    history = History()
    for step in steps:
        step(history)
    days = [Day(f"{month}-{day:02}", scope, done) for day, (scope, done) in figures.items()]
    return Product(history, days)


def push(remote: Remote, commits: Sequence[Commit]) -> None:
    """Make commits on the repository's default branch, each at its date."""
    for commit in commits:
        remote.commit(
            commit.files,
            renames=commit.renames,
            seconds=int(commit.at.timestamp()),
            message=commit.message,
        )
