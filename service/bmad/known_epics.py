"""Which part of an id is the epic's, by the epics and stories that the documents of a tree name.

10.1.5 is story 1.5 of epic 10, or story 5 of epic 10.1; the key 1-6-2-way-sync may be for story 6.2
or for story 6, "2-way sync".
"""

import re
from collections.abc import Iterable
from typing import Final

from service.bmad.identity import Identity, fold_id, split_by_epics
from service.bmad.keys import Key, read_key
from service.bmad.readings import Reading
from service.bmad.work_items import is_archived

BETWEEN_LEVELS: Final = re.compile(r"(?<=[0-9A-Za-z])(?:[.\-_][sS]?|[sS])(?=\d)")
MIN_UNCERTAIN: Final = 2  # signs between levels from which on the epic is uncertain


class KnownEpics:
    """The ids of epics and of stories that documents name, apart from the stories' own files."""

    def __init__(self, documents: Iterable[tuple[str, Reading]]) -> None:
        """Take these documents, by their paths, without archived ones."""
        epics: set[str] = set()
        self._stories: set[str] = set()
        for path, reading in documents:
            if is_archived(path):
                continue
            for epic in reading.get("epics", ()):
                epics.add(fold_id(epic["number"]))
                self._stories.update(fold_id(story["id"]) for story in epic["stories"])
            if (sprint := reading.get("sprint_status")) is not None:
                keys = (read_key(entry["key"]).identity.epic for entry in sprint["epics"])
                epics.update(map(fold_id, filter(None, [*keys, *sprint["titles"]])))
        self._epics = frozenset(epics)

    def split(self, identity: Identity) -> Identity:
        """Return an id with the longest epic in it that there is; as it is if none is.

        An epic that is said apart from the id stays.
        """
        id_, epic, story = identity
        if fold_id(f"{epic}.{story}") != fold_id(id_):
            return identity
        return split_by_epics(identity, self._epics)

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
            return read
        shorter = id_[: levels[-1].start()]
        if fold_id(shorter) in self._stories and fold_id(id_) not in self._stories:
            identity = Identity(shorter, id_[: levels[-2].start()], shorter[levels[-2].end() :])
            slug = f"{id_[levels[-1].end() :]}-{read.slug}"
            return Key("story", self.split(identity), slug)
        return read._replace(identity=self.split(read.identity))
