"""What the tools answer, over real synced documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.mcp.conftest import Agent, AgentHub

PRD = """---
status: approved
---
# Payments PRD

The product of the payments team.

## Goals

Money arrives within a day.

### Limits

At most 500 euro a day.

## Refunds

A refund has limits, see `REFUND_LIMITS`.
"""
STORY = """# Story 1.1: Refund emails

## Status

Ready for Development

## Story

**As a** customer,
**I want** an email,
**so that** I know.

## Acceptance Criteria

1. An email is sent.

## Tasks

- [x] Write it
- [ ] Test it
"""
DONE_STORY = STORY.replace("1.1: Refund emails", "1.2: Refund limits").replace(
    "Ready for Development", "Done"
)
EPIC = """# Epic 1: Refunds

## Story 1.1: Refund emails

As a customer, I want an email.

## Story 1.2: Refund limits

As a customer, I want limits.
"""
GATE = 'schema: 1\nstory: "1.2"\ngate: FAIL\nstatus_reason: "Not tested."\n'
PAYMENTS: dict[str, str] = {
    "docs/prd.md": PRD,
    "docs/stories/1.1.refund-emails.md": STORY,
    "docs/stories/1.2.refund-limits.md": DONE_STORY,
    "docs/epics/epic-1.md": EPIC,
    "docs/qa/gates/1.2-refund-limits.yml": GATE,
    "README.md": "# Payments\n\nSee [nothing](gone.md).\n",
}
PLATFORM = {"docs/prd.md": "# Platform PRD\n\n## Goals\n\nQueues for every refund.\n"}
NOTES = {"docs/prd.md": "# Notes PRD\n\nA pecan.\n", "notes/pecan.md": "# Pecan\n\nOne.\n"}


class Teams(NamedTuple):
    agent: Agent
    payments: str
    platform: str


@pytest.fixture(scope="module")
def teams(agent_hub: AgentHub) -> Teams:
    def add(project: str, name: str, files: Mapping[str, str]) -> None:
        remote = agent_hub.server.create(f"team/{name}")
        remote.commit({path: text.encode() for path, text in files.items()})
        source = agent_hub.create_source(project, remote, name=name)
        assert agent_hub.sync(source)["status"] == "completed"

    payments = agent_hub.create_project("Payments")
    platform = agent_hub.create_project("Platform")
    add(payments, "Planning", PAYMENTS)
    add(platform, "Handbook", PLATFORM)
    add(platform, "Notes", NOTES)
    return Teams(agent_hub.agent, payments, platform)


def test_a_project_is_listed_with_its_sources_commits_and_figures(teams: Teams) -> None:
    answer = teams.agent.call("list_projects")
    platform, payments = answer.structured["projects"]
    assert [platform["name"], payments["name"]] == ["Platform", "Payments"]
    assert [source["source"] for source in platform["sources"]] == ["Handbook", "Notes"]
    assert payments["stories"] == 2
    assert payments["stories_done"] == 1
    commit = payments["sources"][0]["commit"]
    assert f"source Planning: commit {commit[:12]}, synced 20" in answer.text
    assert f"id {teams.payments} · 6 documents · 1/2 stories done" in answer.text
    assert payments["url"].endswith(f"/projects/{teams.payments}")


@pytest.mark.parametrize(
    "tool", ["list_documents", "next", "progress", "list_stories", "list_problems"]
)
def test_each_tool_names_project_commit_and_page(teams: Teams, tool: str) -> None:
    answer = teams.agent.call(tool, project="Payments")
    source = answer.structured["sources"][0]
    assert answer.structured["project"]["id"] == teams.payments
    assert f"Project **Payments**, {answer.structured['project']['url']}" in answer.text
    assert (
        f"Source Planning: commit {source['commit'][:12]}, synced {source['synced_at']}"
        in answer.text
    )
    assert f"a page is {source['url']}/PATH#ANCHOR" in answer.text
    assert source["url"].endswith(f"/projects/{teams.payments}/files")
