"""What a story's own file says: see StoryReading; and what a plan of version 7 says."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from service.bmad.dependencies import read_after, values_of
from service.bmad.document import BmadDocument
from service.bmad.fields import Field, own_fields, read_fields
from service.bmad.identity import (
    NO_IDENTITY,
    Identity,
    epic_of_folders,
    fold_id,
    fold_slug,
    read_id,
    read_name,
    with_epic,
)
from service.bmad.keys import read_key
from service.bmad.readings import MAX_KEY, MAX_TEXT, PlanReading, StoryReading, WorkKind
from service.bmad.sentence import read_sentence
from service.bmad.story_epics import is_above_sections, own_epics, sure_epic
from service.bmad.story_gate import read_story_gate
from service.bmad.story_sections import cut_sections
from service.bmad.story_statuses import (
    front_matter_statuses,
    notes_of_front_matter,
    read_statuses,
)
from service.bmad.story_title import StoryTitle, read_title
from service.bmad.tasks import count_work
from service.bmad.texts import text_of
from service.documents.kinds import home_of
from service.documents.story_signs import has_sections

FIELD_LINES: Final = 60  # of the text, in which fields are

ID_KEYS: Final = ("story_id", "storyId", "story-id", "story_key")
# Keys that may have the id of something else, such as an issue: title and name go before them.
NUMBER_KEYS: Final = ("story", "story_num", "story_number")
OTHER_ID_KEYS: Final = (*NUMBER_KEYS, "id")
# Such labels of fields, in lower case; the value of a label "story" may be the title.
NUMBER_LABELS: Final = frozenset(("id", "story", "story number", "story no", "story #"))
KINDS: Final[dict[str, WorkKind]] = {
    "spike": "spike",
    "bug": "bug",
    "bugfix": "bug",
    "fix": "bug",
    "story": "story",
}
KIND_NAME: Final = re.compile(r"(spike|bug|bugfix|fix)[-_.]", re.IGNORECASE)
# Names that a key of sprint-status.yaml may have, and those of version 7's tickets. A number alone
# has few letters before it, as in "pm-04": documents such as "note-1" and "doc0001" are many.
TRACKED_NAME: Final = re.compile(
    r"(?:spec-)?(?:[a-z]{1,6}-?)?\d+[a-z]?[-.].+|(?:spec-)?(?:[a-z]{1,3}-)?\d{1,4}[a-z]?"
    r"|epic-.+-s\d.*|(?:story|spike|bug)-.+",
    re.IGNORECASE,
)
PLAN_NAME: Final = re.compile(r".*-plan", re.IGNORECASE | re.DOTALL)


def read_story(document: BmadDocument) -> StoryReading:
    """Return what a file says that is a story, or that a tracker may name as one."""
    fields, title, identity = read_beginning(document)
    heading = title.heading
    sections = cut_sections(document.blocks, heading.line if heading else None)
    sentence = read_sentence(sections)
    statuses = read_statuses(document, sections, fields)
    after = read_after(document, sections, fields, identity.id, next(iter(statuses), None))
    story = StoryReading(
        id=identity.id,
        epic=identity.epic,
        story=identity.story,
        title=title.title,
        anchor=heading.anchor if heading else None,
        line=heading.line if heading else 1,
        kind=_kind(document),
        statuses=statuses,
        as_a=sentence.as_a,
        i_want=sentence.i_want,
        so_that=sentence.so_that,
        **count_work(sections),
        after=after.names,
        after_stories=after.stories,
        covers=values_of(document.front_matter.get("covers")),
        ticket=read_ticket(document) or None,
        notes=_notes(document),
    )
    if (gate := read_story_gate(document, sections)) is not None:
        story["gate"] = gate
    return story


def read_candidate(document: BmadDocument) -> StoryReading | None:
    """Return what a file says that a tracker may name as a story; None for others.

    It has the name of a key or a ticket, and is not in a folder for documents of its kind, such as
    architecture. In a folder of stories a key may have any name, as "auth-01" and "ux-polish" are,
    but for that of a single word which is a planning document's, such as "prd". In a folder of
    reviews, plans and the like it has two kinds of a story's sections.
    """
    if document.file_type != "md":
        return None
    home, name, is_other = home_of(document.folders), document.name, document.kind == "other"
    if TRACKED_NAME.fullmatch(name):
        may_be_named = is_other or home in {None, "story"}
    else:
        may_be_named = home == "story" and (is_other or "-" in name)
    if not may_be_named or read_key(name).kind != "story":
        return None
    if home == "other" and not has_sections(document.metadata, document.text):
        return None
    return read_story(document)


def read_plan(document: BmadDocument) -> PlanReading | None:
    """Return what a plan of version 7 says; None for other documents.

    It is called `<type>-<slug>-plan.md`, and its front matter names the ticket. Its criteria, tasks
    and findings are read as those of a story.
    """
    ticket = read_ticket(document)
    if document.kind != "other" or not ticket or not PLAN_NAME.fullmatch(document.name):
        return None
    first = document.main_heading
    sections = cut_sections(document.blocks, first.line if first else None)
    return PlanReading(
        ticket=ticket,
        ticket_line=document.front_matter_line("ticket"),
        statuses=front_matter_statuses(document, "plan"),
        **count_work(sections),
    )


def read_beginning(document: BmadDocument) -> tuple[list[Field], StoryTitle, Identity]:
    """Return the fields of a story's first lines, its title and its id."""
    begin = document.html_line
    fields = [*read_fields(document.lines, begin, begin + FIELD_LINES - 1)]
    epics = own_epics(document, fields)
    title = read_title(document, fields, epics)
    identity = _identify(document, fields, title, epics)
    return own_fields(fields, identity.id, title.title), title, identity


