"""Titles of stories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.story import read_story
from tests.bmad.story_text import story_of
from tests.support.bmad_documents import bmad_document
from tests.support.linear_time import assert_linear

SECTIONS = "\n\n## Status\n\nDone\n\n## Acceptance Criteria\n\n1. A\n"


@pytest.mark.parametrize(
    ("name", "text", "title", "id_"),
    [
        # The first heading is of the project.
        ("1.2.shop-pay", "# Shop\n\n## Story 1.2: Shop pay", "Shop pay", "1.2"),
        ("1.2.story", "# Shop\n\n## Story 1.2: Pay\n\n## Story 1.3: B", "Pay", "1.2"),
        ("login.story", "# Shop\n\n## Story 1.2: Pay", "Pay", "1.2"),
        # The file is named after it.
        ("1.2.pay", "# Pay\n\n## Story 1.2: More of Pay", "Pay", "1.2"),
        ("story-pay", "# Pay invoices\n\n## Story 2.4: Refunds come later", "Pay invoices", ""),
        # Several stories are below it.
        ("story-buy", "# Checkout\n\n## User Story 1: A\n\n## User Story 2: B", "Checkout", ""),
    ],
)
def test_a_title_is_in_the_first_heading_or_below_that_of_the_project(
    name: str, text: str, title: str, id_: str
) -> None:
    story = story_of(text, f"docs/stories/{name}.md")
    assert (story["title"], story["id"]) == (title, id_)


@pytest.mark.parametrize(
    ("written", "title", "id_"),
    [
        ("title: Sign in", "Sign in", "1.2"),
        ("story_title: Sign in", "Sign in", "1.2"),
        ("Story Name: Sign in", "Sign in", "1.2"),
        ("name: Sign in", "Sign in", "1.2"),
        ("name: Login", "Login", "1.2"),
        ("story: 'Story 1.2: Sign in'", "Sign in", "1.2"),
        ("name: 登录", "登录", "1.2"),
        ("title: Sign in\nname: Other", "Sign in", "1.2"),
        # Slugs, ids, paths, sentences and values that are no texts are no titles.
        *(
            (f"{key}: {value}", "pay by card", "1.2")
            for key in ("name", "story", "story_name")
            for value in (
                *("sign-in", "login", "1.2", "12", "1-2-sign-in", "docs/stories/1.2.sign-in.md"),
                *("AP-4.4", "[Sign in]", "true", "As a user, I want to sign in"),
            )
        ),
    ],
)
def test_front_matter_has_the_title_where_no_heading_does(
    written: str, title: str, id_: str
) -> None:
    text = f"---\n{written}\n---\n\nText\n"
    story = story_of(text, "docs/stories/1.2.pay-by-card.md")
    assert (story["title"], story["id"]) == (title, id_)
    for heading in ("# Story 1.2: Pay", "# Story: Pay"):
        story = story_of(text.replace("Text", heading), "docs/stories/1.2.pay-by-card.md")
        assert story["title"] == "Pay"


@pytest.mark.parametrize("key", ["name", "story", "story_name"])
def test_heading_goes_before_a_name_in_front_matter(key: str) -> None:
    text = f"---\n{key}: Sign in\n---\n\n# Pay\n"
    assert story_of(text, "docs/stories/1.2.story.md")["title"] == "Pay"


@pytest.mark.parametrize(
    "text",
    [
        "# Story 1.2\n\n## Login page",
        "# Story 1.2\n\n### Login page",
        "# Story 1.2\n\n**Login page**",
        "# Story 1.2\n\n## Title\n\nLogin page",
        "# Story 1.2\n\n## Story Title\n\n**Login page**",
        "# Story 1.2\n\n**Titre :** Login page",
        "# Story 1.2\n\n**标题\uff1a** Login page",
        "# Story 1.2\n\n**Name:** Login page",
        "# Story\n\nStory 1.2: Login page",
        "# Story\n\n**Story 1.2**: Login page",
        "# Story 1.2\n\n## 1.2 Login page",
        "# Story Title: Login page",
        "# Story Details\n\n**Title:** Login page",
        "**Story 1.2: Login page**",
        "Story 1.2: Login page",
    ],
)
def test_a_title_is_below_a_heading_without_one_or_in_the_first_line(text: str) -> None:
    story = story_of(f"{text}{SECTIONS}", "docs/stories/1.2.story.md")
    assert (story["id"], story["title"]) == ("1.2", "Login page")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Story 1.2\n\n## Overview\n\nText.", "pay"),
        ("# Story 1.2\n\n## Context\n\n- A", "pay"),
        ("# Story 1.2\n\nText.\n\n## Login page", "pay"),
        ("# Story 1.2\n\n**Draft**", "pay"),
        ("# Story 1.2\n\n**Tasks**\n\n- [ ] a", "pay"),
        ("# Story 1.2\n\n**As a user**, I pay.", "pay"),
        ("# Story 1.2\n\n**Epic 1**", "pay"),
        ("# Story 1.2\n\n## Epic 1: Shop", "pay"),
        ("# Story 1.2\n\n## Title\n\n- A", "pay"),
        ("# Story 1.2\n\n## Tasks\n\n**Name:** Ann", "pay"),
        ("# Pay by card\n\n**Name:** Ann", "Pay by card"),
        ("# Pay by card\n\n## Login page", "Pay by card"),
        ("Story 1.3: Login page", "pay"),
        ("**Story:** As a user, I pay", "pay"),
        ("# Story\n\n**Story:** Login page", "pay"),
        ("Story 1.2: it comes first.", "pay"),
        ("Story 1.2: it comes first\nand goes on", "pay"),
        ("# Story 1.2: .NET is used", ".NET is used"),
        ("# 1.2.Pay", "Pay"),
        ("# Story: Details of a card", "Details of a card"),
        ("# Story: Card", "Card"),
        ("# Story Card", "pay"),
        # What is bold, or a heading, below one without a title shares no word with the file's name.
        *(
            (f"# Story 1.2\n\n**{bold}**", "pay")
            for bold in (
                *("As a user, I want x so that y", "As a user", "High priority", "Sprint 3"),
                *("5 points", "Do not edit by hand", "2024-05-01", "IMPORTANT", "Login page"),
            )
        ),
        ("# Story 1.2\n\n**As a user, I want to pay**", "pay"),
        ("# Story 1.2\n\n**Pay with a card**", "Pay with a card"),
        ("# Story 1.2\n\n## Overview\n\n### Purpose", "pay"),
        ("# Story 1.2\n\n## Background\n\n## Story", "pay"),
        ("# Story 1.2\n\n## Description\n\n### Goal", "pay"),
        ("# Story 1.2\n\n## Metadata\n\n## Story", "pay"),
        ("# Story 1.2\n\n## Pay with a card\n\n## Story", "Pay with a card"),
        ("# User Story\n\nStory 1.2: see the epic", "pay"),
        ("# Story\n\nStory 1.2 is about: payments", "pay"),
        ("# Story 1.2\n\n**Name:** Bob", "pay"),
        ("# Story 1.2\n\n| Name | Bob |\n|---|---|\n| Points | 3 |", "pay"),
    ],
)
def test_other_texts_are_no_titles(text: str, title: str) -> None:
    story = story_of(f"{text}{SECTIONS}", "docs/stories/1.2.pay.md")
    assert (story["id"], story["title"]) == ("1.2", title)


@pytest.mark.parametrize(
    "below",
    [
        "**As a user**",
        "**High priority**",
        "**Sprint 3**",
        "**5 points**",
        "**2024-05-01**",
        "**IMPORTANT**",
        "**Do not edit by hand**",
        "**Draft**",
        "## Overview",
        "## Background",
        "## Metadata",
    ],
)
def test_what_is_hardly_a_title_is_none_where_the_files_name_has_none_either(below: str) -> None:
    story = story_of(f"# Story 1.2\n\n{below}{SECTIONS}", "docs/stories/1.2.story.md")
    assert story["title"] == "1.2.story"


@given(st.text(st.sampled_from("# *Story12.:Title\n-")))
def test_any_text_has_a_title(text: str) -> None:
    assert read_story(bmad_document(text, "docs/stories/1.2.story.md"))["title"]


@pytest.mark.parametrize("piece", ["# Story 1.2\n", "# Story\n\n", "\n", "**a", "## Title\n"])
def test_titles_take_linear_time(piece: str) -> None:
    text = "# Story 1.2\n\n"
    assert_linear(
        read_story, lambda n: bmad_document(text + piece * n, "docs/stories/1.2.story.md"), 50
    )
