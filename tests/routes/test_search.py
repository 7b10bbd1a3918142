"""Searches over documents that were synced."""

from __future__ import annotations

import html
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from service.routes.search_parameters import MAX_QUERY
from service.schemas.search import KINDS
from service.search import find
from service.search.corrections import MAX_CORRECTED
from service.search.matches import ENOUGH, MAX_RANKED
from tests.support.hub import Hub, Synced, running_hub
from tests.support.postgres import run_sql
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.postgres import Postgres

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"

PRD = """# Payments PRD

The product of the payments team.

## Goals

Money arrives within a day. It is the end of the day that counts.

## Requirements

### FR-12 Refunds

A refund has limits: at most 500 euro a day, see `REFUND_LIMITS`.

### FR-13 Chargebacks

A chargeback takes thirty days.
"""
ARCHITECTURE = """# Payments architecture

## Database

The pool is made by `asyncpg.create_pool`; handlers call `get_db()`.

## CORS

`cors_origins` lists the allowed origins.

## Health

`GET /api/health` says whether the database responds.

## Providers

`LLMProvider` has one method.
"""
HOSTILE = """# Escaping <script>alert(1)</script> & "more"

## `<b>` & the <em>tag</em> hazelnut

The hazelnut & `<script>alert("x")</script>` and <b>bold</b> &lt;i&gt; 'q'.
"""
PAYMENTS = {
    "docs/prd.md": PRD,
    "docs/architecture.md": ARCHITECTURE,
    "docs/stories/1.3.refunds.md": (
        "# Story 1.3: Refunds\n\n## Status\n\nDraft\n\n## Story\n\n**As a** customer,\n"
        "**I want** a refund,\n**so that** I have my money back.\n\n"
        "## Acceptance Criteria\n\n1. The refund arrives.\n"
    ),
    "docs/qa/gates/1.3-refunds.yml": (
        'schema: 1\nstory: "1.3"\ngate: PASS\nstatus_reason: "The refund is tested."\n'
    ),
    "docs/guide.zh.md": (
        "# \u652f\u4ed8\u6307\u5357\n\n## \u9000\u6b3e\u9650\u989d\n\n"
        "\u6bcf\u5929\u6700\u591a\u4e94\u767e\u6b27\u5143\u3002\n"
    ),
    "docs/ecole.md": "# L'\u00c9cole\n\nLe caf\u00e9 est \u00e0 c\u00f4t\u00e9.\n",
    "docs/escape.md": HOSTILE,
    "docs/limits.csv": "card,limit\nprepaid,20\n",
    "README.md": "# Payments\n\nWhere the documents of the team are.\n",
}
PLATFORM = {
    "handbook/architecture.md": (
        "# Platform architecture\n\n## Queues\n\nA refund goes through a queue.\n"
    ),
    "handbook/setup.md": "# Setup\n\nText before.\n\n## Walnut\n\n### Almond\n\nThe macadamia.\n",
}


class Searched(NamedTuple):
    """A hub with two projects, of which one has two sources."""

    hub: Hub
    payments: str
    platform: str
    planning: str
    handbook: str
    notes: str

    def get(self, **parameters: Any) -> httpx.Response:
        return self.hub.client.get("/api/search", params=parameters)

    def search(self, query: str, **parameters: Any) -> dict[str, Any]:
        response = self.get(q=query, **parameters)
        assert response.status_code == 200, response.text
        return response.json()

    def paths(self, query: str, **parameters: Any) -> list[str]:
        return [each["document"]["path"] for each in self.search(query, **parameters)["results"]]

    def anchors(self, query: str, **parameters: Any) -> list[str | None]:
        """Return the anchor of the best section of each document."""
        found = self.search(query, **parameters)["results"]
        return [each["sections"][0]["anchor"] for each in found]


