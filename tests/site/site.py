"""A hub with projects for the tests of its pages: realistic, hostile, empty and failed ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.site.berths import commit_berths

if TYPE_CHECKING:
    from tests.support.hub import Hub

SCRIPT: Final = "<script>alert(1)</script>"
LONG_WORD: Final = "Unbreakable" * 20

# What a stranger writes whose documents the hub shows.
HOSTILE: Final = {
    "docs/prd.md": f'# {SCRIPT} & "quotes" \'\n\n{SCRIPT}\n\n<img src=x onerror=alert(1)>\n',
    "docs/long.md": f"# {LONG_WORD}\n\n{LONG_WORD}\n\n| {LONG_WORD} | b |\n|---|---|\n| 1 | 2 |\n",
    "docs/links.md": "# Links\n\n[a](javascript:alert(1)) [b](data:text/html,x) [c](vbscript:x)\n",
    "docs/style.md": "# Style\n\n<style>* { display: none }</style><p style='color: red'>a</p>\n"
    "<iframe src='https://evil.example'></iframe><svg onload='alert(1)'></svg>\n",
    f"docs/{SCRIPT.replace('/', '')}.md": "# In a folder\n\nIts name is hostile.\n",
    "docs/stories/1.1.story.md": f"# Story 1.1: {SCRIPT} {LONG_WORD}\n\nStatus: {SCRIPT}\n\n"
    "## Story\n\nAs a <b>stranger</b>, I want all, so that I have it.\n\n"
    "## Acceptance Criteria\n\n1. A\n",
    "docs/epics/epic-1.md": f"# Epic 1: {SCRIPT} & {LONG_WORD}\n\n## Goal\n\nHarm.\n",
}


class Site(NamedTuple):
    """The hub, and the ids of its projects."""

    hub: Hub
    berths: str
    berths_source: str
    hostile: str
    empty: str
    failed: str


def make_site(hub: Hub) -> Site:
    """Make the projects and sync them."""
    remote = hub.server.create("harbour/berths")
    commit_berths(remote, datetime.now(UTC).date())
    berths = hub.create_project("Berths")
    berths_source = hub.create_source(berths, remote, name="Planning")
    run = hub.sync(berths_source)
    assert run["status"] == "completed", run

    strange = hub.server.create("stranger/docs")
    strange.commit({path: text.encode() for path, text in HOSTILE.items()})
    hostile = hub.create_project(f"{SCRIPT} {LONG_WORD}"[:100])
    run = hub.sync(hub.create_source(hostile, strange, name=f"<b>{SCRIPT}"))
    assert run["status"] == "completed", run

    empty = hub.create_project("An empty project")
    failed = hub.create_project("A project whose repository is empty")
    run = hub.sync(hub.create_source(failed, hub.server.create("harbour/nothing")))
    assert run["status"] == "failed", run
    return Site(hub, berths, berths_source, hostile, empty, failed)
