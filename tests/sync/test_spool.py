from __future__ import annotations

import pytest

from service.sync.spool import SPOOLED_IN_MEMORY, SpoolPlace, open_spool


@pytest.mark.parametrize("size", [10, SPOOLED_IN_MEMORY // 4])
def test_the_spool_gives_what_it_keeps_in_any_order_of_keeping_and_reading(size: int) -> None:
    contents = [bytes([letter]) * (size + letter) for letter in range(65, 75)]
    with open_spool() as spool:
        places: list[SpoolPlace] = []
        for number, content in enumerate(contents):
            places.append(spool.keep(content))
            assert spool.read(places[number // 2]) == contents[number // 2]
        places.append(spool.keep(b"end"))
        assert [*map(spool.read, reversed(places))] == [b"end", *reversed(contents)]
