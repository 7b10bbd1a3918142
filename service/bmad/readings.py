"""What documents say of the work, as JSON: the types of all readings.

A reading has what one document says, with lines, and decides nothing. A run stores it beside the
document, and board.py makes stories, epics and problems of all readings of a source. All lines are
those of the document, counted from 1. Texts are on one line, without markup, and short: MAX_TEXT.
"""

from typing import Final, Literal, NotRequired, TypedDict, get_args

from service.documents.kind_names import Kind

MAX_TEXT: Final = 300  # characters of a title, a sentence, a finding
MAX_ID: Final = 60  # characters of an id, a status, a requirement's name
MAX_KEY: Final = 255  # of what may be the name of a file: a key, a slug, what `after` names
MAX_ITEMS: Final = 2_000  # of any list of a reading

Status = Literal[
    "draft", "approved", "in_progress", "review", "done", "blocked", "cancelled", "unknown"
]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)

# Where a document says a status: in its front matter, in its text, as a version 7 leaf's
# `tracker_status`, as the value of a key of sprint-status.yaml, or as a plan's.
Place = Literal["front_matter", "text", "tracker_status", "sprint_status", "plan"]

WorkKind = Literal["story", "spike", "bug"]


class StatusWord(TypedDict):
    """A status: as it is normalised, and as it is written, at most MAX_ID characters."""

    status: Status
    word: str
    line: int
    place: Place


class ReviewFinding(TypedDict):
    """A finding of a review, in a story's tasks: "[Review][Patch] Name the field [app.py:3]"."""

    text: str
    # "Patch", "Decision", "Defer", or what else the second brackets have; empty without them.
    action: str
    is_open: bool
    line: int


class Issue(TypedDict):
    """An issue of a gate."""

    id: str
    severity: str
    finding: str


class GateReading(TypedDict):
    """A gate of a story: PASS, CONCERNS, FAIL, WAIVED, or None where it cannot be read.

    `word` is the decision as written, `line` where. `story` is the id or name of the story that the
    gate names in its text, and `story_in_name` that of its file's name. `score` is from 0 to 100.
    Dates are as they are written. `other_word` is another decision that the text says.
    """

    decision: str | None
    word: str
    line: int
    story: str | None
    story_in_name: str | None
    score: int | None
    reviewer: str | None
    updated: str | None
    expires: str | None
    issues: list[Issue]
    waiver_reason: str | None
    is_waiver_active: bool
    other_word: str | None
    notes: list[str]


class WorkCounts(TypedDict):
    """The criteria, with the boxes in and below them as items, and tasks, of a story or a plan."""

    acceptance_criteria_total: int
    acceptance_criteria_done: int | None  # None where no criterion can be ticked
    acceptance_criteria_items_total: int
    acceptance_criteria_items_done: int
    tasks_total: int
    tasks_done: int
    subtasks_total: int
    subtasks_done: int
    review_findings: list[ReviewFinding]  # which are no tasks


class StoryReading(WorkCounts):
    """What a story's own file says.

    `id` is the whole id as it is written, "" without one; `epic` and `story` are its two parts.
    `anchor` is that of the title's heading. Of `statuses` the first one decides. `after` names what
    must be done before, and `after_stories` has those of the names that are surely of stories.
    `ticket` is the id of the version 7 entry that the front matter names. `gate` is what its own
    review says. `notes` are sentences about what could not be read.
    """

    id: str
    epic: str | None
    story: str | None
    title: str
    anchor: str | None
    line: int
    kind: WorkKind
    statuses: list[StatusWord]
    as_a: str | None
    i_want: str | None
    so_that: str | None
    after: list[str]
    after_stories: list[str]
    covers: list[str]
    ticket: str | None
    gate: NotRequired[GateReading]
    notes: list[str]


class PlanReading(WorkCounts):
    """A plan of version 7, `<type>-<slug>-plan.md`: the ticket that it is for, and its status."""

    ticket: str
    ticket_line: int
    statuses: list[StatusWord]