@pytest.fixture(scope="module")
def searched(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    """Documents that no test changes."""
    database = postgres.create_database(template="migrated")
    with running_hub(database, tmp_path_factory.mktemp("search")) as hub:

        def add(name: str, project: str, files: dict[str, str]) -> str:
            remote = hub.server.create(name)
            remote.commit({path: text.encode() for path, text in files.items()})
            source = hub.create_source(project, remote)
            assert hub.sync(source)["status"] == "completed"
            return source

        payments = hub.create_project("Payments")
        platform = hub.create_project("Platform")
        yield Searched(
            hub,
            payments,
            platform,
            planning=add("team/planning", payments, PAYMENTS),
            handbook=add("team/handbook", platform, PLATFORM),
            notes=add(
                "team/notes", platform, {"notes/pecan.md": "# Pecan\n\nThe refund of a pecan.\n"}
            ),
        )
    postgres.drop_database(database)


# --- the response


def test_a_response_has_exactly_these_fields(searched: Searched) -> None:
    response = searched.get(q="refund limits euro")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["query", "total", "fuzzy", "facets", "results"]
    assert body["query"] == "refund limits euro"
    assert body["total"] == {"value": len(body["results"]), "is_exact": True}
    assert body["fuzzy"] is None
    assert list(body["facets"]) == ["project", "kind"]
    first = body["results"][0]
    assert list(first) == ["document", "score", "sections"]
    stored = searched.hub.document(searched.payments, "docs/prd.md")
    assert first["document"] == {
        "id": stored["id"],
        "title": "Payments PRD",
        "path": "docs/prd.md",
        "kind": "prd",
        "project": {"id": searched.payments, "name": "Payments"},
        "source": {"id": searched.planning, "name": "Docs"},
        "updated_at": stored["updated_at"],
    }
    assert first["score"] > 0
    assert first["sections"][0] == {
        "anchor": "fr-12-refunds",
        "headings": [
            {"text": "Payments PRD", "anchor": "payments-prd"},
            {"text": "Requirements", "anchor": "requirements"},
            {"text": "FR-12 Refunds", "anchor": "fr-12-refunds"},
        ],
        "title": "FR-12 <mark>Refunds</mark>",
        "snippet": "A <mark>refund</mark> has <mark>limits</mark>: at most 500 "
        "<mark>euro</mark> a day, see <mark>REFUND</mark>_<mark>LIMITS</mark>.",
        "snippet_text": "A refund has limits: at most 500 euro a day, see REFUND_LIMITS.",
    }


def test_headings_begin_with_the_title_also_if_it_is_no_heading(hub: Hub) -> None:
    synced = Synced(
        hub,
        {
            "a.md": b"---\ntitle: The title\n---\n\nAn almond.\n\n## A walnut\n\nb\n",
            "b.txt": b"A macadamia.",
        },
    )

    def headings(query: str) -> Any:
        [result] = hub.client.get("/api/search", params={"q": query}).json()["results"]
        return result["sections"][0]["headings"]

    title = {"text": "The title", "anchor": None}
    assert headings("walnut") == [title, {"text": "A walnut", "anchor": "a-walnut"}]
    assert headings("almond") == [title]
    assert headings("macadamia") == [{"text": "b", "anchor": None}]
    assert synced.project


def test_every_anchor_is_one_of_its_document(searched: Searched) -> None:
    for query in ("refund", "the pool", "payments", "1.3", "macadamia", "script"):
        for result in searched.search(query)["results"]:
            document = searched.hub.client.get(f"/api/documents/{result['document']['id']}").json()
            anchors = {None, *(h["anchor"] for h in document["doc_metadata"].get("headings", []))}
            for section in result["sections"]:
                assert {section["anchor"], *(h["anchor"] for h in section["headings"])} <= anchors
                assert section["headings"][-1]["anchor"] == section["anchor"]


def test_a_result_has_three_sections_at_most(searched: Searched) -> None:
    found = searched.search("the payments refund database origins")["results"]
    assert max(len(result["sections"]) for result in found) > 1
    assert all(1 <= len(result["sections"]) <= 3 for result in found)


def test_html_of_a_document_is_escaped(searched: Searched) -> None:
    [result] = searched.search("hazelnut script")["results"]
    section = result["sections"][0]
    assert section["title"] == "&lt;b&gt; &amp; the tag <mark>hazelnut</mark>"
    assert section["snippet_text"] == (
        "The hazelnut & <script>alert(\"x\")</script> and bold <i> 'q'."
    )
    assert re.findall("<[^>]*>", section["snippet"]) == ["<mark>", "</mark>"] * 3
    unmarked = re.sub("</?mark>", "", section["snippet"])
    assert html.unescape(unmarked) == section["snippet_text"]
    assert [heading["text"] for heading in section["headings"]] == [
        'Escaping <script>alert(1)</script> & "more"',
        "<b> & the tag hazelnut",
    ]


# --- what is found


@pytest.mark.parametrize(
    ("query", "path", "anchor"),
    [
        ("refund limits", "docs/prd.md", "fr-12-refunds"),
        ("REFUND Limit", "docs/prd.md", "fr-12-refunds"),
        ("get_db", "docs/architecture.md", "database"),
        ("cors_origins", "docs/architecture.md", "cors"),
        ("corsOrigins", "docs/architecture.md", "cors"),
        ("/api/health", "docs/architecture.md", "health"),
        ("asyncpg.create_pool", "docs/architecture.md", "database"),
        ("create_pool", "docs/architecture.md", "database"),
        ("pool", "docs/architecture.md", "database"),
        ("LLMProvider", "docs/architecture.md", "providers"),
        ("FR-12", "docs/prd.md", "fr-12-refunds"),
        ("FR12", "docs/prd.md", "fr-12-refunds"),
        ("fr_13", "docs/prd.md", "fr-13-chargebacks"),
        ("\u9650\u989d", "docs/guide.zh.md", "\u9000\u6b3e\u9650\u989d"),
        ("\u4e94\u767e\u6b27", "docs/guide.zh.md", "\u9000\u6b3e\u9650\u989d"),
        ("ecole", "docs/ecole.md", None),
        ("CAFE", "docs/ecole.md", "l\u00e9cole"),
        ("cafe\u0301", "docs/ecole.md", "l\u00e9cole"),
        ("prepaid", "docs/limits.csv", None),
        ("limits.csv", "docs/limits.csv", None),
        ("1.3-refunds", "docs/qa/gates/1.3-refunds.yml", None),
        ("1.3.refunds.md", "docs/stories/1.3.refunds.md", None),
        ("guide.zh", "docs/guide.zh.md", None),
    ],
)
def test_a_section_is_found_first(
    query: str, path: str, anchor: str | None, searched: Searched
) -> None:
    first = searched.search(query)["results"][0]
    assert first["document"]["path"] == path
    if anchor is not None:
        assert first["sections"][0]["anchor"] == anchor


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ('"end of the day"', ["docs/prd.md"]),
        ('"end of day"', []),
        ('"the product of the"', ["docs/prd.md"]),
        ('"refund has limits"', ["docs/prd.md"]),
        ('"limits has refund"', []),
        ("macadamia -almond", []),
        ("macadamia -pecan", ["handbook/setup.md"]),
        ('macadamia -"text before"', ["handbook/setup.md"]),
        ("macadamia or prepaid", ["docs/limits.csv", "handbook/setup.md"]),
        ("macadamia OR walnut", ["handbook/setup.md"]),
        ("pecan -refund", ["notes/pecan.md"]),
        ("unbalanced", []),
        ('"macadamia', ["handbook/setup.md"]),
        ('macadamia"', ["handbook/setup.md"]),
        ('"macadamia" "', ["handbook/setup.md"]),
        ("--macadamia", ["handbook/setup.md"]),
        ("macad", []),
    ],
)
def test_operators(query: str, paths: list[str], searched: Searched) -> None:
    found = searched.search(query)
    assert sorted(each["document"]["path"] for each in found["results"]) == paths
    if paths:
        assert found["fuzzy"] is None