def read_ticket(document: BmadDocument) -> str:
    """Return the ticket that the front matter names, an empty text without one."""
    return text_of(document.front_matter.get("ticket"), MAX_KEY)


def _identify(
    document: BmadDocument, fields: Iterable[Field], title: StoryTitle, epics: Sequence[str]
) -> Identity:
    """Return the id of a story: what `story_id` says, else the title, else the name of the file.

    Other keys of the front matter count where these have none, or a name that has no epic; then
    such fields do. A number alone, as in `epic-01/02-slug.md`, is that of a story in the epic that
    the document or its folder names, or that another of these ids has. A story without a number is
    one of the epic that the document or its folder surely names.
    """
    sure = _in_front_matter(document, ID_KEYS, epics)
    in_name = _in_name(document, title, epics)
    other = _in_front_matter(document, OTHER_ID_KEYS, epics)
    candidates = [
        sure,
        title.identity,
        *(read_id(each.value, epics) for each in fields if each.label == "story id"),
        in_name if in_name.epic else other if _has_number(other.epic) else in_name,
        in_name,
        other,
        *_in_fields(document, fields, epics),
    ]
    found = next((each for each in candidates if each.story is not None), title.identity)
    if found.epic is not None:
        return found
    if not found.id:
        return found._replace(epic=sure_epic(document, fields) if epics else None)
    number = fold_id(found.story or "")
    whole = next(
        (each for each in candidates if each.epic and fold_id(each.story or "") == number), None
    )
    if whole:
        return whole
    in_folder = epic_of_folders(document.folders)
    if in_folder and found.id == found.story:
        return with_epic(found, in_folder)
    others = [each.epic for each in candidates if _has_number(each.epic)]
    return found._replace(epic=next(iter([*epics, *others]), None))


def _in_front_matter(document: BmadDocument, keys: Iterable[str], epics: Sequence[str]) -> Identity:
    for key in keys:
        value = document.front_matter.get(key)
        found = read_id(value, epics)
        if not found.id and key == "story_key" and isinstance(value, str):
            found = read_name(value, epics).identity
        if found.story is None:
            continue
        if key not in NUMBER_KEYS or not epics:
            return found
        if found.epic and fold_id(found.epic) not in map(fold_id, epics):
            # "epic: 3" and "story: 5.1".
            return with_epic(Identity(found.id, None, found.id), epics[0])
        return with_epic(found, epics[0])
    return NO_IDENTITY


def _in_fields(
    document: BmadDocument, fields: Iterable[Field], epics: Sequence[str]
) -> Iterator[Identity]:
    """Yield the ids of fields such as "**ID:** 1.2" above the first section.

    Letters before a number are those of an issue: they name no epic.
    """
    for field in fields:
        if field.label in NUMBER_LABELS and field.thing is None:
            found = read_id(field.value, epics)
            is_sure = found.story is not None and (found.epic is None or _has_number(found.epic))
            if is_sure and is_above_sections(document, field.line):
                yield found


def _in_name(document: BmadDocument, title: StoryTitle, epics: Sequence[str]) -> Identity:
    """Return the id in the name of the file, without a number that the title begins with.

    Of `1-2-3-way-sync.md` with the title "3-way sync" the id is 1.2.
    """
    name = document.name
    if title.heading and not title.identity.id and title.title[:1].isdigit():
        slug = fold_slug(title.title)
        before = fold_slug(name).removesuffix(f"-{slug}")
        shorter = read_name(before, epics).identity
        if before != fold_slug(name) and shorter.story is not None:
            return shorter
    return read_name(name, epics).identity


def _has_number(epic: str | None) -> bool:
    return any(map(str.isdigit, epic or ""))


def _kind(document: BmadDocument) -> WorkKind:
    written = document.front_matter.get("type")
    if isinstance(written, str) and (kind := KINDS.get(written.strip().lower())):
        return kind
    named = KIND_NAME.match(document.name)
    return KINDS[named[1].lower()] if named else "story"


def _notes(document: BmadDocument) -> list[str]:
    if not document.text.strip():
        return ["The file is empty."]
    error = document.metadata.get("front_matter_error")
    notes = [f"The front matter cannot be read: {error}."[:MAX_TEXT]] if error else []
    return [*notes, *notes_of_front_matter(document)]
