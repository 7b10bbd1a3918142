"""The page of a project."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from service.routes.shared import name_status
from service.site import project
from service.site.project import COLUMNS, SHOWN
from tests.site.browser import Look, OpenPage, assert_no_sideways_scroll
from tests.site.links import ReadPage
from tests.site.site import LONG_WORD, SCRIPT, Site
from tests.support.board import Board, Work, awaited, gate
from tests.support.browser import needs_chromium
from tests.support.hub import Hub, running_hub
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    import httpx

    from service.database.database import Queries


@pytest.fixture
def work(database: str) -> Work:
    """The work of a project's only source."""
    board = Board(database)
    return board.add_source(board.add_project())


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Iterator[Hub]:
    with running_hub(database, tmp_path) as hub:
        yield hub


def read_page(client: httpx.Client, project_id: str) -> ReadPage:
    response = client.get(f"/projects/{project_id}")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return ReadPage(response.text)


def show_as_synced(work: Work) -> None:
    work.board.execute(
        "update project_doc set last_synced_at = now(), last_commit = %s where id = %s",
        "3f786850e387550fdab836ed7e6dc881de23001b",
        work.source,
    )


def test_the_page_of_a_synced_project_has_all_its_parts(site: Site) -> None:
    page = read_page(site.hub.client, site.berths)
    assert page.headings[0] == (1, "Berths")
    names = [text.rstrip("0123456789 ") for level, text in page.headings if level == 2]
    assert names == [
        *("Progress", "Source", "Next", "Problems", "Board", "Epics", "Burn-up"),
        *("Last changes", "To use elsewhere"),
    ]
    api = site.hub.client.get(f"/api/projects/{site.berths}/progress").json()
    done, total = api["totals"]["done"], api["totals"]["stories"]
    assert f"{done} of {total - api['by_status']['cancelled']} stories done" in page.text
    for status, count in api["by_status"].items():
        if count:
            assert f"{count} {name_status(status)}" in page.sections["Progress"]
    for epic in api["by_epic"]:
        assert epic["title"] in page.sections["Epics"]


def test_headings_leave_out_no_level(site: Site) -> None:
    for project_id in (site.berths, site.hostile, site.empty, site.failed):
        levels = [level for level, _ in read_page(site.hub.client, project_id).headings]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(later <= level + 1 for level, later in pairwise(levels))


def test_links_are_relative_and_lead_to_pages_and_routes_of_this_project(site: Site) -> None:
    path = f"/projects/{site.berths}"
    page = read_page(site.hub.client, site.berths)
    assert not [href for _, href in page.links if href.startswith("/")]
    led = set(page.leads_to(path))
    stories = site.hub.client.get(f"/api/projects/{site.berths}/stories").json()
    files = {story["path"] for story in stories if story["path"]}
    shown = {target.partition("#")[0] for target in led}
    assert {f"{path}/files/{file}" for file in files} <= shown
    assert {f"{path}/stories", f"{path}/epics", f"{path}/problems", f"{path}/files"} <= led
    for target in sorted({target.partition("#")[0] for target in led}):
        assert site.hub.client.get(target).status_code == 200, target


def test_behind_a_prefix_no_link_leaves_it(database: str, tmp_path: Path) -> None:
    with running_hub(database, tmp_path, root_path="/hub") as hub:
        project_id = hub.create_project()
        hub.create_source(project_id, hub.server.create())
        path = f"/hub/projects/{project_id}"
        response = hub.client.get(path)
        assert response.status_code == 200
        led = ReadPage(response.text).leads_to(path)
        assert led
        assert all(target.startswith(("/hub/", "#")) or target == path for target in led), led


def test_a_source_shows_its_repository_and_its_last_commit(
    client: httpx.Client, work: Work
) -> None:
    commit = "3f786850e387550fdab836ed7e6dc881de23001b"
    work.board.execute(
        "update project_doc set github_url = 'https://github.com/harbour/berths.git', "
        "branch = 'next', github_folder_path = 'docs/plan' where id = %s",
        work.source,
    )
    show_as_synced(work)
    work.add_run("completed", "2026-11-27T08:05:00Z")
    page = read_page(client, work.project)
    assert ("github.com/harbour/berths.git", "https://github.com/harbour/berths.git") in page.links
    assert (commit[:8], f"https://github.com/harbour/berths/blob/{commit}/docs/plan") in page.links
    source = page.sections["Source"]
    assert "synced 27 Nov 2026, 08:05 UTC, at commit 3f786850" in source
    assert "branch next folder docs/plan" in source
    work.board.execute("update project_doc set github_folder_path = null")
    page = read_page(client, work.project)
    assert (commit[:8], f"https://github.com/harbour/berths/commit/{commit}") in page.links


