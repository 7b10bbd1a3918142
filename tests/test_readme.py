"""The README names what there is: every setting, route and recipe, and no other."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from service import __version__
from service.app import ROUTES
from tests.conftest import PROJECT, SETTING_NAMES

README = (PROJECT / "README.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, without its own heading."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_the_settings_are_those_of_the_code() -> None:
    source = (PROJECT / "service/settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source))
    named = {row[0].strip("`") for row in rows("Settings")}
    assert named == read == SETTING_NAMES


def test_the_defaults_are_those_of_the_committed_file() -> None:
    lines = (PROJECT / ".env").read_text().splitlines()
    defaults = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    named = {row[0].strip("`"): row[1].strip("`") for row in rows("Settings")}
    assert named == defaults | {"MIGRATIONS_DATABASE_URL": "that of DATABASE_URL"}


def test_the_routes_are_those_of_the_application() -> None:
    there = {
        (path, ", ".join(sorted(route.methods or set())))
        for route in ROUTES
        if (path := route.path_format)
    }
    assert {(row[1].strip("`"), row[0]) for row in rows("Routes")} == there


def test_the_recipes_are_those_of_the_justfile() -> None:
    dumped = subprocess.run(
        ["just", "--dump", "--dump-format", "json"], cwd=PROJECT, capture_output=True, check=True
    )
    recipes = json.loads(dumped.stdout)["recipes"]
    public = {name for name, recipe in recipes.items() if not recipe["private"]}
    assert {row[0].strip("`").split()[1] for row in rows("Recipes")} == public


def test_every_file_that_the_tour_names_is_there() -> None:
    tour = README.partition("\n## How it is laid out\n")[2].partition("\n## ")[0]
    block = tour.partition("```\n")[2].partition("```")[0]
    named = re.findall(r"^ {2}(\S+)", block, re.MULTILINE)
    there = {path.name for path in (PROJECT / "service").iterdir() if path.name[0] != "_"}
    assert {name.rstrip("/") for name in named} - {"__main__.py"} == there


TOOLS = "python3 -m venv .tools && .tools/bin/pip install -qq uv rust-just"


@pytest.mark.parametrize("command", ["run", "test"])
def test_the_two_commands_are_there_alone_on_a_line(command: str) -> None:
    assert f"\n{TOOLS} && .tools/bin/just {command}\n" in README


def test_the_picture_is_there() -> None:
    for target in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (PROJECT / target).is_file()
    assert "![" in README


def test_ci_runs_the_tests_as_the_readme_says() -> None:
    script = (PROJECT / ".ci/run").read_text()
    assert f"\n{TOOLS} && .tools/bin/just test\n" in script


def test_the_version_is_one() -> None:
    assert f'\nversion = "{__version__}"\n' in (PROJECT / "pyproject.toml").read_text()


def test_no_file_names_a_package_registry() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, check=True)
    hosts = re.compile("py" + r"pi\.org|python" + r"hosted|registry\.np" + "mjs")
    for name in listed.stdout.decode().splitlines():
        path = Path(PROJECT, name)
        if path.suffix != ".png" and path.is_file():
            assert not hosts.search(path.read_text()), name
