"""The documents of the search benchmark: as those of teams that use the BMAD Method, but made up.

Document number n is the same in every corpus, so a larger corpus contains the smaller ones. Their
sizes are log-normal. They are in SOURCE_COUNT sources of PROJECT_COUNT projects.
"""

from __future__ import annotations

import math
import random
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from identifiers import Identifiers
from prose import CHINESE_PROSE, FRENCH_PROSE, Prose
from vocabulary import CORE_WORDS, english

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED: Final = "search"

PROJECT_COUNT: Final = 5
SOURCE_COUNT: Final = 10

# In bytes. The mean is that of a log-normal distribution: median * exp(deviation ** 2 / 2).
MEDIAN_BYTES: Final = 5_750
DEVIATION: Final = 1.02
MAX_BYTES: Final = 600_000

# An epic's documents, one after another in their source.
KINDS: Final = (
    "epic",
    *["story"] * 12,
    "gate",
    "gate",
    "architecture",
    "prd",
    "ux",
    "note",
    "other",
)

# Of 100 documents, these are French and these Chinese.
FRENCH_NUMBERS: Final = (7, 33, 61)
CHINESE_NUMBERS: Final = (20, 47, 86)

# By kind, in the layouts of the method's versions 4 and 6.
PATHS: Final = (
    {
        "epic": "docs/epics/epic-{epic}.md",
        "story": "docs/stories/{epic}.{story}.{slug}.md",
        "gate": "docs/qa/gates/{epic}.{story}-{slug}.yml",
        "architecture": "docs/architecture/{slug}-{epic}.md",
        "prd": "docs/prd/{epic}-{slug}.md",
        "ux": "docs/ux/{slug}-{epic}.md",
        "note": "docs/notes/epic-{epic}-{slug}.md",
        "other": "packages/{slug}-{epic}/README.md",
    },
    {
        "epic": "_bmad-output/planning-artifacts/epics/epic-{epic}-{slug}.md",
        "story": "_bmad-output/implementation-artifacts/{epic}-{story}-{slug}.md",
        "gate": "_bmad-output/qa/gates/{epic}.{story}-{slug}.yml",
        "architecture": "_bmad-output/planning-artifacts/architecture/{slug}-{epic}.md",
        "prd": "_bmad-output/planning-artifacts/prd/{slug}-{epic}.md",
        "ux": "_bmad-output/planning-artifacts/ux-designs/{slug}-{epic}.md",
        "note": "_bmad-output/implementation-artifacts/epic-{epic}-{slug}-retrospective.md",
        "other": "docs/{slug}-{epic}.md",
    },
)

HEADINGS: Final = {
    "epic": ("Overview", "Goals", "Scope", "Stories", "Dependencies", "Definition of Done"),
    "story": (
        "Status", "Story", "Acceptance Criteria", "Tasks / Subtasks", "Dev Notes", "Testing",
        "Change Log", "Dev Agent Record", "File List", "QA Results",
    ),
    "architecture": ("Context", "Decision", "Components", "Data Model", "API", "Security"),
    "prd": ("Goals", "Functional Requirements", "Non-Functional Requirements", "User Journeys"),
    "ux": ("Principles", "Flows", "Screens", "States", "Accessibility"),
    "note": ("What went well", "What did not", "Action Items", "Decisions"),
    "other": ("Install", "Usage", "Configuration", "License"),
}  # fmt: skip


class CorpusDocument(NamedTuple):
    """A document of the corpus."""

    number: int
    source: int
    path: str
    text: str
    is_chinese: bool


