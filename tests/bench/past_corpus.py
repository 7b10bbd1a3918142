"""A repository with a history, made up: stories that commits draft, work on and finish.

Each story has as many versions as it has statuses. Their texts are as long as those of real
stories, and change as those do: boxes are ticked, a record is written. The tracker is rewritten
with them, and code and notes change beside them. A seed always gives the same commits.
"""

from __future__ import annotations

import math
import random
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from board_corpus import WORK, PlannedStory
from story_texts import V4_WORDS, StoryTexts
from texts import Texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.support.git_server import Remote

COMMITS: Final = 1_000
STORIES: Final = 1_000
STORIES_PER_EPIC: Final = 25
STATUSES: Final = ("drafted", "ready-for-dev", "in-progress", "review", "done")
VERSIONS: Final = STORIES * len(STATUSES)
# Of a commit: fewer than come between two versions of one story.
MOST_VERSIONS: Final = 9

# Of a story: the median, how widely sizes are spread (p95 43 KB), the smallest and the largest.
STORY_BYTES: Final = 9_000
SPREAD: Final = 0.95
SMALLEST: Final = 3_000
LARGEST: Final = 113_000

NOTES: Final = 1_000
NOTE_BYTES: Final = 2_000
CODE_FILES: Final = 2_000
CODE_FILES_PER_COMMIT: Final = 3

# How many stories are begun between two versions of one.
BETWEEN_VERSIONS: Final = 8.0
FIRST_SECONDS: Final = 1_700_000_000
SECONDS_BETWEEN: Final = 6 * 3600

RECORD: Final = "\n## Dev Agent Record\n"


class _Version(NamedTuple):
    """A version of a story: `place` in STATUSES, and when it comes, in stories begun before."""

    at: float
    story: int
    place: int


def commit_history(remote: Remote, seed: str) -> None:
    """Commit the whole history to a repository that is empty."""
    remote.git("fast-import", "--quiet", stdin=b"".join(_write_commits(seed)))
    remote.pack()


def size_versions(seed: str) -> int:
    """Return how many bytes all versions of stories and of the tracker have together."""
    return sum(
        len(content)
        for files in make_commits(seed)
        for path, content in files.items()
        if path.startswith((f"{WORK}/", "docs/stories/"))
    )


def _write_commits(seed: str) -> Iterator[bytes]:
    """Yield what git's fast-import reads."""
    for number, files in enumerate(make_commits(seed)):
        seconds = FIRST_SECONDS + number * SECONDS_BETWEEN
        yield b"commit refs/heads/main\ncommitter Tester <t@git.example> %d +0000\n" % seconds
        yield _data(b"Change it")
        for path, content in files.items():
            yield b"M 100644 inline %s\n%s" % (path.encode(), _data(content))


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def make_commits(seed: str) -> Iterator[Mapping[str, bytes]]:
    """Yield the files that each commit changes, by path."""
    rest = random.Random(seed)
    texts, notes = StoryTexts(seed), Texts(seed)
    stories = [_plan(number, texts) for number in range(STORIES)]
    written = [texts.story(story, _size(rest)) for story in stories]
    statuses: dict[int, str] = {}
    code = {f"src/{n % 20}/{n % 200}/module_{n}.py": n for n in range(CODE_FILES)}
    for number, versions in enumerate(_share_versions(rest)):
        files: dict[str, str] = {}
        changed = code if number == 0 else rest.sample([*code], CODE_FILES_PER_COMMIT)
        for path in changed:
            code[path] += CODE_FILES
            files[path] = f"VALUE = {code[path]}\n"
        for note in range(NOTES) if number == 0 else [rest.randrange(NOTES)]:
            files[f"docs/notes/{note % 10}/note-{note}.md"] = notes.markdown(NOTE_BYTES).decode()
        for version in versions:
            story = stories[version.story]
            statuses[version.story] = STATUSES[version.place]
            files[story.path] = _write_version(story, written[version.story], version.place)
        files[f"{WORK}/sprint-status.yaml"] = _write_tracker(stories, statuses, number)
        yield {path: text.encode() for path, text in files.items()}


def _plan(number: int, texts: StoryTexts) -> PlannedStory:
    epic, place = divmod(number, STORIES_PER_EPIC)
    is_v4 = epic * STORIES_PER_EPIC < STORIES // 2
    return PlannedStory(epic + 1, place + 1, texts.title(), STATUSES[0], STATUSES[0], is_v4)


def _size(rest: random.Random) -> int:
    size = int(rest.lognormvariate(math.log(STORY_BYTES), SPREAD))
    return min(max(size, SMALLEST), LARGEST)


def _share_versions(rest: random.Random) -> list[list[_Version]]:
    """Return the versions of each commit: 1 to MOST_VERSIONS, in the order of time."""
    versions = sorted(
        _Version(story + BETWEEN_VERSIONS * (place + rest.random() / 2), story, place)
        for story in range(STORIES)
        for place in range(len(STATUSES))
    )
    sizes = [1 + commit % MOST_VERSIONS for commit in range(COMMITS - 1)]
    sizes.append(VERSIONS - sum(sizes))
    rest.shuffle(sizes)
    remaining = iter(versions)
    return [[*islice(remaining, size)] for size in sizes]


def _write_version(story: PlannedStory, text: str, place: int) -> str:
    """Return the text that a story has with a status, given that of its first one."""
    words = V4_WORDS if story.is_v4 else {each: each for each in STATUSES}
    before, after = words[STATUSES[0]], words[STATUSES[place]]
    head, _, record = text.partition(RECORD)
    head = head.replace(before, after, 1)
    boxes = head.count("- [ ]")
    head = head.replace("- [ ]", "- [x]", (0, 0, boxes // 2, boxes, boxes)[place])
    if place >= STATUSES.index("review"):
        head += RECORD + record
    if place == STATUSES.index("done"):
        head += "\n## Senior Developer Review\n\nApproved: all criteria are met.\n"
    return head


def _write_tracker(
    stories: Sequence[PlannedStory], statuses: Mapping[int, str], number: int
) -> str:
    """Return the tracker with all stories of the epics that have begun."""
    lines = [
        "# generated: 2026-04-01",
        "generated: 2026-04-01",
        f"last_updated: commit {number}",
        "tracking_system: file-system",
        "",
        "development_status:",
    ]
    begun = (max(statuses) // STORIES_PER_EPIC + 1) * STORIES_PER_EPIC
    for place, story in enumerate(stories[:begun]):
        if story.number == 1:
            lines.append(f"  epic-{story.epic}: in-progress")
        lines.append(f"  {story.key}: {statuses.get(place, 'backlog')}")
    return "\n".join(lines) + "\n"
