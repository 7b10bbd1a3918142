"""Whether a Markdown document is a story of the BMAD Method, by its name and its sections.

Stories are in English, French, Chinese, Spanish, Portuguese and Korean.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from service.documents.about_stories import is_about_stories, is_about_story, is_of_several

LABELLED_TEXT = 20_000  # characters in which a story's labels are looked for
STATUS_LINES = 6_000
ENOUGH_SIGNS = 3
MAX_NAMED = 300  # characters of a name and a heading that are compared
MAX_SIGN = 60  # characters of a heading that names a section

# "1.1", "1-2a", "01", "E12-S04", "AP-4.4", "US-001", "story-1.1", "spec-1-2", "epic-1.story-10".
ID_NAME: Final = re.compile(r"(?:(?:spec|story|us|epic|[a-z]{1,3})[-_. ]?)?\d", re.IGNORECASE)
TICKET_NAME: Final = re.compile(r"(?P<type>story|spike|bug)-")
NUMBER: Final = re.compile(r"\d{1,9}")
LEVELS: Final = re.compile(r"\d{1,9}(?:(?:[.-]|[.-]?[sS])\d{1,9})+")
NOT_IN_SLUG: Final = re.compile(r"[\W_]+")
FULL_ID_NAME: Final = re.compile(rf"{ID_NAME.pattern}+[a-z]?[.-]\d", re.IGNORECASE)

SPECIFIED: Final = ("title", "type", "status")  # the front matter of a story of version 6.11
# Other documents have a type, too: an architecture, a plan, a record of a decision.
STORY_TYPES: Final = frozenset(
    ("feature", "enhancement", "story", "task", "bug", "bugfix", "fix", "refactor", "chore")
) | {"spike", "docs", "test"}

# What an epic is called in the languages of stories, and in names of files.
EPIC_WORDS: Final = "[ée]pic[oa]?|épique|[ée]popée|epopeya|史诗|史詩|에픽|エピック"
_STORY = "story|histoire|récit|historia|história|(?:us|hu)(?=[- ]?\\d)"
# "epic-1-story-2-login", "epic-1.story-2", "epic-120-s01": stories, though epics' names begin so.
STORY_OF_EPIC: Final = re.compile(
    rf"(?:{EPIC_WORDS})s?[-_. ]?(?:[a-z]{{1,6}}-?)?\d{{1,9}}[a-z]?(?:[.-]\d{{1,9}})?[-_. ]{{1,3}}"
    rf"(?:(?:{_STORY})[-_. ]?\d|s\d\d)",
    re.IGNORECASE,
)
STORY_HEADING: Final = re.compile(
    rf"\W*(?:epic\b.{{0,60}}?\b|user\s+)?(?:{_STORY})(?![a-z])|\W*(?:用户)?故事|\W*스토리|\W*ストーリー"
    r"|\W*(?:[a-z]{1,3}-?)?\d+(?:[.-]|[.-]?s)\d+",
    re.IGNORECASE,
)
EPIC_HEADING: Final = re.compile(
    rf"\W*(?:{EPIC_WORDS})\s*[-#]?\s*(?:[a-z]{{0,4}}-?)?\d+(?:[.-]\d+)*[a-z]?"
    r"\s*(?:[:\uff1a\u2014\u2013|(\u00b7.]|-\s|$)",
    re.IGNORECASE,
)
# Before the id in the heading of a story and in the name of its file.
_BEFORE_ID: Final = re.compile(
    rf"\A(?:\W*(?:user\W)?(?:{_STORY}|spec|(?:用户)?故事|스토리|ストーリー)(?![a-z]))?\W*",
    re.IGNORECASE,
)
_FULL_ID: Final = re.compile(r"(?:[a-z]{1,3}-?)?\d+(?:-|-?s)\d+[a-z]?")
ABOUT_STORY: Final = re.compile(
    r"-(?:verif\w+|validat\w+|reviews?|tests?(?:ing)?|test-\w+|qa|audits?|analys[ei]s|plans?|context"
    r"|(?:qa-|demo-)?scripts?|(?:deploy-)?logs?|demos?|walk-?throughs?|diagrams?|roll-?backs?"
    r"|evidence|results?|progress|status|checks?|reports?|summary|notes|验证|评审|测试|总结|报告)"
    r"(?:-[\d-]+)?"
)
# What is written about a story may say of which part: "1.1 Setup walkthrough".
ABOUT_PART: Final = re.compile(
    r".*-(?:scripts?|logs?|demos?|walk-?throughs?|diagrams?|roll-?backs?)(?:-[\d-]+)?"
)
# "1.2.3" may be a release, and "2025-01-02" is a date.
DATE: Final = re.compile(r"\d{4}[-._]\d\d[-._]\d\d(?!\d)")
THREE_LEVELS: Final = re.compile(r"\W*(?:[a-z]{1,3}-?)?\d+[.-]\d+[.-]\d", re.IGNORECASE)
STORY_WORD: Final = re.compile(rf"\b(?:{_STORY})(?![a-z])|故事|스토리|ストーリー", re.IGNORECASE)

# Documents beside a story that are named after it. "review", "audit" and "context" inside a name
# occur in stories.
COMPANION: Final = re.compile(
    r"(?:atdd|validation|tech-spec|epic|completion|retro|sprint)(?:[-_. ].*)?"
    r"|.*[-_. ](?:summary|report|findings|notes|decision|retrospective|checklist|code-review"
    r"|handoff|test-plan)(?:[-_. ]\d[\d-]*)?|.*\.context",
    re.IGNORECASE,
)
CAPITALS_AT_END: Final = re.compile(r".*[a-z].*[-_. ](?:[A-Z]{5,}|[A-Z]{2,}(?:[-_][A-Z]{2,})+)")

# Each kind of section counts once.
_SIGNS: Final[Mapping[str, str]] = {
    "criteria": r"acceptance|(?:ac|ca)[- ]?\d|acs?\b|crit[eè]res?\s+d.\s?accepta"
    r"|crit[eé]rios?\s+de\s+acepta|crit[eé]rios?\s+d[eo]\s+aceit|验收|接受(?:标准|条件|准则)|驗收|(?:인수|수용)\s*(?:조건|기준)|受け?入れ",
    "tasks": r"(?:sub-?)?tasks?\b|(?:sous-)?t[aâ]ches?\b|(?:sub-?)?tareas?\b|(?:sub-?)?tarefas?\b"
    r"|任务|任務|작업|태스크|タスク",
    "status": r"status\b|statut\b|estado\b|状态|狀態|상태",
    "notes": r"dev(?:elop\w+)?\s+(?:agent\s+)?(?:notes?|record|technical)"
    r"|notes?\s+(?:de\s+|pour\s+le\s+|du\s+)?d[eé]v|notas\s+(?:de|do|da|del|para\s+(?:o|el))\s+des|开发(?:说明|备注|记录|笔记|者)"
    r"|개발\s*(?:노트|기록)",
}
SIGN: Final = re.compile(
    "|".join(f"(?P<{sign}>{words})" for sign, words in _SIGNS.items()), re.IGNORECASE
)
NOT_WORDS: Final = re.compile(r"(?>[\W_]|\d+[.)])*+(?:story\s+)?", re.IGNORECASE)
SECOND_SIGN: Final = re.compile(r"(?:/|&|\+|,|\band\b|\bet\b|\by\b|\be\b|和|与|및)\s*")
# A label on a line of its own, or in front of a colon: "**Status:** done", "| Status | done |".
LABEL: Final = re.compile(
    r"^[ \t>*_|+-]*+(?:story[ \t]+)?([^\W\d_][^\n:\uff1a|*_]{1,40})[*_ \t]*+(?:[:\uff1a|]|\*\*)",
    re.MULTILINE | re.IGNORECASE,
)
SENTENCE: Final = re.compile(
    r"^[\W_]{0,12}(?:as\s+an?\b(?!\s+(?:rule|result|consequence|reminder|whole)\b)|as\s+the\b|en\s+tant\s+qu|como\s+(?:um|una?|el|la|o)\b|作为|作為|(?:\w{1,20}\s){0,4}로서)",
    re.IGNORECASE | re.MULTILINE,
)


def starts_with_id(stem: str) -> bool:
    """Return whether the name of a file, without its suffix, begins as a story's id does."""
    return bool(ID_NAME.match(stem) or STORY_OF_EPIC.match(stem))


