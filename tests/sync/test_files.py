"""Contents that a run fetches, copies, decodes and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.documents.text import MAX_JSON_BYTES
from service.sync.batches import BYTES_PER_STATEMENT, ROWS_PER_STATEMENT
from service.sync.spool import SPOOLED_IN_MEMORY
from tests.support.hub import Hub, counts, row_versions, running_hub
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = "select file_path, content from document order by 1"


def test_only_different_contents_are_fetched_and_written(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({f"{name}.md": name.encode() * 10_000 for name in "abcdef"})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    assert counts(hub.sync(source)) == (6, 0, 0, 0, 0)
    files = hub.files(project)
    kept = hub.document(project, "c.md")
    before = row_versions(hub)
    remote.commit({"a.md": b"changed", "b.md": None, "g.md": b"new"})
    run = hub.sync(source)
    assert counts(run) == (1, 1, 4, 1, 0)
    assert run["bytes"] < 10_000
    after = row_versions(hub)
    assert set(after) == {"a.md", "c.md", "d.md", "e.md", "f.md", "g.md"}
    assert {path for path in after if after[path] != before.get(path)} == {"a.md", "g.md"}
    assert hub.files(project)["a.md"]["id"] == files["a.md"]["id"]
    assert hub.document(project, "a.md")["content"] == "changed"
    assert hub.document(project, "a.md")["updated_at"] > kept["updated_at"]
    assert hub.document(project, "c.md") == kept


def test_contents_of_moved_files_are_not_fetched_again(hub: Hub) -> None:
    remote = hub.server.create()
    content = b"# Large\n" + bytes(range(32, 127)) * 4000
    utf16 = "\ufeffmoved".encode("utf-16-le")
    remote.commit({"old/a.md": content, "old/b.txt": utf16})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    remote.commit(renames={"old": "new"})
    run = hub.sync(source)
    assert counts(run) == (0, 0, 0, 0, 0)
    assert run["moved"] == 2
    assert run["bytes"] < 10_000
    assert hub.document(project, "new/a.md")["content"].encode() == content
    raw = hub.client.get(f"/api/documents/{hub.files(project)['new/b.txt']['id']}/raw")
    assert raw.content == utf16


def test_contents_that_move_between_stored_files_are_not_lost(hub: Hub) -> None:
    count = (
        ROWS_PER_STATEMENT + 10
    )  # so that a statement overwrites contents that the next one needs
    remote = hub.server.create()
    remote.commit({f"{number:04}.md": b"# %d\n" % number for number in range(count)})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    remote.commit({f"{number:04}.md": b"# %d\n" % (number + 1) for number in range(count - 1)})
    remote.commit({f"{count - 1:04}.md": b"# new\n"})
    assert counts(hub.sync(source)) == (0, count, 0, 0, 0)
    rows = run_sql(
        hub.database, "select content, doc_metadata ->> 'title' from document order by file_path"
    )
    expected = [str(number) for number in range(1, count)] + ["new"]
    assert [title for _, title in rows] == expected
    assert [content for content, _ in rows] == [f"# {title}\n" for title in expected]


def test_a_document_that_becomes_unreadable_is_deleted(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"text"})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    remote.commit({"a.md": b"\0"})
    assert counts(hub.sync(source)) == (0, 0, 0, 1, 1)
    assert hub.files(project) == {}


@pytest.mark.parametrize(
    ("content", "text", "encoding"),
    [
        (b"\xef\xbb\xbf# A\r\n", "# A\r\n", "utf-8-sig"),
        ("\ufeff# \u00c4\n".encode("utf-16-le"), "# \u00c4\n", "utf-16-le"),
        ("\ufeff# \u00c4\n".encode("utf-16-be"), "# \u00c4\n", "utf-16-be"),
        (b"", "", None),
        ("\U0001f600".encode(), "\U0001f600", None),
        (b"# It\x92s a caf\xe9\r\n", "# It\u2019s a caf\u00e9\r\n", "windows-1252"),
    ],
)
def test_utf_16_and_byte_order_marks_are_decoded_and_the_raw_bytes_kept(
    hub: Hub, content: bytes, text: str, encoding: str | None
) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": content})
    project = hub.create_project()
    hub.sync(hub.create_source(project, remote))
    document = hub.document(project, "a.md")
    assert document["content"] == text
    assert document["doc_metadata"].get("encoding") == encoding
    assert document["file_size"] == len(content)
    raw = hub.client.get(f"/api/documents/{document['id']}/raw")
    assert raw.content == content
    assert raw.text.removeprefix("\ufeff") == text


def test_a_text_with_nul_is_shown_with_replacements_and_the_raw_bytes_kept(hub: Hub) -> None:
    remote = hub.server.create()
    files = {
        "a.md": b"---\ntitle: A\0B\n---\n# A\0 heading\n" + b"text\n" * 3000 + b"\0\n",
        "b.json": b'{"title": "A\0B", "escaped": "\\u0000 \\ud800"}' + b" " * 50,
        "c.yaml": b'title: "a\\0b"\n' + b"a: b\n" * 9 + b"c: \0\n",
        "d.csv": b"name,city\n" * 30 + b"Andr\xe9,M\xfcnchen\n\0\n",
        "e.txt": b"plain text\n" * 100 + b"\x81\x81\n",
        "f.txt": "d\u00e9j\u00e0 vu\n".encode() * 9 + b"caf\xe9\n",
    }
    remote.commit(files)
    project = hub.create_project()
    assert counts(hub.sync(hub.create_source(project, remote))) == (6, 0, 0, 0, 0)
    expected = {
        "a.md": (None, 3, "utf-8"),
        "b.json": (None, 1, "utf-8"),
        "c.yaml": (None, 1, "utf-8"),
        "d.csv": ("windows-1252", 1, "windows-1252"),
        "e.txt": ("unknown", 2, None),
        "f.txt": (None, 1, "utf-8"),
    }
    for name, (encoding, replaced, charset) in expected.items():
        document = hub.document(project, name)
        metadata = document["doc_metadata"]
        assert (metadata.get("encoding"), metadata["replaced_characters"]) == (encoding, replaced)
        assert document["content"].count("\ufffd") == replaced
        assert document["file_size"] == len(files[name])
        raw = hub.client.get(f"/api/documents/{document['id']}/raw")
        assert raw.content == files[name]
        media_type, _, parameter = raw.headers["content-type"].partition("; charset=")
        assert parameter == (charset or ""), name
        assert media_type.partition("/")[0] in ("text", "application")
    assert hub.document(project, "a.md")["doc_metadata"]["title"] == "A\ufffdB"
    assert hub.document(project, "d.csv")["content"].splitlines()[30] == "Andr\u00e9,M\u00fcnchen"


def test_texts_in_other_encodings_fill_the_spool_beyond_memory(hub: Hub) -> None:
    # 3.2 MB of UTF-8 each, in one word: many words would take long to index.
    texts = [str(number) + "\u00e9" * 1_600_000 for number in range(3)]
    assert sum(len(text.encode()) for text in texts) > SPOOLED_IN_MEMORY
    remote = hub.server.create()
    utf16 = {
        f"{number}.txt": f"\ufeff{text}".encode("utf-16-le") for number, text in enumerate(texts)
    }
    remote.commit({**utf16, "again.txt": utf16["0.txt"], "plain.txt": texts[0].encode()})
    project = hub.create_project()
    assert counts(hub.sync(hub.create_source(project, remote))) == (5, 0, 0, 0, 0)
    for name, content in utf16.items():
        assert hub.document(project, name)["content"] == texts[int(name[0])]
        raw = hub.client.get(f"/api/documents/{hub.files(project)[name]['id']}/raw")
        assert raw.content == content
    assert hub.document(project, "again.txt")["content"] == texts[0]
    assert hub.document(project, "plain.txt")["content"] == texts[0]


@pytest.mark.parametrize(
    "content",
    # The headings take more bytes than the text; an unreadable content counts as well.
    [b"x" * 90_000, b"# a\n" * 2000, b"\0" * 90_000],
    ids=["text", "headings", "unreadable"],
)
def test_sync_max_bytes_counts_a_content_once_for_each_file(
    database: str, tmp_path: Path, content: bytes
) -> None:
    with running_hub(database, tmp_path, sync_max_bytes=4_000_000) as hub:
        remote = hub.server.create()
        remote.commit({f"{number}.md": content for number in range(120)})
        source = hub.create_source(hub.create_project(), remote)
        assert "more than 4,000,000 bytes together" in hub.sync(source)["error"]
        assert run_sql(database, DOCUMENTS) == []
        remote.commit({f"{number}.md": content for number in range(3)}, start_over=True)
        assert hub.sync(source)["status"] == "completed"


def test_a_text_of_control_characters_is_skipped_and_its_document_removed(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.txt": b"\x01" * (MAX_JSON_BYTES // 6 - 1), "b.md": b"# B\n"})
    source = hub.create_source(hub.create_project(), remote)
    assert counts(hub.sync(source)) == (2, 0, 0, 0, 0)
    remote.commit({"a.txt": b"\x01" * (MAX_JSON_BYTES // 6)})
    run = hub.sync(source)
    assert counts(run) == (0, 0, 1, 1, 1)
    assert run["skipped_files"] == [
        {
            "path": "a.txt",
            "reason": "has more than 12 MB as JSON: it consists mostly of control characters",
        }
    ]


def test_a_statement_writes_as_many_bytes_of_texts_and_metadata_as_are_allowed(hub: Hub) -> None:
    # 60 KB each, but 500 KB of headings, or twice their size in UTF-8 and in their own encoding.
    headings = "".join(f"# {'x' * 25}\n" for _ in range(2000)).encode()
    latin = "\u20ac caf\u00e9 ".encode("cp1252") * 8_000
    remote = hub.server.create()
    files = {f"{number}.md": headings + b"%d" % number for number in range(60)}
    files |= {f"{number}.txt": latin + b"%d" % number for number in range(60)}
    remote.commit(files)
    project = hub.create_project()
    source = hub.create_source(project, remote)
    assert counts(hub.sync(source)) == (120, 0, 0, 0, 0)
    assert hub.document(project, "7.txt")["content"].endswith("caf\u00e9 7")
    assert len(hub.document(project, "7.md")["doc_metadata"]["headings"]) == 2000
    ((largest,),) = run_sql(
        hub.database,
        """
        select max(bytes) from (
            select sum(octet_length(content) + coalesce(octet_length(original), 0)
                       + octet_length(doc_metadata::text)) as bytes
            from document group by cmin::text, xmin::text
        ) as statement
        """,
    )
    assert largest <= BYTES_PER_STATEMENT * 1.1
