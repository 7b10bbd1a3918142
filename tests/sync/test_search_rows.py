"""The rows that the search reads: those of a source's documents as they are, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.documents.completions import make_completions
from service.documents.parts import make_parts
from service.documents.sections import read_document
from service.documents.text import DocumentText
from service.sync import search_rows
from service.sync.parsing import parse_file
from service.sync.plan import WantedFile
from service.sync.search_rows import MAX_WORDS, MAX_WORDS_OF_DOCUMENT, SearchRowMaker
from tests.support.hub import counts
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.hub import Hub

PARTS = """
    select file_path, kind, tsvector_to_array(vector), tokens, body, headings, ends,
           encode(pairs, 'hex'), is_only
    from document_part
    left join document on document.id = document_id
        and document.project_doc_id = document_part.project_doc_id
    where document_part.project_doc_id = '{}'
    order by file_path, number
    """
HEADINGS = """
    select file_path, number, text
    from document_heading
    left join document on document.id = document_id
    order by file_path, number
    """


def assert_rows(hub: Hub, source: str, files: Mapping[str, tuple[str, str]]) -> None:
    """Assert that the rows are those of these documents: path, then kind and text."""
    parts: list[tuple[Any, ...]] = []
    headings: list[tuple[Any, ...]] = []
    for path, (kind, text) in sorted(files.items()):
        metadata, sections = read_document(text, path.rpartition(".")[2], path)
        made = make_parts(metadata, sections, path)
        for part in made:
            lexemes = sorted(part.vector[1:-1].split("' '"))
            texts = (part.tokens, part.text, part.headings, part.ends, part.pairs)
            parts.append((path, kind, lexemes, *texts, len(made) == 1))
        headings += [(path, *each) for each in make_completions(metadata)]
    assert run_sql(hub.database, PARTS.format(source)) == parts
    assert run_sql(hub.database, HEADINGS) == headings


LONG = "# Long\n\n" + "".join(f"## Section {n}\n\n{'words and ' * 300}\n\n" for n in range(40))


def test_the_rows_are_those_of_the_documents(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"prd.md": LONG.encode(), "b.md": b"# B\n\nbe\n", "c.md": b"text\n"})
    source = hub.create_source(hub.create_project(), remote)
    hub.sync(source)
    files = {"prd.md": ("prd", LONG), "b.md": ("other", "# B\n\nbe\n"), "c.md": ("other", "text\n")}
    assert_rows(hub, source, files)
    # Shorter, moved and changed, moved, removed.
    remote.commit({"prd.md": b"# Short\n", "c.md": None}, renames={"b.md": "docs/prd/b.md"})
    hub.sync(source)
    assert_rows(
        hub, source, {"prd.md": ("prd", "# Short\n"), "docs/prd/b.md": ("prd", "# B\n\nbe\n")}
    )


def test_what_an_older_copy_changed_beside_is_read_again(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"# Old\n\nold\n", "b.md": b"# B\n", "c.md": b"# C\n"})
    source = hub.create_source(hub.create_project(), remote)
    hub.sync(source)
    remote.commit({"a.md": b"# New\n\nnew\n", "b.md": None, "d.md": b"# D\n"})
    blobs = {name: remote.git("rev-parse", f"HEAD:{name}.md") for name in "ad"}
    # A copy before migration 0008 writes documents, and knows of no parts.
    run_sql(
        hub.database,
        f"""
        update document
        set content = E'# New\\n\\nnew\\n', blob_id = '{blobs["a"]}',
            doc_metadata = '{{"title": "New"}}'
        where file_path = 'a.md'
        """,
        "delete from document where file_path = 'b.md'",
        f"""
        insert into document
            (project_doc_id, file_path, file_type, file_size, blob_id, content, doc_metadata)
        values ('{source}', 'd.md', 'md', 4, '{blobs["d"]}', E'# D\\n', '{{"title": "D"}}')
        """,
        f"""
        update project_doc
        set reader_version = reader_version - 1, last_commit = '{remote.git("rev-parse", "HEAD")}',
            tree_id = '{remote.git("rev-parse", "HEAD^{tree}")}'
        """,
    )
    assert counts(hub.sync(source)) == (0, 0, 3, 0, 0)
    assert_rows(
        hub,
        source,
        {
            "a.md": ("other", "# New\n\nnew\n"),
            "c.md": ("other", "# C\n"),
            "d.md": ("other", "# D\n"),
        },
    )


def test_a_document_whose_new_content_is_lost_is_read_again_from_its_old_one(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"# Old\n\nold\n", "b.md": b"# B\n"})
    source = hub.create_source(hub.create_project(), remote)
    hub.sync(source)
    run_sql(
        hub.database,
        "delete from document_part",
        "delete from document_heading",
        "update project_doc set reader_version = reader_version - 1",
    )
    remote.commit({"a.md": b"# New\n\nnew\n"})
    remote.lose(remote.git("rev-parse", "HEAD:a.md"))
    run = hub.sync(source)
    assert counts(run) == (0, 0, 2, 0, 1)
    assert (run["files_done"], run["files_total"]) == (2, 2)
    assert_rows(hub, source, {"a.md": ("other", "# Old\n\nold\n"), "b.md": ("other", "# B\n")})


def make(maker: SearchRowMaker, path: str, text: str) -> None:
    parsed = parse_file(WantedFile(path, "txt", ""), DocumentText(text, True, "utf-8"))
    maker.make_rows(path, parsed)


def letters_of(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:06}")


@pytest.mark.parametrize(
    "word", [letters_of, "u{:x}".format, "{:06}".format], ids=["words", "ids", "numbers"]
)
def test_a_document_of_data_leaves_the_words_of_others_to_be_corrected(
    word: Callable[[int], str],
) -> None:
    maker = SearchRowMaker()
    for number in range(3):
        start = number * MAX_WORDS
        data = " ".join(map(word, range(start, start + 3 * MAX_WORDS_OF_DOCUMENT)))
        make(maker, f"data{number}.txt", data)
        assert len(maker.words) <= (number + 1) * MAX_WORDS_OF_DOCUMENT
    # Of the part in which the first document reaches its limit, and of a later part.
    beyond = [word(MAX_WORDS_OF_DOCUMENT + 1), word(2 * MAX_WORDS_OF_DOCUMENT)]
    make(maker, "b.txt", " ".join(["quokka", *beyond]))
    assert "quokka" in maker.words
    if word is letters_of:
        assert maker.words.issuperset(beyond)


def test_a_run_adds_a_limited_number_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_rows, "MAX_WORDS", 25)
    maker = SearchRowMaker()
    for number in range(9):
        words = " ".join(map(letters_of, range(10 * number, 10 * number + 10)))
        make(maker, "1.txt", words)
        assert len(maker.words) == min(25, 10 * (number + 1))
