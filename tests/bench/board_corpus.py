"""Repositories of teams that use the BMAD Method, made up: stories, epics, a tracker and gates.

The epics of the first half are in the layout of version 4, the others in that of version 6. Where
documents disagree, they do so about as often as in real repositories. A seed always gives the same
documents.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, NamedTuple

from story_texts import StoryTexts, slug_of
from texts import Texts

if TYPE_CHECKING:
    from collections.abc import Iterator

STORY_BYTES: Final = (4_000, 9_000)
NOTE_BYTES: Final = 2_000
NOTES_IN_FOLDER: Final = 100

# Of 100 stories, in how many the tracker says something else than the file; of 100 links, how many
# lead nowhere.
DIFFERENT: Final = 16
BROKEN: Final = 20

# An epic in every so many has a retrospective; deferred work is of each of the first epics.
EPICS_PER_RETROSPECTIVE: Final = 6
DEFERRED_EPICS: Final = 20

WORK: Final = "_bmad-output/implementation-artifacts"
PLANS: Final = "_bmad-output/planning-artifacts"

HEADINGS: Final = ("Overview", "Components", "Data Model", "API", "Security", "Deployment")
DECISIONS: Final = ("PASS", "PASS", "PASS", "PASS", "CONCERNS", "FAIL", "WAIVED")


class BoardSize(NamedTuple):
    """How many of each a repository has; `documents` counts all of them."""

    documents: int
    epics: int
    stories_per_epic: int
    gates: int


class PlannedStory(NamedTuple):
    """A story before its text is written; `status` is what its file says."""

    epic: int
    number: int
    title: str
    status: str
    tracker_status: str
    is_v4: bool

    @property
    def id(self) -> str:
        """The id, as in 2.10."""
        return f"{self.epic}.{self.number}"

    @property
    def key(self) -> str:
        """The key in the tracker, which is the name of the file in version 6."""
        return f"{self.epic}-{self.number}-{slug_of(self.title)}"

    @property
    def path(self) -> str:
        """The path of the file."""
        return f"docs/stories/{self.id}.story.md" if self.is_v4 else f"{WORK}/{self.key}.md"


def make_board_files(size: BoardSize, seed: str) -> dict[str, bytes]:
    """Return the texts of a repository's files, by path."""
    rest = random.Random(seed)
    texts = StoryTexts(seed)
    stories = list(_plan_stories(size, rest, texts))
    files = {story.path: texts.story(story, rest.randint(*STORY_BYTES)) for story in stories}
    files |= _make_epics(size, stories, texts)
    files[f"{WORK}/sprint-status.yaml"] = _make_tracker(size, stories)
    for story in rest.sample(stories, size.gates):
        files[f"docs/qa/gates/{story.id}-{slug_of(story.title)}.yml"] = texts.gate(
            story, rest.choice(DECISIONS)
        )
    for epic in range(1, size.epics // 2, EPICS_PER_RETROSPECTIVE):
        files[f"{WORK}/epic-{epic}-retro-2026-05-{epic % 28 + 1:02}.md"] = texts.retrospective(epic)
    files[f"{WORK}/deferred-work.md"] = texts.deferred_work(min(size.epics, DEFERRED_EPICS))
    _add_notes(files, size.documents, rest, Texts(seed))
    return {path: text.encode() for path, text in files.items()}


def change_story(files: dict[str, bytes]) -> tuple[str, bytes]:
    """Return the path of a story, and its text with another status."""
    path = f"docs/stories/{1}.{1}.story.md"
    text = files[path]
    changed = text.replace(b"## Status\n\nDone", b"## Status\n\nReview", 1)
    assert changed != text
    return path, changed


def _plan_stories(
    size: BoardSize, rest: random.Random, texts: StoryTexts
) -> Iterator[PlannedStory]:
    """Plan all stories: those of the first epics are done, those of the last ones not begun."""
    for epic in range(1, size.epics + 1):
        for number in range(1, size.stories_per_epic + 1):
            part = epic / size.epics
            if part <= 0.5:
                status = "done"
            elif part <= 0.6:
                status = rest.choice(("done", "review", "in-progress", "ready-for-dev", "blocked"))
            else:
                status = rest.choice(("backlog", "backlog", "drafted", "ready-for-dev"))
            tracker = status
            if rest.randrange(100) < DIFFERENT and (epic, number) != (1, 1):
                tracker, status = status, rest.choice(("review", "in-progress", "ready-for-dev"))
            yield PlannedStory(epic, number, texts.title(), status, tracker, part <= 0.5)


def _make_epics(size: BoardSize, stories: list[PlannedStory], texts: StoryTexts) -> dict[str, str]:
    """Return a document for each epic of version 4, and one of those of version 6."""
    by_epic: dict[int, list[PlannedStory]] = {}
    for story in stories:
        by_epic.setdefault(story.epic, []).append(story)
    files: dict[str, str] = {}
    new: list[str] = []
    for epic, of_epic in by_epic.items():
        if of_epic[0].is_v4:
            files[f"docs/epics/epic-{epic}.md"] = texts.epic(epic, of_epic, 1)
        else:
            new.append(texts.epic(epic, of_epic, 2))
    requirements = texts.requirements(size.epics)
    files[f"{PLANS}/epics.md"] = "\n".join(["# Epic Breakdown\n", requirements, *new])
    return files


def _make_tracker(size: BoardSize, stories: list[PlannedStory]) -> str:
    lines = [
        "# generated: 2026-04-01",
        "generated: 2026-04-01",
        "last_updated: 05-01-2026 09:00",
        "tracking_system: file-system",
        "",
        "development_status:",
    ]
    for story in stories:
        if story.number == 1:
            is_done = story.epic <= size.epics // 2
            lines.append(f"  epic-{story.epic}: {'done' if is_done else 'in-progress'}")
        lines.append(f"  {story.key}: {story.tracker_status}")
        if story.number == size.stories_per_epic:
            lines += [f"  epic-{story.epic}-retrospective: optional", ""]
    return "\n".join(lines) + "\n"


def _add_notes(files: dict[str, str], documents: int, rest: random.Random, texts: Texts) -> None:
    """Add ordinary documents, which have links, until there are so many documents."""
    count = documents - len(files)
    paths = [f"docs/notes/{n // NOTES_IN_FOLDER}/note-{n}.md" for n in range(count)]
    for number, path in enumerate(paths):
        heading = rest.choice(HEADINGS)
        links = ", ".join(_link(rest, count) for _ in range(4))
        text = texts.markdown(NOTE_BYTES - len(links)).decode()
        files[path] = f"{text}\n## {heading}\n\nNumber {number}: see {links}.\n"


def _link(rest: random.Random, count: int) -> str:
    """Return a link from a note to another one, or to nothing."""
    number = rest.randrange(count)
    target = f"../{number // NOTES_IN_FOLDER}/note-{number}.md"
    if rest.randrange(100) < BROKEN:
        target = target.replace("note", rest.choice(("old", "draft", "note-v")))
    fragment = rest.choice(("", "", "#overview"))
    return f"[the note]({target}{fragment})"
