"""An SVG, parsed: its elements, its lines, and the contrast of its colours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator

SVG = "{http://www.w3.org/2000/svg}"

# What could run a script, load something, or leave the picture.
ACTIVE = {"script", "foreignObject", "image", "use", "a", "iframe", "animate", "set"}


def parse(text: str) -> ET.Element:
    """Return the root of a well-formed SVG that is passive."""
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    for element in root.iter():
        assert element.tag.removeprefix(SVG) not in ACTIVE
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert "href" not in name
            assert "url(" not in value.replace("url(#shade)", "")
    return root


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def name_of(root: ET.Element) -> str:
    """Return the name that a screen reader says; it is the title, too."""
    assert root.get("role") == "img"
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text == root.get("aria-label")
    return title.text or ""


def line(root: ET.Element, name: str) -> list[tuple[float, float]]:
    """Return the corners of the line with this class; the first such path is the legend's."""
    paths = [path.attrib["d"] for path in root.iter(f"{SVG}path") if path.get("class") == name]
    return list(_corners(paths[-1]))


def _corners(path: str) -> Iterator[tuple[float, float]]:
    x = y = 0.0
    for command, numbers in re.findall(r"([MHV])([-0-9. ]+)", path):
        if command == "M":
            x, y = map(float, numbers.split())
        elif command == "H":
            x = float(numbers)
        else:
            y = float(numbers)
        yield x, y


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours such as #1b1f24 (WCAG 2.2)."""
    darker, lighter = sorted([_luminance(one), _luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def shade(color: str, over: str, opacity: float) -> str:
    """Return the colour below another one that is drawn over it."""
    mixed = (
        round(below * (1 - opacity) + above * opacity)
        for below, above in zip(_channels(color), _channels(over), strict=True)
    )
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _channels(color: str) -> list[int]:
    digits = color.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    return [int(digits[index : index + 2], 16) for index in (0, 2, 4)]


def _luminance(color: str) -> float:
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (channel / 255 for channel in _channels(color))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
