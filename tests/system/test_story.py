"""The acceptance criteria of story 1.3, one test for each."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import httpx

from service import ROOT
from service.migrations.files import SQL_FOLDER, read_migration_files
from tests.support.service import Service, run_command, service_environment
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_ac_1_application_structure(start_service: Callable[..., Service], database: str) -> None:
    """The application, settings and database modules exist; CORS and the API docs work."""
    for part in ("app.py", "settings.py", "database/database.py"):
        assert (ROOT / "service" / part).is_file()
    url = start_service(DATABASE_URL=database).url
    response = httpx.get(f"{url}/api/health", headers={"origin": "http://localhost:3000"})
    assert response.headers["access-control-allow-origin"] == "http://localhost:3000"
    for page in ("/docs", "/redoc"):
        assert httpx.get(url + page).status_code == 200


def test_ac_2_migrations(empty_database: str) -> None:
    """One command applies the first migration."""
    assert SQL_FOLDER == ROOT / "sql"
    first = read_migration_files()[0]
    result = run_command("migrate", DATABASE_URL=empty_database)
    assert result.returncode == 0
    assert f"applied {first.path.name}" in result.stdout
    assert run_command("status", DATABASE_URL=empty_database).returncode == 0


def test_ac_3_health_endpoint(start_service: Callable[..., Service], database: str) -> None:
    """`GET /api/health` queries the database and returns 200 with status, database, timestamp."""
    response = httpx.get(f"{start_service(DATABASE_URL=database).url}/api/health")
    assert response.status_code == 200
    body = response.json()
    assert body.keys() == {"status", "database", "timestamp"}
    assert (body["status"], body["database"]) == ("ok", "connected")
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None


def test_ac_4_startup(start_service: Callable[..., Service], tmp_path: Path) -> None:
    """One command starts the service without errors in the log; the docs and the pool work."""
    service = start_service("--migrate", DATABASE_URL=f"embedded:{tmp_path / 'postgres'}")
    assert httpx.get(f"{service.url}/api/health").json()["database"] == "connected"
    assert httpx.get(f"{service.url}/docs").status_code == 200
    assert httpx.get(f"{service.url}/openapi.json").json()["openapi"]
    service.process.terminate()
    assert service.wait() == 0
    assert {entry["level"] for entry in service.entries()} == {"info"}


def test_ac_4_reload(tmp_path: Path) -> None:
    """The story's `--reload`: the command of `just dev` restarts the service after a change."""
    for folder in ("service", "sql"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / ".env", tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    recipe = (ROOT / "justfile").read_text().partition("\ndev:")[2].splitlines()[1]
    log = tmp_path / "dev.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            recipe.strip().removeprefix("@").replace("{{ python }}", ".venv/bin/python"),
            shell=True,
            cwd=tmp_path,
            env=service_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        eventually(lambda: log.read_text().count('"listening"') == 1, 30)
        (tmp_path / "service/__init__.py").touch()
        eventually(lambda: log.read_text().count('"listening"') == 2, 30)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20)


def test_ac_5_configuration(database: str) -> None:
    """Settings come from `.env` and the environment, and are checked when the service starts."""
    example = (ROOT / ".env").read_text()
    for name in ("DATABASE_URL", "CORS_ORIGINS", "BACKEND_PORT", "LOG_LEVEL"):
        assert f"\n{name}=" in example
    result = run_command("serve", DATABASE_URL=database, CORS_ORIGINS="*", LOG_LEVEL="LOUD")
    assert result.returncode == 2
    assert [line.split(":")[1].strip() for line in result.stderr.splitlines()] == [
        "CORS_ORIGINS",
        "LOG_LEVEL",
    ]
