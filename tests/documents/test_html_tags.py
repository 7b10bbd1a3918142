from __future__ import annotations

import pytest

from service.documents.html_tags import (
    PLAIN_TAG,
    Tag,
    find_tags,
    read_attributes,
    without_templates,
)


def tags(page: str) -> list[str]:
    return [page[tag.start : tag.end] for tag in find_tags(page)]


# The expected tags are those that parse5 8.1 finds, by the rules of the HTML standard.
@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("a < b <3 <\u00e9> <", []),
        ("<h1>a</h1>", ["<h1>", "</h1>"]),
        ("<H1\f\tA=\"b>c\"d='e>f'/g>h", ["<H1\f\tA=\"b>c\"d='e>f'/g>"]),
        ("<h1 a = b/>c>", ["<h1 a = b/>"]),
        ("<h1 a=>b>", ["<h1 a=>"]),
        ("<h1 \"=a'>b'>", ["<h1 \"=a'>"]),
        ("<h1 a='b>c", ["<h1 a='b>c"]),
        ("<h1 a", ["<h1 a"]),
        ("<h1<b>c", ["<h1<b>"]),
        (
            "<!-->a<!--->b<!---->c<!--d--!>e<!--f",
            ["<!-->", "<!--->", "<!---->", "<!--d--!>", "<!--f"],
        ),
        ("<!a>b<?c>d</ e>f</>g<![CDATA[h>i]]>", ["<!a>", "<?c>", "</ e>", "</>", "<![CDATA[h>"]),
        ("<!a", ["<!a"]),
        ("</ a", ["</ a"]),
    ],
)
def test_tags_and_comments_end_where_a_browser_ends_them(page: str, expected: list[str]) -> None:
    assert tags(page) == expected


def test_only_plain_tags_are_skipped() -> None:
    plain = '<p data-sourcepos="1:1-2:3"><em>a</em><hr /><a href="b">'
    assert tags(plain) == []
    assert PLAIN_TAG.sub("", plain) == "a"
    other = '<br><br /><p id="a"><template><sup><h1><P><a href=b>'
    assert "".join(tags(other)) == other


def test_the_first_of_equal_attributes_counts() -> None:
    [tag] = find_tags("<h1 A=1 a=2 b c='&lt;' d=\"\" =e=f>")
    assert tag == Tag("h1", False, " A=1 a=2 b c='&lt;' d=\"\" =e=f", 0, 33)
    assert read_attributes(tag) == {"a": "1", "b": "", "c": "<", "d": "", "=e": "f"}


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("a<template>b<template>c</template>d</template>e", "ae"),
        ("a<template>b<template>c</template>d", "a<template>bd"),
        ("a</template>b<Template x>c</Template >d", "a</template>bd"),
        ("<a b='<template>'>c</a></template>", "<a b='<template>'>c</a></template>"),
        ("<templates>a</templates>", "<templates>a</templates>"),
    ],
)
def test_templates_are_left_out(page: str, expected: str) -> None:
    assert without_templates(page) == expected
