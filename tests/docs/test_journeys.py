"""The journeys of the tour: their hops exist, and a real request takes them in that order."""

from __future__ import annotations

import ast
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import pytest

from service import ROOT
from tests.docs.markdown import read_section
from tests.support.hub import running_hub

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from types import CodeType, FrameType

TOUR = ROOT / "docs/tour.md"
LIST = "GET a list"
SEARCH = "GET a search"
SYNC = "POST a sync, from socket to rows"
SERVICE = f"{ROOT}/service/"

# A file below the project's folder, and the qualified name of a function in it.
Hop: TypeAlias = tuple[str, str]


def read_hops(journey: str) -> list[Hop]:
    """Return the hops of a journey: the first code mark of each step that is numbered."""
    found = re.findall(
        r"^\d+\. `(service/[\w/]+\.py):([\w.]+)`", read_section(TOUR, journey), re.MULTILINE
    )
    assert len(found) == len(re.findall(r"^\d+\. ", read_section(TOUR, journey), re.MULTILINE))
    return found


def functions_of(path: str) -> set[str]:
    """Return the qualified names of a module's functions and methods."""
    names: set[str] = set()

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(f"{prefix}{child.name}")

    walk(ast.parse((ROOT / path).read_text()), "")
    return names


@contextmanager
def traced() -> Generator[list[Hop]]:
    """Yield a list that grows by each call into the service, in threads that start meanwhile."""
    calls: list[Hop] = []
    starts: dict[CodeType, int] = {}

    def record(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(SERVICE):
            return
        # A coroutine that continues after an await is reported as a call, too, but at a later
        # instruction than its start.
        if frame.f_lasti == starts.setdefault(code, frame.f_lasti):
            calls.append((code.co_filename.removeprefix(f"{ROOT}/"), code.co_qualname))

    threading.setprofile(record)
    try:
        yield calls
    finally:
        threading.setprofile(None)


# As `traced`, in each process of Python that starts while this is its sitecustomize.
TRACE = f"""
import sys, threading

starts = {{}}
trace = open(CALLS, "a", buffering=1)

def record(frame, event, _):
    code = frame.f_code
    if event == "call" and code.co_filename.startswith({SERVICE!r}):
        if frame.f_lasti == starts.setdefault(code, frame.f_lasti):
            trace.write(code.co_filename + ":" + code.co_qualname + "\\n")

threading.setprofile(record)
sys.setprofile(record)
"""


def trace_processes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the calls of processes that start from now on written to the returned file."""
    calls = folder / "calls"
    calls.touch()
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(TRACE.replace("CALLS", repr(str(calls))))
    monkeypatch.setenv("PYTHONPATH", str(site))
    return calls


def read_calls(trace: Path) -> list[Hop]:
    """Return the calls that processes have written so far."""
    pairs = (line.split(":") for line in trace.read_text().splitlines())
    return [(path.removeprefix(f"{ROOT}/"), function) for path, function in pairs]


def assert_taken(hops: list[Hop], calls: list[Hop]) -> None:
    """Check that the calls have the hops among them, in their order."""
    remaining = iter(calls)
    for hop in hops:
        assert any(call == hop for call in remaining), f"{hop} is not called after those before it"


@pytest.mark.parametrize("journey", [LIST, SEARCH, SYNC])
def test_every_hop_is_a_function_that_exists(journey: str) -> None:
    hops = read_hops(journey)
    assert len(hops) > 8
    for path, function in hops:
        assert function in functions_of(path), (path, function)


def test_a_list_a_sync_and_a_search_take_their_hops_in_order(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = trace_processes(tmp_path, monkeypatch)
    with traced() as calls, running_hub(database, tmp_path) as hub:
        remote = hub.server.create()
        remote.commit({"docs/prd.md": b"# Payments\n"})
        project = hub.create_project()
        source = hub.create_source(project, remote, github_folder_path="docs")
        calls.clear()
        assert hub.client.get("/api/projects", headers={"Origin": "http://localhost:3000"}).json()
        assert_taken(read_hops(LIST), list(calls))
        calls.clear()
        assert hub.sync(source)["added"] == 1
        # The run's process waits for the worker's call before it does the run.
        assert_taken(read_hops(SYNC), [*calls, *read_calls(trace)])
        calls.clear()
        found = hub.client.get("/api/search", params={"q": "payment"}).json()
        assert found["total"]["value"] == 1
        assert_taken(read_hops(SEARCH), list(calls))
