"""Ids of stories and epics: in headings, and in names of files and folders.

An id is a text: 2.10 is no number. It has levels, such as the two of "AP-4.4", whose epic is "AP-4"
and whose story is "4". A prefix belongs to the epic: 1, E1 and AP-1 are different epics.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any, Final, NamedTuple

from service.bmad.readings import MAX_ID, MAX_TEXT
from service.documents.story_signs import DATE, EPIC_WORDS

MAX_LEVELS: Final = 4
MAX_NAME: Final = 300  # characters that are read of a name or a heading


class Identity(NamedTuple):
    """The id of a story as it is written, "" without one, and its two parts."""

    id: str
    epic: str | None
    story: str | None


class NamedIdentity(NamedTuple):
    """What a name or a heading says: the id, and the slug or title after it.

    `written` is the id alone as the text has it, "1-2" for instance. `is_about_story` says that a
    word such as "Story" comes before it.
    """

    identity: Identity
    rest: str
    written: str = ""
    is_about_story: bool = False


NO_IDENTITY: Final = Identity("", None, None)

# A letter belongs to a number at whose end it is: 9B, 1.3a; but not that of 2FA.
_NUMBER = r"\d{1,9}(?:[A-Za-z](?![^\W_]))?"
_PREFIX = r"(?:(?:[A-Z]{1,6}|[A-Za-z]{1,3})-?(?=\d))?"
# E12-S04 and E12S04: the S says that the story's number follows.
_LEVEL = rf"(?:[.\-_]?[sS](?=\d)|[.\-_]){_NUMBER}"
# Of "Story 7.4-FX: Hedging" and "7.4-FX.hedging".
_SUFFIX = r"(?>-[A-Z]{1,4}(?=\s*[:.\uff1a\u2014]))?+"
ID: Final = re.compile(
    rf"({_PREFIX})({_NUMBER})((?:{_LEVEL}){{0,{MAX_LEVELS - 1}}})({_SUFFIX})(?![^\W_])"
)
# Of a heading, "1.2nd" and "3.5mm" are no ids; of a name, "1.2nd-try" is story 1.
BROKEN_LEVEL: Final = re.compile(r"\.\d++[A-Za-z]")
LEVEL: Final = re.compile(rf"([.\-_]?)[sS]?({_NUMBER})")

STORY_WORDS: Final = (
    r"user[-_ ]story|story|histoire|récit|historia|história|스토리|ストーリー|(?:用户)?故事"
    r"|spike|bug"
)
# Of an id with one number these prefixes say what is numbered, and no epic.
KIND_PREFIXES: Final = frozenset(
    ("US", "HU", "S", "ST", "TS", "STORY", "SPIKE", "BUG", "TASK", "FIX", "T", "SPEC")
)
EPIC_PREFIXES: Final = frozenset(("E", "EP", "EPIC"))

STORY_HEADING: Final = re.compile(
    rf"[\W_]{{0,20}}+(?:(?:{EPIC_WORDS})[-_ #]{{0,3}}({_PREFIX}{_NUMBER}(?>[.-]{_NUMBER})?+)"
    rf"(?![^\W_]).{{0,100}}?(?<![^\W_]))?"
    rf"(?:(?:technical|enabler|dev)\s)?(?:{STORY_WORDS})(?![A-Za-z])(?>\s?id)?+"
    r"(?P<gap>[\s:\uff1a#\-_№.\u2014\u2013\u00b7]{0,5}+)"
    r"(?>[(\[](?=[A-Za-z]{0,6}-?\d[\w.\-]{0,20}[)\]]))?+",
    re.IGNORECASE,
)
# After an id: "1.2) ", " (MVP): ", ".: ".
BEFORE_TITLE: Final = re.compile(
    r"[)\]】]?\s*+(?>(?:\([^()]{1,40}+\)|\[[^\[\]]{1,40}+\])\s*+(?=[:\uff1a]))?+"
    r"(?:[:\uff1a\u2014\u2013\u00b7|\-]|\.(?=[\s:\uff1a]|\Z))?\s*+(?:[:\uff1a\u2014\u2013|]|-\s)?\s*+"
)
EPIC_HEADING: Final = re.compile(
    rf"[\W_]{{0,20}}+(?:{EPIC_WORDS})(?>\s?id)?+[\s\-_#:\uff1a]{{0,4}}+"
    rf"({_PREFIX}{_NUMBER}(?>[.-]{_NUMBER}){{0,2}}+)(?![^\W_])",
    re.IGNORECASE,
)
OPENING: Final = re.compile(r"[\W_]{0,20}+")

# In names of files, in lower case or not: "epic-1.story-10", "epic-120-s01".
EPIC_AND_STORY: Final = re.compile(
    rf"epics?[-_. ]?({_PREFIX}{_NUMBER}(?>[.\-]{_NUMBER})?+)[-_. ]{{1,3}}+(?:story[-_. ]?|s(?=\d))"
    rf"({_NUMBER})(?![^\W_])",
    re.IGNORECASE,
)
NAME_WORD: Final = re.compile(
    rf"(?:(?:spec|ticket|{STORY_WORDS}|fix|task)[-_. ])+(?=[A-Za-z]{{0,6}}-?\d)|story(?=\d)",
    re.IGNORECASE,
)
KIND_NAME: Final = re.compile(r"(?:spec|story|spike|bug)[-_. ]", re.IGNORECASE)
EPIC_WORD: Final = re.compile(rf"\A(?:{EPIC_WORDS})s?(?![a-z])[-_. ]?", re.IGNORECASE)
EPIC_NAME: Final = re.compile(
    rf"(?:{EPIC_WORDS})s?[-_. ]?({_PREFIX}{_NUMBER})(?:\.({_NUMBER})|-(\d{{1,2}}))?(?![^\W_])",
    re.IGNORECASE,
)
NAME_ENDS: Final = " -_.:"
# A third number of a name is a level of the id if it is short: 3-5-1-slug, unlike 1-2-404-page.
MAX_LEVEL_IN_NAME: Final = 2

ZEROS: Final = re.compile(r"(?<!\d)0+(?=\d)")
KIND_WORD: Final = re.compile(
    r"(?>(?:EPIC|ÉPIC[OA]|ÉPIQUE|STORY|USERSTORY)[-_#:]?)++(?=[A-Z]{0,6}-?\d)"
)
STORY_MARK: Final = re.compile(r"(?<=\d)[-_.]?S(?=\d)")
BETWEEN_LEVELS: Final = re.compile(r"(?<=\d)[-_.](?=\d)|(?<=\d[A-Z])[-_.](?=\d)")
NOT_IN_SLUG: Final = re.compile(r"[\W_]+")


@lru_cache(maxsize=16384)
def fold_id(written: str) -> str:
    """Return an id, or a part of one, for comparisons: of equal ids the results are equal.

    Case, spaces, leading zeros, the sign between levels, and the words "epic" and "story" do not
    count: 1-02 is 1.2. A prefix does: 1, E1 and AP-1 differ.
    """
    folded = "".join(written[:MAX_NAME].upper().split())
    word = KIND_WORD.match(folded)
    folded = folded[word.end() :] if word else folded
    folded = STORY_MARK.sub(".", folded)
    return BETWEEN_LEVELS.sub(".", ZEROS.sub("", folded))


def fold_slug(slug: str) -> str:
    """Return a slug for comparisons: in lower case, with one hyphen between words."""
    return NOT_IN_SLUG.sub("-", slug.lower()).strip("-")


def read_id(text: Any, epics: Collection[str] = ()) -> Identity:
    """Return the id that a text or a number of front matter is; NO_IDENTITY if it is none.

    "1.2", "1-2", "AP-4.4", "E12-S04" and "Story 1.2" are ids. `epics` are ids of epics that there
    are: they say whether 3.5.1 is story 1 of epic 3.5, as without them, or story 5.1 of epic 3. A
    frozenset of epics must have what fold_id returns.
    """
    if isinstance(text, bool) or not isinstance(text, str | int):
        return NO_IDENTITY
    text = str(text)[:MAX_NAME].strip()
    found = read_heading(text, epics)
    if found.identity.id and not found.rest:
        return found.identity
    word = NAME_WORD.match(text)
    start = word.end() if word else 0
    whole = ID.fullmatch(text, start)
    return _identity(whole, epics) if whole and not DATE.match(text, start) else NO_IDENTITY


def read_heading(heading: str, epics: Collection[str] = ()) -> NamedIdentity:
    """Return the id and the title of a story's heading.

    Headings are as "Story 1.2: Sign in", "Epic 1, Story 2 - Sign in", "[1.2] Sign in", "AP-4.4 Sign
    in" and "Sign in", in the languages of STORY_WORDS. A number that belongs to the title is no id:
    "Story: 3 ways to sign in".
    """
    heading = heading[:MAX_NAME].strip()
    story = STORY_HEADING.match(heading)
    if story:
        start = story.end()
        found = ID.match(heading, start)
        is_loose = any(sign in story["gap"] for sign in ":\uff1a\u2014\u2013") or not story["gap"]
    else:
        opening = OPENING.match(heading)
        start = opening.end() if opening else 0
        found = ID.match(heading, start)
        is_loose = True
    if found and (
        DATE.match(heading, start)
        or BROKEN_LEVEL.match(heading, found.end())
        or (is_loose and not _is_id(found, bool(story)))
    ):
        found = None
    if not found:
        return NamedIdentity(NO_IDENTITY, heading[start if story else 0 :].strip(), "", bool(story))
    identity = _identity(found, epics)
    if story and story[1] and identity.epic is None:
        identity = with_epic(identity, story[1])
    gap = BEFORE_TITLE.match(heading, found.end())
    title = heading[gap.end() if gap else found.end() :].strip()
    return NamedIdentity(identity, title, found[0], bool(story))


def read_epic_heading(heading: str) -> NamedIdentity | None:
    """Return the id and the title of an epic's heading, such as "Epic AP-1: Sign in"."""
    found = EPIC_HEADING.match(heading[:MAX_NAME])
    if not found:
        return None
    gap = BEFORE_TITLE.match(heading, found.end())
    title = heading[gap.end() if gap else found.end() :].strip()[:MAX_TEXT]
    return NamedIdentity(Identity(found[1], found[1], None), title, found[1])


