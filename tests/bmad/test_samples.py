"""A real repository's documents, compared with what a careful person found in them.

The documents, the labels and the scorer lie beside the project, in ../shared/samples.
"""

from __future__ import annotations

import importlib.util
import json
import tarfile
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from service import ROOT
from service.bmad.board import make_board
from service.bmad.document import BmadDocument
from service.bmad.reading import read_document
from service.bmad.trees import find_trees
from service.documents.kinds import kind_of
from service.documents.metadata import read_parts
from service.documents.text import file_type_of, read_text
from tests.bmad.made import links_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from service.bmad.readings import Reading

SAMPLES = ROOT.parent / "shared/samples"
LEAST = 0.97

pytestmark = pytest.mark.skipif(
    not SAMPLES.exists(), reason="there are no samples beside the project"
)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("samples")
    with tarfile.open(SAMPLES / "bmadflow.tar.gz") as archive:
        # Python 3.11.2 has no filters.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)
    [root] = folder.iterdir()
    labels = json.loads((SAMPLES / "bmadflow.labels.json").read_text())
    _leave_out_empty_files(labels, root)
    return _scorer().score(labels, _answer(root))


def _scorer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("score", SAMPLES / "score.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _leave_out_empty_files(labels: dict[str, Any], root: Path) -> None:
    """Remove the labels of files that are empty in the archive, unlike in the repository."""

    def is_there(path: str | None) -> bool:
        return path is None or (root / path).stat().st_size > 0

    labels["stories"] = [each for each in labels["stories"] if is_there(each["path"])]
    links = labels["links"]
    links["broken"] = [each for each in links["broken"] if is_there(each["path"])]
    for epic in labels["epics"]:
        epic["stories"] = [path for path in epic["stories"] if is_there(path)]


def _answer(root: Path) -> dict[str, Any]:
    """Return what the service reads of a repository, as the scorer takes it."""
    readings: dict[str, Reading] = {}
    anchors: dict[str, Collection[str]] = {}
    paths: set[str] = {""}
    for found in sorted(root.rglob("*")):
        path = str(found.relative_to(root))
        paths.add(path)
        file_type = file_type_of(path)
        if file_type is None or not found.is_file() or not found.stat().st_size:
            continue
        text = read_text(found.read_bytes()).text
        parts = read_parts(text, file_type, path)
        metadata = parts.metadata
        kind = kind_of(path, file_type, metadata, text)
        document = BmadDocument(path, file_type, kind, metadata, parts.text, parts.outline)
        readings[path] = read_document(document)
        if file_type == "md":
            headings = [each["anchor"] for each in metadata["headings"]]
            anchors[path] = {*headings, *metadata["anchors"]}
    board = make_board(readings, links_of(readings), paths, anchors.get, [], find_trees(readings))
    fields = (
        "path",
        "epic",
        "story",
        "title",
        "status",
        "acceptance_criteria_total",
        "tasks_total",
        "tasks_done",
    )
    return {
        "stories": [
            {
                **{field: row.item[field] for field in fields},
                "gate": (row.item["gate"] or {}).get("decision"),
            }
            for row in board.stories
        ],
        "epics": [
            {
                "number": row.id,
                "title": row.item["title"],
                "stories": [
                    story.file_path for story in board.stories if story.epic_place == row.place
                ],
            }
            for row in board.epics
        ],
        "broken_links": [row.item for row in board.problems if row.kind == "broken_link"],
    }


def test_stories_are_found(scored: dict[str, Any]) -> None:
    stories = scored["stories"]
    assert min(stories["precision"], stories["recall"]) >= LEAST, scored["lists"]


@pytest.mark.parametrize(
    "field",
    [
        "epic",
        "story",
        "title",
        "status",
        "acceptance_criteria_total",
        "tasks_total",
        "tasks_done",
        "gate",
    ],
)
def test_fields_of_stories_are_those_of_the_labels(scored: dict[str, Any], field: str) -> None:
    found = scored["fields"][field]
    assert found["absent"] == 0
    assert found["strict"] / found["judged"] >= LEAST, scored["lists"][f"{field} wrong"]


def test_epics_have_the_titles_and_stories_of_the_labels(scored: dict[str, Any]) -> None:
    epics = scored["epics"]
    assert min(epics["precision"], epics["recall"]) >= LEAST, scored["lists"]
    assert epics["title_strict"] / epics["title_judged"] >= LEAST, scored["lists"]["epics wrong"]
    assert epics["stories_right"] / epics["stories_judged"] >= LEAST, scored["lists"]


def test_dead_links_are_those_of_the_labels(scored: dict[str, Any]) -> None:
    links = scored["broken_links"]
    assert min(links["precision"], links["recall"]) >= LEAST, scored["lists"]
    assert links["line_right"] / links["line_judged"] >= LEAST
