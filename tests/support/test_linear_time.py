"""Linear time is told from quadratic time."""

import pytest

from tests.support.linear_time import assert_linear


def test_linear_time_is_told_from_quadratic_time() -> None:
    assert_linear(sum, lambda size: [1] * size, 200_000)
    with pytest.raises(AssertionError, match=r"^pairs: \d"):
        assert_linear(
            lambda items: [first < second for first in items for second in items],
            lambda size: [*range(size)],
            400,
            "pairs",
        )