def read_name(stem: str, epics: Collection[str] = ()) -> NamedIdentity:
    """Return the id and the slug of a story's file name without its suffix, or of a story's key.

    Names are as "1.2.story", "1-2-slug", "story-1.2-slug", "spec-1-2-slug", "epic-120-s01-slug" and
    "pm-04-slug". The id has dots between its levels. Of 3-5-1-slug the levels are uncertain, so
    that a heading goes before it, and `epics` as in read_id.
    """
    stem = stem[:MAX_NAME].removesuffix(".story")
    word = NAME_WORD.match(stem)
    start = word.end() if word else 0
    if pair := EPIC_AND_STORY.match(stem, start):
        identity = with_epic(Identity(pair[2], None, pair[2]), pair[1])
        rest = stem[pair.end() :].strip(NAME_ENDS)
        return NamedIdentity(identity, rest, pair[0], is_about_story=True)
    found = ID.match(stem, start)
    if not found or DATE.match(stem, start):
        word = word or KIND_NAME.match(stem)
        slug = stem[word.end() if word else 0 :].strip(NAME_ENDS)
        return NamedIdentity(NO_IDENTITY, slug, "", bool(word))
    identity = _identity(found, epics, is_name=True)
    end = found.start() + len(identity.id)
    written = stem[found.start() : end]
    return NamedIdentity(identity, stem[end:].strip(NAME_ENDS), written, bool(word))


