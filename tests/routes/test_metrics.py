from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.service import serving
from tests.support.waiting import assert_in_time

if TYPE_CHECKING:
    from tests.support.postgres import Postgres


def test_a_frozen_database_does_not_delay_a_scrape(own_postgres: Postgres) -> None:
    with serving(own_postgres.url, health_timeout=0.3) as client:
        own_postgres.freeze()
        response = client.get("/metrics")
        own_postgres.thaw()
    assert response.status_code == 200
    assert "bmadflow_database_up 0.0" in response.text
    assert_in_time(response.elapsed.total_seconds(), 3)
