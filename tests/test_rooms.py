"""The import rules of pyproject.toml: wrong imports break them, and docstrings repeat them."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from service import ROOT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
FILL_WORDS = {"and", "of", "its", "own", "modules", "nothing", "ours"}
PACKAGES = sorted(path.parent.name for path in ROOT.glob("service/*/__init__.py"))

# A module, a line to add to it, and the two lines that lint-imports prints: the rule, the breach.
WRONG_IMPORTS = [
    (
        "web/paging.py",
        "import service.state",
        "web may import",
        "service.web.paging:{line} imports service.state",
    ),
    (
        "documents/text.py",
        "from service.database.database import Database",
        "documents may import",
        "service.documents.text:{line} imports service.database.database",
    ),
    (
        "locks.py",
        "from service.telemetry import logs",
        "locks may import nothing",
        "service.locks:{line} imports service.telemetry.logs",
    ),
    (
        "routes/projects.py",
        "from . import syncs",
        "and of its own modules board_sql, quotas, search_parameters, shared, source_sql",
        "service.routes.projects:{line} imports service.routes.syncs",
    ),
    (
        "git/process.py",
        "if TYPE_CHECKING: from service.settings import Settings",
        "git may import",
        "service.git.process:{line} imports service.settings",
    ),
    (
        "health.py",
        "def later() -> None: import service.sync.queue",
        "health may import",
        "service.health:{line} imports service.sync.queue",
    ),
    (
        "documents/tree.py",
        "import service.sync.files",
        "No cycles are allowed in service.",
        "- .documents -> .sync (1 import)",
    ),
    (
        "git/errors.py",
        "if TYPE_CHECKING: import service.git.repository",
        "No cycles are allowed in service.git.",
        "- .errors -> .repository (1 import)",
    ),
    (
        "new.py",
        "import service",
        "every room has a rule in pyproject.toml",
        "service.new has no rule",
    ),
]


@pytest.fixture
def project_copy(tmp_path: Path) -> Path:
    """A copy of all files that lint-imports reads."""
    shutil.copytree(ROOT / "service", tmp_path / "service")
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests/lint_rooms.py", tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(project_copy: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-logo", "--no-cache"],
        cwd=project_copy,
        env=os.environ | {"COLUMNS": "500"},  # one line for each rule
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_imports_of_the_service_keep_the_rules(project_copy: Path) -> None:
    result = lint_imports(project_copy)
    assert result.returncode == 0, result.stdout
    assert "BROKEN" not in result.stdout


@pytest.mark.parametrize(
    ("module", "wrong_import", "rule", "breach"),
    WRONG_IMPORTS,
    ids=[f"{module}: {wrong_import}" for module, wrong_import, _, _ in WRONG_IMPORTS],
)
def test_a_wrong_import_fails_and_the_output_names_the_rule_and_the_line(
    project_copy: Path, module: str, wrong_import: str, rule: str, breach: str
) -> None:
    path = project_copy / "service" / module
    before = path.read_text() if path.exists() else ""
    path.write_text(f"{before}\n{wrong_import}\n")
    result = lint_imports(project_copy)
    assert result.returncode == 1
    printed = result.stdout.partition("Broken contracts")[2]
    assert rule in printed
    assert breach.format(line=before.count("\n") + 2) in printed


def test_a_rule_that_names_a_missing_module_fails(project_copy: Path) -> None:
    path = project_copy / "pyproject.toml"
    text = path.read_text()
    assert '"git.names"' in text
    path.write_text(text.replace('"git.names"', '"git.name"'))
    result = lint_imports(project_copy)
    assert result.returncode == 1
    assert "service.git.name does not exist" in result.stdout


def read_docstring(package: str) -> str:
    source = (ROOT / "service" / package / "__init__.py").read_text()
    return ast.get_docstring(ast.parse(source)) or ""


@pytest.mark.parametrize("package", PACKAGES)
def test_the_docstring_of_a_package_names_the_imports_of_its_rule(package: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    [rooms] = [contract for contract in contracts if contract["type"] == "rooms"]
    rule = rooms["may_import"][package] + rooms["siblings"].get(package, [])

    # After a semicolon the sentence names modules that are not allowed.
    [allowed] = re.findall(r"\bMay import ([^;]+?)(?:;|\.\s|\.$)", read_docstring(package))
    named = set(re.findall(r"[a-z_]+(?:\.[a-z_]+)*", allowed)) - FILL_WORDS
    assert named == ({"everything"} if rule == ["*"] else set(rule))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_docstring_of_a_package_names_those_of_its_modules_to_begin_with(package: str) -> None:
    named = re.findall(r"\w+\.py", read_docstring(package).partition("Begin with ")[2])
    assert named
    assert [name for name in named if not (ROOT / "service" / package / name).exists()] == []
