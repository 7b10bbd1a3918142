from __future__ import annotations

import pytest

from service.drawing.sparkline import HEIGHT, MARGIN, MAX_POINTS, WIDTH, place_sparkline


@pytest.mark.parametrize("values", [[], [5]])
def test_fewer_than_two_values_make_no_line(values: list[int]) -> None:
    assert place_sparkline(values) is None


def test_the_line_goes_from_edge_to_edge_and_up_to_the_largest_value() -> None:
    line = place_sparkline([0, 2, 4])
    assert line is not None
    assert line.points == f"3,{HEIGHT - MARGIN} 60,14 {WIDTH - MARGIN},{MARGIN}"
    assert line.last == (f"{WIDTH - MARGIN}", f"{MARGIN}")


@pytest.mark.parametrize("values", [[0, 0], [-5, -1], [10**18, 0], list(range(5_000))])
def test_every_point_is_in_the_picture(values: list[int]) -> None:
    line = place_sparkline(values)
    assert line is not None
    points = [tuple(map(float, point.split(","))) for point in line.points.split()]
    assert 2 <= len(points) <= MAX_POINTS
    assert all(MARGIN <= x <= WIDTH - MARGIN and MARGIN <= y <= HEIGHT - MARGIN for x, y in points)


def test_a_level_part_has_only_its_ends() -> None:
    line = place_sparkline([1, 1, 1, 2, 2, 2])
    assert line is not None
    across = WIDTH - 2 * MARGIN
    level = f"{MARGIN + (HEIGHT - 2 * MARGIN) / 2:.4g}"
    assert line.points.split() == [
        f"{MARGIN},{level}",
        f"{MARGIN + across * 2 / 5:.4g},{level}",
        f"{MARGIN + across * 3 / 5:.4g},{MARGIN}",
        f"{WIDTH - MARGIN},{MARGIN}",
    ]
