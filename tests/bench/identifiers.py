"""The names that documents of software have: of functions, classes, paths, requirements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vocabulary import CORE_WORDS

if TYPE_CHECKING:
    import random

    from vocabulary import Vocabulary

IDENTIFIER_COUNT: Final = 2_000
VERBS = "get set create update delete list find send load save parse build check read"

# Words of identifiers are neither the most frequent ones nor the rarest.
RANKS: Final = slice(200, 12_000)


class Identifiers:
    """The identifiers of one project; the first ones occur most often."""

    def __init__(self, source: random.Random, vocabulary: Vocabulary) -> None:
        rarer = vocabulary.words[RANKS]
        self.names = list(
            dict.fromkeys(_invent(source, rarer, number) for number in range(IDENTIFIER_COUNT))
        )

    def some(self, source: random.Random) -> Identifiers:
        """Return some of these, as the documents of one epic use them."""
        few = Identifiers.__new__(Identifiers)
        few.names = [self.draw(source) for _ in range(40)]
        return few

    def draw(self, source: random.Random) -> str:
        """Return an identifier at random."""
        # The square prefers the first ones.
        return self.names[int(source.random() ** 2 * len(self.names))]


def _invent(source: random.Random, rarer: list[str], number: int) -> str:
    words = [source.choice(CORE_WORDS), source.choice(rarer), source.choice(CORE_WORDS)]
    words = words[: source.choice((2, 2, 3))]
    verb = source.choice(VERBS.split())
    camel = "".join(map(str.capitalize, words))
    forms = (
        "_".join([verb, *words]),
        "_".join(words),
        "_".join(words).upper(),
        camel,
        f"{verb}{camel}",
        f"{words[0]}.{verb}_{words[-1]}",
        f"/api/{words[0]}s/{{id}}/{words[1]}",
        f"src/{words[0]}/{words[1]}_{words[-1]}.py",
        "-".join(words),
        f"{source.choice(('FR', 'NFR', 'AC', 'BUG'))}-{number}",
        f"epic-{number % 90}.story-{number % 17}",
    )
    return forms[number % len(forms)]
