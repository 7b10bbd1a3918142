from __future__ import annotations

import json
import time

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.documents.metadata import MAX_TITLE, read_metadata

PATH = "docs/epics/epic-1.2.md"
PARTS = [
    *("# ", "## ", "\n", "\r\n", "---\n", "===\n", "...\n", "a", "title: ", "- ", "> ", "    "),
    *(
        "```\n",
        "`",
        "*",
        "[x](y)",
        "![i](s)",
        "<!-- ",
        "-->",
        "<h1>",
        "</h1>",
        "<h2 ",
        "<template>",
        "</template>",
        "<a id=",
        "<![CDATA[",
        "|",
        "&",
    ),
    *("&#0;", "&#xd800;", "[^1]", "\0", "\ud800", "\ufeff", "{", "[", "]", "}", '"', "\\ud800"),
    *("\\0", "&a ", "*a", "!!binary ", "!x ", ".nan", "1e999", "9" * 5000, "? ", ": ", "%YAML"),
    *("title: a: b\n", "- {a}b\n", "a: *b\n", "|+\n", "&a", "\t", "'", "a: ?\n", "- ?\n", "{{a}}"),
]
texts = st.lists(st.sampled_from(PARTS) | st.text(max_size=5), max_size=40).map("".join)
documents = texts | texts.map("---\n{}\n---\n# a".format)
file_types = st.sampled_from(["md", "txt", "csv", "yaml", "json", "toml"])


@pytest.mark.parametrize(
    ("text", "file_type", "title"),
    [
        ("---\ntitle: Front\n---\n# First", "md", "Front"),
        ("---\ntitle: 2024\n---\n", "md", "2024"),
        ("---\ntitle: 2024-01-05\n---\n", "md", "2024-01-05"),
        ("---\ntitle: [a]\n---\n# First", "md", "First"),
        ("---\ntitle:\n---\n# First", "md", "First"),
        ("---\ntitle: true\n---\n# First", "md", "First"),
        ('---\ntitle: " "\n---\n# First', "md", "First"),
        ('---\ntitle: "a\\nb"\n---\n', "md", "a b"),
        ("## Second\n# First\n# Other", "md", "First"),
        ("### Third\n## Second", "md", "Third"),
        ("#\n\n# First", "md", "First"),
        ("text", "md", "epic-1.2"),
        ("# " + "x" * 999, "md", "x" * MAX_TITLE),
        ("# First", "txt", "epic-1.2"),
        ("title,b", "csv", "epic-1.2"),
        ("a: {title: no}\nb: [title, no]\ntitle: Yes\n", "yaml", "Yes"),
        ("? {a: b}\n: c\ntitle: Yes", "yaml", "Yes"),
        ("a: &b c\nd: *b\ntitle: Yes", "yaml", "Yes"),
        ("a: " + "[" * 31 + "]" * 31 + "\ntitle: Yes", "yaml", "Yes"),
        ("a: " + "[" * 32 + "]" * 32 + "\ntitle: No", "yaml", "epic-1.2"),
        ("b: title\nc: d", "yaml", "epic-1.2"),
        ("title: [a]", "yaml", "epic-1.2"),
        ("- title: a", "yaml", "epic-1.2"),
        ("title: 'a", "yaml", "epic-1.2"),
        ('{"a": 1, "title": "\\ud83d\\ude04 Yes"}', "json", "😄 Yes"),
        ('{"title": 1.10}', "json", "1.10"),
        ('{"title": 1e3, "a": ' + "9" * 5000 + "}", "json", "1e3"),
        ('{"title": {}}', "json", "epic-1.2"),
        ('[{"title": "a"}]', "json", "epic-1.2"),
        ('{"title": "a"', "json", "epic-1.2"),
    ],
)
def test_titles_come_from_front_matter_headings_or_a_title_key(
    text: str, file_type: str, title: str
) -> None:
    assert read_metadata(text, file_type, PATH)["title"] == title


@pytest.mark.parametrize(
    ("path", "title"),
    [("a.yaml", "a"), ("x/.md", ".md"), ("", "Untitled"), ("a\nb\ud800.md", "a b\ufffd")],
)
def test_untitled_documents_are_named_after_their_files(path: str, title: str) -> None:
    assert read_metadata("", "md", path)["title"] == title


