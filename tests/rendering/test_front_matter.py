"""Front matter as a table."""

from __future__ import annotations

import pytest

from service.rendering.code import CodeWriter
from service.rendering.document import render_document
from service.rendering.front_matter import MAX_VALUES, front_matter_table
from tests.rendering.harmless import check_harmless


def row(name: str, value: str) -> str:
    return f'<tr><th scope="row">{name}</th><td>{value}</td></tr>'


def table(*rows: str) -> str:
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a: b\nc: 1.10\n", table(row("a", "b"), row("c", "1.10"))),
        ("a: true\nb:\nc: 7\n", table(row("a", "true"), row("b", ""), row("c", "7"))),
        ("a: [b, 1]\n", table(row("a", "<ul><li>b</li><li>1</li></ul>"))),
        ("a: {b: {c: d}}\n", table(row("a", table(row("b", table(row("c", "d"))))))),
        (
            "a: {b: {c: [{d: 1}]}}\n",
            table(
                row(
                    "a",
                    table(
                        row(
                            "b",
                            table(row("c", "<ul><li><code>{&quot;d&quot;: 1}</code></li></ul>")),
                        )
                    ),
                )
            ),
        ),
        ("a: []\nb: {}\n", table(row("a", ""), row("b", ""))),
        ("<b>: <i>\n", table(row("&lt;b&gt;", "&lt;i&gt;"))),
    ],
)
def test_values_are_shown_in_rows(source: str, expected: str) -> None:
    shown = front_matter_table(source, CodeWriter())
    assert shown == f'<div class="front-matter">{expected}</div>'


def test_front_matter_that_cannot_be_read_is_shown_as_yaml() -> None:
    rendered = render_document("md", "---\na: b\nc: *d\n---\n# E\n", 0)
    assert (
        '<div class="notice">The front matter cannot be read: line 3: the alias *d is not '
        "supported</div>"
    ) in rendered.html
    assert '<span class="t">a</span>' in rendered.html
    assert '<div class="front-matter">' not in rendered.html
    assert [heading.text for heading in rendered.headings] == ["E"]


def test_front_matter_without_values_is_not_shown() -> None:
    rendered = render_document("md", "---\n# only a comment\n---\na", 0)
    assert rendered.html == '<div class="rendered" dir="auto">\n<p>a</p>\n</div>'.replace(
        "\n<p>", "<p>"
    )


def test_many_values_are_cut() -> None:
    source = "".join(f"a{number}: [1, {{b: c}}]\n" for number in range(3_000))
    html = render_document("md", f"---\n{source[:60_000]}\n---\n", 0).html
    assert html.count("<td>") <= MAX_VALUES
    check_harmless(html)
