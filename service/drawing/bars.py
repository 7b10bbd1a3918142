"""A bar for a terminal: how many of the stories are done, in review, in progress."""

from collections.abc import Sequence
from typing import Final, NamedTuple

MAX_BAR: Final = 1_000  # characters


class _Stage(NamedTuple):
    """A stage of the work, and its character: it reads without colour."""

    status: str
    name: str
    block: str
    plain: str


_STAGES: Final = (
    _Stage("done", "done", "█", "#"),
    _Stage("review", "in review", "▓", "+"),
    _Stage("in_progress", "in progress", "▒", "-"),
)
_REST: Final = _Stage("", "other", "░", ".")


def draw_bar(parts: Sequence[tuple[str, int]], width: int, *, is_plain: bool) -> str:
    """Return a bar of exactly `width` characters, at most MAX_BAR, for stories by status.

    The order is done, review, in_progress, then all other statuses as one. A stage that has stories
    has at least one character as long as there is room: a bar is only full when all is done.
    Without stories the bar is blank. `is_plain` is for terminals that have ASCII only, or that draw
    blocks two columns wide, as some do for Chinese, Japanese and Korean (UAX 11, "ambiguous").
    """
    width = min(max(width, 0), MAX_BAR)
    counts = dict.fromkeys([*_STAGES, _REST], 0)
    stages = {stage.status: stage for stage in _STAGES}
    for status, count in parts:
        counts[stages.get(status, _REST)] += max(count, 0)
    if not any(counts.values()):
        return " " * width
    return "".join(
        (stage.plain if is_plain else stage.block) * cells
        for stage, cells in zip(counts, _share(list(counts.values()), width), strict=True)
    )


def draw_length(number: int, largest: int, width: int, *, is_plain: bool) -> str:
    """Return a bar for a number: `width` characters, at most MAX_BAR, for the largest of several.

    A number above 0 has at least one character; others have none.
    """
    cells = min(max(width, 0), MAX_BAR) * number // largest if 0 < number <= largest else 0
    block = _STAGES[0].plain if is_plain else _STAGES[0].block
    return block * max(cells, number > 0)


def bar_legend(*, is_plain: bool) -> str:
    """Return what the characters of a bar mean, on one line."""
    return "  ".join(
        f"{stage.plain if is_plain else stage.block} {stage.name}" for stage in [*_STAGES, _REST]
    )


def _share(counts: Sequence[int], width: int) -> list[int]:
    """Return `width` cells shared in proportion to the counts: the method of largest remainders."""
    total = sum(counts)
    shares = [count * width // total for count in counts]
    by_remainder = sorted(
        range(len(counts)), key=lambda index: (-(counts[index] * width % total), index)
    )
    for index in by_remainder[: width - sum(shares)]:
        shares[index] += 1
    for index, count in enumerate(counts):
        largest = max(range(len(shares)), key=shares.__getitem__)
        if count and not shares[index] and shares[largest] > 1:
            shares[largest] -= 1
            shares[index] = 1
    return shares
