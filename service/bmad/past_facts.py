"""What past versions of files said of the work: of each version only what the burn-up counts.

A file of a story or a plan has one fact, whose item is ""; a tracker has one for each story, and
for each epic of tickets.toml one whose item begins with a tab, which is in no id.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from service.bmad.document import BmadDocument
from service.bmad.keys import read_key
from service.bmad.names import is_in_tools
from service.bmad.readings import MAX_ITEMS, Reading, Status, StatusWord, StoryReading
from service.bmad.sprint_status import KEYS, read_sprint_status
from service.bmad.statuses import read_status
from service.bmad.story import read_candidate, read_plan
from service.bmad.story_facts import FIRST_LINES, StoryFacts, read_first_facts, read_story_facts
from service.bmad.texts import short_key
from service.bmad.ticket_files import file_names, name_entries
from service.bmad.tickets import read_tickets
from service.documents.kinds import is_folder_of_tools, kind_of
from service.documents.metadata import read_first_lines, read_parts
from service.documents.text import TOML_NAME, file_type_of

# Of a changed reader, to read all versions again.
FACTS_VERSION: Final = 6

# A candidate is a story while a tracker names it; an epic is one of tickets.toml.
FactKind = Literal["story", "candidate", "plan", "key", "entry", "epic"]
FILE_KINDS: Final = frozenset[FactKind](("story", "candidate"))


class Fact(NamedTuple):
    """What a file says of one story.

    `ticket` is what the file of a story or a plan is for, the name that the file of an entry of
    tickets.toml has, or the slug of an epic; the file of an entry may also be called `story`.
    `status` is None where the file says none.
    """

    kind: FactKind
    status: Status | None
    id: str | None = None
    epic: str | None = None
    story: str | None = None
    ticket: str | None = None


# By item: "" for a story and a plan, a key of sprint-status.yaml, an id of tickets.toml.
Facts = dict[str, Fact]

_TRACKER: Final = re.compile(r"(?:sprint[-_]status(?:[-_. ].*)?|stories)\.ya?ml", re.IGNORECASE)
_STORY_FOLDER: Final = re.compile(
    r"(?:user[-_])?stor(?:y|ies)|implementation-artifacts|sprint-artifacts|specs?|backlog"
    r"|epics?(?:[-_ ]?[a-z]{0,3}-?\d.*)?",
    re.IGNORECASE,
)
_STORY_NAME: Final = re.compile(
    r"(?:user[-_])?story[-_. \d]|(?:spec|spike|bug|us)[-_]|(?:[a-z]{1,6}-?)?\d{1,4}[.-]\d"
    r"|e(?:pic)?-?\d{1,4}[-_.]?s|.*\.story\.|.*-plan\.",
    re.IGNORECASE,
)
# Names that a key of sprint-status.yaml may have, but for a number alone: "doc0001" is none.
_KEY_NAME: Final = re.compile(
    r"(?:spec-)?(?:[a-z]{1,6}-?)?\d+[a-z]?[-.].+|epic-.+-s\d.*", re.IGNORECASE
)
# sprint-status.yaml as the method writes it: a mapping of texts to words, and what is before it.
_PLAIN_TRACKER: Final = re.compile(
    rf"(?:(?:[a-z_]++:(?:[ ][^\n'\"#&*!|>%@`\[{{][^\n#'\"]*+)?|[ ]*+(?:\#[^\n]*+)?)\n)*?{KEYS}:\n"
    r"(?P<entries>(?>(?:[ ]{2}[a-z0-9][a-z0-9._-]*+:[ ][a-z][a-z-]*+[ ]*+(?:\#[^\n]*+)?"
    r"|[ ]*+(?:\#[^\n]*+)?)\n)*+)\Z"
)
_PLAIN_ENTRY: Final = re.compile(r"^  ([a-z0-9][a-z0-9._-]*+): ([a-z][a-z-]*+)", re.MULTILINE)


def may_be_work(path: str) -> bool:
    """Return whether a file may be a story, a plan or a tracker, as its path alone says.

    Stories whose name and folder say nothing are left out: only their contents tell them.
    """
    *folders, name = path.split("/")
    file_type = file_type_of(path)
    if file_type == "yaml":
        is_named = bool(_TRACKER.fullmatch(name))
    elif file_type == "toml":
        is_named = name.lower() == TOML_NAME
    elif file_type == "md":
        stem = name.rpartition(".")[0]
        is_named = bool(_STORY_NAME.match(name) or _KEY_NAME.fullmatch(stem))
        is_named = is_named or any(map(_STORY_FOLDER.fullmatch, folders))
    else:
        is_named = False
    return is_named and not any(map(is_folder_of_tools, folders))


def facts_of(reading: Reading) -> Facts:
    """Return the facts of a document that was read whole."""
    facts: Facts = {}
    if story := reading.get("story"):
        facts[""] = _story_fact("story", story)
    elif plan := reading.get("plan"):
        facts[""] = Fact("plan", _first(plan["statuses"]), ticket=plan["ticket"])
    elif candidate := reading.get("candidate"):
        facts[""] = _story_fact("candidate", candidate)
    if (sprint_status := reading.get("sprint_status")) is not None:
        for entry in sprint_status["stories"]:
            facts[entry["key"]] = Fact("key", entry["status"]["status"])
    if (tickets := reading.get("tickets")) is not None:
        for epic in tickets["epics"]:
            fact = Fact("epic", None, epic["id"] or None, ticket=epic["slug"])
            facts[f"\tepic\t{epic['slug']}"] = fact
        for name, ticket in name_entries(tickets["entries"]):
            names = [*file_names(ticket), None, None]
            fact = Fact("entry", None, ticket["id"] or None, story=names[1], ticket=names[0])
            facts[name] = fact
    return facts


def _story_fact(kind: FactKind, story: StoryReading) -> Fact:
    return Fact(
        kind,
        _first(story["statuses"]),
        story["id"] or None,
        story["epic"],
        story["story"],
        story["ticket"],
    )


def read_facts(path: str, text: str) -> Facts:
    """Return the facts of a version of a file, given its text; empty if it says nothing.

    Equal to facts_of what reading the whole document returns, in less time.
    """
    file_type = file_type_of(path)
    if file_type == "yaml":
        plain = _PLAIN_TRACKER.match(text) if f"{KEYS}:" in text else None
        if plain:
            return _plain_facts(plain["entries"]) if _is_tracker(path) else {}
    elif file_type not in {"md", "toml"}:
        return {}
    if file_type == "md" and (facts := _facts_in_first_lines(path, text)):
        return facts
    parts = read_parts(text, file_type, path)
    kind = kind_of(path, file_type, parts.metadata, parts.text)
    document = BmadDocument(path, file_type, kind, parts.metadata, parts.text, parts.outline)
    reading = Reading()
    if kind == "story":
        return _facts_of_story(read_story_facts(document))
    if is_in_tools(document):
        return {}
    if plan := read_plan(document):
        reading["plan"] = plan
    elif candidate := read_candidate(document):
        reading["candidate"] = candidate
    elif sprint_status := read_sprint_status(document):
        reading["sprint_status"] = sprint_status
    elif tickets := read_tickets(document):
        reading["tickets"] = tickets
    return facts_of(reading)


def _facts_in_first_lines(path: str, text: str) -> Facts | None:
    """Return the facts of a story whose first lines decide them, as most do; None for others."""
    parts = read_first_lines(text, path, FIRST_LINES)
    if parts is None:
        return None
    kind = kind_of(path, "md", parts.metadata, parts.text)
    document = BmadDocument(path, "md", kind, parts.metadata, parts.text, parts.outline)
    # More headings only add to the signs of a story.
    found = read_first_facts(document) if kind == "story" else None
    return found and _facts_of_story(found)


def _facts_of_story(found: StoryFacts) -> Facts:
    (id_, epic, story), status, ticket = found
    return {"": Fact("story", status and status["status"], id_ or None, epic, story, ticket)}


@lru_cache(maxsize=256)
def _is_tracker(path: str) -> bool:
    return read_sprint_status(BmadDocument(path, "yaml", "other", {}, "", None)) is not None


def _plain_facts(entries: str) -> Facts:
    facts: Facts = {}
    for key, word in _PLAIN_ENTRY.findall(entries):
        if shown := _story_key(key):
            facts[shown] = _key_fact(word)
            if len(facts) == MAX_ITEMS:
                break
    return facts


# A tracker has the same keys in each of its versions.
@lru_cache(maxsize=16384)
def _story_key(key: str) -> str:
    """Return the key of a story as readings have it; an empty text for other keys."""
    return short_key(key) if read_key(key).kind == "story" else ""


@lru_cache(maxsize=256)
def _key_fact(word: str) -> Fact:
    return Fact("key", read_status(word))


def _first(statuses: Iterable[StatusWord]) -> Status | None:
    return next((each["status"] for each in statuses), None)
