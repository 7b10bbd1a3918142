"""The quality of the search: whether the right sections come first.

The queries and their right sections were written without a look at any ranking. Each test prints
the queries that it misses, so that a change can be judged by all of them and not by one.
"""

from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from service import ROOT
from tests.support.git_server import git_server
from tests.support.hub import running_hub

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.hub import Hub

HERE = Path(__file__).parent
SAMPLES = ROOT.parent / "shared/samples/bmadflow.tar.gz"

# Of the documents that a search shows, the first, and the first three.
LEAST_AT_1 = 0.90
LEAST_AT_3 = 0.97


class Judged(NamedTuple):
    """A query of a class, and the place of the first document with a right section, from 1."""

    query: str
    of_class: str
    place: int | None


def test_queries_find_their_sections_in_the_corpus(database: str, tmp_path: Path) -> None:
    folder = HERE / "corpus"
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert_found(judge(database, tmp_path, files, read_queries("queries.yaml")))


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not beside the project")
def test_queries_find_their_sections_in_a_real_repository(database: str, tmp_path: Path) -> None:
    files: dict[str, bytes] = {}
    with tarfile.open(SAMPLES) as archive:
        for member in archive:
            if member.isfile() and (file := archive.extractfile(member)):
                files[member.name.partition("/")[2]] = file.read()
    assert_found(judge(database, tmp_path, files, read_queries("sample_queries.yaml")))


def read_queries(name: str) -> list[dict[str, Any]]:
    return yaml.safe_load((HERE / name).read_text())


def judge(
    database: str,
    folder: Path,
    files: Mapping[str, bytes],
    queries: Sequence[dict[str, Any]],
) -> list[Judged]:
    """Sync the files, and search for each query among them."""
    with git_server(folder / "repositories") as server, running_hub(database, folder) as hub:
        remote = server.create()
        remote.commit(files)
        source = hub.create_source(hub.create_project(), remote)
        assert hub.sync(source, seconds=120)["status"] == "completed"
        return [Judged(query["query"], query["class"], place_of(hub, query)) for query in queries]


def place_of(hub: Hub, query: dict[str, Any]) -> int | None:
    response = hub.client.get("/api/search", params={"q": query["query"]})
    assert response.status_code == 200
    # A right document as a whole has no anchor: see README.md.
    right = {(each["path"], each["anchor"]) for each in query["right"]}
    for place, result in enumerate(response.json()["results"], 1):
        path = result["document"]["path"]
        anchors = {None, *(section["anchor"] for section in result["sections"])}
        if any((path, anchor) in right for anchor in anchors):
            return place
    return None


def assert_found(judged: Sequence[Judged]) -> None:
    classes = Counter(each.of_class for each in judged)
    for of_class, count in sorted(classes.items()):
        places = [each.place for each in judged if each.of_class == of_class]
        print(f"{of_class}: {share(places, 1):.2f} first, {share(places, 3):.2f} in 3, of {count}")
    for each in judged:
        if each.place != 1:
            print(f"place {each.place}: [{each.of_class}] {each.query}")
    places = [each.place for each in judged]
    assert share(places, 3) >= LEAST_AT_3
    assert share(places, 1) >= LEAST_AT_1


def share(places: Sequence[int | None], most: int) -> float:
    return sum(place is not None and place <= most for place in places) / len(places)
