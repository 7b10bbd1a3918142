"""A sparkline: a small line of numbers, without axes, for a page that says the numbers in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_POINTS: Final = 1_000
WIDTH: Final = 120
HEIGHT: Final = 28
MARGIN: Final = 3  # for the width of the line, and the dot at its end


class Sparkline(NamedTuple):
    """The size of a picture, the points of its line for `polyline`, and the last of them."""

    width: int
    height: int
    points: str
    last: tuple[str, str]


def place_sparkline(values: Sequence[int]) -> Sparkline | None:
    """Return where the line of the last MAX_POINTS values is, or None with fewer than two.

    The picture's lower edge is 0, its upper edge the largest value.
    """
    values = values[-MAX_POINTS:]
    if len(values) < 2:
        return None
    largest = max(*values, 1)
    across, up = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    points = [
        (
            f"{MARGIN + across * number / (len(values) - 1):.4g}",
            f"{HEIGHT - MARGIN - up * max(value, 0) / largest:.4g}",
        )
        for number, value in enumerate(values)
        # Within a level part of the line, its two ends say all.
        if number in {0, len(values) - 1} or not values[number - 1] == value == values[number + 1]
    ]
    return Sparkline(WIDTH, HEIGHT, " ".join(f"{x},{y}" for x, y in points), points[-1])
