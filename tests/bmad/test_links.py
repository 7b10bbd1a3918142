"""The relative links of Markdown, and which of them are dead."""

from collections.abc import Callable, Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.links import MAX_TARGET, find_dead_link, read_links
from service.bmad.readings import MAX_ITEMS, MAX_TEXT, Link
from tests.support.bmad_documents import bmad_document
from tests.support.linear_time import assert_linear


def _links(text: str, path: str = "docs/a.md") -> list[Link]:
    return read_links(bmad_document(text, path))


def _targets(text: str) -> list[tuple[int, str]]:
    return [(link["line"], link["target"]) for link in _links(text)]


def _path(target: str, path: str = "docs/a.md") -> str | None:
    [link] = _links(f"[text]({target})", path)
    return link["path"]


def test_links_and_images_are_read_in_order_with_their_lines() -> None:
    text = (
        "# [Title](a.md)\n\nSee [b](b.md) and\n![c](c.png).\n\n"
        "- [d](d.md)\n  - text\n    [e](e.md)\n- [x] [f](f.md)\n\n"
        "| A | B |\n|---|---|\n| 1 | [g](g.md) |\n\n> [h](h.md)\n"
    )
    assert _targets(text) == [
        (1, "a.md"), (3, "b.md"), (4, "c.png"), (6, "d.md"), (8, "e.md"), (9, "f.md"),
        (13, "g.md"), (15, "h.md"),
    ]  # fmt: skip


def test_lines_count_front_matter() -> None:
    assert _targets("---\nstatus: done\n---\n\n[a](a.md)\n") == [(5, "a.md")]
    assert _targets("---\r\nstatus: done\r\n---\r\n\r\n[a](a.md)\r\n") == [(5, "a.md")]


def test_what_looks_like_a_link_in_code_is_none() -> None:
    text = (
        "`[a](a.md)`\n\n```\n[b](b.md)\n```\n\n    [c](c.md)\n\n<!-- [d](d.md) <img src='e'> -->\n"
    )
    assert _targets(text) == []


@pytest.mark.parametrize(
    "target",
    [
        "https://e.example/a",
        "http://e.example",
        "mailto:a@e.example",
        "//e.example/a",
        "tel:+1",
        "tel:1",
        "localhost:3000",
        "file:1",
        "file:///etc/hosts",
        "vscode:extension/a",
    ],
)
def test_targets_with_a_scheme_or_a_host_are_not_relative(target: str) -> None:
    assert _targets(f"[text]({target}) <a href='{target}'>text</a>") == []


def test_links_of_the_parser_itself_are_left_out() -> None:
    assert _targets("Note[^1] and www.e.example and a@e.example.\n\n[^1]: text\n") == []
    assert _targets("[nothing]() and [b](<>)\n") == []


def test_reference_links_have_the_line_of_their_definition() -> None:
    text = "See\n[the text][ref],\n[ref] and [ref][].\n\nLast\n\n[ref]: b.md#part 'title'\n"
    assert _targets(text) == [(7, "b.md#part")] * 3


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("[gone.md][ref]\n\n[ref]: gone.md\n", [(3, "gone.md")]),
        ("See gone.md: [a][Ref]\n\n[ref]: <gone.md> (title)\n", [(3, "gone.md")]),
        ("![a][ref] and [ref]\n\n[ref]:\n  a.png\n", [(4, "a.png"), (4, "a.png")]),
        ("[a][ref]\n\n> [ref]: a.md\n", [(3, "a.md")]),
        ("[a][ref]\n\n- text\n\n  [ref]: a.md\n", [(5, "a.md")]),
        ("[ref]: <a b.md>\n\n[a][ref]\n", [(1, "a b.md")]),
        ("[a][ref]\n\n[ref]: \\_a.md\n", [(3, "_a.md")]),
        ("[a][ref]\n\n[ref]: a&amp;b.md\n", [(3, "a&b.md")]),
        ("[a][1]\n[b][1]\n\n[1]: a.md\n[2]: a.md\n", [(4, "a.md"), (4, "a.md")]),
        ("[a][1]\n\n[b][2]\n\n[1]: a.md\n[2]: a.md\n", [(5, "a.md"), (6, "a.md")]),
        ("```\n[1]: a.md\n```\n\n[b][2]\n\n[2]: a.md\n", [(7, "a.md")]),
        ("[a](a.md)\n\n[b][2]\n\n[2]: a.md\n", [(1, "a.md"), (5, "a.md")]),
        ("[a]( <a.md> )\n\n[2]: a.md\n", [(1, "a.md")]),
        ('<img src="a.png"> [b][2]\n\n[2]: b.md\n', [(1, "a.png"), (3, "b.md")]),
        ('<div>\n<a href="a.md">\n</div>\n\n[2]: a.md\n', [(2, "a.md")]),
        ("Text[^1]\n\n[^1]: [a](a.md)\n", [(3, "a.md")]),
        ("---\nx: 1\n---\n[a][r]\r\n\r\n[r]: a.md\r\n", [(6, "a.md")]),
    ],
)
def test_definitions_are_told_from_targets_in_links(
    text: str, targets: list[tuple[int, str]]
) -> None:
    assert _targets(text) == targets


