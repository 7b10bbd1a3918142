"""Documents of each type as HTML."""

from __future__ import annotations

import pytest

from service.documents.text import FILE_TYPES
from service.rendering.code import MAX_HIGHLIGHTED, CodeWriter
from service.rendering.document import MAX_LINES, render_document


def shown(text: str, depth: int = 0) -> str:
    """Return the HTML of a Markdown text without the element around it."""
    html = render_document("md", text, depth).html
    return html.removeprefix('<div class="rendered" dir="auto">').removesuffix("</div>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a *b* **c** `d` ~~e~~",
            "<p>a <em>b</em> <strong>c</strong> <code>d</code> <del>e</del></p>",
        ),
        (
            "# A `b`",
            (
                '<div class="heading"><h1 id="a-b">A <code>b</code></h1>'
                '<a class="anchor" href="#a-b" aria-label="Permalink: A b"></a></div>'
            ),
        ),
        (
            "- [x] a\n- [ ] b",
            (
                '<ul>\n<li class="task-list-item"><input type="checkbox" disabled="" checked="" '
                'aria-label="Completed task"> a</li>\n<li class="task-list-item">'
                '<input type="checkbox" disabled="" aria-label="Incomplete task"> b</li>\n</ul>'
            ),
        ),
        (
            "> [!warning]\n> Take *care*.",
            (
                '<div class="markdown-alert markdown-alert-warning">\n'
                '<p class="markdown-alert-title">Warning</p>\n<p>Take <em>care</em>.</p>\n</div>'
            ),
        ),
        ("> [!NOTE]", "<blockquote>\n<p>[!NOTE]</p>\n</blockquote>"),
        ("> [!OTHER]\n> a", "<blockquote>\n<p>[!OTHER]\na</p>\n</blockquote>"),
        ("```\n<b>&amp;\n```", "<pre><code>&lt;b&gt;&amp;amp;\n</code></pre>"),
        ("```py\nx = 1\n```", '<pre><code>x = <span class="m">1</span>\n</code></pre>'),
        (
            "```mermaid\ngraph\n```",
            (
                '<figure class="mermaid"><figcaption>Diagram, as its Mermaid source</figcaption>'
                "<pre><code>graph\n</code></pre></figure>"
            ),
        ),
        ("H<sub>2</sub>O <kbd>A</kbd>", "<p>H<sub>2</sub>O <kbd>A</kbd></p>"),
        ("$a < b$", "<p>$a &lt; b$</p>"),
    ],
)
def test_markdown_is_shown_as_github_shows_it(text: str, expected: str) -> None:
    assert shown(text).strip() == expected


@pytest.mark.parametrize("file_type", [*sorted({*FILE_TYPES.values()}), "other"])
def test_every_type_of_file_and_every_text_has_a_page(file_type: str) -> None:
    for text in ("", "\0", "\ud800", "a\nb", '{"a": [1]}', "a,b\n1,2", "---\na: *b\n---\n# C"):
        html = render_document(file_type, text, 3).html
        assert html.startswith('<div class="rendered" dir="auto">')
        assert html.endswith("</div>")


def test_each_line_of_a_file_has_the_id_that_github_gives_it() -> None:
    assert render_document("txt", "a\n\n<b>\n", 0).html == (
        '<div class="rendered" dir="auto"><pre class="lines" tabindex="0"><code>'
        '<span class="line" id="L1">a</span>\n<span class="line" id="L2"></span>\n'
        '<span class="line" id="L3">&lt;b&gt;</span>\n</code></pre></div>'
    )


def test_lines_end_as_on_every_system() -> None:
    html = render_document("yaml", "a: 1\rb: 2\r\nc: 3\n", 0).html
    assert [f'id="L{number}"' in html for number in (1, 2, 3, 4)] == [True, True, True, False]


def test_a_long_file_is_cut_at_a_lines_end() -> None:
    whole = render_document("txt", "a\n" * MAX_LINES, 0)
    assert not whole.is_cut
    cut = render_document("txt", "a\n" * MAX_LINES + "b", 0)
    assert cut.is_cut
    assert cut.html == whole.html


def test_a_table_shows_csv() -> None:
    html = render_document("csv", 'a;b\n"1\n2";<b>\n3\n', 0).html
    assert '<th scope="col">a</th><th scope="col">b</th>' in html
    assert "<tr><td>1\n2</td><td>&lt;b&gt;</td></tr>\n<tr><td>3</td></tr>" in html


def test_only_so_much_code_of_a_document_is_highlighted() -> None:
    code = ("# " + "a" * 97 + "\n") * 160
    writer = CodeWriter()
    blocks = [writer.block(code, "python") for _ in range(MAX_HIGHLIGHTED // len(code) + 1)]
    assert ['<span class="c">' in block for block in blocks] == [
        *([True] * (len(blocks) - 1)),
        False,
    ]
    assert code.rstrip() in blocks[-1]
