"""Regular expressions mean the same in every Python that the service runs on.

Before Python 3.11.5, and so in Debian 12's 3.11.2, a possessive repetition of a group goes on in
the middle of the repetition that failed: `(?:ab?c)*+` matches all of "aca", not "ac" (gh-106052).
An atomic group, `(?>ab?c)*+`, matches the same in all of them.
"""

from __future__ import annotations

import re
from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING

import pytest

import service

if TYPE_CHECKING:
    from collections.abc import Iterator

# An escape, a set of characters, the beginning of a group, or its end with what repeats it.
_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?>)?|(\))((?:[*+?]|\{[\d,]+\})\+)?", re.DOTALL
)


def _groups_repeated_possessively(pattern: str) -> Iterator[str]:
    begun: list[tuple[str, int]] = []
    for token in _TOKEN.finditer(pattern):
        if token[0].startswith("("):
            begun.append((token[0], token.start()))
        elif token[1]:
            beginning, start = begun.pop()
            if token[2] and beginning != "(?>":
                yield pattern[start : token.end()]


def _patterns() -> Iterator[tuple[str, str]]:
    for module in walk_packages(service.__path__, "service."):
        if not module.name.endswith("__main__"):
            for name, value in vars(import_module(module.name)).items():
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                    yield f"{module.name}.{name}", value.pattern


def test_groups_that_are_repeated_possessively_are_atomic() -> None:
    patterns = dict(_patterns())
    assert len(patterns) > 100
    found = {name: list(_groups_repeated_possessively(text)) for name, text in patterns.items()}
    assert {name: groups for name, groups in found.items() if groups} == {}


@pytest.mark.parametrize("pattern", ["(?:ab?c)*+", r"x[(]\((ab?c){1,3}+", "(?>a(?:b|c)++)*+"])
def test_a_group_that_is_not_atomic_is_found(pattern: str) -> None:
    assert list(_groups_repeated_possessively(pattern))


@pytest.mark.parametrize("repeat", ["*+", "++", "?+", "{1,3}+"])
def test_an_atomic_group_gives_back_a_repetition_that_failed(repeat: str) -> None:
    match = re.match(f"(?>ab?c){repeat}", "aca")
    assert match is not None
    assert match[0] == "ac"