@pytest.mark.parametrize(
    "text",
    [
        *("#", "# a\n", "<h1>", "<h1 ", "</h1>", "<!--", "[", "![", "[a](", "*a_ ", "`a``", "> "),
        *(">", "- ", "a|b\n-|-\n", "<h1><br>", "<h1>&lt;", "<h1><img alt=", "a\n=\n", "&", "---\n"),
        *("|-\n", "- - - - a\n", "* - ", "_*", "# [^1]\n\n[^1]: a\n", "www.", "a@b.c ", "[^1]"),
        *("<h2>a</h2>\n\n", "<h2\n", "<a id=a>", '<a id="', "<a ====", "<template>", "<a id=b "),
        *("<!", "<?", "</", "<![CDATA[", '<h1 data-sourcepos="1:1-1:1">a</h1>\n', "<sup>", "<"),
    ],
)
def test_a_megabyte_of_repeated_markup_takes_bounded_time(text: str) -> None:
    begun = time.process_time()
    read_metadata((text * 1_000_000)[:1_000_000], "md", PATH)
    assert time.process_time() - begun < 2  # 1 s at most, where nothing else runs


@pytest.mark.parametrize("file_type", ["yaml", "json", "md"])
@pytest.mark.parametrize(
    "part",
    [
        *("[", "{a: ", "- ", "? ", "{", "&a ", "&a [*a, ", "%", "a: b\n", "a: b: c\n", "a: [\n"),
        *("a:\n- {b}c\n", "- {b}c\n", "a:b", "a:", "a: |+\n\n", '"', "'a' ", "\t", "*a\n", " \n"),
    ],
)
def test_deep_nesting_takes_bounded_time(file_type: str, part: str) -> None:
    begun = time.process_time()
    text = (part * 65_000)[:65_000]
    read_metadata(f"---\n{text}\n---\n" if file_type == "md" else text, file_type, PATH)
    assert time.process_time() - begun < 2


@settings(deadline=None)
@given(documents, file_types, st.text(max_size=9))
def test_metadata_of_any_text_is_json(text: str, file_type: str, path: str) -> None:
    metadata = read_metadata(text, file_type, path)
    assert metadata["title"] == " ".join(metadata["title"].split()) != ""
    assert json.loads(json.dumps(metadata, allow_nan=False)) == metadata
    json.dumps(metadata, ensure_ascii=False).encode()


def test_metadata_round_trips_through_postgresql(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:

        @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
        @given(documents, file_types)
        def comes_back(text: str, file_type: str) -> None:
            metadata = read_metadata(text, file_type, PATH)
            row = connection.execute("select %s::jsonb", [json.dumps(metadata)]).fetchone()
            assert row == (metadata,)

        comes_back()


@pytest.mark.parametrize(
    ("text", "body", "line"),
    [
        ("# A\n", "# A\n", 1),
        ("---\na: 1\n---\n# A\n", "# A\n", 4),
        ("---\r\na: 1\r\n---\r\n# A\r\n", "# A\r\n", 4),
        ("---\ra: 1\r--- \r# A", "# A", 4),
        ("---\n---\n\n# A", "\n# A", 3),
        ("---\na: \U0001f600\U0001f600 \u00e9\n...\n\U0001f600", "\U0001f600", 4),
        ("---\na: [\n---\nbroken", "broken", 4),
        ("---\na: 1\n---", "", 3),
        ("---\na: 1\n", "---\na: 1\n", 1),
        ("", "", 1),
    ],
)
def test_the_body_begins_after_the_front_matter(text: str, body: str, line: int) -> None:
    metadata = read_metadata(text, "md", "a.md")
    # As JavaScript's content.slice(body_offset), which counts code units of UTF-16.
    assert text.encode("utf-16-le")[2 * metadata["body_offset"] :].decode("utf-16-le") == body
    assert metadata["body_line"] == line


def test_only_markdown_has_a_body_and_anchors() -> None:
    assert read_metadata("---\na: 1\n---\n", "yaml", "a.yaml").keys() == {"title"}