@pytest.mark.parametrize(
    "query", ["!?", "...", '"', '""', "-", "--", "-refund", '-"the refund"', "-a -b", " ", "\u3002"]
)
def test_a_search_for_nothing_finds_nothing(query: str, searched: Searched) -> None:
    assert searched.search(query) == {
        "query": query,
        "total": {"value": 0, "is_exact": True},
        "fuzzy": None,
        "facets": {"project": [], "kind": []},
        "results": [],
    }


def test_as_you_type_the_last_word_is_a_prefix(searched: Searched) -> None:
    assert searched.paths("macada", as_you_type="true") == ["handbook/setup.md"]
    assert searched.paths("the ma", as_you_type="true")
    assert searched.paths("macada ", as_you_type="true") != ["handbook/setup.md"]
    assert searched.paths("macada", as_you_type="false") == []
    assert "docs/architecture.md" in searched.paths("cors_or", as_you_type="true")
    [section] = searched.search("macada", as_you_type="true")["results"][0]["sections"]
    assert section["snippet"] == "The <mark>macadamia</mark>."


# --- words that are missing or misspelt


def test_a_typo_is_corrected_only_where_next_to_nothing_matches(searched: Searched) -> None:
    found = searched.search("macademia")
    assert found["fuzzy"] == [{"from": "macademia", "to": "macadamia"}]
    [result] = found["results"]
    assert result["sections"][0]["snippet"] == "The <mark>macadamia</mark>."
    for word in ("macadamia", "refund", "\u9650\u989d", "1.3"):
        assert searched.search(word)["fuzzy"] is None
    assert searched.search("refnud limits")["fuzzy"] == [{"from": "refnud", "to": "refund"}]
    nothing = searched.search("xyzzyplugh")
    assert (nothing["fuzzy"], nothing["results"]) == (None, [])


def test_a_word_that_documents_have_is_not_corrected(hub: Hub) -> None:
    files = {f"{n}.md": b"# A\n\nThe settlement.\n" for n in range(9)}
    Synced(hub, files | {"x.md": b"# B\n\nThe settlemant.\n"})
    found = hub.client.get("/api/search", params={"q": "settlemant"}).json()
    assert found["fuzzy"] is None
    assert [each["document"]["path"] for each in found["results"]] == ["x.md"]


def test_a_correction_names_a_compound_as_a_document_writes_it(hub: Hub) -> None:
    files = {
        "prd.md": b"# A\n\nSee PRD.md and `create_pool`.\n",
        "front-end-spec.md": b"# B\n\nThe PostgreSQL of a day-book.\n",
        "heading.md": b"# C\n\n## Rate-limiting\n\nA daybook.\n",
        "title.md": "---\ntitle: Caf\u00e9-Walnut\n---\ntext\n".encode(),
    }
    Synced(hub, files)
    for typed, spelling in (
        ("prdmf", "PRD.md"),
        ("createpol", "create_pool"),
        ("postgrseql", "PostgreSQL"),
        ("frontenb", "front-end"),
        ("ratelimitimg", "Rate-limiting"),
        ("cafewalnit", "Caf\u00e9-Walnut"),
        ("daybok", "daybook"),
        ("walnit", "walnut"),
    ):
        found = hub.client.get("/api/search", params={"q": typed}).json()
        assert found["fuzzy"] == [{"from": typed, "to": spelling}]
        assert found["results"]
    within = {"q": "daybok", "path": "front-end"}
    found = hub.client.get("/api/search", params=within).json()
    assert found["fuzzy"] == [{"from": "daybok", "to": "day-book"}]


