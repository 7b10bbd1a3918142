"""The style of rendered documents: every class has a rule, and every text has contrast."""

from __future__ import annotations

import re

import pytest

from service import ROOT
from service.rendering.highlighting import CLASSES
from service.rendering.sanitising import CLASSES as ALL_CLASSES

STYLE = (ROOT / "service/site/assets/hub.css").read_text()
DARK = "@media screen and (prefers-color-scheme: dark)"
# Of WCAG 2.2, 1.4.3, level AA.
CONTRAST = 4.5


def colours(theme: str) -> dict[str, str]:
    """Return the values of the variables of colours in a theme."""
    dark = "".join(re.findall(re.escape(DARK) + r" \{(.*?)\n\}", STYLE, re.DOTALL))
    light = re.sub(r"@media[^{]*\{.*?\n\}", "", STYLE, flags=re.DOTALL)
    found = dict(re.findall(r"(--hub-[a-z-]+): (#[0-9a-f]{6});", light))
    if theme == "dark":
        found |= dict(re.findall(r"(--hub-[a-z-]+): (#[0-9a-f]{6});", dark))
    return found


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))

    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_token_of_code_has_contrast(theme: str) -> None:
    values = colours(theme)
    rule = re.compile(r"^\.rendered pre \.([a-z]) \{ color: var\(([a-z-]+)\)", re.MULTILINE)
    rules = dict(rule.findall(STYLE))
    assert rules.keys() == CLASSES
    shown = {"--hub-text", "--hub-muted", *rules.values()}
    ratios = {name: contrast(values[name], values["--hub-code"]) for name in shown}
    assert {name: ratio for name, ratio in ratios.items() if ratio < CONTRAST} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_other_text_of_documents_has_contrast(theme: str) -> None:
    values = colours(theme)
    pairs = [
        *((f"--hub-{name}", "--hub-background") for name in ("info", "success", "warning")),
        *((f"--hub-{name}", "--hub-background") for name in ("error", "important", "muted")),
        *((f"--hub-{name}", "--hub-surface") for name in ("text", "muted", "link")),
        ("--hub-warning", "--hub-warning-surface"),
    ]
    ratios = {pair: contrast(values[pair[0]], values[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < CONTRAST} == {}


def test_every_class_has_a_rule() -> None:
    classes = {name for names in ALL_CLASSES.values() for name in names}
    without = {name for name in classes if not re.search(rf"\.{name}\b(?!-)", STYLE)}
    assert without == {"mermaid"}  # a figure like others
