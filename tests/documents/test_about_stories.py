"""Documents about stories, by their names and headings."""

import pytest

from service.documents.about_stories import is_about_stories, is_about_story, is_of_several
from tests.support.linear_time import assert_linear


@pytest.mark.parametrize(
    "text",
    [
        "story-map",
        "story-index",
        "STORY_INDEX",
        "story-writing-guide",
        "story-points",
        "story-telling",
        "story-dod-checklist",
        "Story Map",
        "User Story Guidelines",
        "Story Lifecycle",
        "Story Definition of Done (DoD) Checklist",
        "Story Creation Checklist",
        "/story command",
        "📚 Story Overview",
    ],
)
def test_documents_about_stories_have_such_names_and_headings(text: str) -> None:
    assert is_about_stories(text)


@pytest.mark.parametrize(
    "text",
    [
        "story",
        "Story",
        "User Story",
        "Story Details",
        "Story Draft",
        "story-login",
        "story-map-view",
        "story-status-of-orders",
        "story-1.1-index",
        "Story 1.2: Index",
        "Story: Map",
        "Story 1.2",
        "Checklist",
        "Story Review",
        "Stories",
        "",
    ],
)
def test_names_and_headings_of_stories_are_others(text: str) -> None:
    assert not is_about_stories(text)


@pytest.mark.parametrize(
    "heading",
    [
        "Story 1.1 Context",
        "Story 1.1 Tasks",
        "Story 1.1 Retrospective",
        "Story 1.1 QA review",
        "Story 1.1 Dev log",
        "Story 1.1: Completion Report",
        "Story 1.1 - Code Review",
        "Story 1-1: Test Results (2026-01-01)",
        "Implementation Plan: Story 1.1",
        "Review of Story 1.1: Login",
        "QA of Story 1.1",
        "Plan for the Story E1-S2",
        "Story Context: 1.1",
    ],
)
def test_documents_about_one_story_have_such_headings(heading: str) -> None:
    assert is_about_story(heading)


@pytest.mark.parametrize(
    "heading",
    [
        "Story 1.1",
        "Story 1.1: Validation",
        "Story 1.1 - Testing",
        "Story 1.1: Context",
        "Story 1.1 Contextual help",
        "Story 1.1: Code Review Board",
        "Story 1.1: Retrospective board",
        "Story 1.1 Login",
        "Draft: Story 1.1: Login",
        "Plan a trip",
        "Review Story 1.1",
        "Context: Login",
        "Epic 1: Tests, Story 1.1",
        "",
    ],
)
def test_headings_of_stories_are_of_the_story_itself(heading: str) -> None:
    assert not is_about_story(heading)


def test_headings_of_several_stories_are_in_the_plural() -> None:
    for heading in ("Stories 1.1 to 1.5", "User stories 1.1-1.5", "Stories E1-S2, E1-S3"):
        assert is_of_several(heading)
    for heading in ("Story 1.1", "Stories", "Stories of 2 users", "Many stories 1.1"):
        assert not is_of_several(heading)


@pytest.mark.parametrize("piece", ["story ", "story 1.1 ", "1.", "review ", " ", "- ", "story 1-"])
def test_a_long_heading_takes_linear_time(piece: str) -> None:
    for read in (is_about_stories, is_about_story, is_of_several):
        assert_linear(read, lambda n: piece * n, 1_000)