def test_a_failed_sync_shows_its_error_and_what_was_synced_before(
    client: httpx.Client, work: Work
) -> None:
    show_as_synced(work)
    work.board.execute("update project_doc set last_synced_at = '2026-11-20T07:00:00Z'")
    work.add_run("failed", "2026-11-27T08:05:00Z", f"There is no such branch {SCRIPT}.")
    source = read_page(client, work.project).sections["Source"]
    assert "sync failed 27 Nov 2026, 08:05 UTC" in source
    assert "last synced 20 Nov 2026, 07:00 UTC, at commit 3f786850" in source
    assert f"There is no such branch {SCRIPT}." in source


def test_a_source_whose_sync_failed_comes_first(client: httpx.Client, work: Work) -> None:
    failed = work.board.add_source(work.project, "Broken")
    failed.add_run("failed", "2026-11-27T08:05:00Z", "It failed.")
    work.board.add_source(work.project, "New")
    page = read_page(client, work.project)
    sources = page.sections["Sources"]
    assert [sources.index(name) for name in ("Broken", "Docs", "New")] == sorted(
        sources.index(name) for name in ("Broken", "Docs", "New")
    )
    assert sources.count("not synced yet") == 2


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_sync_under_way_is_told_to_the_script(
    client: httpx.Client, work: Work, state: str
) -> None:
    # A running one that no syncer takes, since its claim is long.
    work.board.execute(
        "insert into sync_run (project_doc_id, status, not_before, started_at, claim_id, "
        "claimed_until) values (%s, %s, null, now(), gen_random_uuid(), now() + interval '1 hour')"
        if state == "running"
        else "insert into sync_run (project_doc_id, status, created_at) "
        "values (%s, %s, now() + interval '1 hour')",
        work.source,
        state,
    )
    html = client.get(f"/projects/{work.project}").text
    assert f'data-sync-state="{state}"' in html
    assert f'data-source="{work.source}"' in html
    assert f'data-sync-status="../api/project-docs/{work.source}/sync-status"' in html


def test_an_empty_project_says_what_to_do(client: httpx.Client, work: Work) -> None:
    empty = work.board.add_project("Empty")
    page = read_page(client, empty)
    assert f"POST /api/projects/{empty}/docs" in page.text
    assert [text for level, text in page.headings if level == 2] == ["Progress"]


def test_a_source_that_was_never_synced_says_so(client: httpx.Client, work: Work) -> None:
    page = read_page(client, work.project)
    assert "No sync has been completed yet" in page.sections["Progress"]
    assert "not synced yet" in page.sections["Source"]


def test_a_project_without_stories_shows_its_problems(client: httpx.Client, work: Work) -> None:
    show_as_synced(work)
    page = read_page(client, work.project)
    assert "Its documents have no stories." in page.sections["Progress"]
    assert page.sections["Problems"] == "None: the documents agree with each other."
    work.add_problem("warning", path="docs/a.md", line=3, detail="The link is dead.")
    page = read_page(client, work.project)
    assert "The link is dead. docs/a.md:3" in page.sections["Problems"]
    assert "Board" not in page.sections


def test_a_story_names_its_epic_its_gate_and_what_it_waits_for(
    client: httpx.Client, work: Work
) -> None:
    show_as_synced(work)
    work.add_epic("1")
    waits_for = [awaited("1.2", "Sign <b>in</b>", "in_progress"), awaited("2"), awaited("x", "X")]
    work.add_story(
        "1.1",
        "Pay",
        "blocked",
        path="docs/1.1.md",
        gate=gate("FAIL"),
        waits_for=waits_for,
        review_findings_open=2,
    )
    page = read_page(client, work.project)
    for part in ("Next", "Board"):
        text = page.sections[part]
        assert "1.1 Pay" in text
        assert "epic 1" in text
        assert "gate FAIL" in text
        assert "2 open findings" in text
        assert "waits for 1.2 Sign <b>in</b> (in progress), 2, x X" in text
    led = page.leads_to(f"/projects/{work.project}")
    assert f"/projects/{work.project}/files/docs/1.1.md" in led
    assert f"/projects/{work.project}/files/docs/qa/gates/1.1-x.yml#L4" in led
    assert f"/projects/{work.project}/stories?epic=1&tree=" in led


