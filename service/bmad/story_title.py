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
    read_epic_heading,
    read_heading,
    read_name,
)
from service.bmad.readings import MAX_TEXT
from service.bmad.statuses import read_status
from service.bmad.story_epics import is_above_sections
from service.bmad.story_sections import name_of_section
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
TITLE_LABELS: Final = frozenset(("title", "story title"))
# Those that count only where no heading has a title, since they may be of something else.
OTHER_TITLE_LABELS: Final = frozenset(
    ("titre", "título", "titulo", "标题", "標題", "제목", "story name")
)
NAME_LABELS: Final = frozenset(("name",))  # which may be somebody's
TITLE_HEADING: Final = re.compile(
    r"(?:story )?(?:title|titre|título|标题|標題|제목)", re.IGNORECASE
)
# What a heading may say after "Story" that is no title, and what may be before the title.
GENERAL: Final = re.compile(r"(?:details?|information|info|card)\W*+", re.IGNORECASE)
COLON: Final = re.compile(r"[:\uff1a]\s*+\w")
BEFORE_TITLE: Final = re.compile(r"title\s*+[:\uff1a]\s*+", re.IGNORECASE)
OTHER_TEXT: Final = re.compile(
    r"\W*+(?:(?:overview|background|description|context|metadata|purpose|goals?|objectives?|summary"
    r"|introduction|intro|details|info|information|intent|scope|requirements|design|approach"
    r"|solution|implementation|important|notes?|warning)\W*+"
    r"|(?:(?:sprint|iteration|priority|estimate|effort|points|version|high|medium|low|critical"
    r"|must|should|do not|don.t)\b|[a-z]?\d).*|.*\b(?:priority|points?|days?|hours?|sprint)\W*+)",
    re.IGNORECASE,
)
BOLD_LINE: Final = re.compile(r"(?:\*\*|__)([^*_:\uff1a]{1,200}+)(?:\*\*|__)\s*+")
NO_TEXT: Final = re.compile(r"[ \t]*+(?:[-+>|#`<!]|\*(?!\*)|\d{1,9}[.)])")
# "Story 1.2: Login"; "Story 1.2: see the epic" is a sentence.
FIRST_LINE: Final = re.compile(
    r"[^:\uff1a\u2013\u2014]*?\d[\w.]*+\s*+(?:[:\uff1a\u2013\u2014]|\s-\s)\s*+(?![a-z]+\s)"
)
MAX_GAP: Final = 5  # lines, of which the first with text is looked for
MAX_LINE: Final = 200  # characters of a line that is a title


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
    if not found.identity.id and not found.rest:
        found = _first_line(document, heading, epics) or found
    fields = [*fields]
    found = found._replace(rest=_without_label(heading, found))
    in_front_matter = _in_front_matter(document, TITLE_KEYS, epics)
    identity = found.identity if found.identity.id else in_front_matter.identity
    is_sure = found.identity.id or found.is_about_story
    is_without = not (found.rest or in_front_matter.rest)
    in_name = title_of_name(document.name)
    titles = (
        found.rest if is_sure else "",
        in_front_matter.rest,
        _field(document, fields, TITLE_LABELS),
        "" if is_sure else found.rest,
        _below(document, heading, in_name) if is_without else "",
        _in_front_matter(document, NAME_KEYS, epics).rest,
        _field(document, fields, OTHER_TITLE_LABELS),
        in_name,
        _field(document, fields, NAME_LABELS),
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


def _without_label(heading: Heading | None, found: NamedIdentity) -> str:
    """Return the title in a heading without what is no part of it: "Login" of "Title: Login"."""
    rest = found.rest
    if heading and rest.startswith(".") and found.written + rest in heading.text:
        return rest.lstrip(".")  # of "1.2.login"
    if found.is_about_story and not found.identity.id:
        label = BEFORE_TITLE.match(rest)
        is_label = heading and not COLON.search(heading.text)
        return (
            "" if is_label and GENERAL.fullmatch(rest) else rest[label.end() :] if label else rest
        )
    return rest


def _field(document: BmadDocument, fields: Iterable[Field], labels: frozenset[str]) -> str:
    values = (
        field.value
        for field in fields
        if field.label in labels
        and (labels is TITLE_LABELS or is_above_sections(document, field.line))
    )
    return next(values, "")


def _first_line(
    document: BmadDocument, heading: Heading | None, epics: Sequence[str]
) -> NamedIdentity | None:
    """Return what the first line of a text says that is "Story 1.2: Login", alone, maybe in bold.

    It counts where the heading has no title, and where the file's name has that id or none.
    """
    number = _line_with_text(document, heading.line + 1 if heading else document.html_line)
    line = _alone(document, number)
    line = line.replace("**", "").replace("__", "")
    found = read_heading(line, epics)
    has_sign = FIRST_LINE.match(line) is not None
    in_name = fold_id(read_name(document.name, epics).identity.id)
    is_title = has_sign and found.is_about_story and not line.endswith((".", "!", "?"))
    id_ = fold_id(found.identity.id)
    return found if is_title and found.rest and id_ and in_name in {id_, ""} else None


def _below(document: BmadDocument, heading: Heading | None, in_name: str) -> str:
    """Return the title below a heading that is as "Story 1.2".

    It is a line in bold, or a heading with nothing but other headings below it; or it is below a
    heading "Title". The first two share a word with the title in the file's name, if that has one.
    """
    if heading is None:
        return ""
    number = _line_with_text(document, heading.line + 1)
    if bold := BOLD_LINE.fullmatch(_alone(document, number)):
        return bold[1] if _may_be_title(bold[1], in_name) else ""
    below = [each for each in document.headings if each.line > heading.line][:2]
    if not below:
        return ""
    first = below[0]
    if TITLE_HEADING.fullmatch(first.text):
        line = _alone(document, _line_with_text(document, first.line + 1))
        return "" if NO_TEXT.match(line) else line.strip(" *_")
    title = read_heading(first.text).rest
    if first.line != number or read_epic_heading(first.text) or not _may_be_title(title, in_name):
        return ""
    is_empty = _line_with_text(document, first.line + 1) == below[-1].line > first.line
    return title if is_empty else ""


def _may_be_title(text: str, in_name: str) -> bool:
    """Return whether a text may be a title: that of the file, or of nothing else."""
    if name_of_section(text) or read_epic_heading(text) or SENTENCE.match(text):
        return False
    if in_name:
        return _count_shared_words(in_name, text) > 0
    is_other = OTHER_TEXT.fullmatch(text) or read_status(text) != "unknown"
    return not is_other and not text.isupper()


def _line_with_text(document: BmadDocument, first: int) -> int:
    """Return the number of the first line that is not blank; 0 without one."""
    numbers = range(first, min(first + MAX_GAP, len(document.lines) + 1))
    return next((each for each in numbers if document.lines[each - 1].strip()), 0)


def _alone(document: BmadDocument, number: int) -> str:
    """Return a line of text that has a blank line below it; an empty text for others."""
    line = document.lines[number - 1].strip() if number else ""
    below = document.lines[number : number + 1]
    return line if len(line) <= MAX_LINE and not "".join(below).strip() else ""


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