class Corpus:
    """Makes the documents; the same ones for each seed."""

    def __init__(self, seed: str = SEED) -> None:
        self._seed = seed
        self.vocabulary = english(seed)
        self._identifiers = [
            Identifiers(random.Random(f"{seed} project {number}"), self.vocabulary)
            for number in range(PROJECT_COUNT)
        ]
        self._topic = cache(self._make_topic)

    def documents(self, count: int, source: int) -> Iterator[CorpusDocument]:
        """Make the documents of one source of a corpus with `count` documents."""
        for number in range(source, count, SOURCE_COUNT):
            yield self.document(number)

    def document(self, number: int) -> CorpusDocument:
        """Make one document."""
        rest = random.Random(f"{self._seed} document {number}")
        place, source = divmod(number, SOURCE_COUNT)
        epic, story = divmod(place, len(KINDS))
        kind = KINDS[story]
        prose = self._prose(number, source, epic)
        title = prose.name(rest)
        path = PATHS[source % len(PATHS)][kind].format(
            epic=epic + 1, story=story, slug=_slug(rest, prose)
        )
        size = min(rest.lognormvariate(math.log(MEDIAN_BYTES), DEVIATION), MAX_BYTES)
        heading = f"Story {epic + 1}.{story}: {title}" if kind == "story" else title
        if kind == "gate":
            text = _gate(rest, prose, f"{epic + 1}.{story}", size)
        else:
            text = _markdown(rest, prose, kind, heading, size)
        return CorpusDocument(number, source, path, text, number % 100 in CHINESE_NUMBERS)

    def _prose(self, number: int, source: int, epic: int) -> Prose:
        identifiers = self._identifiers[project_of(source)]
        if number % 100 in FRENCH_NUMBERS:
            return FRENCH_PROSE.about(identifiers)
        if number % 100 in CHINESE_NUMBERS:
            return CHINESE_PROSE.about(identifiers)
        return self._topic(source, epic)

    def _make_topic(self, source: int, epic: int) -> Prose:
        """Return the prose of an epic's documents, which have words and names in common."""
        rest = random.Random(f"{self._seed} source {source} epic {epic}")
        words = rest.sample(CORE_WORDS, 12) + rest.sample(self.vocabulary.words, 30)
        identifiers = self._identifiers[project_of(source)]
        return Prose(self.vocabulary, topic=words).about(identifiers.some(rest))


def project_of(source: int) -> int:
    """Return the number of a source's project."""
    return source * PROJECT_COUNT // SOURCE_COUNT


def _slug(rest: random.Random, prose: Prose) -> str:
    return "-".join(rest.sample(prose.topic or CORE_WORDS, 3))


def _gate(rest: random.Random, prose: Prose, story: str, size: float) -> str:
    lines = [
        "schema: 1",
        f'story: "{story}"',
        f'story_title: "{prose.name(rest)}"',
        f"gate: {rest.choice(('PASS', 'CONCERNS', 'FAIL', 'WAIVED'))}",
        f'status_reason: "{prose.plain_sentence(rest)}"',
        'reviewer: "Quinn (Test Architect)"',
        f'updated: "2026-0{rest.randint(1, 9)}-{rest.randint(10, 28)}T09:00:00Z"',
        "top_issues:",
    ]
    length = sum(map(len, lines))
    while length < size:
        entry = (
            f'  - id: "{rest.choice(("SEC", "PERF", "REL", "TEST"))}-{rest.randint(1, 99):03}"\n'
            f"    severity: {rest.choice(('low', 'medium', 'high'))}\n"
            f'    finding: "{prose.plain_sentence(rest)}"\n'
            f'    suggested_action: "{prose.plain_sentence(rest)}"'
        )
        lines.append(entry)
        length += len(entry.encode())
    return "\n".join(lines) + "\n"


def _markdown(rest: random.Random, prose: Prose, kind: str, title: str, size: float) -> str:
    parts = [_front_matter(rest, kind)] if rest.random() < 0.7 else []
    parts.append(f"# {title}\n\n")
    headings = list(prose.headings or HEADINGS[kind])
    length = sum(map(len, parts))
    # A longer document has more sections, and longer ones.
    section_bytes = 55 * size**0.2
    level, number = 2, 0
    while length < size:
        if number < len(headings) and (level == 2 or rest.random() < 0.5):
            heading, level, number = headings[number], 2, number + 1
        else:
            heading, level = prose.name(rest), min(level + rest.choice((-1, 0, 1)), 4)
            level = max(level, 2)
        part = f"{'#' * level} {heading}\n\n"
        wanted = rest.lognormvariate(math.log(section_bytes), 0.8)
        while len(part) < wanted:
            part += prose.block(rest)
        parts.append(part)
        length += len(part.encode())
    return "".join(parts)


def _front_matter(rest: random.Random, kind: str) -> str:
    return (
        f"---\ntype: {kind}\nstatus: {rest.choice(('draft', 'approved', 'in-review', 'done'))}\n"
        f"owner: {rest.choice(('winston', 'sally', 'amelia', 'john', 'quinn', 'bob'))}\n"
        f"date: 2026-0{rest.randint(1, 9)}-{rest.randint(10, 28)}\n"
        f"tags: [{', '.join(rest.sample(CORE_WORDS, 3))}]\n---\n\n"
    )