def test_lines_are_those_of_the_link_after_code_with_line_ends() -> None:
    assert _targets("`one\ntwo\nthree` [a](a.md)\n[b](b.md)\n") == [(3, "a.md"), (4, "b.md")]


def test_line_ends_that_the_source_escapes_are_no_lines() -> None:
    assert _targets("one&#10;two&#10; [a](a.md)\n") == [(1, "a.md")]


def test_paragraph_that_a_table_follows_has_lines() -> None:
    assert _targets("one\n[a](a.md)\n| [b](b.md) |\n|---|\n") == [(2, "a.md"), (3, "b.md")]


def test_raw_html_has_links() -> None:
    text = (
        "First\n\n<p>\n<A HREF=a.md>a</A>\n<img alt='<a href=\"no.md\">' src = 'b.png'></p>\n\n"
        'Text <a name="x"> <a\nhref="c.md">\n\n<a id="y"></a>\n<a href="a.md">\n'
    )
    assert _targets(text) == [(4, "a.md"), (5, "b.png"), (8, "c.md"), (11, "a.md")]


def test_equal_links_have_their_own_lines() -> None:
    image = '<img src="a">'
    text = f"{image}\n\n<div>\n{image}\n</div>\n\n[a](a)\n\n[a](a)\n<div>{image}</div>\n"
    assert _targets(text) == [(1, "a"), (4, "a"), (7, "a"), (9, "a"), (10, "a")]


def test_targets_are_as_the_source_has_them() -> None:
    text = "[a](<b c.md>) [d](é.md#ü) [e](%C3%A9.md) [f](a&b.md 'title') [g](\\_h.md)\n"
    assert [target for _, target in _targets(text)] == [
        "b c.md", "é.md#ü", "%C3%A9.md", "a&b.md", "_h.md",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("b.md", "docs/b.md"),
        ("./b.md", "docs/b.md"),
        ("../b.md", "b.md"),
        ("../src/./x/../b.py", "src/b.py"),
        ("/docs/b.md", "docs/b.md"),
        ("/", ""),
        ("..", ""),
        (".", "docs"),
        ("folder/", "docs/folder"),
        ("b%20c.md", "docs/b c.md"),
        ("<b c.md>", "docs/b c.md"),
        ("b.md?raw=true#part", "docs/b.md"),
        ("?plain=1", "docs/a.md"),
        ("#part", "docs/a.md"),
        ("b.py:22", "docs/b.py:22"),
        ("../../b.md", None),
        ("/../b.md", None),
        ("../../../../b.md", None),
    ],
)
def test_targets_are_resolved_as_github_does(target: str, path: str | None) -> None:
    assert _path(target) == path


def test_document_at_the_root_links_to_its_neighbours() -> None:
    assert _path("b.md", "README.md") == "b.md"
    assert _path("../b.md", "README.md") is None


def test_fragments_are_decoded() -> None:
    links = _links("[a](#%E4%B8%AD) [b](b.md) [c](#)")
    assert [link["fragment"] for link in links] == ["中", None, ""]


def test_pages_of_the_repository_on_github_are_no_files() -> None:
    assert _links("[a](../../issues) [b](../../pulls/3)", "README.md") == []
    assert _links("[a](../../../releases/latest)", "docs/a.md") == []
    [link] = _links("[a](../../../other/issues)", "docs/a.md")
    assert link["path"] is None


@pytest.mark.parametrize("folder", [".github", "bmad", "_bmad", "bmad-core", "node_modules"])
def test_links_of_the_tools_are_left_out(folder: str) -> None:
    assert _links("[a](b.md)", f"x/{folder}/a.md") == []


@pytest.mark.parametrize("folder", ["_bmad-output", "docs", "templates"])
def test_links_of_a_project_are_read(folder: str) -> None:
    assert len(_links("[a](b.md)", f"{folder}/a.md")) == 1


def test_other_files_have_no_links() -> None:
    assert read_links(bmad_document("a: '[a](b.md)'", "a.yaml", "yaml")) == []


def test_a_reading_is_bounded() -> None:
    assert len(_links("[a](b)\n\n" * (MAX_ITEMS + 1))) == MAX_ITEMS
    assert _links(f"[a](/{'b' * MAX_TARGET})") == []
    [link] = _links(f"[a](/{'b' * (MAX_TEXT + 1)})")
    assert len(link["target"]) == MAX_TEXT
    assert link["path"] == "b" * (MAX_TEXT + 1)


PATHS = {"docs", "docs/a.md", "docs/b.md", "src", "src/a.py"}