def names_story_of_epic(stem: str) -> bool:
    """Return whether a file is named after an epic and its story, as in "epic-1-story-2-login"."""
    return bool(STORY_OF_EPIC.match(stem))


def may_be_story(text: str) -> bool:
    """Return whether the first heading of level 1 of a Markdown text is a story's.

    It is looked for without parsing, so that lines of a code block count, and underlined headings
    do not.
    """
    line = 0 if text.startswith("# ") else text.find("\n# ") + 1
    return text.startswith("# ", line) and bool(STORY_HEADING.match(text, line + 2))


def has_epic_heading(heading: str) -> bool:
    """Return whether a document's heading is that of an epic, such as "Epic 2: Payments"."""
    return bool(EPIC_HEADING.match(heading)) and not STORY_WORD.search(heading)


def is_story_of_epic(stem: str, headings: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a document whose first heading is an epic's is one story of that epic.

    It is where its name ends with ".story", or begins with the number of the only story that has a
    heading in it. With headings of several stories it is the epic.
    """
    ids: list[list[int]] = []
    for heading in headings:
        text: str = heading["text"][:MAX_SIGN]
        if STORY_WORD.search(text) and (found := LEVELS.search(text)):
            ids.append([*map(int, NUMBER.findall(found[0]))])
    if stem.lower().endswith(".story"):
        return len(ids) <= 1
    in_name = [*map(int, NUMBER.findall(stem[:MAX_NAMED]))]
    return len(ids) == 1 and in_name[: len(ids[0])] == ids[0]


def is_story(
    stem: str,
    heading: str,
    metadata: Mapping[str, Any],
    text: str,
    *,
    in_story_folder: bool,
    in_other_folder: bool,
) -> bool:
    """Return whether a Markdown document is a story.

    `in_other_folder` says that it is in a folder of other documents, such as reviews.
    """
    name = stem.lower()
    if name.endswith(".story"):
        return True
    if in_other_folder:
        return False
    if _is_ticket(name, metadata):
        return True
    has_heading = bool(STORY_HEADING.match(heading))
    is_named = name.startswith(("story-", "story_", "story.")) or names_story_of_epic(stem)
    has_id = in_story_folder and starts_with_id(stem)
    if not (has_heading or is_named or has_id):
        return False
    if is_of_several(heading) or (is_about_stories(heading) and not starts_with_id(stem)):
        return False
    is_about = is_about_story(heading) and {*_signs(metadata, text)} != _SIGNS.keys()
    is_about = is_about or (is_named and is_about_stories(stem))
    if is_about and not SENTENCE.search(text, 0, LABELLED_TEXT):
        return False
    signs: set[str] = set()
    for sign in _signs(metadata, text):
        signs.add(sign)
        if len(signs) == ENOUGH_SIGNS:
            break
    if is_companion(stem):
        has_level_1 = any(found["level"] == 1 for found in metadata.get("headings", ()))
        return has_heading and has_level_1 and len(signs) >= ENOUGH_SIGNS
    if not text.strip():
        return has_id and bool(FULL_ID_NAME.match(stem))  # its name is all that it says
    has_sign = bool(signs) or bool(SENTENCE.search(text, 0, LABELLED_TEXT))
    return (
        (has_id and (len(signs) >= 2 or (has_heading and has_sign)))
        or (is_named and has_sign)
        or len(signs) >= ENOUGH_SIGNS
        or (has_id and has_heading and _is_named_as(stem, heading))
    )


def has_sections(metadata: Mapping[str, Any], text: str) -> bool:
    """Return whether a Markdown document has two kinds of a story's sections, such as tasks."""
    signs: set[str] = set()
    for sign in _signs(metadata, text):
        signs.add(sign)
        if len(signs) > 1:
            return True
    return False


def is_companion(stem: str) -> bool:
    """Return whether a document's name, without its suffix, is that of one beside a story."""
    pair = STORY_OF_EPIC.match(stem)  # begins with "epic", as companions do
    own_name = stem[pair.end() :] if pair else stem
    return bool(COMPANION.fullmatch(own_name) or CAPITALS_AT_END.fullmatch(stem))


def is_specified(stem: str, metadata: Mapping[str, Any]) -> bool:
    """Return whether a document has the front matter of a story of version 6.11.

    That is a title, a type of work and a status, and it may have no other section than "Intent".
    """
    front_matter: Mapping[str, Any] = metadata.get("front_matter") or {}
    return (
        all(isinstance(front_matter.get(key), str) for key in SPECIFIED)
        and front_matter["type"].strip().lower() in STORY_TYPES
        and not is_companion(stem)
    )


def _is_named_as(stem: str, heading: str) -> bool:
    """Return whether a file is named as its heading: "1.2-login", or "1.2", of "Story 1.2: Login".

    What is written about a story has another name, or another title, or only says what it is: as
    "1.2-verification" of "Story 1.2 Verification". Without the word "Story", a date or an id of
    three levels is none of a story's, nor is "1.1 Setup walkthrough".
    """
    name, title = (
        NOT_IN_SLUG.sub("-", _BEFORE_ID.sub("", text[:MAX_NAMED], count=1).lower()).strip("-")
        for text in (stem, heading)
    )
    own = _FULL_ID.match(name)
    if own and ABOUT_STORY.fullmatch(title, own.end()):
        return False
    if DATE.match(name):
        return False
    has_word = STORY_WORD.search(stem[:MAX_NAMED]) or STORY_WORD.search(heading[:MAX_NAMED])
    if not has_word and (THREE_LEVELS.match(heading) or ABOUT_PART.fullmatch(title)):
        return False
    is_id = bool(own) and own.end() == len(name)
    return title == name or (is_id and title.startswith(f"{name}-"))


def _is_ticket(name: str, metadata: Mapping[str, Any]) -> bool:
    """Return whether a document is a ticket of version 7, such as "bug-crash-at-start"."""
    front_matter: Mapping[str, Any] = metadata.get("front_matter") or {}
    found = TICKET_NAME.match(name)
    return bool(found) and (
        "tracker_status" in front_matter or front_matter.get("type") == found["type"]
    )


def _signs(metadata: Mapping[str, Any], text: str) -> Iterator[str]:
    front_matter: Mapping[str, Any] = metadata.get("front_matter") or {}
    if "status" in front_matter or "tracker_status" in front_matter:
        yield "status"
    for heading in metadata.get("headings", ()):
        yield from _signs_of(heading["text"][:MAX_SIGN])
    for label in LABEL.finditer(text, 0, LABELLED_TEXT):
        for sign in _signs_of(label[1]):
            if sign != "status" or label.start() < STATUS_LINES:
                yield sign


def _signs_of(words: str) -> Iterator[str]:
    """Yield the signs in the words of a heading: "Tasks & Acceptance" has two."""
    start = NOT_WORDS.match(words)
    found = SIGN.match(words, start.end() if start else 0)
    if not found:
        return
    assert found.lastgroup
    yield found.lastgroup
    for separator in SECOND_SIGN.finditer(words, found.end()):
        if second := SIGN.match(words, separator.end()):
            assert second.lastgroup
            yield second.lastgroup