def test_corrections_are_of_the_documents_within_the_filters(hub: Hub) -> None:
    many = {f"{n}.md": b"# A\n\nThe settlement. A flaming star.\n" for n in range(9)}
    first = Synced(hub, many)
    remote = hub.server.create("team/other")
    remote.commit({"x.md": b"# B\n\nThe settlemant of a flamingo.\n"})
    second = hub.create_project("Other")
    hub.sync(hub.create_source(second, remote))
    for word, meant, within in [
        ("settlemant", "settlement", {"project_id": first.project}),
        ("settlemant", "settlement", {"source_id": first.source}),
        ("settlemant", "settlement", {"path": "0"}),
        ("flamingp", "flaming", {"project_id": first.project}),
        ("flamingp", "flamingo", {"project_id": second}),
        ("flamingos", "flaming", {"project_id": first.project}),
    ]:
        found = hub.client.get("/api/search", params={"q": word, **within}).json()
        assert found["fuzzy"] == [{"from": word, "to": meant}]
        assert found["results"]


def test_the_beginning_of_a_word_is_corrected_where_no_word_begins_so(searched: Searched) -> None:
    for typed in ("macademia", "refudn", "refudn limi"):
        found = searched.search(typed, as_you_type="true")
        assert len(found["fuzzy"]) == 1
        assert found["results"]
    assert searched.search("macad", as_you_type="true")["fuzzy"] is None


@pytest.mark.parametrize("separator", [" ", "-", " or "])
def test_the_first_misspelt_words_of_many_are_corrected(separator: str, hub: Hub) -> None:
    words = [
        "almond",
        "cashew",
        "chestnut",
        "hazelnut",
        "macadamia",
        "peanut",
        "pecan",
        "pistachio",
        "walnut",
    ]
    Synced(hub, {"a.md": f"# A\n\n{' '.join(words)}\n".encode()})
    typed = [f"{word[:-2]}{word[-1]}{word[-2]}" for word in words]
    found = hub.client.get("/api/search", params={"q": separator.join(typed)}).json()
    assert [each["to"] for each in found["fuzzy"]] == words[:MAX_CORRECTED]
    assert [each["document"]["path"] for each in found["results"]] == ["a.md"]


def test_words_of_deleted_documents_correct_nothing(hub: Hub) -> None:
    synced = Synced(hub, {"a.md": b"# Settlement\n", "b.md": b"# B\n"})
    synced.remove("a.md")
    found = hub.client.get("/api/search", params={"q": "settlemnet"}).json()
    assert (found["fuzzy"], found["total"]["value"]) == (None, 0)


def test_documents_with_all_words_come_before_those_without_one(hub: Hub) -> None:
    Synced(
        hub,
        {
            "all.md": b"# A\n\nfiller filler the walnut of an almond and a pecan\n",
            "two.md": b"# Walnut almond\n\n## Walnut almond\n\nWalnut, almond.\n",
            "one.md": b"# Walnut\n",
            "none.md": b"# B\n",
        },
    )
    found = hub.client.get("/api/search", params={"q": "walnut almond pecan"}).json()
    assert [each["document"]["path"] for each in found["results"]] == ["all.md", "two.md"]
    assert found["total"] == {"value": 2, "is_exact": True}
    both = hub.client.get("/api/search", params={"q": "walnut almond"}).json()
    assert [each["document"]["path"] for each in both["results"]] == ["two.md", "all.md"]


# --- filters and facets


def test_facets_count_the_documents_that_match(searched: Searched) -> None:
    body = searched.search("refund")
    paths = searched.paths("refund", limit=50)
    assert body["total"]["value"] == len(paths) == 5
    assert body["facets"] == {
        "project": [
            {"id": searched.payments, "name": "Payments", "count": 3},
            {"id": searched.platform, "name": "Platform", "count": 2},
        ],
        "kind": [
            {"value": "architecture", "count": 1},
            {"value": "gate", "count": 1},
            {"value": "other", "count": 1},
            {"value": "prd", "count": 1},
            {"value": "story", "count": 1},
        ],
    }


@pytest.mark.parametrize(
    "query", ["refund", "refund -queue", "payments-prd", '"refund"', "asyncpg-pool", "payments the"]
)
def test_facets_add_up_to_the_total(query: str, searched: Searched) -> None:
    body = searched.search(query, limit=50)
    assert body["total"] == {"value": len(body["results"]), "is_exact": True}
    for values in body["facets"].values():
        assert sum(value["count"] for value in values) == len(body["results"])
        assert all(value["count"] for value in values)


