"""A document's parts: what the index, the rank and the snippets of a search are made of."""

from __future__ import annotations

import re
import sys
from itertools import islice, product
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import service.documents.parts
from service.documents.pairs import pair_number, pairs_in
from service.documents.parts import (
    DEFINED,
    FIELD,
    FREQUENT,
    IN_HEADING,
    IN_TITLE,
    MAX_PART,
    MAX_VECTOR,
    OFTEN,
    Part,
    make_parts,
)
from service.documents.sections import MAX_SECTION, Section, read_document
from tests.documents.test_metadata import documents, file_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from tests.support.postgres import Postgres

PATH = "docs/prd.md"
# PostgreSQL's own limit: a tsvector has at most so many bytes.
TSVECTOR_BYTES = 2**20


@pytest.fixture(scope="module")
def connection(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        yield connection


def parts_of(text: str, file_type: str = "md", path: str = PATH) -> list[Part]:
    metadata, sections = read_document(text, file_type, path)
    return make_parts(metadata, sections, path)


def part_of(text: str, path: str = PATH) -> Part:
    [part] = parts_of(text, path=path)
    return part


def lexemes_in(vector: str) -> list[str]:
    """Return the lexemes of a part's vector, with their prefixes."""
    return vector[1:-1].split("' '")


def lines_of(part: Part) -> list[list[str]]:
    return [line.split(FIELD) for line in part.tokens.split("\n")]


def texts_of(part: Part) -> list[str]:
    """Return the text of each line."""
    return [
        part.text[start:end] for start, end in zip([0, *part.ends[:-1]], part.ends, strict=True)
    ]


def test_the_first_line_has_title_path_and_file_name() -> None:
    part = part_of("# Create pools\n\ntext\n", path="docs/v4/api_v2.md")
    assert lines_of(part)[0] == [
        " creat|e pool|s ",
        " docsv4| v4api| apiv2| v2md| doc|s v4| api| v2| md| ",
        " apiv2| v2md| api| v2| md| ",
    ]
    assert part.headings[0] == ""
    assert texts_of(part)[0] == ""


def test_each_section_has_a_line_with_the_headings_above_it() -> None:
    part = part_of("intro\n\n# A1\n\nb\n\n### C1\n\nd\n\n## E1\n\nf\n\n#### G1\n\n# H1\n\ni\n")
    assert lines_of(part)[1:] == [
        [" ", " ", " intro| "],
        [" a1| ", " ", " b| "],
        [" c1| ", " a1| ", " d| "],
        [" e1| ", " a1| ", " f| "],
        [" g1| ", " a1|  e1| ", "  "],
        [" h1| ", " ", " i| "],
    ]
    assert part.headings == ["", "", "0", "0 1", "0 2", "0 2 3", "4"]
    assert texts_of(part) == ["", "intro", "b", "d", "f", "", "i"]


@pytest.mark.parametrize(
    ("file_type", "text"),
    [("yaml", "title: Gate\ngate: PASS\n"), ("json", '{"a": 1}'), ("csv", "a,b\n"), ("txt", "")],
)
def test_a_document_without_headings_has_one_part(file_type: str, text: str) -> None:
    [part] = parts_of(text, file_type, f"docs/gate.{file_type}")
    assert part.headings == ["", ""]
    assert texts_of(part) == ["", text.strip()]


def test_a_lexeme_says_where_its_word_is() -> None:
    text = f"# Pools\n\nbody {'often ' * FREQUENT} {'rare ' * (FREQUENT - 1)}\n\n## The heading\n"
    lexemes = set(lexemes_in(part_of(text).vector))
    assert {"pools", "~pool", f"{IN_TITLE}pool", f"{IN_HEADING}pool"} <= lexemes
    assert {"body", "often", f"{OFTEN}often", "rare"} <= lexemes
    assert {"heading", "~head", f"{IN_HEADING}head", f"{IN_HEADING}the"} <= lexemes
    assert lexemes.isdisjoint(
        {"the", f"{OFTEN}rare", f"{OFTEN}body", f"{IN_HEADING}body", f"{IN_TITLE}head"}
    )
    # Of path and file name only the words.
    assert {"docs", "prd", "md", "prdmd"} <= lexemes
    assert lexemes.isdisjoint({f"{IN_TITLE}prd", f"{IN_HEADING}prd"})


def test_every_part_has_the_title_and_the_path() -> None:
    text = "# Handbook\n\n" + "".join(f"## H{n}\n\n{'word ' * 1_000}\n\n" for n in range(20))
    parts = parts_of(text)
    assert len(parts) > 2
    for part in parts:
        assert lines_of(part)[0][0] == " handbook| "
        assert {f"{IN_TITLE}handbook", "prd"} <= set(lexemes_in(part.vector))


def test_a_part_ends_after_its_limit() -> None:
    text = "".join(f"## H{number}\n\n{'word ' * 1_000}\n\n" for number in range(20))
    parts = parts_of(text)
    for part in parts[:-1]:
        assert MAX_PART <= part.ends[-1] < MAX_PART + 5_000
    assert [path for part in parts for path in part.headings[1:]] == [*map(str, range(20))]


words = ("".join(letters) for letters in product("abcdefghij", repeat=6))
ligatures = ("".join(letters) + "\ufdfa" * 3 for letters in product("abcdefghij", repeat=4))


@pytest.mark.parametrize(
    ("file_type", "text"),
    [
        ("md", "".join(f"# {' '.join(islice(words, 40))}\n\n" for _ in range(2_000))),
        (
            "md",
            "".join(f"{'#' * n} {' '.join(islice(words, 40))}\n\n" for n in range(1, 6))
            + "###### a\n\nb\n\n" * 2_000,
        ),
        ("txt", "-".join(islice(ligatures, 6_000))),
        ("txt", "_".join(islice(words, 100_000))),
        ("txt", "".join(chr(0x20000 + number % 40_000) for number in range(100_000))),
        ("txt", "aB" * 100_000),
        ("txt", "x" * 1_000_000),
        ("txt", "!?" * 500_000),
        ("txt", "-" * 1_000_000),
    ],
    ids=[
        "headings",
        "deep",
        "ligatures",
        "compound",
        "cjk",
        "camel",
        "one word",
        "punctuation",
        "rule",
    ],
)
def test_a_hostile_document_has_parts_that_postgresql_takes(
    file_type: str, text: str, connection: psycopg.Connection[Any]
) -> None:
    parts = parts_of(text, file_type)
    assert max(len(part.ends) for part in parts) < MAX_PART
    for part in parts:
        assert part.ends[-1] <= MAX_PART + MAX_SECTION
        assert len(part.vector.encode()) <= MAX_VECTOR + 10 < TSVECTOR_BYTES
        # A part of 16,000 characters may be one compound, whose words stand there twice.
        assert len(part.tokens) < 20 * MAX_PART
    vectors = [part.vector for part in parts]
    assert_valid(vectors, connection)


def assert_valid(vectors: list[str], connection: psycopg.Connection[Any]) -> None:
    """Assert that PostgreSQL reads the lexemes that were written, and no positions."""
    rows = connection.execute(
        "select tsvector_to_array(vector::tsvector), vector::tsvector = strip(vector::tsvector) "
        "from unnest(%s::text[]) with ordinality as each (vector, place) order by place",
        (vectors,),
    ).fetchall()
    for vector, (lexemes, has_no_positions) in zip(vectors, rows, strict=True):
        assert set(lexemes) == set(lexemes_in(vector)) - {""}
        assert has_no_positions


def test_the_longest_words_are_left_out_of_a_vector_that_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service.documents.parts, "MAX_VECTOR", 2_000)
    short = [f"s{number}" for number in range(100)]
    long = [f"{number}{'long' * 10}" for number in range(100)]
    part = part_of(" ".join([*long, *short]))
    assert len(part.vector) <= 2_010
    assert set(short) <= set(lexemes_in(part.vector))
    assert len(part.text) > 4_000


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.one_of(documents, st.text(max_size=300)), file_type=file_types)
def test_a_vector_is_one_of_postgresql(
    connection: psycopg.Connection[Any], text: str, file_type: str
) -> None:
    assert_valid([part.vector for part in parts_of(text, file_type)], connection)


