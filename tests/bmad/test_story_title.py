"""Titles of stories."""

import pytest

from tests.bmad.story_text import story_of


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
