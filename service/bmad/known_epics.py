"""Which part of an id is the epic's, by the epics and stories that the documents of a tree name.

10.1.5 is story 1.5 of epic 10, or story 5 of epic 10.1; the key 1-6-2-way-sync may be for story 6.2
or for story 6, "2-way sync".
"""

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Final

from service.bmad.identity import Identity, fold_id, split_by_epics
from service.bmad.keys import Key, read_key
from service.bmad.readings import Reading
from service.bmad.work_items import is_archived

BETWEEN_LEVELS: Final = re.compile(r"(?<=[0-9A-Za-z])(?:[.\-_][sS]?|[sS])(?=\d)")
# In ids of stories such as US-1.2, S1.2 and E1-S2 these may be the words "story" and "epic".
PREFIXED: Final = re.compile(r"(US|HU|STORY|ST|S|EPIC|EP|E)-?(\d.*)", re.IGNORECASE | re.DOTALL)
STORY_PREFIXES: Final = frozenset(("US", "HU", "STORY"))
MIN_UNCERTAIN: Final = 2  # signs between levels from which on the epic is uncertain


class KnownEpics:
    """The ids of epics and of stories that documents name, apart from the stories' own files."""

    def __init__(self, documents: Iterable[tuple[str, Reading]]) -> None:
        """Take these documents, by their paths, without archived ones."""
        epics: set[str] = set()
        self._stories: set[str] = set()
        of_files: set[str | None] = set()
        self._keys: list[str] = []
        for path, reading in documents:
            if is_archived(path):
                continue
            if (story := reading.get("story")) is not None:
                of_files.add(story["epic"])
            for epic in reading.get("epics", ()):
                epics.add(fold_id(epic["number"]))
                self._stories.update(fold_id(story["id"]) for story in epic["stories"])
            if (sprint := reading.get("sprint_status")) is not None:
                self._keys += [entry["key"] for entry in sprint["stories"]]
                keys = (read_key(entry["key"]).identity.epic for entry in sprint["epics"])
                epics.update(map(fold_id, filter(None, [*keys, *sprint["titles"]])))
        self._epics = frozenset(epics)
        self._of_files = {*map(fold_id, filter(None, of_files))}
        found = filter(None, map(PREFIXED.fullmatch, epics))
        self._prefixes = {prefixed[1].upper() for prefixed in found}

    def split(self, identity: Identity) -> Identity:
        """Return an id with the longest epic in it that there is; as it is if none is.

        An epic that is said apart from the id stays. Of US-1.2 and E1-S2 the epic is 1 if documents
        name that, and none with the letters.
        """
        id_, epic, story = identity
        if fold_id(f"{epic}.{story}") != fold_id(id_):
            return identity
        return self._without_word(split_by_epics(identity, self._epics))

    def _without_word(self, identity: Identity) -> Identity:
        """Return an id whose epic has a word before its number with the epic of that number.

        Where files, or keys, have both E1.1 and 1.2, these are two epics.
        """
        found = PREFIXED.fullmatch(identity.epic or "")
        if found is None:
            return identity
        word, number = found[1].upper(), fold_id(found[2])
        if word in self._prefixes or number not in self._epics:
            return identity
        is_other = number in self._of_files or {number, fold_id(found[0])} <= self._of_keys
        if word not in STORY_PREFIXES and is_other:
            return identity
        return identity._replace(epic=found[2])

    @cached_property
    def _of_keys(self) -> set[str]:
        """The epics of the stories in trackers."""
        epics = (read_key(key).identity.epic for key in self._keys)
        return {*map(fold_id, filter(None, epics))}

    def read_key(self, key: str) -> Key:
        """Return what a key is for, as `read_key` of keys.py does without these epics.

        A last number is one of the slug where documents name the story before it alone.
        """
        read = read_key(key)
        if read.kind != "story":
            return read
        id_ = read.identity.id
        levels = [*BETWEEN_LEVELS.finditer(id_)]
        if len(levels) < MIN_UNCERTAIN:
            return read._replace(identity=self._without_word(read.identity))
        shorter = id_[: levels[-1].start()]
        if fold_id(shorter) in self._stories and fold_id(id_) not in self._stories:
            identity = Identity(shorter, id_[: levels[-2].start()], shorter[levels[-2].end() :])
            slug = f"{id_[levels[-1].end() :]}-{read.slug}"
            return Key("story", self.split(identity), slug)
        return read._replace(identity=self.split(read.identity))
