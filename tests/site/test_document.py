"""The page of a document over HTTP: what it says, its entity tag, and how its HTML is made."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from starlette.concurrency import run_in_threadpool

from service.database.database import open_database
from service.routes.document_pages import read_document_facts
from service.site.document import PROBLEMS_OPEN, kept_documents, read_html
from tests.support.hub import Hub, Synced, running_hub
from tests.support.postgres import run_sql
from tests.support.waiting import assert_in_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.postgres import Postgres

STORY = """\
# Story 1.{number}: {title}

Status: {status}

## Story

As a skipper, I want a berth, so that I can stay.

## Acceptance Criteria

1. It floats.

## Tasks / Subtasks

- [x] Build it
- [ ] Try it
{more}"""
FILES = {
    "docs/prd.md": "# Berths\n\nWhy.\n\n## Goals\n\nA [story](stories/1.2.pay.md).\n",
    "docs/stories/1.1.list.md": STORY.format(number=1, title="List", status="Done", more=""),
    "docs/stories/1.2.pay.md": STORY.format(
        number=2,
        title="Pay <b>now</b>",
        status="In Progress",
        more="\n## Dependencies\n\n- Story 1.3\n\nSee [nothing](nothing.md).\n",
    ),
    "docs/stories/1.3.print.md": STORY.format(number=3, title="Print", status="Draft", more=""),
    "docs/epics/epic-1.md": "# Epic 1: Money\n\n## Goal\n\nTo be paid.\n",
    "docs/qa/gates/1.1-list.yml": 'schema: 1\nstory: "1.1"\ngate: CONCERNS\nquality_score: 70\n',
    "docs/front.md": "---\ntitle: [\n---\n\n# Front\n",
}
BYTES = {
    "docs/windows.md": "# Überfahrt\n\nKöln: 5 €\n".encode("cp1252"),
    "docs/utf16.md": "# 船\n\n港\n".encode("utf-16"),
    "docs/broken.md": b"# Broken\n\nA byte: \xff.\n" + b"More text. " * 50,
}


@pytest.fixture(scope="module")
def hub(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    database = postgres.create_database(template="migrated")
    with running_hub(database, tmp_path_factory.mktemp("hub")) as hub:
        yield hub
    postgres.drop_database(database)


@pytest.fixture(scope="module")
def shown(hub: Hub) -> Synced:
    """A project that no test changes."""
    shown = Synced(hub, {path: text.encode() for path, text in FILES.items()} | BYTES, "Shown")
    run_sql(
        hub.database,
        "update project_doc set github_url = 'https://github.com/team/docs' "
        f"where id = '{shown.source}'",
    )
    return shown


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def get(synced: Synced, path: str, **headers: str) -> httpx.Response:
    return synced.hub.client.get(f"/projects/{synced.project}/files/{path}", headers=headers)


def texts(page: str) -> str:
    """Return the text of a page, with one space for each white space."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_a_story_has_its_status_its_epic_its_gate_and_what_it_waits_for(shown: Synced) -> None:
    page = get(shown, "docs/stories/1.2.pay.md").text
    text = texts(page)
    assert "Story 1.2 Status in progress" in text
    assert "Epic 1 Money" in text
    assert "Waits for 1.3 Print draft" in text
    assert "Tasks 1 of 2 done" in text
    assert "“In Progress” in this document, line 3, which decides" in text
    assert "1 problem" in text
    assert "nothing.md" in text
    listed = get(shown, "docs/stories/1.1.list.md").text
    assert "Gate CONCERNS 70 of 100" in texts(listed)
    assert re.search(r'href="[^"]*/docs/qa/gates/1\.1-list\.yml#L3"', listed)


def test_a_story_leads_to_those_before_and_after_it(shown: Synced) -> None:
    page = get(shown, "docs/stories/1.2.pay.md").text
    before = re.search(r'<a rel="prev" href="[./]*/projects/[^"]*/1\.1\.list\.md"', page)
    after = re.search(r'<a rel="next" href="[./]*/projects/[^"]*/1\.3\.print\.md"', page)
    assert before
    assert after
    first = get(shown, "docs/stories/1.1.list.md").text
    assert 'rel="prev"' not in first
    assert 'rel="next"' in first


