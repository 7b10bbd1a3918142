"""The projects that the tests of pages look at are what their text says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.site.site import Site


def test_the_berths_have_documents_and_stories_of_each_status(site: Site) -> None:
    progress = site.hub.client.get(f"/api/projects/{site.berths}/progress").json()
    by_status = progress["by_status"]
    assert 40 <= len(site.hub.files(site.berths)) <= 60
    found = {name for name, count in by_status.items() if count}
    assert found >= {"draft", "approved", "in_progress", "review", "done", "blocked"}
    days = site.hub.client.get(f"/api/projects/{site.berths}/burnup").json()["days"]
    assert len(days) >= 25
    assert days[0]["done"] == 0
    assert days[-1]["done"] == by_status["done"] == 8