def test_the_worst_problems_come_first_one_of_each_kind(client: httpx.Client, work: Work) -> None:
    show_as_synced(work)
    work.add_problem("info", kind="deferred_work", detail="Later.")
    for detail in ("Dead one.", "Dead two."):
        work.add_problem("warning", kind="broken_link", detail=detail)
    work.add_problem("error", kind="gate_failed", detail="It failed.", path="g.yml", line=2)
    page = read_page(client, work.project)
    text = page.sections["Problems"]
    assert text.startswith("1 error 2 warnings 1 info all of them")
    places = [text.index(each) for each in ("It failed. g.yml:2", "Dead one.", "Later.")]
    assert places == sorted(places)
    assert "Dead two." not in text
    assert "Broken link 2 warnings" in text
    led = page.leads_to(f"/projects/{work.project}")
    assert f"/projects/{work.project}/problems?kind=broken_link" in led
    assert f"/projects/{work.project}/problems?severity=error" in led


def add_many_stories(work: Work, count: int) -> None:
    """Add stories of all statuses, `count` of each, in as many epics as there are statuses."""
    for epic, status in enumerate(COLUMNS, 1):
        work.add_epic(str(epic))
        work.add_story(f"{epic}.1", f"Some {status}", status)
    work.board.execute(
        """
        insert into story
        select project_doc_id, place || lpad(number::text, 5, '0'), key || '/' || number,
               epic_place, epic, id, title, status, is_archived, file_path, item, digest
        from story, generate_series(2, %s) as number
        where project_doc_id = %s
        """,
        count,
        work.source,
    )


def test_many_stories_are_cut_and_lead_to_the_rest(client: httpx.Client, work: Work) -> None:
    show_as_synced(work)
    add_many_stories(work, 300)
    response = client.get(f"/projects/{work.project}")
    page = ReadPage(response.text)
    board = page.sections["Board"]
    led = page.leads_to(f"/projects/{work.project}")
    for status in COLUMNS:
        assert board.count(f" Some {status}") == SHOWN["column"]
        assert f"All 300 stories that are {name_status(status)}" in board
        assert f"/projects/{work.project}/stories?status={status}" in led
    assert page.sections["Next"].count("Some draft") == SHOWN["next"]
    assert "and 594 more" in page.sections["Next"]
    assert "300 stories of unknown status are in none of these lists." in page.sections["Next"]
    assert len(response.content) < 150_000


def test_a_story_in_review_is_called_so_everywhere(client: httpx.Client, work: Work) -> None:
    show_as_synced(work)
    work.add_epic("1")
    work.add_story("1.1", "A", "review")
    for name in ("", "/stories", "/epics"):
        text = ReadPage(client.get(f"/projects/{work.project}{name}").text).text
        found = re.findall(r"(\w+) review\b", text)
        assert set(found) <= {"in", "In"}, text
        assert found
    assert "Review" not in client.get(f"/projects/{work.project}").text
    assert "In review 1" in ReadPage(client.get(f"/projects/{work.project}").text).text


def test_many_epics_are_cut_and_lead_to_the_rest(client: httpx.Client, work: Work) -> None:
    show_as_synced(work)
    for number in range(40):
        work.add_epic(str(number), f"Named {number}")
        work.add_story(f"{number}.1", status="done" if number < 30 else "review")
    page = read_page(client, work.project)
    epics = page.sections["Epics"]
    assert epics.startswith("Under way 10")
    assert "Finished 30" in epics
    assert "and 18 more All 40 epics" in epics
    assert f"/projects/{work.project}/epics" in page.leads_to(f"/projects/{work.project}")


