"""Searches for anything, over documents with anything in them."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.routes.search_parameters import MAX_QUERY
from tests.support.hub import Hub, running_hub
from tests.support.problems import assert_problem
from tests.support.waiting import assert_in_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.support.postgres import Postgres

CORPUS = Path(__file__).parents[1] / "search/corpus"

# Most responses take less than 0.1 s. No search may take longer than this, whatever is looked for:
# a limit of the service itself, far enough from what is usual that a busy machine keeps it.
MOST_SECONDS = 2.0

WELL_FORMED = re.compile(r"(?:[^<>]|<mark>[^<>]+</mark>)*")

HOSTILE = {
    "hostile/one-word.txt": b"x" * 300_000,
    "hostile/words.txt": " ".join(f"w{n}x{n * n}" for n in range(20_000)).encode(),
    "hostile/compound.txt": "_".join(f"part{n}" for n in range(20_000)).encode(),
    "hostile/cjk.md": "\u8a2d\u8a08\u66f8\u306e\u6982\u8981".encode() * 5_000,
    "hostile/marks.md": b"# <mark>a</mark> & b\n\n</mark><script>pool</script> &lt;mark> '\"\n",
    "hostile/headings.md": b"".join(b"## H%d pool\n\npool %d\n\n" % (n, n) for n in range(4_000)),
    "hostile/prefixes.csv": "\n".join(f"a{n:x},b{n:x}" for n in range(20_000)).encode(),
}


@pytest.fixture(scope="module")
def hub(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    database = postgres.create_database(template="migrated")
    with running_hub(database, tmp_path_factory.mktemp("fuzz-search")) as hub:
        files = {
            path.relative_to(CORPUS).as_posix(): path.read_bytes()
            for path in CORPUS.rglob("*")
            if path.is_file()
        }
        remote = hub.server.create()
        remote.commit(files | HOSTILE)
        source = hub.create_source(hub.create_project(), remote)
        assert hub.sync(source, seconds=120)["status"] == "completed"
        yield hub
    postgres.drop_database(database)


# Of each document the anchors that it has.
ANCHORS: dict[str, set[str | None]] = {}


def anchors_of(hub: Hub, document: str) -> set[str | None]:
    if document not in ANCHORS:
        response = hub.client.get(f"/api/documents/{document}")
        assert response.status_code == 200
        headings = response.json()["doc_metadata"].get("headings", [])
        ANCHORS[document] = {None, *(heading["anchor"] for heading in headings)}
    return ANCHORS[document]


def check(hub: Hub, response: httpx.Response, limit: int) -> None:
    """Check what a search found: its anchors exist, and its HTML is the text with marks."""
    body = response.json()
    assert len(body["results"]) <= limit
    assert body["total"]["value"] >= len(body["results"])
    for facet in body["facets"].values():
        assert sum(value["count"] for value in facet) <= body["total"]["value"]
    for result in body["results"]:
        document = result["document"]
        for section in result["sections"]:
            anchors = {section["anchor"], *(h["anchor"] for h in section["headings"])}
            assert anchors <= anchors_of(hub, document["id"])
            assert_marked(section["snippet"], section["snippet_text"])
            assert_marked(section["title"], section["headings"][-1]["text"])


def assert_marked(marked: str, text: str) -> None:
    assert WELL_FORMED.fullmatch(marked)
    unmarked = re.sub("</?mark>", "", marked)
    assert unmarked == html.escape(re.sub(r"\s+", " ", text).strip())


WORDS = (
    "the of or OR and pool refund walnut a ab w1 x part1 part1_part2 a1 b2 get_db cors_origins "
    "/api/health FR-12 FR12 1.3 epic-1.story-10 LLMProvider asyncpg.create_pool story acceptance "
    "criteria settlement settlemnet authentification \u00e9tablissement \u8a2d\u8a08 \u8a2d "
    "\u66f8\u306e\u6982\u8981 \ud55c\uad6d prd.md docs/ x.y.z <mark> &lt; H1 mark"
)
words = st.sampled_from(WORDS.split())
pieces = st.one_of(
    words,
    words.map(lambda word: f"-{word}"),
    st.tuples(words, words).map(lambda pair: f'"{pair[0]} {pair[1]}"'),
    st.sampled_from(
        ['"', "-", "--", "or", "'", "\\", "*", ":*", "%", "_", "|", "&", "!", "()", "\t"]
    ),
    st.text(max_size=12),
)
texts = st.one_of(
    st.text(max_size=MAX_QUERY + 2),
    st.lists(pieces, max_size=40).map(" ".join),
    st.lists(st.sampled_from("abw\u8a2d\u8a08"), max_size=128).map(" ".join),
    st.lists(st.sampled_from("abx1_-./\u8a2d\u66f8'\" "), max_size=MAX_QUERY).map("".join),
)

fuzz = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@fuzz
@given(
    text=texts,
    as_you_type=st.booleans(),
    limit=st.sampled_from([1, 10, 50]),
    path=st.sampled_from([None, None, "hostile/", "%", "\u00e9"]),
    follows=st.booleans(),
)
def test_any_query_is_answered(
    hub: Hub, text: str, as_you_type: bool, limit: int, path: str | None, follows: bool
) -> None:
    parameters: dict[str, Any] = {"q": text, "as_you_type": str(as_you_type).lower()}
    parameters |= {"limit": limit} | ({"path": path} if path else {})
    response = hub.client.get("/api/search", params=parameters)
    assert response.elapsed.total_seconds() < MOST_SECONDS
    if not 1 <= len(text) <= MAX_QUERY or "\0" in text:
        assert list(assert_problem(response, 400)["errors"]) == ["q"]
        return
    assert response.status_code == 200, response.text
    assert response.json()["query"] == text
    check(hub, response, limit)
    link = response.headers.get("link")
    if link and follows:
        second = hub.client.get(re.sub("<(.*)>.*", r"\1", link))
        assert second.status_code == 200
        assert second.elapsed.total_seconds() < MOST_SECONDS
        check(hub, second, limit)
        ids = [r["document"]["id"] for page in (response, second) for r in page.json()["results"]]
        assert len(set(ids)) == len(ids)


@fuzz
@given(text=st.one_of(texts, words, words.map(lambda word: word[:3])))
def test_anything_that_is_typed_is_completed(hub: Hub, text: str) -> None:
    response = hub.client.get("/api/search/suggest", params={"q": text})
    assert response.elapsed.total_seconds() < MOST_SECONDS
    if not 1 <= len(text) <= MAX_QUERY or "\0" in text:
        assert list(assert_problem(response, 400)["errors"]) == ["q"]
        return
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["query"] == text
    headings = [heading for each in body["suggestions"] for heading in each["headings"]]
    assert len(headings) <= 10
    for suggestion in body["suggestions"]:
        for heading in suggestion["headings"]:
            assert heading["anchor"] in anchors_of(hub, suggestion["document"]["id"])
            assert WELL_FORMED.fullmatch(heading["marked"])
            assert html.unescape(re.sub("</?mark>", "", heading["marked"])) == heading["text"]


@fuzz
@given(raw=st.binary(max_size=60))
def test_any_bytes_are_answered(hub: Hub, raw: bytes) -> None:
    escaped = "".join(f"%{byte:02x}" for byte in raw)
    response = hub.client.get(f"/api/search?q={escaped}")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = "\0"
    if not text or "\0" in text:
        assert list(assert_problem(response, 400)["errors"]) == ["q"]
    else:
        assert response.status_code == 200
        assert response.json()["query"] == text
        check(hub, response, 10)


@pytest.mark.parametrize(
    "text",
    [
        " ".join("abcdefghijklmnopqrstuvwxyz" * 5)[:MAX_QUERY],
        " ".join(f"-{letter}" for letter in "abcdefghijklmnopqrstuvwxyz" * 3)[:MAX_QUERY],
        " or ".join("abcdefghijklmnopqrstuvwxyz" * 3)[:MAX_QUERY],
        '"' + "a " * 127 + '"',
        '"a" ' * 64,
        "a-" * 128,
        "a.b_" * 64,
        "\u8a2d\u8a08\u66f8" * 85,
        "w1x1 " * 51,
        "part1_part2_part3 " * 14,
        " ".join(f"seettlemnet{n}" for n in "abcdefghijklmnop")[:MAX_QUERY],
        " ".join(f"refundd{n} settlemet{n}" for n in "abcdefgh")[:MAX_QUERY],
        "x" * MAX_QUERY,
        "pool OR refund OR story OR the OR acceptance OR criteria OR status OR w1x1 OR part1",
    ],
)
@pytest.mark.parametrize("as_you_type", ["true", "false"])
def test_the_costliest_queries_are_answered_in_time(hub: Hub, text: str, as_you_type: str) -> None:
    parameters: dict[str, Any] = {"q": text, "as_you_type": as_you_type, "limit": 50}
    response = hub.client.get("/api/search", params=parameters)
    assert response.status_code == 200
    assert_in_time(response.elapsed.total_seconds(), MOST_SECONDS)
    check(hub, response, 50)
