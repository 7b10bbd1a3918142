"""The code tour names every room and every module, and tests that exist."""

from __future__ import annotations

import re
import tomllib

from service import ROOT
from service.server.protocol import HttpProtocol
from tests.docs.markdown import README, read_rows

TOUR = ROOT / "docs/tour.md"


def test_every_room_is_listed_once() -> None:
    named = sorted(row[0].strip("`") for row in read_rows(TOUR, "Rooms"))
    assert named == sorted(path.parent.name for path in ROOT.glob("service/*/__init__.py"))


def test_what_is_in_a_room_begins_as_in_the_readme() -> None:
    texts = {row[0].strip("`"): row[1] for row in read_rows(TOUR, "Rooms")}
    for folder, text in read_rows(README, "The code"):
        room = folder.strip("`").removeprefix("service/").rstrip("/")
        assert texts[room].startswith(text), room


def test_the_rules_of_imports_are_those_that_are_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    [checked] = [contract["may_import"] for contract in contracts if contract["type"] == "rooms"]
    rows = [*read_rows(TOUR, "Rooms"), *read_rows(TOUR, "Rooms", 1)]
    named = {
        room: re.findall(r"`([^`]+)`", row[-1])
        for row in rows
        for room in re.findall(r"`([^`]+)`", row[0])
    }
    assert named == checked | {"commands": []}  # in words: everything


def test_every_module_is_listed_once() -> None:
    named = sorted(row[0].strip("`") for row in read_rows(TOUR, "Modules and their tests"))
    there = [path for path in ROOT.glob("service/**/*.py") if path.name != "__init__.py"]
    assert named == sorted(str(path.relative_to(ROOT)) for path in there)


def test_every_module_has_the_tests_of_its_own_name_or_others() -> None:
    for module, _, tests in read_rows(TOUR, "Modules and their tests"):
        named = re.findall(r"`([^`]+)`", tests)
        assert named, module
        for path in named:
            assert (ROOT / path).exists(), (module, path)
        room, _, name = module.strip("`").removeprefix("service/").rpartition("/")
        own = "/".join(filter(None, ["tests", room, f"test_{name}"]))
        if (ROOT / own).exists():
            assert named[0] == own, module


def test_every_field_of_a_connection_is_listed_once() -> None:
    rows = read_rows(TOUR, "A connection's states")
    named = [field for row in rows for field in re.findall(r"`([^`]+)`", row[0])]
    there = [
        name
        for name, value in vars(HttpProtocol).items()
        if not (callable(value) or name[:2] == "__")
    ]
    assert sorted(named) == sorted(there)
