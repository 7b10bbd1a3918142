from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from service.characters import json_bytes
from service.sync.skipped import (
    SKIPPED_BYTES_KEPT,
    SKIPPED_FILES_KEPT,
    SkippedFile,
    SkippedFiles,
)
from tests.support.git_server import Link, Submodule

if TYPE_CHECKING:
    from tests.support.hub import Hub


def skip(paths: list[str]) -> SkippedFiles:
    return SkippedFiles(SkippedFile(path, "is a symbolic link", None) for path in paths)


@pytest.mark.parametrize(
    "text", ["", "plain", 'a"b\\c\n\r\t\b\f', "\x01\x1f\x00", "\x7f\x85é\u2028\ufffd", "\U0001f600"]
)
def test_json_bytes_are_those_of_json(text: str) -> None:
    written = json.dumps(text, ensure_ascii=False).encode()
    assert json_bytes(text) == json_bytes(text.encode()) == len(written)


def test_the_list_ends_at_its_number_of_files() -> None:
    skipped = skip([f"{number}.md" for number in range(SKIPPED_FILES_KEPT + 5)])
    assert [file.path for file in skipped.files] == [f"{n}.md" for n in range(SKIPPED_FILES_KEPT)]
    assert skipped.total == SKIPPED_FILES_KEPT + 5


@pytest.mark.parametrize("name", ["x", "\x01", '"', "é", "\U0001f600"])
def test_the_list_ends_at_its_bytes_as_json(name: str) -> None:
    paths = [name * (900 // len(name.encode())) for _ in range(SKIPPED_FILES_KEPT)]
    skipped = skip(paths)
    written = json.dumps([file._asdict() for file in skipped.files], ensure_ascii=False).encode()
    assert SKIPPED_BYTES_KEPT * 0.85 < len(written) <= SKIPPED_BYTES_KEPT
    assert skipped.total == SKIPPED_FILES_KEPT


def test_no_file_is_listed_after_one_that_did_not_fit() -> None:
    skipped = skip(["x" * SKIPPED_BYTES_KEPT, "a.md"])
    assert (skipped.files, skipped.total) == ([], 2)


def test_joined_lists_keep_their_order_their_numbers_and_the_limits() -> None:
    first = SkippedFiles([SkippedFile("a.md", "is binary", "1")])
    first.add_all(skip([f"{number}.md" for number in range(SKIPPED_FILES_KEPT)]))
    assert [file.path for file in first.files[:2]] == ["a.md", "0.md"]
    assert len(first.files) == SKIPPED_FILES_KEPT
    assert first.total == SKIPPED_FILES_KEPT + 1
    assert first.reasons() == {"1": "is binary"}
    first.add(SkippedFile("b.md", "is binary", "2"))
    assert first.total == SKIPPED_FILES_KEPT + 2
    assert first.reasons() == {"1": "is binary"}


def test_a_run_lists_as_many_skipped_files_as_fit(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit(
        {b"\xff" * 250 + b"/%d.md" % number: b"x" for number in range(1500)}
        | {b"\x01" * 250 + b"/" + b"\x02" * 250 + b"/%d.md" % n: Link(b"a") for n in range(1500)}
        | {b"m/" + b"\xfe" * 255 + b"%d" % n: Submodule("1" * 40) for n in range(1500)}
        | {b"a.md": b"# A\n"}
    )
    source = hub.create_source(hub.create_project(), remote)
    run = hub.sync(source)
    assert (run["status"], run["added"], run["skipped"]) == ("completed", 1, 4500)
    listed = json.dumps(run["skipped_files"], ensure_ascii=False).encode()
    assert SKIPPED_BYTES_KEPT / 2 < len(listed) < SKIPPED_BYTES_KEPT
    reasons = {file["reason"] for file in run["skipped_files"]}
    assert "is a symbolic link" in reasons
    remote.commit({"b.md": b"# B\n"})
    again = hub.sync(source)
    assert (again["skipped"], again["skipped_files"]) == (4500, run["skipped_files"])
