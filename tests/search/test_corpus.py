"""The queries of this folder and their right answers: every path and anchor of them exists."""

from __future__ import annotations

import tarfile
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from service import ROOT
from service.documents.metadata import read_metadata
from service.documents.text import file_type_of, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER: Final = ROOT / "tests/search"
CORPUS: Final = FOLDER / "corpus"
# The real documents are no part of the repository.
SAMPLES: Final = ROOT.parent / "shared/samples/bmadflow.tar.gz"
SAMPLES_ROOT: Final = "bmadflow/"

CLASSES: Final = {
    "keywords": 38,
    "question": 43,
    "identifier": 44,
    "phrase": 18,
    "typo": 21,
    "french": 25,
    "cjk": 23,
    "path": 19,
    "operators": 14,
}


def read_queries(path: Path) -> list[dict[str, Any]]:
    """Return the queries of a file of this folder."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def read_corpus() -> dict[str, str]:
    """Return the text of each document of the corpus, by its path from there."""
    return {
        path.relative_to(CORPUS).as_posix(): read_text(path.read_bytes()).text
        for path in sorted(CORPUS.rglob("*"))
        if path.is_file()
    }


def read_samples() -> dict[str, str]:
    """Return the text of each document of the samples, by its path in their repository."""
    documents: dict[str, str] = {}
    with tarfile.open(SAMPLES) as archive:
        for member in archive:
            path = member.name.removeprefix(SAMPLES_ROOT)
            if not member.isfile() or not member.size or file_type_of(path) is None:
                continue
            file = archive.extractfile(member)
            assert file is not None
            documents[path] = read_text(file.read()).text
    return documents


def check_answers(queries: list[dict[str, Any]], documents: Mapping[str, str]) -> None:
    """Assert that each query is well-formed, asked once, and answered by sections that exist."""
    anchors: dict[str, set[str | None]] = {}
    for path, text in documents.items():
        metadata = read_metadata(text, file_type_of(path) or "", path)
        headings = metadata.get("headings", [])
        anchors[path] = {None, *(heading["anchor"] for heading in headings)}
    wrong: list[str] = []
    for query in queries:
        assert set(query) - {"note"} == {"query", "class", "right"}, query
        assert isinstance(query["query"], str), query
        assert query["right"], query
        for right in query["right"]:
            assert set(right) == {"path", "anchor"}, query
            if right["anchor"] not in anchors.get(right["path"], ()):
                wrong.append(f"{query['query']}: {right['path']}#{right['anchor']}")
    assert not wrong, "\n".join(wrong)
    texts = Counter(query["query"] for query in queries)
    assert [text for text, times in texts.items() if times > 1] == []


def count_classes(queries: list[dict[str, Any]]) -> Counter[str]:
    """Return how many queries each class has."""
    return Counter(query["class"] for query in queries)


def test_every_answer_over_the_corpus_exists() -> None:
    check_answers(read_queries(FOLDER / "queries.yaml"), read_corpus())


def test_each_class_has_enough_queries() -> None:
    counts = count_classes(read_queries(FOLDER / "queries.yaml"))
    assert set(counts) == set(CLASSES)
    assert {name: counts[name] for name in CLASSES if counts[name] < CLASSES[name]} == {}


def test_the_samples_have_enough_queries() -> None:
    counts = count_classes(read_queries(FOLDER / "sample_queries.yaml"))
    assert set(counts) == set(CLASSES) - {"cjk"}  # the samples are in English and French
    assert counts.total() >= 60


def test_the_corpus_has_enough_documents_of_each_type() -> None:
    types = Counter(file_type_of(path) for path in read_corpus())
    assert types["md"] >= 130
    assert all(types[name] >= 1 for name in ("yaml", "json", "csv", "txt"))
    assert None not in types


@pytest.mark.skipif(not SAMPLES.exists(), reason="The samples are not here.")
def test_every_answer_over_the_samples_exists() -> None:
    check_answers(read_queries(FOLDER / "sample_queries.yaml"), read_samples())
