"""Reads the project's Markdown: its pages, their sections, tables, links and anchors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from service import ROOT
from service.documents.metadata import read_metadata

if TYPE_CHECKING:
    from pathlib import Path

README = ROOT / "README.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def read_section(page: Path, heading: str) -> str:
    """Return the text below a heading of level 2 or 3, up to the next of its level or above."""
    found = re.search(
        rf"^(##|###) {re.escape(heading)}\n(.*?)(?=^## |\Z)",
        page.read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert found, f"{name_of(page)} has no heading {heading!r}"
    text = found[2]
    return text.partition("\n### ")[0] if found[1] == "###" else text


def read_rows(page: Path, heading: str, number: int = 0) -> list[list[str]]:
    """Return the rows of a section's table, without its header: the first one, or `number`."""
    tables = re.findall(r"(?:^\|.*\n)+", read_section(page, heading), re.MULTILINE)
    lines = tables[number].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def read_links(page: Path) -> list[str]:
    """Return the targets of a page's links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text()))


def read_anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = read_metadata(page.read_text(), "md", page.name)["headings"]
    return {heading["anchor"] for heading in headings}
