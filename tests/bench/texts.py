"""Random Markdown that compresses about as well as real documents; the same in every benchmark."""

from __future__ import annotations

import random

WORDS = """
    the of and to a in is that for it as with on by this be are from or which when not an at
    has can will must each one all no more other than into only its their there if then what
    payment story epic gate review team project document source service request answer queue
    database schema migration index table column connection timeout worker client header token
    checks writes reads fails starts stops waits returns keeps shows holds sends takes makes
    reliable slow fast large small open closed pending approved rejected critical optional
    “quoted” naïve café → never again, however often somebody asks
    """

SENTENCE_COUNT = 4000


class Texts:
    """Generates random texts from a seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._words = WORDS.split()
        self._sentences = [self._make_sentence() for _ in range(SENTENCE_COUNT)]

    def sentence(self) -> str:
        """Return a sentence."""
        return self._random.choice(self._sentences)

    def markdown(self, size: int) -> bytes:
        """Return a document of `size` bytes or a few less, with a title, headings and lists."""
        parts = ["---\nstatus: draft\nowner: team\n---\n", f"# {self.sentence()}\n"]
        length = sum(map(len, parts))
        while length < size:
            paragraph = " ".join(self._random.choices(self._sentences, k=5))
            bullets = "".join(f"- {sentence}\n" for sentence in self.sentences(3))
            parts.append(f"\n## {self.sentence()[:40]}\n\n{paragraph}\n\n{bullets}")
            length += len(parts[-1])
        cut = "".join(parts).encode()[: size - 1]
        return cut.decode(errors="ignore").encode() + b"\n"

    def sentences(self, count: int) -> list[str]:
        """Return `count` sentences."""
        return self._random.choices(self._sentences, k=count)

    def _make_sentence(self) -> str:
        words = self._random.choices(self._words, k=self._random.randint(6, 18))
        return f"{' '.join(words).capitalize()}."