def test_products_are_told_apart(client: httpx.Client, work: Work) -> None:
    show_as_synced(work)
    for tree in ("apps/web", "apps/<b>", ""):
        work.add_epic("1", "Pay", tree=tree)
        work.add_story("1.1", "Pay now", "review", tree=tree)
    page = read_page(client, work.project)
    products = page.sections["Products"]
    for name in ("apps/web 1 epic", "apps/<b> 1 epic", "the repository itself 1 epic"):
        assert name in products
    assert page.sections["Board"].count("Pay now epic 1 apps/web") == 1
    led = page.leads_to(f"/projects/{work.project}")
    assert f"/projects/{work.project}/epics?tree=apps%2Fweb" in led
    other = work.board.add_source(work.project, "Another")
    other.add_epic("1", "Else")
    assert "Docs / apps/web 1 epic" in read_page(client, work.project).sections["Products"]
    assert "Another 1 epic" in read_page(client, work.project).sections["Products"]


def test_the_burn_up_has_figures_for_those_who_do_not_see_it(
    client: httpx.Client, work: Work
) -> None:
    show_as_synced(work)
    assert "Burn-up" not in read_page(client, work.project).sections
    work.add_story("1.1", status="done")
    work.add_day(9, 3, 0)
    work.add_day(1, 4, 1)
    html = client.get(f"/projects/{work.project}").text
    assert 'src="../api/projects/' in html
    assert 'alt="The burn-up: 1 of 4 stories done on ' in html
    text = ReadPage(html).sections["Burn-up"]
    assert "Day Scope Done" in text
    assert "2026 4 1 " in text
    assert "Week from Done" in text


def test_the_last_runs_show_which_stories_changed(client: httpx.Client, work: Work) -> None:
    show_as_synced(work)
    changed = [
        {"id": "1.1", "title": SCRIPT, "path": "docs/1.1.md", "from": "draft", "to": "done"},
        {"id": "1.2", "title": "New", "path": None, "from": None, "to": "review"},
        {"id": "1.3", "title": "Gone", "path": "docs/1.3.md", "from": "done", "to": None},
    ]
    work.add_activity("2026-11-25T03:01:00Z", changed=2, statuses=changed)
    work.add_activity("2026-11-26T03:01:00Z", added=7, statuses=changed[:1] * 40)
    page = read_page(client, work.project)
    text = page.sections["Last changes"]
    assert text.index("26 Nov 2026, 03:01 UTC") < text.index("25 Nov 2026, 03:01 UTC")
    assert f"1.1 {SCRIPT}: draft → done" in text
    assert "1.2 New: new, in review" in text
    assert "1.3 Gone: gone, was done" in text
    assert f"and {40 - SHOWN['changes']} more" in text
    led = page.leads_to(f"/projects/{work.project}")
    assert f"/projects/{work.project}/files/docs/1.1.md" in led
    assert f"/projects/{work.project}/files/docs/1.3.md" not in led


def test_the_feed_is_named_in_the_head(client: httpx.Client, work: Work) -> None:
    html = client.get(f"/projects/{work.project}").text
    assert (
        '<link rel="alternate" type="application/atom+xml" title="What changed" '
        f'href="../api/projects/{work.project}/activity.atom">'
    ) in html.partition("</head>")[0]


def test_hostile_texts_are_text(client: httpx.Client, database: str) -> None:
    board = Board(database)
    hostile = f"{SCRIPT}\" ' &amp; {{{{ 7 * 7 }}}} {LONG_WORD}"
    project_id = board.add_project(f"Name {hostile}"[:200])
    board.execute("update project set description = %s", hostile)
    work = board.add_source(project_id, f"Source {hostile}"[:200])
    show_as_synced(work)
    work.add_epic("<b>1", hostile, tree=hostile)
    work.add_story(
        "<b>1.1",
        hostile,
        path=f"docs/{hostile}.md",
        tree=hostile,
        waits_for=[awaited("<i>2", hostile)],
    )
    work.add_problem("error", detail=hostile, path=f"docs/{hostile}.md")
    work.add_activity(
        "2026-11-25T03:01:00Z",
        statuses=[{"id": "<i>", "title": hostile, "path": hostile, "from": None, "to": "done"}],
    )
    work.add_run("failed", "2026-11-27T08:05:00Z", hostile)
    page = read_page(client, project_id)
    assert page.text.count(f"{SCRIPT}\" ' &amp; {{{{ 7 * 7 }}}}") >= 10
    assert page.tags.count("script") == 1
    assert {"b", "i"}.isdisjoint(page.tags)


