"""`just check` reports every failure, and `just format` formats even where a lint error remains."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from service import ROOT

# An undefined name, which ruff cannot mend, in a layout that ruff can mend; a type error; and an
# import that is forbidden to `service/locks.py`.
BAD_MODULE = "import service.state\n\nlength: int = 'long'\nprint( service, missing )\n"
FORMATTED_MODULE = 'import service.state\n\nlength: int = "long"\nprint(service, missing)\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the tools' configuration and environment, a bad module and a bad migration.

    The application is absent, so that the OpenAPI document cannot be printed.
    """
    (tmp_path / "tests").mkdir()
    for name in ["justfile", "pyproject.toml", "requirements.lock", "tests/lint_rooms.py"]:
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    environment = tmp_path / ".venv"
    environment.mkdir()
    for entry in Path(sys.prefix).iterdir():
        if entry.suffix != ".installed":
            (environment / entry.name).symlink_to(entry)
    # Or else `just` would install everything again.
    installed = "".join(
        (ROOT / name).read_text() for name in ["pyproject.toml", "requirements.lock"]
    )
    (environment / "development.installed").write_text(installed)

    (tmp_path / "service").mkdir()
    (tmp_path / "service/__init__.py").touch()
    (tmp_path / "service/state.py").touch()
    (tmp_path / "service/locks.py").write_text(BAD_MODULE)
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql/0001_bad.sql").write_text("alter table document add column size int not null;")
    return tmp_path


def just(recipe: str, project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["just", recipe],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_runs_every_tool_and_reports_all_failures(project: Path) -> None:
    checked = just("check", project)
    sections = dict(
        section.split("\n", 1) for section in checked.stdout.removeprefix("== ").split("\n== ")
    )
    assert checked.returncode == 1
    assert "service/locks.py:3:15" in sections["ruff format"]
    assert "F821" in sections["ruff check"]
    assert "reportUndefinedVariable" in sections["basedpyright"]
    assert "service.locks:1 imports service.state" in sections["import-linter"]
    assert "adding-required-field" in sections["squawk"]
    assert "No module named service" in sections["OpenAPI"]
    names = ", ".join(sections)
    assert checked.stdout.endswith(f"\nerror: failed: {names}\n")


def test_format_formats_where_a_lint_error_remains(project: Path) -> None:
    formatted = just("format", project)
    assert formatted.returncode == 1
    assert "F821" in formatted.stdout
    assert (project / "service/locks.py").read_text() == FORMATTED_MODULE
