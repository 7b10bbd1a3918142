"""Sentences and Markdown blocks in English, French and Chinese, from words at random."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from vocabulary import CHINESE, FRENCH, Vocabulary

if TYPE_CHECKING:
    import random

    from identifiers import Identifiers


@dataclass(frozen=True)
class Prose:
    """Writes in one language, about one topic."""

    vocabulary: Vocabulary
    topic: list[str] = field(default_factory=list[str])
    identifiers: Identifiers | None = None
    headings: tuple[str, ...] = ()  # of every document; empty: those of its kind
    space: str = " "
    stop: str = ". "

    def about(self, identifiers: Identifiers) -> Prose:
        """Return prose that also mentions these identifiers."""
        return replace(self, identifiers=identifiers)

    def name(self, source: random.Random) -> str:
        """Return a title of a few words."""
        words = self.vocabulary.draw(source, source.randint(1, 3))
        if self.topic:
            words += source.sample(self.topic, 2)
        return self.space.join(words).capitalize()

    def plain_sentence(self, source: random.Random) -> str:
        """Return a sentence without markup, and without a full stop."""
        return self.space.join(self.vocabulary.draw(source, source.randint(5, 14))).capitalize()

    def sentences(self, source: random.Random, count: int) -> list[str]:
        """Return sentences, which mention the topic and some identifiers."""
        lengths = [6 + int(source.random() * 13) for _ in range(count)]
        words = self.vocabulary.draw(source, sum(lengths))
        found: list[str] = []
        start = 0
        for length in lengths:
            part = words[start : start + length]
            start += length
            if self.topic:
                place = int(source.random() * length)
                part[place] = self.topic[int(source.random() ** 2 * len(self.topic))]
            if source.random() < 0.3:
                part[-1] = f"`{self._identifier(source)}`"
            text = self.space.join(part)
            found.append(f"{text[0].upper()}{text[1:]}{self.stop}")
        return found

    def block(self, source: random.Random) -> str:
        """Return a paragraph, a list, a table or a fence, with a blank line after it."""
        choice = source.random()
        if choice < 0.5:
            return "".join(self.sentences(source, source.randint(2, 6))).rstrip() + "\n\n"
        if choice < 0.7:
            marks = source.choice(("- ", "- [ ] ", "- [x] ", "1. ", "* **Given** "))
            items = self.sentences(source, source.randint(2, 6))
            return "".join(f"{marks}{item.rstrip()}\n" for item in items) + "\n"
        if choice < 0.8:
            return self._table(source)
        if choice < 0.9:
            return self._fence(source)
        path = self._identifier(source).strip("/")
        (sentence,) = self.sentences(source, 1)
        return f"{sentence}[Source: docs/{path}.md#{source.choice(self.vocabulary.words)}]\n\n"

    def _identifier(self, source: random.Random) -> str:
        assert self.identifiers is not None
        return self.identifiers.draw(source)

    def _table(self, source: random.Random) -> str:
        rows = source.randint(2, 6)
        cells = self.vocabulary.draw(source, 6 * rows + 3)
        lines = [f"| {' | '.join(cells[-3:])} |", "|---|---|---|"]
        for row in range(rows):
            first, *rest = cells[6 * row : 6 * row + 6]
            name = self._identifier(source)
            lines.append(f"| {first} | `{name}` | {self.space.join(rest)} |")
        return "\n".join(lines) + "\n\n"

    def _fence(self, source: random.Random) -> str:
        lines: list[str] = []
        for _ in range(source.randint(2, 5)):
            comment = self.space.join(self.vocabulary.draw(source, 5))
            name, other = self._identifier(source), self._identifier(source)
            lines += [f"# {comment}", f'{name}("{other}", {source.randint(1, 500)})']
        return (
            f"```{source.choice(('python', 'sh', 'yaml', ''))}\n" + "\n".join(lines) + "\n```\n\n"
        )


FRENCH_PROSE: Final = Prose(
    FRENCH,
    headings=(
        "Statut", "Récit", "Critères d'acceptation", "Tâches", "Notes de développement", "Tests",
        "Journal des modifications", "Résultats de la revue",
    ),
)  # fmt: skip

CHINESE_PROSE: Final = Prose(
    CHINESE,
    headings=("状态", "用户故事", "验收标准", "任务", "开发说明", "测试", "变更记录", "评审结果"),
    space="",
    stop="。",
)
