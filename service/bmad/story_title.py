"""The title of a story's file, and the heading that has it."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from service.bmad.document import BmadDocument
from service.bmad.fields import Field
from service.bmad.identity import (
    NO_IDENTITY,
    Identity,
    NamedIdentity,
    fold_id,
    fold_slug,
    read_heading,
    read_name,
)
from service.bmad.readings import MAX_TEXT
from service.bmad.texts import text_of
from service.bmad.titles import title_of_name
from service.documents.headings import Heading
from service.documents.story_signs import SENTENCE

TITLE_HEADINGS: Final = 5  # of which one may have the title
TITLE_KEYS: Final = ("title", "story_title")
# Keys that may also have something else, such as an id, so that a heading goes before them.
NAME_KEYS: Final = ("story_name", "name", "story")
# A slug, an id or a path.
NO_TITLE: Final = re.compile(r"[a-z0-9]+|[^\s/._-]*+[/._-]\S*+")


class StoryTitle(NamedTuple):
    """A story's title, the heading that has it, and the id in that."""

    title: str
    heading: Heading | None
    identity: Identity


def read_title(document: BmadDocument, fields: Iterable[Field], epics: Sequence[str]) -> StoryTitle:
    """Return the title that a heading says, or else the front matter, a field or the file's name.

    `epics` are those that the document names as its own.
    """
    heading, found = _title_heading(document, epics)
    in_front_matter = _in_front_matter(document, TITLE_KEYS, epics)
    identity = found.identity if found.identity.id else in_front_matter.identity
    is_sure = found.identity.id or found.is_about_story
    field = next((field.value for field in fields if field.label in {"title", "story title"}), "")
    titles = (
        found.rest if is_sure else "",
        in_front_matter.rest,
        field,
        "" if is_sure else found.rest,
        _in_front_matter(document, NAME_KEYS, epics).rest,
        title_of_name(document.name),
        document.name,
    )
    title = next(filter(None, (text_of(each, MAX_TEXT) for each in titles)), "")
    return StoryTitle(title, heading, identity)


def _in_front_matter(
    document: BmadDocument, keys: Iterable[str], epics: Sequence[str]
) -> NamedIdentity:
    """Return the title and id of the first of these keys; a name is no slug and no sentence."""
    for key in keys:
        text = text_of(document.front_matter.get(key), MAX_TEXT)
        if text and not (key in NAME_KEYS and (NO_TITLE.fullmatch(text) or SENTENCE.match(text))):
            return read_heading(text, epics)
    return NamedIdentity(NO_IDENTITY, "")


def _title_heading(
    document: BmadDocument, epics: Sequence[str]
) -> tuple[Heading | None, NamedIdentity]:
    """Return the heading with the title: that of level 1, or else the first that is a story's.

    That of level 1 may be of the project or the epic: then the title is below it, with the id. It
    is not if the file is named after it, or if several stories are below it.
    """
    first = document.main_heading
    in_first = read_heading(first.text, epics) if first else NamedIdentity(NO_IDENTITY, "")
    if in_first.identity.id or (in_first.is_about_story and in_first.rest):
        return first, in_first
    name = read_name(document.name, epics)
    in_name = fold_id(name.identity.id)
    shared = _count_shared_words(name.rest, in_first.rest)
    for heading in document.headings[:TITLE_HEADINGS]:
        found = read_heading(heading.text, epics)
        is_story = found.is_about_story and found.rest
        if first is None and (found.identity.id or is_story):
            return heading, found
        id_ = fold_id(found.identity.id)
        if is_story and id_ and in_name in {id_, ""}:
            if shared and shared >= _count_shared_words(name.rest, found.rest):
                break
            if not in_name and _has_other_story(document.headings, id_, epics):
                break
            return heading, found
    return first, in_first


def _count_shared_words(slug: str, title: str) -> int:
    return len({*fold_slug(slug).split("-")} & {*fold_slug(title).split("-")} - {""})


def _has_other_story(headings: Iterable[Heading], id_: str, epics: Sequence[str]) -> bool:
    """Return whether one of the headings is of a story that has another id."""
    for heading in headings:
        found = read_heading(heading.text, epics)
        if found.is_about_story and found.rest and fold_id(found.identity.id) not in {id_, ""}:
            return True
    return False
