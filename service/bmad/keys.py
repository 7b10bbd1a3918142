"""Keys of sprint-status.yaml: which are for stories, which for epics and retrospectives."""

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from service.bmad.identity import (
    EPIC_AND_STORY,
    EPIC_NAME,
    EPIC_WORD,
    MAX_NAME,
    NAME_ENDS,
    NO_IDENTITY,
    Identity,
    NamedIdentity,
    epic_of_name,
    read_name,
)

_RETRO = r"retro(?:spective)?s?"
RETROSPECTIVE: Final = re.compile(rf"(?:^|[-_. ]){_RETRO}(?=[-_. ]|$)", re.IGNORECASE)
# Of a key without the word "epic" before: "sprint-1-retro", "retrospective-epic-1".
RETROSPECTIVE_KEY: Final = re.compile(
    rf"(?:.*[-_. ])?{_RETRO}|{_RETRO}[-_. ](?:epics?(?![a-z])|sprint|\d).*", re.IGNORECASE
)
# What follows the id of a story that is none: "1-9-retrospective", "1-9-epic-1-retrospective".
RETROSPECTIVE_SLUG: Final = re.compile(
    rf"(?:epics?[-_. ]?[^-_. ]{{0,9}}[-_. ])?{_RETRO}", re.IGNORECASE
)


class Key(NamedTuple):
    """A key of sprint-status.yaml. Of an epic and a retrospective `identity` has the epic alone."""

    kind: Literal["story", "epic", "retrospective"]
    identity: Identity
    slug: str


def read_key(key: str) -> Key:
    """Return what a key of sprint-status.yaml is for: a story, an epic or its retrospective.

    "epic-1", "epic-1b", "epic-0.0" and "epic-slug" are keys of epics, "epic-1-retrospective" is one
    of a retrospective, and all others are those of stories: "1-2-slug", "epic-120-s01", "pm-04",
    and "2-4-retrospective-board" too.
    """
    return _read_key(key[:MAX_NAME])


# Trees, stories and the history have the same keys.
@lru_cache(maxsize=4096)
def _read_key(key: str) -> Key:
    is_of_epic = None if EPIC_AND_STORY.match(key) else EPIC_WORD.match(key)
    named = None if is_of_epic else read_name(key)
    is_retrospective = bool(RETROSPECTIVE.search(key)) and _is_retrospective(key, named)
    if named is not None and not is_retrospective:
        return Key("story", named.identity, named.rest)
    in_id = named.identity.epic if named else None
    name = named.rest if named and in_id else key
    name = _without_retrospective(name) if is_retrospective else name
    number = epic_of_name(name) or in_id
    identity = NO_IDENTITY if number is None else Identity(number, number, None)
    found = EPIC_NAME.match(name)
    begin = found.end() if found else is_of_epic.end() if is_of_epic and not is_retrospective else 0
    slug = EPIC_WORD.sub("", name[begin:].strip(NAME_ENDS), count=1)
    return Key("retrospective" if is_retrospective else "epic", identity, slug)


def _is_retrospective(key: str, named: NamedIdentity | None) -> bool:
    """Return whether a key with the word is for a retrospective; `named` is that of a story."""
    if named is None:
        return True
    if named.identity.epic and named.identity.story:
        return bool(RETROSPECTIVE_SLUG.fullmatch(named.rest))
    return bool(RETROSPECTIVE_KEY.fullmatch(key))


def _without_retrospective(name: str) -> str:
    """Return what a name has before the word, or else after it: "epic-2" of "epic-2-retro-2"."""
    before, _, after = RETROSPECTIVE.sub("\n", name, count=1).partition("\n")
    return before.strip(NAME_ENDS) or after.strip(NAME_ENDS)
