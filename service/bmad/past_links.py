"""Which files of stories, tracker's entries and plans are about one story, while they come and go.

Entries are keys of sprint-status.yaml and entries of tickets.toml; a file has at most one of each.
What links them are tokens: of a key the name, the slug, the number; of a ticket its id, its slug.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from service.bmad.identity import Identity, fold_id, fold_slug, read_name
from service.bmad.keys import read_key
from service.bmad.past_facts import Fact
from service.bmad.work_items import ARCHIVE

T = TypeVar("T")

# What more files or entries have than this says nothing of any of them.
MAX_SHARED: Final = 40
MAX_KEY_SLUG: Final = 60  # characters, as the method cuts the slugs of keys

# Folders of a project that has documents, in a monorepo of several ones.
_DOCUMENTS: Final = re.compile(
    r"docs?|documentation|.*bmad.*|\.ai|(?:implementation|planning|sprint)-artifacts|sprints?"
    r"|(?:user[-_])?stor(?:y|ies)|epics?.*|specs?|backlog|prds?|architecture|qa|plan(?:s|ning)?",
    re.IGNORECASE,
)
_FILE_KIND: Final = re.compile(r"(?:spec|story|spike|bug)-(?=[a-z]{0,6}-?\d)")

# From the surest on.
LEVELS: Final = ("ticket", "name", "numbered", "slug", "number")


class Token(NamedTuple):
    """What a file and an entry of a tracker have in common if they are about one story."""

    kind: str  # of the entry: "key" or "entry"
    scope: str  # the tree of a key, the folder of a ticket
    level: str
    value: str


class Entry(NamedTuple):
    """An entry of a tracker: a key of a tree, or a ticket of the tickets.toml of a folder."""

    kind: str
    scope: str
    item: str


@lru_cache(maxsize=1024)
def tree_of(folder: str) -> str:
    """Return the folder of the project in a repository that a folder with documents belongs to."""
    parts = folder.split("/") if folder else []
    end = next(
        (place for place, part in enumerate(parts) if _DOCUMENTS.fullmatch(part)), len(parts)
    )
    return "/".join(parts[:end])


@lru_cache(maxsize=1024)
def is_archived(folder: str) -> bool:
    """Return whether what lies in a folder is shown, and not counted."""
    return any(map(ARCHIVE.fullmatch, folder.split("/")))


def folder_of(path: str) -> str:
    """Return the folder that a file is in."""
    return path.rpartition("/")[0]


def stem_of(path: str) -> str:
    """Return the name of a file without its suffixes."""
    name = path.rpartition("/")[2]
    return (name.rpartition(".")[0] or name).removesuffix(".story")


def entry_of(path: str, item: str, fact: Fact) -> Entry:
    """Return the entry that a tracker's item is."""
    folder = folder_of(path)
    return Entry(fact.kind, tree_of(folder) if fact.kind == "key" else folder, item)


def tokens_of_entry(entry: Entry, fact: Fact) -> list[Token]:
    """Return the tokens of an entry."""
    if entry.kind == "entry":
        values = {"ticket": fold_id(entry.item), "slug": fold_slug(fact.ticket or "")}
    else:
        key = read_key(entry.item)
        values = _values(fold_slug(entry.item), key.slug, key.identity)
    return _tokens(entry.kind, entry.scope, values)


def tokens_of_file(path: str, fact: Fact) -> list[Token]:
    """Return the tokens of a story's file: those of keys in its tree, and of tickets beside it."""
    folder, stem = folder_of(path), stem_of(path)
    named = read_name(stem)
    identity = Identity(fact.id or "", fact.epic, fact.story)
    if not identity.epic or not identity.story:
        identity = named.identity
    name = fold_slug(stem)
    tokens = _tokens(
        "key", tree_of(folder), _values(_FILE_KIND.sub("", name), named.rest, identity)
    )
    of_ticket = {"ticket": fold_id(fact.ticket or ""), "slug": fold_slug(named.rest)}
    tokens += _tokens("entry", folder, of_ticket)
    if folder.endswith("/stories"):  # of stories.yaml beside the folder
        of_ticket["ticket"] = fold_id(fact.id or named.identity.id)
        tokens += _tokens("entry", folder_of(folder), of_ticket)
    return tokens


