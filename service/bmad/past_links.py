"""Which past files, tracker's entries and plans are about one story, while they come and go.

The rules are those of the board: key_files.py and ticket_files.py. They are applied again to what a
commit may have joined or parted: all that has a token in common with what it changed.
"""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple

from service.bmad.key_files import MAX_SHARED, KeyFile, KeyLinks, KeyName, link_keys
from service.bmad.older_trackers import find_newest, find_older_trackers
from service.bmad.past_facts import FILE_KINDS, Fact, FactKind
from service.bmad.past_tokens import (
    FactKey,
    Token,
    TokenIndex,
    entry_names,
    folder_of,
    is_named_as,
    leaf_names,
    names_in_spec,
    tokens_of_file,
    tokens_of_name,
)
from service.bmad.past_trees import PastTrees
from service.bmad.ticket_files import (
    NameInFolder,
    epic_names,
    match_entries,
    match_plans,
    name_for_plan,
    names_for_plan,
    whole_id,
)
from service.bmad.work_items import is_toml

# Keys of trackers that are compared in the time of a step.
KEYS_OF_STEP: Final = 100


class LinkedStory(NamedTuple):
    """A story that there is: its file, its keys and plans, those that decide first, its entry."""

    path: str | None
    keys: tuple[FactKey, ...] = ()
    entry: FactKey | None = None
    plans: tuple[str, ...] = ()

    @property
    def trackers(self) -> tuple[FactKey, ...]:
        """Its entries in all trackers."""
        return self.keys if self.entry is None else (*self.keys, self.entry)

    @property
    def facts(self) -> Iterator[FactKey]:
        """All that is about it."""
        if self.path is not None:
            yield self.path, ""
        yield from self.trackers
        yield from ((plan, "") for plan in self.plans)


class Linked(NamedTuple):
    """The stories that are gone, those that are there instead, and those with changed statuses."""

    gone: set[LinkedStory]
    new: list[LinkedStory]
    changed: set[LinkedStory]


