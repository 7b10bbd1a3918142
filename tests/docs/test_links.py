"""Every link, path and heading that a page leads to exists, and every page can be found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from service import ROOT
from tests.docs.markdown import PAGES, README, name_of, read_anchors, read_links

if TYPE_CHECKING:
    from pathlib import Path

PATH = re.compile(r"(?<![\w/.])(?:service|tests|sql)/[\w./-]*\w/?")

# The resource of the README's example, and the tour's rule for the names of tests.
PLACEHOLDERS = {
    "service/routes/comments.py",
    "service/schemas/comments.py",
    "tests/routes/test_comments.py",
    "service/ROOM/MODULE.py",
    "tests/ROOM/test_MODULE.py",
}

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in read_links(page):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), target
        if anchor:
            assert anchor in read_anchors(path), target


@each_page
def test_every_path_that_is_named_is_there(page: Path) -> None:
    named = {path for path in PATH.findall(page.read_text()) if path not in PLACEHOLDERS}
    # A link is relative to its page: the test above follows it.
    named -= {target.partition("#")[0] for target in read_links(page)}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_readme_leads_to_every_page() -> None:
    linked = {(README.parent / target.partition("#")[0]).resolve() for target in read_links(README)}
    assert {page for page in PAGES if page != README} <= linked


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=name_of)
def test_the_list_at_the_top_of_a_page_names_its_sections(page: Path) -> None:
    text = page.read_text()
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    top = text.partition("\n## ")[0]
    listed = re.findall(r"^- \[([^]]+)\]\(#", top, re.MULTILINE)
    assert listed
    assert listed == headings
