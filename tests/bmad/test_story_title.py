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