@settings(deadline=None, max_examples=200)
@given(text=st.one_of(documents, st.text(max_size=300)), file_type=file_types)
def test_the_parts_have_all_sections_in_order(text: str, file_type: str) -> None:
    metadata, sections = read_document(text, file_type, PATH)
    parts = make_parts(metadata, sections, PATH)
    assert_whole(metadata, sections, parts)


@given(lengths=st.lists(st.integers(0, MAX_SECTION), min_size=1, max_size=30))
def test_the_parts_of_long_documents_have_all_sections_in_order(lengths: list[int]) -> None:
    sections = [
        Section(number, (f"w{number} " * length)[:length]) for number, length in enumerate(lengths)
    ]
    metadata = {
        "title": "T",
        "headings": [
            {"level": 1 + number % 6, "text": f"h{number}", "anchor": f"h{number}"}
            for number in range(len(lengths))
        ],
    }
    assert_whole(metadata, sections, make_parts(metadata, sections, PATH))


def assert_whole(metadata: dict[str, Any], sections: list[Section], parts: list[Part]) -> None:
    found: list[tuple[int | None, str]] = []
    for part in parts:
        assert len(lines_of(part)) == len(part.headings) == len(part.ends)
        assert all(len(fields) == 3 for fields in lines_of(part))
        assert part.ends == sorted(part.ends)
        assert part.ends[-1] == len(part.text)
        for path, text in zip(part.headings[1:], texts_of(part)[1:], strict=True):
            steps = [int(step) for step in path.split(" ")] if path else []
            levels = [metadata["headings"][step]["level"] for step in steps]
            assert levels == sorted(set(levels))
            found.append((steps[-1] if steps else None, text))
    assert found == [(heading, text) for heading, text in sections]


