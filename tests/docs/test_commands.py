"""The README's two commands, pasted in a new clone, with none but the system's programs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from service import ROOT
from tests.support.fleet import free_ports
from tests.support.service import service_environment
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEM_PATH = "/usr/bin:/bin"

# A first start takes 8 s; on a busy machine, or where the caches of pip and uv are empty, far more.
START_SECONDS = 180


def has_system_python() -> bool:
    check = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
    with suppress(FileNotFoundError):
        return not subprocess.call(["/usr/bin/python3", "-c", check], stderr=subprocess.DEVNULL)
    return False


# In CI its absence is a fault of the machine's set-up, not a reason to skip.
pytestmark = pytest.mark.skipif(
    not has_system_python() and "CI" not in os.environ,
    reason="/usr/bin/python3 is missing, older than 3.11, or without venv",
)


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "a clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    yield folder
    shutil.rmtree(folder)  # half a gigabyte


def read_command(clone: Path, recipe: str) -> str:
    """Return the README's line that ends with `just` and this recipe."""
    found = re.findall(rf"^.+/just {recipe}$", (clone / "README.md").read_text(), re.MULTILINE)
    assert len(found) == 1
    return found[0]


def new_user_environment(**variables: str) -> dict[str, str]:
    environment = service_environment(PATH=SYSTEM_PATH, **variables)
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("VIRTUAL_ENV", "PYENV_", "PYTEST_", "PYTHON"))
    }


def is_healthy(port: int) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/api/health").status_code == 200
    return False


def run_until_healthy(command: str, clone: Path, port: int, log: Path) -> str:
    """Paste the command, press Ctrl-C when the service is healthy, and return what was printed."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=clone,
            env=new_user_environment(BACKEND_PORT=str(port)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        eventually(lambda: is_healthy(port) or process.poll() is not None, START_SECONDS)
        assert process.poll() is None, f"the command ended: {log}"
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all processes of a command
        process.wait(30)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return log.read_text()


def test_the_run_command_serves_in_a_new_clone_and_again(clone: Path, tmp_path: Path) -> None:
    command = read_command(clone, "run")
    (port,) = free_ports(1)
    first = run_until_healthy(command, clone, port, tmp_path / "first.log")
    assert "applied 0001" in first
    assert '"stopped"' in first
    again = run_until_healthy(command, clone, port, tmp_path / "again.log")
    schema, *rest = [line for line in again.splitlines() if not line.startswith("{")]
    assert schema.startswith("the schema is up to date")
    assert rest == ["error: interrupted by SIGINT"]
    assert '"stopped"' in again


def test_the_test_command_tests_in_a_new_clone(clone: Path, tmp_path: Path) -> None:
    # At its end pytest removes what earlier runs left in the folder that all runs share: on a
    # machine of a developer that can take minutes.
    arguments = f"tests/routes/test_hello.py --basetemp={shlex.quote(str(tmp_path / 'temporary'))}"
    tested = subprocess.run(
        ["/bin/sh", "-c", f"{read_command(clone, 'test')} {arguments}"],
        cwd=clone,
        env=new_user_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    assert re.search(r"^1 passed in ", tested.stdout, re.MULTILINE)


# The programs that the recipes and the service use, besides Python, uv and just.
PROGRAMS = ("sh", "cat", "dirname", "git", "head", "rm", "sed", "tail")


def test_the_recipes_work_with_a_python_that_is_not_on_path(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for program in PROGRAMS:
        found = shutil.which(program, path=SYSTEM_PATH)
        assert found
        (tmp_path / "bin" / program).symlink_to(found)
    command = read_command(clone, "run").replace("python3 ", "/usr/bin/python3 ", 1)
    result = subprocess.run(
        ["/bin/sh", "-c", command.removesuffix("run") + "openapi"],
        cwd=clone,
        env=new_user_environment() | {"PATH": str(tmp_path / "bin")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert result.stdout.startswith("{"), result.stderr
    base = subprocess.run(
        [clone / ".venv/bin/python", "-c", "import sys; print(sys._base_executable)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(base.stdout.strip()).resolve() == Path("/usr/bin/python3").resolve()