def test_a_search_is_limited_to_a_project_a_source_a_kind_and_a_path(searched: Searched) -> None:
    everything = set(searched.paths("refund"))
    assert set(searched.paths("refund", project_id=searched.platform)) == {
        "handbook/architecture.md",
        "notes/pecan.md",
    }
    assert searched.paths("refund", source_id=searched.notes) == ["notes/pecan.md"]
    assert searched.paths("refund", kind="gate") == ["docs/qa/gates/1.3-refunds.yml"]
    assert set(searched.paths("refund", path="docs/")) == {
        path for path in everything if path.startswith("docs/")
    }
    assert searched.paths("refund", path="/docs/stories/1.3") == ["docs/stories/1.3.refunds.md"]
    assert searched.paths("refund", path="docs/_") == []
    assert searched.paths("refund", path="DOCS/") == []
    assert searched.paths("refund", kind="brief") == []
    assert searched.paths("refund", project_id=searched.payments, source_id=searched.notes) == []
    assert searched.paths(
        "refund", project_id=searched.platform, path="handbook", kind="architecture"
    ) == ["handbook/architecture.md"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_limits_the_facets_too(kind: str, searched: Searched) -> None:
    body = searched.search("refund or payments or walnut", kind=kind)
    assert [each["value"] for each in body["facets"]["kind"]] == [kind] * bool(body["results"])
    assert all(each["document"]["kind"] == kind for each in body["results"])


# --- pages


def pages_of(client: httpx.Client, **parameters: Any) -> list[dict[str, Any]]:
    """Return all pages, by the links from each to the next."""
    pages: list[dict[str, Any]] = []
    response = client.get("/api/search", params=parameters)
    while True:
        assert response.status_code == 200, response.text
        pages.append(response.json())
        link = response.headers.get("link")
        if link is None:
            return pages
        found = re.fullmatch('<([^>]*)>; rel="next"', link)
        assert found
        assert parse_qs(urlsplit(found[1]).query)["q"] == [parameters["q"]]
        assert len(pages) < 1_000
        response = client.get(found[1])


def ids_of(pages: list[dict[str, Any]]) -> list[str]:
    return [result["document"]["id"] for page in pages for result in page["results"]]


@pytest.fixture(scope="module")
def many(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """More documents than are ranked, of which some have several parts."""
    database = postgres.create_database(template="migrated")
    with running_hub(database, tmp_path_factory.mktemp("many")) as hub:
        long = "".join(f"## S{n}\n\n{'word ' * 1_500} walnut\n\n" for n in range(20))
        files = {
            f"docs/{n:03}.md": (
                f"# D{n}\n\nThe walnut {'almond ' * (n % 7)} {'pecan' if n % 3 else 'cashew'} "
                f"create a pool{'s' * (n % 2)}\n\n{long * (n % 50 == 0)}"
            ).encode()
            for n in range(300)
        }
        remote = hub.server.create()
        remote.commit(files)
        assert hub.sync(hub.create_source(hub.create_project(), remote))["status"] == "completed"
        [(parts,)] = run_sql(database, "select count(*) from document_part")
        assert parts > len(files) > 2 * MAX_RANKED
        yield hub
    postgres.drop_database(database)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("walnut", 300),
        ("walnuts", 300),
        ("walnut pecan", 200),
        ("cashew or pecan", 300),
        ('"the walnut"', 300),
        ("docs", 300),
        ("walnut almond pecan", 172),
        ("walnut -cashew", 202),
        ('pecan or "walnut cashew"', 215),
        ("create-pool", 0),
        ('"create pool"', 0),
        ("pool -walnut", 0),
    ],
)
@pytest.mark.parametrize("limit", [50, 37])
def test_the_pages_have_each_document_once_and_in_one_order(
    query: str, count: int, limit: int, many: Hub
) -> None:
    pages = pages_of(many.client, q=query, limit=limit)
    found = ids_of(pages)
    assert len(set(found)) == len(found)
    for page in pages:
        assert page["total"] == pages[0]["total"]
        assert page["facets"] == pages[0]["facets"]
    if pages[0]["total"]["is_exact"]:
        assert len(found) == pages[0]["total"]["value"] == count
        assert all(len(page["results"]) == limit for page in pages[:-1])
    assert len(found) == count
    assert ids_of(pages_of(many.client, q=query, limit=50)) == found