@pytest.mark.parametrize("path", ["", "/stories", "/epics", "/problems"])
def test_a_project_that_is_not_there_is_a_404(client: httpx.Client, path: str) -> None:
    target = f"/projects/{uuid4()}{path}"
    assert_problem(client.get(target), 404)
    response = client.get(target, headers={"Accept": "text/html"})
    assert (response.status_code, response.headers["content-type"]) == (
        404,
        "text/html; charset=utf-8",
    )
    assert "There is no such project." in response.text
    assert_problem(client.get(f"/projects/1{path}"), 400)


@pytest.mark.parametrize("path", ["", "/stories?status=draft", "/epics", "/problems"])
def test_a_page_that_the_client_has_is_a_304_until_a_run_changes_anything(
    hub: Hub, path: str
) -> None:
    story = "# Story 1.1: {title}\n\n## Status\n\nDraft\n\n## Story\n\nAs a user, I want it.\n"
    remote = hub.server.create()
    remote.commit({"docs/stories/1.1.story.md": story.format(title="Pay").encode()})
    project_id = hub.create_project()
    source = hub.create_source(project_id, remote)
    assert hub.sync(source)["status"] == "completed"
    target = f"/projects/{project_id}{path}"
    first = hub.client.get(target)
    tag = {"If-None-Match": first.headers["etag"]}
    again = hub.client.get(target, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == first.headers["cache-control"] == "private, no-cache"
    # The title alone, which changes no count of any status.
    remote.commit({"docs/stories/1.1.story.md": story.format(title="Refund").encode()})
    assert hub.sync(source)["status"] == "completed"
    changed = hub.client.get(target, headers=tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


def test_a_page_is_of_one_moment(
    client: httpx.Client, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run changes between two queries of a page is not in the second one."""
    show_as_synced(work)
    work.add_story("1.1", "Before", "review")
    read_columns = project.read_columns

    async def read_later(queries: Queries, project_id: UUID, shown: int) -> dict[str, list[str]]:
        work.add_story("1.2", "Meanwhile", "review")
        return await read_columns(queries, project_id, shown)

    monkeypatch.setattr(project, "read_columns", read_later)
    page = read_page(client, work.project)
    assert "0 of 1 story done" in page.text
    assert "Before" in page.sections["Board"]
    assert "Meanwhile" not in page.text
    monkeypatch.undo()
    assert "Meanwhile" in read_page(client, work.project).text


def test_of_many_sources_the_first_are_shown(client: httpx.Client, work: Work) -> None:
    for number in range(SHOWN["sources"] + 4):
        work.board.add_source(work.project, f"Source {number}")
    text = read_page(client, work.project).sections["Sources"]
    assert text.endswith("and 5 more: all sources, as JSON")


@needs_chromium
@pytest.mark.parametrize("look", [Look("light", "wide"), Look("dark", "narrow")], ids=str)
def test_the_pictures_of_the_page_load(site: Site, open_page: OpenPage, look: Look) -> None:
    page = open_page(f"/projects/{site.berths}", look)
    page.locator(".burn-up img").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    widths: list[int] = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(widths) == 2
    assert all(widths), json.dumps(widths)


@needs_chromium
def test_a_column_of_long_titles_stays_short(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"/projects/{site.hostile}", Look("light", "narrowest"))
    heights: list[float] = page.eval_on_selector_all(
        ".columns .work-name", "names => names.map(name => name.getBoundingClientRect().height)"
    )
    assert heights
    assert max(heights) < 120
    assert_no_sideways_scroll(page)


@needs_chromium
def test_a_printed_page_is_no_wider_than_the_paper(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"/projects/{site.berths}", Look("dark", "wide"))
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 720, "height": 1000})
    assert_no_sideways_scroll(page)
    found: dict[str, Any] = page.evaluate(
        """() => ({
            background: getComputedStyle(document.body).backgroundColor,
            columns: document.querySelectorAll(".column").length,
        })"""
    )
    page.emulate_media(media="screen")
    assert found["background"] == "rgb(255, 255, 255)"
    assert found["columns"] > 4
