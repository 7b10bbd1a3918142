"""What past facts have in common that may be about one story: an index of facts by tokens.

The board compares the same values: see key_files.py and ticket_files.py. Facts without a token in
common, also by way of others, are about different stories.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from service.bmad.identity import fold_id
from service.bmad.key_files import MAX_SHARED, SPEC, KeyFile, KeyName, names_begun
from service.bmad.past_facts import Fact
from service.bmad.ticket_files import (
    NameInFolder,
    names_of_candidate,
    names_of_entry,
    names_of_leaf,
)

# The path and the item of a fact.
FactKey = tuple[str, str]


class Token(NamedTuple):
    """A value that facts have in common, in a tree or in a folder."""

    level: str
    scope: str
    value: object


def tokens_of_name(tree: str, name: KeyName) -> list[Token]:
    """Return the tokens of a key, or of a file that a key may be for."""
    tokens = [Token("name", tree, name.name)] if name.name else []
    return tokens + [
        Token(f"value {rule}", tree, value) for rule, value in enumerate(name.values) if value
    ]


def tokens_of_file(tree: str, file: KeyFile) -> list[Token]:
    """Return the tokens of a file that a key may be for."""
    tokens = tokens_of_name(tree, file.name)
    if file.name.name.startswith(SPEC):
        tokens.append(Token("spec", tree, file.name.name.removeprefix(SPEC)))
    return tokens


class TokenIndex:
    """The facts that have a token."""

    def __init__(self) -> None:
        self._tokens: dict[FactKey, list[Token]] = {}
        self._files: defaultdict[Token, set[FactKey]] = defaultdict(set)
        self._others: defaultdict[Token, set[FactKey]] = defaultdict(set)
        self._specs: defaultdict[str, list[str]] = defaultdict(list)  # by tree, sorted

    def put(self, key: FactKey, tokens: list[Token]) -> list[Token]:
        """Give a fact its tokens; return those that it has and those that it had."""
        before = self._tokens.pop(key, [])
        index = self._others if key[1] else self._files
        for token in before:
            index[token].discard(key)
            if not index[token]:
                del index[token]
                if token.level == "spec":
                    specs = self._specs[token.scope]
                    del specs[bisect_left(specs, str(token.value))]
        if tokens:
            self._tokens[key] = tokens
        for token in tokens:
            if token.level == "spec" and token not in index:
                insort(self._specs[token.scope], str(token.value))
            index[token].add(key)
        return before + tokens

    def of(self, key: FactKey) -> Iterable[Token]:
        """Return the tokens of a fact."""
        return self._tokens.get(key, ())

    def is_common(self, token: Token) -> bool:
        """Return whether so many files have a token that it says nothing of any of them."""
        return len(self._files.get(token, ())) > MAX_SHARED

    def having(self, token: Token, limit: int = MAX_SHARED) -> set[FactKey]:
        """Return the facts that have a token, unless more files than `limit` have it.

        The key that begins the name of a file `spec-*` is among those that have its token.
        """
        files = self._files.get(token, set())
        found = files | self._others.get(token, set()) if len(files) <= limit else set[FactKey]()
        if token.level == "name":
            for spec in names_begun(self._specs.get(token.scope, ()), str(token.value)):
                found |= self._files[Token("spec", token.scope, spec)]
        elif token.level == "spec":
            name = str(token.value)
            for end in range(1, len(name) + 1):
                found |= self._others.get(Token("name", token.scope, name[:end]), set())
        return found


def folder_of(path: str) -> str:
    """Return the folder that a file is in."""
    return path.rpartition("/")[0]


def leaf_names(path: str, fact: Fact) -> list[NameInFolder]:
    """Return what an entry may call a story's file, or a candidate."""
    if fact.kind == "candidate":
        return names_of_candidate(path, fact.ticket, has_status=fact.status is not None)
    return names_of_leaf(path, fact.id or "", fact.ticket)


def is_named_as(before: Fact, fact: Fact) -> bool:
    """Return whether facts differ in nothing but statuses, and have the same names.

    Whether a candidate has a status decides what it may be called.
    """
    has_same_names = fact.kind != "candidate" or (before.status is None) == (fact.status is None)
    return has_same_names and before._replace(status=fact.status) == fact


def entry_names(path: str, fact: Fact) -> list[NameInFolder]:
    """Return what the file of an entry may be called."""
    return names_of_entry(path, fact.id or "", filter(None, (fact.ticket, fact.story)))


def names_in_spec(path: str, fact: Fact) -> list[NameInFolder]:
    """Return what a plan may call a story's file by the id that it says, where it has an entry."""
    folder = folder_of(path)
    of_spec = folder_of(folder) if folder.rpartition("/")[2] == "stories" else folder
    return [(each, fold_id(fact.id)) for each in (folder, of_spec) if fact.id]