def test_a_document_has_links_to_its_host(shown: Synced) -> None:
    commit = run_sql(
        shown.hub.database, f"select last_commit from project_doc where id = '{shown.source}'"
    )[0][0]
    page = get(shown, "docs/prd.md").text
    assert 'href="https://github.com/team/docs/edit/main/docs/prd.md"' in page
    assert f'href="https://github.com/team/docs/blob/{commit}/docs/prd.md"' in page
    assert f'href="https://github.com/team/docs/commit/{commit}"' in page
    assert "Edit on GitHub" in page


def test_names_and_titles_are_text(shown: Synced) -> None:
    page = get(shown, "docs/stories/1.1.list.md").text
    assert "Pay &lt;b&gt;now&lt;/b&gt;" in page or "Pay now" in page
    assert "Pay <b>" not in page


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docs/windows.md", "Köln: 5 €"),
        ("docs/utf16.md", "港"),
        ("docs/broken.md", "1 character of the file cannot be shown"),
        ("docs/front.md", "The front matter cannot be read"),
    ],
)
def test_a_document_in_another_encoding_is_shown_and_a_broken_one_says_so(
    shown: Synced, path: str, text: str
) -> None:
    response = get(shown, path)
    assert response.status_code == 200
    assert text in texts(response.text)


def test_a_page_is_revalidated_by_its_tag_without_a_rendering(shown: Synced) -> None:
    response = get(shown, "docs/prd.md")
    assert response.headers["cache-control"] == "private, no-cache"
    tag = response.headers["etag"]
    again = get(shown, "docs/prd.md", **{"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert again.headers["content-security-policy"] == response.headers["content-security-policy"]
    head = shown.hub.client.head(f"/projects/{shown.project}/files/docs/prd.md")
    assert head.headers["etag"] == tag
    assert (head.status_code, head.content) == (200, b"")
    assert get(shown, "docs/nothing.md", **{"If-None-Match": "*"}).status_code == 404
    assert get(shown, "nothing.d/", **{"If-None-Match": "*"}).status_code != 304


def test_the_tag_changes_with_all_that_the_page_shows(hub: Hub) -> None:
    synced = Synced(hub, {path: text.encode() for path, text in FILES.items()}, str(uuid4()))
    path = "docs/stories/1.2.pay.md"

    def tag() -> str:
        response = get(synced, path)
        assert response.status_code == 200
        return response.headers["etag"]

    tags = [tag()]
    assert tag() == tags[0]
    # The status of the story that it waits for, in a file of the same size.
    synced.change(
        {
            "docs/stories/1.3.print.md": FILES["docs/stories/1.3.print.md"]
            .replace("Draft", "Ready")
            .encode()
        }
    )
    tags.append(tag())
    synced.change({"docs/stories/1.0.new.md": b"# Notes\n"})  # beside it
    tags.append(tag())
    synced.change({path: FILES[path].replace("floats", "swings").encode()})
    tags.append(tag())
    assert "swings" in get(synced, path).text
    hub.client.put(f"/api/projects/{synced.project}", json={"name": f"Renamed {synced.project}"})
    tags.append(tag())
    assert len({*tags}) == len(tags)


def test_a_document_says_what_changed_it_last_and_when(hub: Hub) -> None:
    files = {"a.md": b"# Kept\n", "b.md": b"# Changed\n", "c.md": b"# Moved\n\nFar.\n"}
    synced = Synced(hub, files, str(uuid4()))

    def last_run() -> tuple[str, str]:
        """Return the day and the commit of the last sync, as pages show them."""
        query = f"select last_synced_at, last_commit from project_doc where id = '{synced.source}'"
        synced_at, commit = run_sql(hub.database, query)[0]
        return f"{synced_at:%-d %b %Y}", commit[:7]

    def shown_at(path: str) -> str:
        return texts(get(synced, path).text).replace(" ,", ",")

    day, first = last_run()
    added = f"In the hub since {day}, commit {first}"
    for path in files:
        assert added in shown_at(path)
    synced.change({"b.md": b"# Changed anew\n", "c.md": None, "d.md": files["c.md"]})
    day, second = last_run()
    assert second != first
    assert added in shown_at("a.md")
    for path, change in (("b.md", "Changed"), ("d.md", "Moved")):
        assert f"{change} by the sync of {day}, commit {second}" in shown_at(path)
        assert first not in shown_at(path)


def test_a_folder_is_revalidated_and_its_tag_changes_with_a_story(hub: Hub) -> None:
    synced = Synced(hub, {path: text.encode() for path, text in FILES.items()}, str(uuid4()))
    tag = get(synced, "docs/stories").headers["etag"]
    assert get(synced, "docs/stories", **{"If-None-Match": tag}).status_code == 304
    synced.change(
        {
            "docs/stories/1.3.print.md": FILES["docs/stories/1.3.print.md"]
            .replace("Draft", "Ready")
            .encode()
        }
    )
    again = get(synced, "docs/stories", **{"If-None-Match": tag})
    assert again.status_code == 200
    assert again.headers["etag"] != tag


def test_a_moved_document_leads_to_the_root_from_where_it_is_now(hub: Hub) -> None:
    synced = Synced(hub, {"a.md": b"# Moved\n\n[root](/b.md)\n", "b.md": b"# B\n"}, "Moved")
    assert 'href="./b.md"' in get(synced, "a.md").text
    # Its id and its content stay, by which its HTML is kept.
    synced.remote.commit(renames={"a.md": "docs/deep/a.md"})
    assert hub.sync(synced.source)["moved"] == 1
    assert 'href="../../b.md"' in get(synced, "docs/deep/a.md").text


@pytest.mark.anyio
async def test_html_newer_than_the_facts_is_not_kept_as_theirs(hub: Hub) -> None:
    synced = Synced(hub, {"a.md": b"# Older\n"}, str(uuid4()))
    source = UUID(synced.source)
    kept = kept_documents()
    async with open_database(hub.database, 1) as database:
        older = await read_document_facts(database, source, "a.md")
        # A run ends between the two reads of a request, and the next one takes the change back.
        await run_in_threadpool(synced.change, {"a.md": b"# Newer\n"})
        newer = await read_document_facts(database, source, "a.md")
        assert older is not None
        assert newer is not None
        assert b"Newer" in (await read_html(kept, database, older, 0)).html.content
        assert b"Newer" in (await read_html(kept, database, newer, 0)).html.content
        await run_in_threadpool(synced.change, {"a.md": b"# Older\n"})
        assert b"Older" in (await read_html(kept, database, older, 0)).html.content
        # Until a change, HTML is kept.
        await database.execute("update document set content = 'Lost' where id = $1", older["id"])
        assert b"Older" in (await read_html(kept, database, older, 0)).html.content


def test_a_problem_leads_to_its_section_and_has_an_address_of_its_own(hub: Hub) -> None:
    text = "---\na: 1\n---\n\n[x](x.md)\n\n# A\n\n[y](y.md), [z](z.md)\n\n# Ö B\n\n[z](z.md)\n"
    synced = Synced(hub, {"docs/a.md": text.encode()}, str(uuid4()))
    page = get(synced, "docs/a.md").text
    panel = page[page.index('class="problem-list"') :].partition("</section>")[0]
    found = re.findall(r'<li( id="[^"]*")?>.*?\((.*?)\)</span>', panel)
    assert found == [
        (' id="hub-line-5"', "line 5"),
        (' id="hub-line-9"', '<a href="#a">line 9</a>'),
        ("", '<a href="#a">line 9</a>'),
        (' id="hub-line-13"', '<a href="#%C3%B6-b">line 13</a>'),
    ]
    problems = hub.client.get(f"/projects/{synced.project}/problems").text
    assert "files/docs/a.md#hub-line-13" in problems


def test_a_title_that_is_no_heading_of_the_first_level_stands_above_the_text_once(
    hub: Hub,
) -> None:
    files = {
        "lower.md": b"Text.\n\n## Lower\n\n## Other\n",
        "front.md": b"---\ntitle: Front\n---\n\n## Lower\n",
        "none.md": b"Text.\n",
        "upper.md": b"## Lower\n\n# Upper\n",
    }
    synced = Synced(hub, files, str(uuid4()))
    titles = {
        path: re.findall('<h1 class="file-name">(.*?)</h1>', get(synced, path).text)
        for path in files
    }
    assert titles == {
        "lower.md": ["lower.md"],
        "front.md": ["Front"],
        "none.md": ["none"],
        "upper.md": [],
    }


def test_of_many_problems_the_first_stand_open(hub: Hub) -> None:
    text = "".join(f"[x](x{number}.md)\n\n" for number in range(5))
    synced = Synced(hub, {"a.md": text.encode(), "b.md": b"[x](x.md)\n"}, str(uuid4()))
    page = get(synced, "a.md").text
    opened, _, folded = page[page.index('class="problem-list"') :].partition("<details>")
    assert opened.count('id="hub-line-') == PROBLEMS_OPEN
    assert "<summary>2 more</summary>" in folded
    assert folded.count('id="hub-line-') == 2
    assert "more</summary>" not in get(synced, "b.md").text


def test_many_entries_of_a_folder_come_in_pages(hub: Hub) -> None:
    synced = Synced(hub, {f"many/{number:04}.txt": b"x" for number in range(1, 1003)}, "Many")
    first, second = get(synced, "many"), get(synced, "many?page=2")
    assert "page 1 of 2" in first.text
    assert first.text.count("<tr>") == 1_001
    assert second.text.count("<tr>") == 3
    assert 'rel="next"' in first.text
    assert 'rel="prev"' in second.text
    assert get(synced, "many?page=3").status_code == 404
    for page in ("0", "-1", "x", "10001", "%00", "1e3", "²"):
        assert get(synced, f"many?page={page}").status_code == 400


def test_a_project_without_documents_refuses_what_is_no_page_too(hub: Hub) -> None:
    path = f"/projects/{hub.create_project('Nothing yet')}/files"
    assert hub.client.get(f"{path}?page=1").status_code == 200
    assert hub.client.get(f"{path}?page=x").status_code == 400


def test_health_answers_while_a_large_document_is_rendered_for_many(hub: Hub) -> None:
    # No hostile text, only a large one: sections with links, code and tables.
    section = (
        "## Section {0}\n\nSome *text* with [a link](b.md) and `code`.\n\n- [ ] a task\n\n"
        "| a | b |\n|---|---|\n| 1 | {0} |\n\n```python\nprint({0})\n```\n\n"
    )
    text = "# Large\n\n" + "".join(section.format(number) for number in range(4_000))
    synced = Synced(hub, {"large.md": text.encode()}, "Very large")
    worst = 0.0
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(get, synced, "large.md") for _ in range(8)]
        while not all(each.done() for each in waiting):
            begun = perf_counter()
            assert hub.client.get("/api/health/live").status_code == 200
            worst = max(worst, perf_counter() - begun)
        pages = {each.result().text for each in waiting}
    assert len(pages) == 1
    assert_in_time(worst, 1)


def test_a_large_page_is_the_same_with_gzip_and_without(hub: Hub) -> None:
    headings = "".join(f"## Heading {n} & {'more ' * 200}\n\nText\n\n" for n in range(100))
    large = Synced(hub, {"large.md": f"# Large\n\n{headings}".encode()}, "Sent in pieces")
    pages = [get(large, "large.md", **{"Accept-Encoding": coding}) for coding in ("gzip", "x")]
    assert [page.headers.get("content-encoding") for page in pages] == ["gzip", None]
    assert pages[0].text == pages[1].text
    assert len(pages[0].content) > 2 * len(headings)
    # The contents come first, and then the text.
    page = pages[0].text
    assert page.index('<a href="#heading-99') < page.index('<div class="rendered"')
    assert page.rindex("Heading 99 &amp; more") > page.index('<div class="rendered"')
    assert "\0" not in page
    assert page.endswith("</html>")
    tag = pages[0].headers["etag"]
    assert tag.endswith('-gzip"')
    assert get(large, "large.md", **{"If-None-Match": tag}).status_code == 304