class Links:
    """The facts that there are, and the stories that they are about.

    `steps` counts how often facts were linked.
    """

    def __init__(self, trees: PastTrees) -> None:
        self.facts: dict[FactKey, Fact] = {}
        self.story_of: dict[FactKey, LinkedStory] = {}
        self.steps = 0
        self.older: set[str] = set()  # the trackers that are no longer kept
        self._trees = trees
        self._index = TokenIndex()
        self._epic_ids: dict[NameInFolder, str] = {}  # by the folder and the slug of an epic
        self._entries_in: defaultdict[str, set[FactKey]] = defaultdict(set)  # by folder
        self._keys_in: defaultdict[str, set[FactKey]] = defaultdict(set)  # by tracker
        self._compared: set[str] = set()  # the trackers that may be copies of each other
        self._has_other_trackers = self._has_other_keys = False
        self._to_link: set[FactKey] = set()
        self._with_status: set[FactKey] = set()

    def put(self, key: FactKey, fact: Fact | None) -> None:
        """Add or change a fact; None removes it."""
        before = self.facts.pop(key, None)
        if fact is not None:
            self.facts[key] = fact
            if before is not None and is_named_as(before, fact):
                self._with_status.add(key)
                return
        for each, is_there in ((before, False), (fact, True)):
            if each is not None:
                self._put(key, each, is_there=is_there)
        self._to_link.add(key)

    def _put(self, key: FactKey, fact: Fact, *, is_there: bool) -> None:
        path = key[0]
        if fact.kind == "key":
            keys = self._keys_in[path]
            (keys.add if is_there else keys.discard)(key)
            self._has_other_trackers |= len(keys) == is_there  # the first one, or the last
            self._has_other_keys |= path in self._compared
        elif fact.kind == "entry":
            entries = self._entries_in[folder_of(path)]
            (entries.add if is_there else entries.discard)(key)
        elif fact.kind == "epic":
            epic = (folder_of(path), fact.ticket or "")
            if is_there:
                self._epic_ids[epic] = fact.id or ""
            else:
                self._epic_ids.pop(epic, None)
            self._to_link |= self._entries_in["/".join(filter(None, epic))]

    def update(self) -> Linked:
        """Link anew what changed since the last call."""
        self._find_older_trackers()
        keys = self._close()
        gone = {story for key in keys if (story := self.story_of.get(key)) is not None}
        for story in gone:
            for key in story.facts:
                del self.story_of[key]
        new = [*self._link(keys)]
        for story in new:
            for key in story.facts:
                self.story_of[key] = story
        statuses = (self.story_of.get(key) for key in self._with_status)
        changed = {story for story in statuses if story is not None}.difference(new)
        self._with_status = set()
        return Linked(gone, new, changed)

    def _find_older_trackers(self) -> None:
        if not (self._has_other_trackers or self._has_other_keys):
            return
        trackers = {path: [key for _, key in keys] for path, keys in self._keys_in.items() if keys}
        if self._has_other_trackers:
            newest = find_newest(trackers)
            self._compared = {*newest, *newest.values()}
        self._has_other_trackers = self._has_other_keys = False
        self.steps += sum(len(trackers[path]) for path in self._compared) // KEYS_OF_STEP
        before, self.older = self.older, find_older_trackers(trackers)
        self._to_link.update(*(self._keys_in[path] for path in before ^ self.older))

    def _close(self) -> set[FactKey]:
        """Return the facts that may be linked otherwise than before, and those linked to them."""
        found, self._to_link = self._to_link, set()
        tokens: set[Token] = set()
        for key in found:
            tokens.update(self._index.put(key, [*self._tokens_of(key)]))
        if self.facts.keys() <= found:  # as after the first commit
            self.steps += len(found)
            return found
        waiting = [*found]
        found = found.copy()
        # They may have become too common with this commit.
        limit = MAX_SHARED + len(waiting)
        for token in tokens:
            new = self._index.having(token, limit) - found
            found |= new
            waiting += new
        seen: set[Token] = set()
        while waiting:
            self.steps += 1
            key = waiting.pop()
            story = self.story_of.get(key)
            new: set[FactKey] = set() if story is None else {*story.facts} - found
            for token in self._index.of(key):
                if token not in seen:
                    seen.add(token)
                    new |= self._index.having(token) - found
            found |= new
            waiting += new
        return found

    def _tokens_of(self, key: FactKey) -> Iterator[Token]:
        path, item = key
        fact = self.facts.get(key)
        if fact is None:
            return
        if fact.kind in FILE_KINDS:
            tree = self._trees.tree_of(path)
            yield from tokens_of_file(tree, self._trees.key_file(path, fact))
            if self._trees.has_tickets:
                named = [*names_for_plan(path), *names_in_spec(path, fact)]
                yield from (Token("plan", *name) for name in named)
                yield from (Token("entry", *name) for name in leaf_names(path, fact))
        elif fact.kind == "key":
            tree = self._trees.tree_of(path)
            yield from tokens_of_name(tree, self._trees.name_of_key(tree, item))
        elif fact.kind == "entry":
            yield from (Token("entry", *name) for name in entry_names(path, fact))
            yield from (Token("plan", *name) for name in self._names_for_plan(None, key))
        elif fact.kind == "plan":
            yield Token("plan", *name_for_plan(path, fact.ticket or ""))

    def _names_for_plan(self, path: str | None, entry: FactKey | None) -> list[NameInFolder]:
        if entry is None:
            return names_for_plan(path)
        tracker, fact = entry[0], self.facts[entry]
        id_ = whole = fact.id or ""
        if not is_toml(tracker):
            whole = (self.facts[path, ""].id if path is not None else None) or id_
        else:
            names = epic_names(tracker)
            epic = next((self._epic_ids[name] for name in names if name in self._epic_ids), None)
            whole = whole_id(epic, id_)
        return names_for_plan(path, tracker, (whole, id_))

    def _link(self, keys: set[FactKey]) -> Iterator[LinkedStory]:
        """Yield the stories that facts are about, in the order in which plans choose them."""
        facts = {key: fact for key in sorted(keys) if (fact := self.facts.get(key)) is not None}
        files = {key[0]: fact for key, fact in facts.items() if fact.kind in FILE_KINDS}
        names: dict[FactKind, dict[str, list[NameInFolder]]] = {"story": {}, "candidate": {}}
        for path, fact in files.items():
            of_leaf = leaf_names(path, fact) if self._trees.has_tickets else ()
            names[fact.kind][path] = [
                name for name in of_leaf if not self._index.is_common(Token("entry", *name))
            ]
        entries = {
            key: entry_names(key[0], fact) for key, fact in facts.items() if fact.kind == "entry"
        }
        matches = match_entries(names["story"], names["candidate"], entries)
        entry_of = {path: entry for entry, path in matches.items()}
        keys_of, without_file = self._link_keys(facts, entry_of)
        promoted = names["candidate"]
        stories: list[tuple[str | None, FactKey | None]] = [
            (path, entry_of.get(path)) for path in names["story"]
        ]
        stories += [(path, entry_of[path]) for path in promoted if path in entry_of]
        stories += [(None, entry) for entry in entries if entry not in matches]
        stories += [(path, None) for path in promoted if path in keys_of and path not in entry_of]
        plans = {
            key[0]: name_for_plan(key[0], fact.ticket or "")
            for key, fact in facts.items()
            if fact.kind == "plan"
        }
        plans_of: defaultdict[object, list[str]] = defaultdict(list)
        named = [(story, self._names_for_plan(*story)) for story in stories] if plans else []
        for plan, story in match_plans(plans, named).items():
            plans_of[story].insert(0, plan)  # the last one decides
        for path, entry in stories:
            of_file = tuple(keys_of.get(path or "", ()))
            yield LinkedStory(path, of_file, entry, tuple(plans_of.get((path, entry), ())))
        for found in without_file:
            yield LinkedStory(None, tuple(found))

    def _link_keys(self, facts: Mapping[FactKey, Fact], with_entry: Container[str]) -> KeyLinks:
        """Return the keys of each file that has some, and of each story that has keys alone.

        A candidate that has an entry is a story for all keys.
        """
        files: defaultdict[str, list[KeyFile]] = defaultdict(list)
        trackers: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(_lists)
        for (path, item), fact in facts.items():
            if fact.kind in FILE_KINDS:
                tree = self._trees.tree_of(path)
                file = self._without_common(tree, self._trees.key_file(path, fact))
                is_story = file.is_story or path in with_entry
                files[tree].append(file._replace(is_story=is_story))
            elif fact.kind == "key":
                trackers[self._trees.tree_of(path)][path].append(item)
        links = KeyLinks({}, [])
        for tree, keys in sorted(trackers.items()):
            name_of = partial(self._trees.name_of_key, tree)
            of_tree = link_keys(files[tree], keys, self.older, name_of)
            links.of_file.update(of_tree.of_file)
            links.without_file.extend(of_tree.without_file)
        return links

    def _without_common(self, tree: str, file: KeyFile) -> KeyFile:
        """Return a file without what too many files of its tree have, also those not asked for."""
        tokens = tokens_of_file(tree, file)
        if not any(map(self._index.is_common, tokens)):
            return file
        common = {token.level for token in tokens if self._index.is_common(token)}
        values = [
            None if f"value {rule}" in common else value
            for rule, value in enumerate(file.name.values)
        ]
        name = "" if "name" in common else file.name.name
        return file._replace(name=KeyName(name, (values[0], values[1], values[2]), file.name.epic))


def _lists() -> defaultdict[str, list[str]]:
    return defaultdict(list)