def epic_of_name(name: str) -> str | None:
    """Return the number of an epic in the name of its folder, file or key: "01" of "epic-01-x".

    It has a dot between its levels: "3.5" of "epic-3-5".
    """
    found = EPIC_NAME.match(name[:MAX_NAME])
    return ".".join(filter(None, found.groups())) if found else None


def epic_of_folders(folders: Collection[str]) -> str | None:
    """Return the number of the deepest folder that is an epic's."""
    return next(filter(None, map(epic_of_name, reversed([*folders]))), None)


def with_epic(identity: Identity, epic: str) -> Identity:
    """Return the id of a story of which the number alone is known, as one of an epic."""
    if not identity.id or identity.epic is not None:
        return identity
    return Identity(f"{epic}.{identity.story}"[:MAX_ID], epic, identity.story)


def split_by_epics(identity: Identity, epics: frozenset[str]) -> Identity:
    """Return an id of three or more levels in the two parts that the epics of its tree say.

    With an epic 10, story 5 of epic 10.1 is story 1.5 of it. An id whose epic there is, and one
    that no epic fits, is returned as it is. `epics` are as fold_id returns them.
    """
    if identity.epic is None or fold_id(identity.epic) in epics:
        return identity
    found = read_id(identity.id, epics)
    return found if found.epic is not None and fold_id(found.epic) in epics else identity


def _is_id(found: re.Match[str], has_word: bool) -> bool:
    """Return whether a number that begins a title is an id: with two levels, or a sign after it."""
    if found[3]:
        return True
    after = found.string[found.end() : found.end() + 2]
    has_sign = not after.strip() or after.lstrip()[0] in ":\uff1a\u2014\u2013|-])】"
    return has_sign and (has_word or bool(found[1]) or after.startswith("]"))


def _identity(found: re.Match[str], epics: Collection[str], *, is_name: bool = False) -> Identity:
    prefix, first, others, suffix = found.groups()
    levels = [(first, found.end(2))]
    for level in LEVEL.finditer(others):
        end = found.end(2) + level.end()
        is_third = len(levels) >= 2
        is_slug = level[0].lstrip(".-_")[0] in "sS" and not prefix  # 1-2-s3-upload
        is_short = level[2].isdigit() and len(level[2]) <= MAX_LEVEL_IN_NAME
        if is_name and is_third and (is_slug or not is_short):
            break
        levels.append((level[2], end))
    last, end = levels[-1]
    if suffix and end == found.end(3):
        levels[-1] = (last + suffix, found.end())
    written = found.string[found.start() : levels[-1][1]]
    if is_name and "S" not in found.string[found.end(2) : levels[-1][1]].upper():
        written = prefix + ".".join(number for number, _ in levels)
    written = written[:MAX_ID]
    if len(levels) == 1:
        letters = prefix.rstrip("-")
        if letters.upper() in EPIC_PREFIXES:
            return Identity(written, written, None)
        epic = letters if letters and letters.upper() not in KIND_PREFIXES else None
        return Identity(written, epic, levels[0][0])
    numbers = [number for number, _ in levels]
    split = len(numbers) - 1
    if split > 1 and epics:
        known = epics if isinstance(epics, frozenset) else {*map(fold_id, epics)}
        places = range(split, 0, -1)
        split = next(
            (at for at in places if fold_id(prefix + ".".join(numbers[:at])) in known), split
        )
    return Identity(
        written, (prefix + ".".join(numbers[:split]))[:MAX_ID], ".".join(numbers[split:])[:MAX_ID]
    )