class ListedStory(TypedDict):
    """A story that an epic's document lists or describes; it may have a file of its own."""

    id: str
    epic: str | None
    story: str | None
    title: str
    anchor: str | None
    line: int
    statuses: list[StatusWord]


class EpicReading(TypedDict):
    """An epic that a document is about, lists or describes: merged within one document.

    `number` is as it is written: "1", "E1", "AP-1", "3.5". `covers` are names of requirements.
    """

    number: str
    title: str
    anchor: str | None
    line: int
    statuses: list[StatusWord]
    covers: list[str]
    stories: list[ListedStory]


class Requirement(TypedDict):
    """A requirement that a document states: "FR1: Users can sign in."."""

    id: str
    text: str
    line: int


class Coverage(TypedDict):
    """A line of a coverage map: which epics and stories a requirement is for."""

    requirement: str
    epics: list[str]
    stories: list[str]
    line: int


class SprintEntry(TypedDict):
    """A key of sprint-status.yaml with its status; `key` as it is written."""

    key: str
    status: StatusWord


class ActionItem(TypedDict):
    """An action item of a retrospective, in sprint-status.yaml."""

    epic: str | None
    action: str
    owner: str | None
    status: StatusWord | None
    line: int


class SprintStatusReading(TypedDict):
    """sprint-status.yaml. `titles` has the titles of epics, by number, that its comments name."""

    stories: list[SprintEntry]
    epics: list[SprintEntry]
    retrospectives: list[SprintEntry]
    titles: dict[str, str]
    action_items: list[ActionItem]
    last_updated: str | None
    notes: list[str]


class TicketEpic(TypedDict):
    """An `[[epic]]` of tickets.toml."""

    id: str
    slug: str
    title: str
    covers: list[str]
    after: list[str]
    line: int


class TicketEntry(TypedDict):
    """An `[[entry]]` of tickets.toml, or a story of a 6.11 stories.yaml.

    `is_unknown` says that something must be found out before the work can start.
    """

    id: str
    slug: str
    kind: WorkKind
    title: str
    description: str
    covers: list[str]
    after: list[str]
    is_unknown: bool
    line: int


class TicketsReading(TypedDict):
    """tickets.toml, or stories.yaml: the work in build order."""

    epics: list[TicketEpic]
    entries: list[TicketEntry]
    notes: list[str]


class SpecReading(TypedDict):
    """SPEC.md of version 6.11: what a folder with a stories.yaml is about; `title` may be empty."""

    title: str
    anchor: str | None
    line: int
    statuses: list[StatusWord]


class RetrospectiveReading(TypedDict):
    """A retrospective: accepted, accepted_with_open_items, rejected, or None if none is read."""

    epic: str | None
    verdict: str | None
    word: str
    line: int


class DeferredItem(TypedDict):
    """An item of deferred-work.md: what was deferred, where from, and whether it is open."""

    text: str
    source: str | None
    is_open: bool
    line: int


class Link(TypedDict):
    """A relative link of Markdown, as written, the line of its target, and where it leads.

    `path` is from the repository's root, None outside the repository; `fragment` None without `#`.
    """

    target: str
    line: int
    path: str | None
    fragment: str | None


class Reading(TypedDict):
    """All that one document says; a key is only there where the document says something."""

    story: NotRequired[StoryReading]
    # A tracker may name it as a story. It is of this kind while none does.
    candidate: NotRequired[StoryReading]
    candidate_kind: NotRequired[Kind]
    plan: NotRequired[PlanReading]
    epics: NotRequired[list[EpicReading]]
    requirements: NotRequired[list[Requirement]]
    coverage: NotRequired[list[Coverage]]
    sprint_status: NotRequired[SprintStatusReading]
    tickets: NotRequired[TicketsReading]
    spec: NotRequired[SpecReading]
    gate: NotRequired[GateReading]
    retrospective: NotRequired[RetrospectiveReading]
    # Sentences about what could not be read of a document that is no story.
    notes: NotRequired[list[str]]
    deferred: NotRequired[list[DeferredItem]]
    links: NotRequired[list[Link]]