def _anchors(path: str) -> Collection[str] | None:
    return {"docs/a.md": {"part", "Raw"}, "docs/b.md": {"one"}}.get(path)


def _reason(target: str, path: str = "docs/a.md") -> str | None:
    [link] = _links(f"[text]({target})", path)
    return find_dead_link(link, PATHS, _anchors)


@pytest.mark.parametrize(
    "target",
    [
        "b.md",
        "../src/",
        "/",
        "#part",
        "#Part",
        "#user-content-part",
        "#Raw",
        "#top",
        "#",
        "b.md#one",
        "b.md?x#One",
        "../src/a.py#L10",
        "../src/a.py#L1-L5",
        "../src/a.py#part",
        "b.md#L3",
        "../src#x",
    ],
)
def test_these_links_lead_somewhere(target: str) -> None:
    assert _reason(target) is None


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("c.md", "no_file"),
        ("docs/b.md", "no_file"),  # it would lead somewhere from the root
        ("../src/a.py:22", "no_file"),
        ("../src/a.py:22-46", "no_file"),
        ("Dockerfile:10", "no_file"),
        ("justfile:5-7", "no_file"),
        ("../LICENSE:3", "no_file"),
        ("README:3#part", "no_file"),
        ("B.md", "no_file"),
        ("c.md#one", "no_file"),
        ("#one", "no_anchor"),
        ("b.md#part", "no_anchor"),
        ("../../b.md", "outside"),
    ],
)
def test_dead_links_have_a_reason(target: str, reason: str) -> None:
    assert _reason(target) == reason


def test_fragment_of_a_document_that_is_not_known_is_not_judged() -> None:
    link: Link = {"target": "c.md#x", "line": 1, "path": "docs/c.md", "fragment": "x"}
    assert find_dead_link(link, {"docs/c.md"}, _anchors) is None


_PIECES = st.sampled_from(
    [
        "[a](b.md)",
        "](",
        "[",
        "<a href=",
        "'x'>",
        '"',
        "<img src=b",
        "<!--",
        "-->",
        "`",
        "\n",
        "\n\n",
        "- ",
        "> ",
        "| ",
        "|--|\n",
        "[r]: /u%zz\n",
        "[r]",
        "#",
        "%00",
        "\\",
        "\0",
        "\ud800",
        "<p ",
        ' data-sourcepos="9:1-2:1"',
        "</p>",
        "../",
        "\r",
        "---\n",
        "<template>",
        "&#10;",
        "é",
    ]
)


@given(st.lists(_PIECES.filter(lambda piece: "<" not in piece), max_size=60).map("".join))
def test_raw_html_changes_no_other_link(text: str) -> None:
    """A document with raw HTML is read in another way."""
    assert _targets(f"{text}\n\n<a >") == _targets(f"{text}\n\n")


@given(st.text() | st.lists(_PIECES, max_size=60).map("".join))
def test_any_text_is_read(text: str) -> None:
    lines = len(bmad_document(text).lines)
    for link in _links(text):
        assert 1 <= link["line"] <= lines
        assert find_dead_link(link, PATHS, _anchors) in {None, "no_file", "no_anchor", "outside"}
        assert not {*"\0\n\r"}.intersection(link["target"] + (link["path"] or ""))
        f"{link}".encode()


_LONG: list[Callable[[int], str]] = [
    lambda n: "[a][r] " * (100 * n) + "\n\n[r]: b.md",
    lambda n: "[a][r] " * (50 * n) + "\n\n[r]: b.md\n[s]: b.md" * (50 * n),
    lambda n: "[a] " * (50 * n) + "\n\n[a]: b\n" + "[a]:" * (500 * n),
    lambda n: "[a]: b\n\n[a] b b b b\n\n" * (10 * n),
    lambda n: "".join(f"[{i}]\n\n[{i}]: b{i}\n\n" for i in range(10 * n)),
    lambda n: "[a][r]\n" + "[" * (500 * n) + "\n\n[r]: b.md",
    lambda n: "[a](b.md) " * (50 * n),
    lambda n: "[a](b.md)\n" * (50 * n),
    lambda n: "<a href=b>\n" * (50 * n),
    lambda n: "<div>\n" + "x <a href=b>\n" * (50 * n),
    lambda n: "<!-- <a href=b" * (50 * n),
    lambda n: "<a href='" * (100 * n),
    lambda n: "- <img src=a\n" * (40 * n),
    lambda n: f"[a](b.md) {'[a](%41) ' * (2 * n)}{'x' * (800 * n)}",
    lambda n: f"[a](b.md)\n\n{'src=' * (200 * n)}",
]


@pytest.mark.parametrize("make", _LONG, ids=range(len(_LONG)))
def test_links_take_linear_time(make: Callable[[int], str]) -> None:
    assert_linear(read_links, lambda n: bmad_document(make(n), "docs/a.md"), 50)
