"""The README is short, in the order that a newcomer needs, and names every route and room."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from service import ROOT, __version__
from service.app import ROUTES
from tests.docs.markdown import README, read_rows, read_section, without_code
from tests.site.take_pictures import FOLDER, MOST_BYTES

LINES_MAX = 290
TEXT = README.read_text()
REFERENCE = ROOT / "docs/reference.md"


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= LINES_MAX


def test_its_sections_are_in_the_order_a_newcomer_needs() -> None:
    assert re.findall(r"^## (.+)$", without_code(TEXT), re.MULTILINE) == [
        "Run it",
        "See it",
        "Use it with coding agents",
        "Test it",
        "Concepts",
        "Routes",
        "Settings and recipes",
        "The code",
        "Where the rest is",
    ]


def test_the_glossary_has_its_ten_words() -> None:
    assert [word for word, _ in read_rows(README, "Concepts")] == [
        "project",
        "source",
        "document",
        "section",
        "run",
        "claim",
        "worker",
        "syncer",
        "problem",
        "response",
    ]


def test_the_routes_are_those_of_the_application() -> None:
    there = {
        (path, ", ".join(sorted(route.methods or set())))
        for route in ROUTES
        if (path := route.path_format)
    }
    rows = read_rows(README, "Routes")
    assert {(row[1].strip("`"), row[0]) for row in rows} == there
    assert len(rows) == len(there)


@pytest.mark.parametrize(("number", "heading"), [(0, "Settings"), (1, "Recipes")])
def test_its_settings_and_recipes_read_as_in_the_reference(number: int, heading: str) -> None:
    rows = read_rows(README, "Settings and recipes", number)
    everything = read_rows(REFERENCE, heading)
    assert [row for row in rows if row not in everything] == []
    assert 0 < len(rows) < len(everything)


def test_the_rooms_are_the_packages_of_the_service() -> None:
    named = [row[0].strip("`") for row in read_rows(README, "The code")]
    there = {f"service/{path.parent.name}/" for path in ROOT.glob("service/*/__init__.py")}
    assert set(named) == there
    assert len(named) == len(there)


def test_the_lists_that_a_new_resource_extends_are_there() -> None:
    lines = re.findall(
        r"^ {3}- `(tests/[\w/]+\.py)`: (.+(?:\n {5}.+)*)",
        read_section(README, "Add a resource"),
        re.MULTILINE,
    )
    assert len(lines) == 4
    for path, text in lines:
        names = re.findall(r"`(\w+)`", text)
        assert names, path
        for name in names:
            assert re.search(rf"\b{name}\b", (ROOT / path).read_text()), (path, name)


TOOLS = "python3 -m venv .tools && .tools/bin/pip install -qq uv rust-just"


@pytest.mark.parametrize("command", ["run", "test"])
def test_the_two_commands_are_there_alone_on_a_line(command: str) -> None:
    assert f"\n{TOOLS} && .tools/bin/just {command}\n" in TEXT


def test_the_first_start_applies_every_migration() -> None:
    named = re.findall(r"^applied (\S+\.sql) in \d+ ms$", TEXT, re.MULTILINE)
    there = [path.name for path in (ROOT / "sql").glob("*.sql") if ".rollback" not in path.suffixes]
    assert named == sorted(there)


def test_the_pictures_are_there_and_small() -> None:
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)|(?:srcset|src)=\"([^\"]+)\"", TEXT)
    assert len(pictures) == 7
    for target in map("".join, pictures):
        assert (ROOT / target).is_file()
    for path in FOLDER.iterdir():
        assert path.stat().st_size <= MOST_BYTES


def test_ci_runs_the_tests_as_the_readme_says() -> None:
    script = (ROOT / ".ci/run").read_text()
    assert f"\n{TOOLS} && .tools/bin/just test\n" in script


def test_the_version_is_one() -> None:
    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text()


def test_no_file_names_a_package_registry() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
    hosts = re.compile("py" + r"pi\.org|python" + r"hosted|registry\.np" + "mjs")
    for name in listed.stdout.decode().splitlines():
        path = Path(ROOT, name)
        if path.suffix != ".png" and path.is_file():
            assert not hosts.search(path.read_text()), name