def test_a_rare_phrase_of_frequent_words_is_found_in_the_last_document(
    many: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Far more parts have the words than are read for the phrase at first, or without its pairs.
    monkeypatch.setattr("service.search.matches.MAX_READ", 10)
    monkeypatch.setattr("service.search.matches.MAX_MATCHES", 20)
    remote = many.server.create()
    remote.commit({"last.md": b"# D\n\nAlmond of the cashew walnut pool.\n"})
    project = many.create_project("Last")
    assert many.sync(many.create_source(project, remote))["status"] == "completed"
    found = many.client.get("/api/search", params={"q": '"cashew walnut pool"'}).json()
    assert [each["document"]["path"] for each in found["results"]] == ["last.md"]
    assert found["total"] == {"value": 1, "is_exact": True}
    many.client.delete(f"/api/projects/{project}")


@pytest.mark.parametrize(
    ("query", "as_you_type"),
    [("walnut limits", "false"), ("walnut limi", "true"), ('"the walnut" limits', "false")],
)
def test_the_best_section_of_a_large_document_is_found_in_its_last_part(
    query: str, as_you_type: str, hub: Hub
) -> None:
    chapters = [f"## C{n}\n\n{'The walnut has limits. ' * 300}\n\n" for n in range(25)]
    text = f"# D\n\n{''.join(chapters)}## The walnut limits\n\nThe walnut has limits.\n"
    Synced(hub, {"large.md": text.encode()})
    assert 3 < run_sql(hub.database, "select count(*) from document_part")[0][0] <= MAX_RANKED
    parameters = {"q": query, "as_you_type": as_you_type}
    found = hub.client.get("/api/search", params=parameters).json()
    assert found["results"][0]["sections"][0]["anchor"] == "the-walnut-limits"


def test_a_large_document_is_found_where_only_its_last_part_lacks_the_excluded_word(
    hub: Hub,
) -> None:
    chapters = [f"## C{n}\n\n{'A walnut is a nut. ' * 400}\n\n" for n in range(12)]
    Synced(hub, {"large.md": f"# D\n\n{''.join(chapters)}## Last\n\nA walnut.\n".encode()})
    found = hub.client.get("/api/search", params={"q": "walnut -nut"}).json()
    assert found["total"] == {"value": 1, "is_exact": True}
    assert [each["anchor"] for each in found["results"][0]["sections"]] == ["last"]


@pytest.mark.parametrize(
    ("query", "as_you_type"), [("walnut", "false"), ("waln", "true"), ('"the walnut"', "false")]
)
def test_a_large_document_does_not_take_the_places_of_others(
    query: str, as_you_type: str, hub: Hub
) -> None:
    files = {"a.md": f"# D\n\n{'The walnut is a nut. ' * 160_000}\n".encode()}
    files |= {f"b{n}.md": f"# D\n\nThe walnut.{' Word.' * 9 * n}\n".encode() for n in range(20)}
    Synced(hub, files)
    assert run_sql(hub.database, "select count(*) from document_part")[0][0] > 4 * MAX_RANKED
    parameters = {"q": query, "as_you_type": as_you_type, "limit": 21}
    found = hub.client.get("/api/search", params=parameters).json()
    scores = [each["score"] for each in found["results"]]
    assert len(scores) == 21
    assert scores == sorted(scores, reverse=True)


def place_of(found: Any, path: str) -> int:
    return [each["document"]["path"] for each in found["results"]].index(path)


@pytest.mark.parametrize(
    ("query", "title", "as_you_type"),
    [
        ('"copper beech"', "Copper beech", "false"),
        ('"copper beeches"', "Copper beeches", "false"),
        ("copper beech", "Copper beech", "false"),
        ("copper bee", "Copper beech", "true"),
        ("\u6570\u636e\u5e93", "\u6570\u636e\u5e93", "false"),
    ],
)
def test_titles_come_before_headings_and_text_of_any_number_of_matches(
    query: str, title: str, as_you_type: str, hub: Hub
) -> None:
    text = f"The {title.lower()} stands."
    files = {f"text{n:02}.md": f"# D{n}\n\n{text}\n".encode() for n in range(2 * MAX_RANKED)}
    files |= {f"heading{n}.md": f"# D\n\n## {title}\n\nA.\n".encode() for n in range(MAX_RANKED)}
    files |= {f"title{n}.md": f"# {title}\n\nA.\n".encode() for n in range(MAX_RANKED // 4)}
    Synced(hub, files)
    pages = pages_of(hub.client, q=query, limit=20, as_you_type=as_you_type)
    paths = [each["document"]["path"] for page in pages for each in page["results"]]
    assert len(paths) == len(files)
    kinds = [re.sub(r"\d+\.md", "", path) for path in paths]
    assert kinds == sorted(kinds, key=["title", "heading", "text"].index)


def test_documents_that_lack_fewer_words_come_first_of_any_number(hub: Hub) -> None:
    files = {
        f"two{n}.md": b"# D\n\n## Ostrich penguin\n\nOstrich, penguin.\n"
        for n in range(2 * MAX_RANKED)
    }
    files |= {f"three{n}.md": b"# D\n\nAn ostrich, penguin, pelican.\n" for n in range(3)}
    Synced(hub, files)
    parameters = {"q": "ostrich penguin pelican cassowary"}
    found = hub.client.get("/api/search", params=parameters).json()
    assert {place_of(found, f"three{n}.md") for n in range(3)} == {0, 1, 2}


@pytest.mark.parametrize(
    ("query", "as_you_type"),
    [
        ("walnut -recipe", "false"),
        ('"walnut trees" -recipe', "false"),
        ("-recipe walnu", "true"),
    ],
)
def test_documents_that_were_read_and_excluded_are_not_read_again(
    query: str, as_you_type: str, hub: Hub
) -> None:
    files = {f"r{n}.md": b"# Walnut trees: a recipe\n" for n in range(MAX_RANKED)}
    files |= {f"t{n}.md": b"# D\n\nThe walnut trees.\n" for n in range(2 * MAX_RANKED)}
    Synced(hub, files)
    pages = pages_of(hub.client, q=query, as_you_type=as_you_type)
    assert pages[0]["total"] == {"value": 2 * MAX_RANKED, "is_exact": False}
    assert all(page["results"] for page in pages)
    assert len(ids_of(pages)) == 2 * MAX_RANKED


def test_a_total_is_not_exact_where_a_phrase_may_lack(hub: Hub) -> None:
    # None has all. Without one of the two, those with the phrase's words are among what is counted.
    files = {f"a{n}.md": b"# D\n\nThe almond.\n" for n in range(MAX_RANKED)}
    files |= {f"w{n}.md": b"# D\n\nThe walnut of a pecan.\n" for n in range(MAX_RANKED)}
    Synced(hub, files)
    pages = pages_of(hub.client, q='almond "walnut pecan"', limit=50)
    total = pages[0]["total"]
    assert len(ids_of(pages)) == MAX_RANKED < total["value"]
    assert not total["is_exact"]


@pytest.mark.parametrize("as_you_type", ["true", "false"])
def test_a_total_is_not_exact_where_a_compound_may_be_apart(as_you_type: str, hub: Hub) -> None:
    files = {f"{n:02}.md": b"# D\n\n`ab_cd` and `cd_ef`\n" for n in range(2 * MAX_RANKED)}
    Synced(hub, files)
    parameters = {"q": "ab_cd_ef", "as_you_type": as_you_type, "limit": 50}
    pages = pages_of(hub.client, **parameters)
    total = pages[0]["total"]
    assert not total["is_exact"] or len(ids_of(pages)) == total["value"]


def test_a_compound_is_found_by_its_parts_only_where_few_have_it(hub: Hub) -> None:
    files = {f"{n}.md": b"# D\n\nCall `make_walnut` first.\n" for n in range(ENOUGH - 1)}
    synced = Synced(hub, files | {"parts.md": b"# D\n\nHow to make walnut butter.\n"})

    def found() -> dict[str, Any]:
        return hub.client.get("/api/search", params={"q": "make_walnut"}).json()

    assert found()["total"] == {"value": ENOUGH, "is_exact": True}
    synced.remote.commit({"another.md": b"# D\n\nmakeWalnut()\n"})
    hub.sync(synced.source)
    paths = {each["document"]["path"] for each in found()["results"]}
    assert paths == {*files, "another.md"}


def test_a_long_compound_is_found_by_its_words_only_where_none_has_it(hub: Hub) -> None:
    apart = b"# D\n\nOf `WalnutButter` the method `makeJar()`.\n"
    synced = Synced(hub, {"apart.md": apart})

    def found() -> list[str]:
        response = hub.client.get("/api/search", params={"q": "WalnutButter.makeJar"})
        return [each["document"]["path"] for each in response.json()["results"]]

    assert found() == ["apart.md"]
    synced.change({"whole.md": b"# D\n\n`WalnutButter.makeJar()`\n"})
    assert found() == ["whole.md"]


def test_a_word_of_characters_is_found_by_its_halves_only_where_few_have_it(hub: Hub) -> None:
    whole, halves = "\u6062\u590d\u6761\u4ef6", "\u6761\u4ef6\u3001\u6062\u590d"
    files = {f"{number}.md": f"# A\n\n{whole}\n".encode() for number in range(ENOUGH - 1)}
    synced = Synced(hub, files | {"x.md": f"# A\n\n{halves}\n".encode()})

    def found() -> list[str]:
        response = hub.client.get("/api/search", params={"q": whole})
        return [each["document"]["path"] for each in response.json()["results"]]

    assert sorted(found()) == [*files, "x.md"]
    assert found()[-1] == "x.md"
    synced.change({"y.md": f"# A\n\n{whole}\n".encode()})
    assert sorted(found()) == [*files, "y.md"]


def test_the_best_documents_come_first_of_many(hub: Hub) -> None:
    files = {f"{n:03}.md": b"# D\n\nSee the walnut.\n" for n in range(3 * MAX_RANKED)}
    files |= {"title.md": b"# Walnut\n", "heading.md": b"# D\n\n## The walnut\n\nb\n"}
    Synced(hub, files)
    found = hub.client.get("/api/search", params={"q": "walnut"}).json()
    paths = [each["document"]["path"] for each in found["results"]]
    assert paths[:2] == ["title.md", "heading.md"]
    assert found["total"] == {"value": len(files), "is_exact": True}


def test_the_last_page_has_no_link(searched: Searched) -> None:
    assert "link" not in searched.get(q="refund", limit=5).headers
    assert "link" in searched.get(q="refund", limit=4).headers
    assert "link" not in searched.get(q="!?").headers


def test_pages_have_one_order_even_if_searches_take_longer_from_one_on(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{n}.md": b"# D\n\nWalnut and almond.\n" for n in range(9)}
    Synced(hub, files | {"x.md": b"# D\n\nWalnut, almond and pecan.\n"})

    def pages() -> Iterator[list[str]]:
        url = "/api/search?q=walnut+almond+pecan+cashew&limit=4"
        while url:
            response = hub.client.get(url)
            yield [each["document"]["path"] for each in response.json()["results"]]
            url = response.links.get("next", {}).get("url", "")

    quick = [*pages()]
    assert (quick[0][0], sorted(chain(*quick))) == ("x.md", [*sorted(files), "x.md"])
    slow = pages()
    assert next(slow) == quick[0]
    monkeypatch.setattr(find, "SECONDS_TO_ASK_FOR_LESS", -1.0)
    assert [*slow] == quick[1:]
    assert [*pages()] == [[]]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        # As a copy of old code does, which writes no parts.
        ("update document set doc_metadata = jsonb_set(doc_metadata, '{headings}', '[]')", 1),
        ("alter table document disable trigger user; delete from document", 0),
    ],
)
def test_parts_without_their_headings_or_document_are_no_fault(
    change: str, found: int, hub: Hub
) -> None:
    Synced(hub, {"a.md": b"# A\n\n## B\n\n### The prd.md\n\nThe walnut.\n"})
    run_sql(hub.database, change)
    response = hub.client.get("/api/search", params={"q": "walnut"})
    assert response.status_code == 200
    assert len(response.json()["results"]) == found
    assert hub.client.get("/api/search", params={"q": "prdx.md"}).status_code == 200


def test_a_link_keeps_the_filters(searched: Searched) -> None:
    parameters = {
        "q": "refund or \u00e9cole & a+",
        "project_id": searched.payments,
        "path": "docs/",
    }
    response = searched.get(**parameters, limit=1, as_you_type="true")
    assert response.status_code == 200
    url: str = re.findall("<([^>]*)>", response.headers["link"])[0]
    query = parse_qs(urlsplit(url).query)
    assert query.pop("cursor")
    expected = {**parameters, "limit": "1", "as_you_type": "true"}
    assert query == {name: [value] for name, value in expected.items()}


# --- what is refused


@pytest.mark.parametrize("length", [1, MAX_QUERY - 1, MAX_QUERY])
def test_a_query_has_up_to_256_characters(length: int, searched: Searched) -> None:
    assert MAX_QUERY == 256
    assert searched.get(q="\u00e9" * length).status_code == 200
    assert searched.get(q="\U0001f642" * length).status_code == 200


@pytest.mark.parametrize(
    ("query_string", "field"),
    [
        ("", "q"),
        ("q=", "q"),
        ("q", "q"),
        ("Q=refund", "q"),
        ("q=" + "x" * 257, "q"),
        ("q=" + "%C3%A9" * 257, "q"),
        ("q=%00", "q"),
        ("q=refund%00limits", "q"),
        ("q=%ED%A0%80", "q"),  # a lone surrogate
        ("q=%ED%B0%80", "q"),
        ("q=%FF", "q"),
        ("q=%C0%AF", "q"),
        ("q=refund%E2%82", "q"),
        ("q=refund&limit=0", "limit"),
        ("q=refund&limit=51", "limit"),
        ("q=refund&limit=-1", "limit"),
        ("q=refund&limit=1.5", "limit"),
        ("q=refund&limit=%D9%A1", "limit"),
        ("q=refund&limit=", "limit"),
        ("q=refund&limit=99999999999999999999", "limit"),
        ("q=refund&cursor=x", "cursor"),
        ("q=refund&cursor=", "cursor"),
        ("q=refund&cursor=LTE=", "cursor"),
        ("q=refund&cursor=MTIzNDU2Nzg5MDEy", "cursor"),
        ("q=refund&cursor=MTIz", "cursor"),
        ("q=refund&cursor=MS4xMjM0", "cursor"),
        ("q=refund&cursor=%C3%A9", "cursor"),
        ("q=refund&kind=novel", "kind"),
        ("q=refund&kind=", "kind"),
        ("q=refund&kind=PRD", "kind"),
        ("q=refund&project_id=1", "project_id"),
        ("q=refund&project_id=", "project_id"),
        (f"q=refund&source_id={UNKNOWN}x", "source_id"),
        ("q=refund&path=%00", "path"),
        ("q=refund&path=%FF", "path"),
        ("q=refund&path=" + "x" * 1_025, "path"),
        ("q=refund&as_you_type=1", "as_you_type"),
        ("q=refund&as_you_type=", "as_you_type"),
    ],
)
def test_an_invalid_parameter_is_a_400_that_names_it(
    query_string: str, field: str, searched: Searched
) -> None:
    response = searched.hub.client.get(f"/api/search?{query_string}")
    problem = assert_problem(response, 400)
    assert list(problem["errors"]) == [field]


@pytest.mark.parametrize("path", ["/api/search", "/api/search/suggest"])
def test_the_longest_texts_are_those_of_the_openapi_document(path: str, searched: Searched) -> None:
    client = searched.hub.client
    parameters = client.get("/openapi.json").json()["paths"][path]["get"]["parameters"]
    texts = {each["name"]: each["schema"] for each in parameters if "name" in each}
    for name, schema in texts.items():
        if schema["type"] != "string" or {"format", "enum"} & {*schema} or name == "cursor":
            continue
        longest = schema["maxLength"]
        for length, status in ((longest, 200), (longest + 1, 400)):
            given = {"q": "refund", name: "\u00e9" * length}
            assert client.get(path, params=given).status_code == status, (name, length)


def test_all_invalid_parameters_are_named(searched: Searched) -> None:
    response = searched.hub.client.get("/api/search?limit=x&kind=x&project_id=x&cursor=x")
    assert set(assert_problem(response, 400)["errors"]) == {
        "q",
        "limit",
        "kind",
        "project_id",
        "cursor",
    }


@pytest.mark.parametrize("query", ["refund", "xyzzyplugh", "!?", "-a"])
@pytest.mark.parametrize("name", ["project_id", "source_id"])
def test_a_search_in_what_is_not_there_is_a_404(name: str, query: str, searched: Searched) -> None:
    assert_problem(searched.get(q=query, **{name: UNKNOWN}), 404)


def test_nothing_is_found_in_a_project_without_documents(hub: Hub) -> None:
    project = hub.create_project()
    source = hub.create_source(project, hub.server.create())
    for parameters in ({}, {"project_id": project}, {"source_id": source}):
        response = hub.client.get("/api/search", params={"q": "refund", **parameters})
        assert response.json()["results"] == []


def test_a_head_request_has_the_headers_of_a_get(searched: Searched) -> None:
    head = searched.hub.client.head("/api/search?q=refund&limit=1")
    get = searched.get(q="refund", limit=1)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["link"] == get.headers["link"]
    assert head.headers["content-length"] == get.headers["content-length"]