def _values(name: str, slug: str, identity: Identity) -> dict[str, str]:
    slug = fold_slug(slug)[:MAX_KEY_SLUG].strip("-")
    number = ""
    if identity.epic and identity.story:
        number = f"{fold_id(identity.epic)} {fold_id(identity.story)}"
    numbered = f"{number} {slug}" if number and slug else ""
    return {"name": name, "numbered": numbered, "slug": slug, "number": number}


def _tokens(kind: str, scope: str, values: dict[str, str]) -> list[Token]:
    return [Token(kind, scope, level, values[level]) for level in LEVELS if values.get(level)]


class Links:
    """The links between the files and the entries that there are now."""

    def __init__(self) -> None:
        self.entry_of: dict[tuple[str, str], Entry] = {}  # by path and kind
        self.file_of: dict[Entry, str] = {}
        self._files: dict[str, list[Token]] = {}
        self._entries: dict[Entry, list[Token]] = {}
        self._files_with: defaultdict[Token, set[str]] = defaultdict(set)
        self._entries_with: defaultdict[Token, set[Entry]] = defaultdict(set)
        self._changed: dict[Token, None] = {}

    def set_file(self, path: str, fact: Fact | None) -> None:
        """Add or change a file; None removes it."""
        tokens = [] if fact is None else tokens_of_file(path, fact)
        before = self._files.get(path, [])
        if tokens == before and (path in self._files) == (fact is not None):
            return
        for token in before:
            self._files_with[token].discard(path)
        for token in tokens:
            self._files_with[token].add(path)
        self._changed |= dict.fromkeys(before + tokens)
        if fact is None:
            del self._files[path]
            for kind in ("key", "entry"):
                if entry := self.entry_of.get((path, kind)):
                    self._unlink(entry)
        else:
            self._files[path] = tokens

    def set_entry(self, entry: Entry, fact: Fact | None) -> None:
        """Add or change an entry; None removes it."""
        tokens = [] if fact is None else tokens_of_entry(entry, fact)
        before = self._entries.get(entry, [])
        if tokens == before and (entry in self._entries) == (fact is not None):
            return
        for token in before:
            self._entries_with[token].discard(entry)
        for token in tokens:
            self._entries_with[token].add(entry)
        self._changed |= dict.fromkeys(before + tokens)
        if fact is None:
            self._unlink(entry)
            del self._entries[entry]
        else:
            self._entries[entry] = tokens

    def tickets(self, folder: str, folded_id: str) -> set[Entry]:
        """Return the tickets of a folder's tracker with this id."""
        return self._entries_with.get(Token("entry", folder, "ticket", folded_id), set())

    def update(self) -> tuple[set[str], set[Entry]]:
        """Link anew what changed since the last call; return the files and entries looked at."""
        files = self._having(self._files_with, self._changed)
        entries = self._having(self._entries_with, self._changed)
        entries |= self._having(
            self._entries_with, (token for path in files for token in self._files[path])
        )
        self._changed = {}
        for entry in entries:
            if path := self.file_of.get(entry):
                files.add(path)
                self._unlink(entry)
        waiting = sorted(entries)
        for level in LEVELS:
            waiting = [entry for entry in waiting if not self._link(entry, level)]
        files |= {self.file_of[entry] for entry in entries if entry in self.file_of}
        return files, entries

    def _link(self, entry: Entry, level: str) -> bool:
        for token in self._entries[entry]:
            if token.level != level:
                continue
            having = self._files_with[token]
            if len(having) > MAX_SHARED:
                return False
            # A slug alone names a story only where no other one has it.
            if level == "slug" and max(len(having), len(self._entries_with[token])) > 1:
                return False
            free = [path for path in having if (path, entry.kind) not in self.entry_of]
            if free:
                path = min(free)
                self.file_of[entry] = path
                self.entry_of[path, entry.kind] = entry
                return True
        return False

    def _unlink(self, entry: Entry) -> None:
        if path := self.file_of.pop(entry, None):
            del self.entry_of[path, entry.kind]

    @staticmethod
    def _having(index: dict[Token, set[T]], tokens: Iterable[Token]) -> set[T]:
        found: set[T] = set()
        for token in tokens:
            having = index.get(token, ())
            if len(having) <= MAX_SHARED:
                found.update(having)
        return found