def test_a_phrase_of_any_field_has_its_pairs() -> None:
    """Of each part the filter has each two neighbouring tokens, in any of its lines' fields."""
    metadata = {
        "title": "Refund limits of `create_pool`",
        "headings": [
            {"level": 1, "text": "First \u2014 heading", "anchor": "a"},
            {"level": 2, "text": "Second get_db/x heading", "anchor": "b"},
        ],
    }
    sections = [
        Section(None, "before the heading"),
        Section(0, "long text " * 1_700),
        *[
            Section(1, f"FR-12: number {number} \u8a2d\u8a08 text {'word ' * 900}")
            for number in range(9)
        ],
    ]
    parts = make_parts(metadata, sections, "docs/v4 API/create_pool.md")
    assert len(parts) > 2
    for part in parts:
        bits = int.from_bytes(bytes.fromhex(part.pairs), "little")
        size = 4 * len(part.pairs)
        # Two blanks are between two headings above a section.
        for field in re.split("[\t\n]|  ", part.tokens):
            for pair in pairs_in(f"{field.partition(DEFINED)[0]} "):
                assert bits >> pair % size & 1
        # Few others are there.
        others = [pair_number(f"{number}|", "other|") for number in range(1_000)]
        assert sum(bits >> pair % size & 1 for pair in others) < 300


@pytest.mark.parametrize(
    "piece", ["a", "a_", "the_", "U.S.", "aB", "l'", "a/b.", "1.", "0\u4e00", "\u00e9-"]
)
def test_the_parts_of_a_text_without_blanks_take_linear_work(piece: str) -> None:
    def count_steps(length: int) -> int:
        """Return the steps of the interpreter, which runs a loop in one line as well."""
        steps = 0

        def count(frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
            nonlocal steps
            frame.f_trace_opcodes = True
            steps += event == "opcode"
            return count

        text = piece * (length // len(piece))
        before = sys.gettrace()
        sys.settrace(count)
        try:
            make_parts({"title": "a"}, [Section(None, text)], "a.txt")
        finally:
            sys.settrace(before)
        return steps

    assert count_steps(2_000) < 2.3 * count_steps(1_000)
