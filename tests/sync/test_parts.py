"""The parts of documents: written, replaced, moved and removed with their documents."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from service.documents.completions import make_completions
from service.documents.metadata import PARTS_VERSION, READER_VERSION
from service.documents.parts import make_parts
from service.documents.sections import read_document
from service.sync.parsing import digest_of
from tests.support.hub import Hub, Synced
from tests.support.postgres import run_sql
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS = """
    select file_path, document_part.number, tokens
    from document_part join document on document.id = document_id
    order by 1, 2
    """
WORDS = "select word from vocabulary order by 1"
# Rows without their document.
ORPHANS = """
    select 'part' from document_part
    where not exists (select from document where id = document_id)
    union all
    select 'heading' from document_heading
    where not exists (select from document where id = document_id)
    """
VERSIONS = """
    select file_path, number, document_part.xmin::text, document_part.ctid::text
    from document_part join document on document.id = document_id
    """
TABLES = ("document_part", "document_heading")


def parts(hub: Hub) -> dict[str, int]:
    """Return the number of parts of each document, by path."""
    assert run_sql(hub.database, ORPHANS) == []
    counts: dict[str, int] = {}
    for path, number, _ in run_sql(hub.database, PARTS):
        assert number == counts.get(path, 0)
        counts[path] = number + 1
    return counts


def found(hub: Hub, query: str, **parameters: Any) -> list[str]:
    """Return the paths of the documents that a search finds, in their order."""
    response = hub.client.get("/api/search", params={"q": query, **parameters})
    assert response.status_code == 200, response.text
    return sorted(result["document"]["path"] for result in response.json()["results"])


def row_counts(hub: Hub) -> Mapping[str, int]:
    counts = {name: run_sql(hub.database, f"select count(*) from {name}") for name in TABLES}
    return {name: rows[0][0] for name, rows in counts.items()}


LONG = b"# Long\n\n" + b"".join(b"## H%d\n\n%s\n\n" % (n, b"word " * 1_500) for n in range(15))


def test_the_parts_of_a_document_are_written_with_it(hub: Hub) -> None:
    Synced(hub, {"a.md": b"# Walnut\n", "b.txt": b"", "c.json": b"{}", "long.md": LONG})
    assert parts(hub) == {"a.md": 1, "b.txt": 1, "c.json": 1, "long.md": 5}
    assert found(hub, "walnut") == ["a.md"]
    assert ("walnut",) in run_sql(hub.database, WORDS)


def test_documents_that_were_read_before_there_were_parts_get_them(hub: Hub) -> None:
    synced = Synced(hub, {"a.md": b"# Walnut\n"})
    # Version 7 read sections from documents before migration 0008 made the table of parts.
    run_sql(
        hub.database,
        "truncate document_part, document_heading",
        "update project_doc set reader_version = 7",
    )
    hub.sync(synced.source)
    assert parts(hub) == {"a.md": 1}
    assert found(hub, "walnut") == ["a.md"]


def test_the_parts_of_a_changed_document_are_replaced(hub: Hub) -> None:
    synced = Synced(hub, {"a.md": b"# Walnut\n", "b.md": LONG})
    synced.change({"a.md": b"# Almond\n", "b.md": b"# Short\n"})
    assert parts(hub) == {"a.md": 1, "b.md": 1}
    assert (found(hub, "walnut"), found(hub, "almond")) == ([], ["a.md"])
    synced.change({"b.md": LONG})
    assert parts(hub) == {"a.md": 1, "b.md": 5}


def test_the_parts_of_an_unchanged_document_stay(hub: Hub) -> None:
    synced = Synced(hub, {"a.md": b"# Walnut\n", "b.md": b"# B\n"})
    versions = (
        "select document_part.xmin::text from document_part join document on id = document_id"
    )
    before = run_sql(hub.database, f"{versions} where file_path = 'a.md'")
    synced.change({"b.md": b"# C\n"})
    assert run_sql(hub.database, f"{versions} where file_path = 'a.md'") == before


def test_a_moved_document_is_found_by_its_new_path(hub: Hub) -> None:
    synced = Synced(hub, {"walnut.md": b"# A\n", "b/almond.md": b"# B\n\ntext\n"})
    document = hub.files(synced.project)["walnut.md"]["id"]
    synced.remote.commit(renames={"walnut.md": "pecan.md", "b/almond.md": "walnut/cashew.md"})
    run = hub.sync(synced.source)
    assert (run["status"], run["moved"]) == ("completed", 2)
    assert parts(hub) == {"pecan.md": 1, "walnut/cashew.md": 1}
    assert found(hub, "pecan") == ["pecan.md"]
    assert found(hub, "almond") == []
    assert found(hub, "walnut") == ["walnut/cashew.md"]
    assert found(hub, "cashew", path="walnut/") == ["walnut/cashew.md"]
    assert hub.files(synced.project)["pecan.md"]["id"] == document


def test_documents_that_change_their_paths_among_each_other_are_found(hub: Hub) -> None:
    synced = Synced(hub, {"a.md": b"# Walnut\n", "b.md": b"# Almond\n", "c.md": b"# Pecan\n"})
    synced.change({"a.md": b"# Almond\n", "b.md": b"# Pecan\n", "c.md": b"# Walnut\n"})
    assert parts(hub) == {"a.md": 1, "b.md": 1, "c.md": 1}
    assert [found(hub, query) for query in ("walnut", "almond", "pecan")] == [
        ["c.md"],
        ["a.md"],
        ["b.md"],
    ]


@pytest.mark.parametrize("what", ["document", "source", "project"])
def test_the_parts_go_with_what_is_deleted(hub: Hub, what: str) -> None:
    synced = Synced(hub, {"a.md": LONG, "b.md": b"# Walnut\n"})
    other = hub.server.create("team/other")
    other.commit({"c.md": b"# Walnut\n"})
    other_source = hub.create_source(hub.create_project("Other"), other)
    assert hub.sync(other_source)["status"] == "completed"
    if what == "document":
        synced.remove("a.md")
        assert parts(hub) == {"b.md": 1, "c.md": 1}
        return
    paths = {"source": f"project-docs/{synced.source}", "project": f"projects/{synced.project}"}
    assert hub.client.delete(f"/api/{paths[what]}").status_code == 200
    assert found(hub, "walnut") == ["c.md"]
    # Their rows are removed in the background.
    eventually(lambda: row_counts(hub) == {"document_part": 1, "document_heading": 1})
    assert parts(hub) == {"c.md": 1}


def test_a_run_that_fails_changes_no_part(hub: Hub) -> None:
    synced = Synced(hub, {"a.md": b"# Walnut\n"})
    # The run writes documents before it writes that it is completed.
    run_sql(
        hub.database,
        "create function refuse() returns trigger language plpgsql as "
        "$$ begin raise exception 'no'; end $$",
        "create trigger refuse before insert on document_part execute function refuse()",
    )
    synced.remote.commit({"a.md": b"# Almond\n"})
    response = hub.client.post(f"/api/project-docs/{synced.source}/sync")
    run = hub.wait(response.headers["location"], 60)
    assert run["status"] == "failed"
    assert (found(hub, "walnut"), found(hub, "almond")) == (["a.md"], [])
    assert hub.document(synced.project, "a.md")["content"] == "# Walnut\n"


def test_documents_of_before_get_their_parts_with_the_next_sync(hub: Hub) -> None:
    synced = Synced(hub, {"a.md": b"# Walnut\n", "b.md": LONG})
    before = hub.document(synced.project, "a.md")
    run_sql(
        hub.database,
        *(f"delete from {table}" for table in TABLES),
        f"update project_doc set reader_version = {READER_VERSION - 1}",
    )
    assert found(hub, "walnut") == []
    run = hub.sync(synced.source)
    assert (run["status"], run["unchanged"], run["changed"]) == ("completed", 2, 0)
    assert parts(hub) == {"a.md": 1, "b.md": 5}
    assert found(hub, "walnut") == ["a.md"]
    assert hub.document(synced.project, "a.md") == before


def test_a_run_that_reads_all_again_writes_only_what_differs(hub: Hub) -> None:
    synced = Synced(hub, {"a.md": b"# Walnut\n", "b.md": b"# Almond\n", "long.md": LONG * 10})

    def read_again() -> set[str]:
        """Return the documents of which a run that reads all again writes the parts."""
        before = set(run_sql(hub.database, VERSIONS))
        run_sql(
            hub.database,
            f"update project_doc set reader_version = {READER_VERSION - 1}, tree_id = null",
        )
        assert hub.sync(synced.source)["status"] == "completed"
        return {path for path, *_ in set(run_sql(hub.database, VERSIONS)) - before}

    assert read_again() == set()
    # As another version of the code wrote them.
    run_sql(hub.database, "update document_part set digest = '' where number = 0")
    assert read_again() == {"a.md", "b.md", "long.md"}
    # Two documents change their paths with each other.
    synced.remote.commit({"a.md": b"# Almond\n", "b.md": b"# Walnut\n"})
    assert read_again() == {"a.md", "b.md"}
    assert (found(hub, "walnut"), found(hub, "almond")) == (["b.md"], ["a.md"])
    # Another kind by its path alone.
    synced.remote.commit(renames={"b.md": "docs/prd.md"})
    hub.sync(synced.source)
    assert found(hub, "walnut", kind="prd") == ["docs/prd.md"]


def test_a_digest_is_of_all_that_parts_are_made_from() -> None:
    first = ("a.md", "prd", b"{}", b"[]")
    others = [("b.md", "prd"), ("a.md", "epic"), ("a.mdp", "rd")]
    digests = [digest_of(*first), *(digest_of(*other, b"{}", b"[]") for other in others)]
    digests += [digest_of("a.md", "prd", b"{}[", b"]"), digest_of("a.md", "prd", b"", b"{}[]")]
    assert len(set(digests)) == len(digests)
    assert digest_of(*first) == digests[0]


def test_a_change_of_the_rows_raises_their_version() -> None:
    """If this fails, raise PARTS_VERSION and READER_VERSION, and write both below."""
    text = (
        "---\ntitle: FR-12\n---\n# caf\u00e9 create_pool\n\nthe pools: are\u3000\u8a2d\u8a08 v2\n"
    )
    metadata, sections = read_document(text, "md", "docs/prd.md")
    rows = [
        [*sorted(part.vector.split()), part.tokens, part.text, part.headings, part.ends, part.pairs]
        for part in make_parts(metadata, sections, "docs/prd.md")
    ]
    digest = sha256(repr([rows, make_completions(metadata)]).encode()).hexdigest()
    assert (PARTS_VERSION, digest[:16]) == (2, "1460a31d20885c1b")


def test_what_an_older_copy_wrote_is_right_after_the_next_sync(hub: Hub) -> None:
    synced = Synced(
        hub, {"a.md": b"# Walnut\n", "b.md": b"# Almond\n", "c.md": b"# Pecan\n", "d.md": b"# D\n"}
    )
    synced.remote.commit({"a.md": b"# Cashew\n", "b.md": None, "e.md": b"# Hazelnut\n"})
    synced.remote.commit(renames={"c.md": "moved.md"})
    # An older copy writes documents as they are now, without parts, and leaves those of before.
    run_sql(
        hub.database,
        "update document set content = E'# Cashew\\n', blob_id = 'x' where file_path = 'a.md'",
        "delete from document where file_path = 'b.md'",
        "update document set file_path = 'moved.md' where file_path = 'c.md'",
        "insert into document (project_doc_id, file_path, file_type, file_size, blob_id, content, "
        "doc_metadata) select id, 'e.md', 'md', 11, 'y', E'# Hazelnut\\n', "
        """'{"title": "Hazelnut", "front_matter": null, "headings": []}' from project_doc""",
        f"update project_doc set reader_version = {READER_VERSION - 1}, tree_id = null",
    )
    assert hub.sync(synced.source)["status"] == "completed"
    assert parts(hub) == {"a.md": 1, "d.md": 1, "e.md": 1, "moved.md": 1}
    for query, paths in {
        "walnut": [],
        "almond": [],
        "cashew": ["a.md"],
        "hazelnut": ["e.md"],
        "pecan": ["moved.md"],
        "moved": ["moved.md"],
    }.items():
        assert found(hub, query) == paths, query


ONE_MEGABYTE = 1_000_000
HOSTILE = {
    "5 MB of one word": ("a.txt", b"walnut " * (4_900_000 // 7), "walnut"),
    "5 MB of different words": (
        "a.txt",
        b" ".join(b"w%dx" % n for n in range(550_000)) + b" walnut",
        "walnut",
    ),
    "1 MB without blanks": ("a.md", b"x" * ONE_MEGABYTE + b"\n\nwalnut\n", "walnut"),
    "1 MB of a compound": ("a.md", b"aB_" * (ONE_MEGABYTE // 3) + b"\n\nwalnut\n", "walnut"),
    "only Chinese": (
        "a.md",
        "".join(chr(0x4E00 + n * 7 % 20_000) for n in range(300_000)).encode(),
        "\u4e00\u4e07",
    ),
    "only punctuation": ("walnut.md", b"!?." * (ONE_MEGABYTE // 3), "walnut"),
    "4,000 headings": (
        "a.md",
        b"".join(b"# Heading %d %s\n\n" % (n, b"long " * 55) for n in range(4_000)) + b"walnut",
        "walnut",
    ),
    "headings below long headings": (
        "a.md",
        b"".join(b"#" * n + b" " + b"walnut%d " % n * 30 + b"\n\n" for n in range(1, 6))
        + b"###### a\n\nb\n\n" * 2_000,
        "walnut3",
    ),
    "deep nesting": ("a.md", b"> " * 50_000 + b"walnut\n\n" + b"- " * 50_000 + b"x\n", "walnut"),
    "deep JSON": ("walnut.json", b"[" * 500_000 + b"]" * 500_000, "walnut"),
    "surrogates and NUL in JSON": (
        "a.json",
        b'{"title": "\\u0000 walnut \\ud800", "\\udfff": "\\u0000"}',
        "walnut",
    ),
    "surrogates and NUL in YAML": ("a.yaml", b'title: "\\0 walnut \\ud800"\n', "walnut"),
    "surrogates in front matter": (
        "a.md",
        b'---\ntitle: "walnut \\ud800\\0"\n---\n\n&#xD800; &#0; text\n',
        "walnut",
    ),
    "controls": ("a.txt", bytes(range(1, 32)) + b" walnut \x7f\x1c\x1d'\\\" \xc2\x85", "walnut"),
    "quotes and backslashes": ("a.md", b"# ' \\' '' \\\\ walnut' {\"} \\\n", "walnut"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_synced_and_found(hub: Hub, name: str) -> None:
    path, content, query = HOSTILE[name]
    remote = hub.server.create()
    remote.commit({path: content, "other.md": b"# Other\n"})
    source = hub.create_source(hub.create_project(), remote)
    run = hub.sync(source, seconds=60)
    assert (run["status"], run["added"], run["skipped"]) == ("completed", 2, 0), run["error"]
    assert found(hub, query) == [path]
    assert set(parts(hub)) == {path, "other.md"}
