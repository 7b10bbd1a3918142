"""The languages that are highlighted: no text makes one of their patterns take exponential time."""

from __future__ import annotations

import re
import time
from html import unescape
from typing import Any

import pytest
from pygments.lexer import RegexLexer

from service.rendering.highlighting import MAX_SECONDS, highlight
from service.rendering.lexers import (
    LANGUAGES,
    SAFE_PATTERNS,
    language_of,
    lexer_of,
)
from tests.rendering.ambiguity import is_exponential

TAG = re.compile("<[^>]*>")

# Ambiguous only if assertions and back references are ignored, as the search does:
HARMLESS = (
    # no character of a comment can be taken for the end of one, because of `(?!/)`;
    r"((?!\d)(?:[\w$]|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|::)+(?:[&*\s])+)(\s*(?:(?:(?://",
    # in Ruby's literals, `.` takes no delimiter, because of `(?!\1)`.
    r"%[qsw]([\W_])((?:\\\1|(?!\1).)*)\1",
    r"(%r([\W_]))((?:\\\2|(?!\2).)*)(\2[mixounse]*)",
    r"(%[QWx]([\W_]))((?:\\\2|(?!\2).)*)(\2)",
    r"(?<=[-+/*%=<>&!^|~,(])(\s*)(%([\t ])(?:(?:\\\3|(?!\3).)*)\3)",
    r"^(\s*)(%([\t ])(?:(?:\\\3|(?!\3).)*)\3)",
    r"(%([^a-zA-Z0-9\s]))((?:\\\2|(?!\2).)*)(\2)",
    # nothing after the name of PHP's variable fails, since it is optional.
    r"\$(?:[_a-z]|[^\x00-\x7f])(?:\w|[^\x00-\x7f])*(\[\S+?\]|->",
)


def compiled_patterns() -> dict[tuple[str, int], str]:
    """Return the patterns of all lexers that have been used, and the name of one that has each."""
    found: dict[tuple[str, int], str] = {}
    stack: list[type[Any]] = [RegexLexer]
    while stack:
        lexer = stack.pop()
        stack += lexer.__subclasses__()
        own = vars(lexer)
        tables: list[Any] = [own.get("_tokens", {}), *own.get("_all_tokens", {}).values()]
        for table in tables:
            for rule in [rule for rules in table.values() for rule in rules]:
                pattern = rule[0].__self__
                found[pattern.pattern, pattern.flags] = lexer.__name__
    return found


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("(a*)*b", True),
        ("(a|a)*b", True),
        ("(a|aa)*b", True),
        ("'(ab|a|b)*'", True),
        ("((a|b)*)*c", True),
        (r"(\s*x?)*y", True),
        ("(a+b?)+$", True),
        ("(a*)*", False),  # nothing fails after it
        ("(a?)*b", False),
        ("(a|b)*c", False),
        ("a*a*b", False),  # the square of the length
        ("(ab)*(abc)*d", False),
        ("(?:a|aa)*+b", False),
        ("(?:(a|aa)*b)*+b", True),
        (r'"(\\.|[^"\\])*"', False),
        (r'"(\\.|[^"])*"', True),
        ("(?=(a|a)*b)", True),
    ],
)
def test_the_search_finds_exponential_patterns(pattern: str, expected: bool) -> None:
    assert is_exponential(pattern) is expected


def test_no_pattern_is_exponential() -> None:
    for language in LANGUAGES:
        highlight("a: b\n\tc 'd' <e f='g'>h</e> $i {j}\n", language)
    patterns = compiled_patterns()
    assert len(patterns) > 900
    found = [
        (name, pattern)
        for (pattern, flags), name in patterns.items()
        if not pattern.startswith(HARMLESS) and is_exponential(pattern, flags)
    ]
    assert found == []


def test_pygments_has_the_patterns_that_are_replaced() -> None:
    for language in LANGUAGES:
        lexer_of(language)
    patterns = {pattern for pattern, _ in compiled_patterns()}
    for replaced in SAFE_PATTERNS.values():
        assert not patterns & replaced.keys()
        assert patterns >= {*replaced.values()}


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("bash", "$'" + r"\00" * 100),
        ("console", "$ echo $'" + r"\00" * 100),
        ("makefile", "a:\n\techo $'" + r"\00" * 100),
        ("dockerfile", "RUN $'" + r"\00" * 100),
        ("php", "<?php <<<a" + "é" * 100),
        ("scala", '"' + r"\\" * 100),
        ("console", ("[a@a]" * 99 + "\n") * 40),
        ("bash", "<<" + "a" * 400 + ("\n" + "a" * 390) * 40),
        ("js", ("super(" + " " * 190 + "\n") * 90),
        ("html", "<a " * 6_000),
        ("css", "/*" * 200 + "\n" * 100),
    ],
)
def test_slow_code_takes_little_time(word: str, code: str) -> None:
    lexer_of(language_of(word) or "")
    start = time.thread_time()
    highlight(code, word)
    assert time.thread_time() - start < MAX_SECONDS + 0.15


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_highlighted_code_has_the_text_of_the_code(language: str) -> None:
    for code in (
        "",
        "a",
        "\n\na\n\n",
        "\ta 'b\n\"c\n",
        "<a b='c'>&amp;</a>\n",
        "é 😀 \x1b\n",
        "$ a\nb",
    ):
        html = highlight(code, language)
        assert html is None or unescape(TAG.sub("", html)) == code


@pytest.mark.parametrize(
    ("word", "language"),
    [
        ("JavaScript", "javascript"),
        ("ts", "typescript"),
        ("mermaid", None),
        ("", None),
        ("x", None),
    ],
)
def test_languages_have_several_words(word: str, language: str | None) -> None:
    assert language_of(word) == language
