"""A role that serves with the least rights, and what is said where it lacks one."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

import httpx
import psycopg
import pytest

from service import ROOT
from service.app import ROUTES
from tests.support.examples import example_path
from tests.support.git_server import git_server
from tests.support.hub import Hub, hub_variables
from tests.support.postgres import run_sql
from tests.support.service import Service, errors_of, run_command
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.postgres import Postgres

    Start = Callable[..., Service]

SECRET = "webhook-secret"


class Roles(NamedTuple):
    """A database with a role that owns it and migrated it, and one that serves."""

    admin_url: str
    owner_url: str
    url: str
    name: str


@pytest.fixture
def roles(postgres: Postgres, empty_database: str) -> Iterator[Roles]:
    """The two roles, before the grants of docs/operating.md."""
    name = f'hub-{os.urandom(4).hex()} "x'
    owner, server = (
        f'"{role}"' for role in (f"{name} owner".replace('"', '""'), name.replace('"', '""'))
    )
    database = re.sub(r".*/(test_\w+)\?.*", r"\1", empty_database)
    run_sql(
        postgres.url,
        f"create role {owner} login",
        f"create role {server} login",
        f"alter database {database} owner to {owner}",
    )
    quoted = name.replace(" ", "%20").replace('"', "%22")
    owner_url = empty_database.replace("postgres@", f"{quoted}%20owner@")
    assert run_command("migrate", DATABASE_URL=owner_url).returncode == 0
    yield Roles(
        empty_database, owner_url, empty_database.replace("postgres@", f"{quoted}@"), server
    )
    run_sql(empty_database, f"drop owned by {server}", f"drop role {server}")


def documented_grants(role: str) -> list[str]:
    """Return the statements of docs/operating.md, for another role."""
    text = (ROOT / "docs/operating.md").read_text().partition("### Roles")[2]
    found = re.search(r"```sql\n(.*?)```", text, re.DOTALL)
    assert found
    owner = role[:-1] + ' owner"'
    statements = found[1].replace("hub_owner", owner).replace("to hub;", f"to {role};")
    return [statement for statement in statements.split(";") if statement.strip()]


def test_a_role_with_the_documented_grants_serves_everything(
    roles: Roles, start_service: Start, tmp_path: Path
) -> None:
    run_sql(roles.owner_url, *documented_grants(roles.name))
    with git_server(tmp_path / "repositories") as server:
        remote = server.create()
        remote.commit({"a.md": b"# A\n", "b.md": b"# B\n"})
        service = start_service(DATABASE_URL=roles.url, **hub_variables(tmp_path, server))
        assert service.is_healthy()
        with httpx.Client(base_url=service.url, timeout=30) as client:
            hub = Hub(client, server, roles.admin_url)
            project = hub.create_project()
            source = hub.create_source(project, remote)
            assert hub.sync(source)["status"] == "completed"
            remote.commit({"a.md": b"# A2\n", "b.md": None, "c.md": b"# B\n"})
            run = hub.sync(source)
            assert run["status"] == "completed"
            document = hub.document(project, "a.md")
            ids = {"project_id": project, "id": source, "run_id": run["id"], "name": "page.css"}
            for route in ROUTES:
                if "GET" in (route.methods or ()):
                    own = ids | ({"id": document["id"]} if "/documents/" in route.path else {})
                    path = example_path(route.path, {k: v.encode() for k, v in own.items()})
                    response = client.get(path.decode())
                    assert response.status_code < 500, (route.path, response.text)
            body = {"description": "new"}
            assert client.put(f"/api/projects/{project}", json=body).status_code == 200
            assert client.put(f"/api/project-docs/{source}", json=body).status_code == 200
            assert client.delete(f"/api/project-docs/{source}").status_code == 200
            assert client.delete(f"/api/projects/{project}").status_code == 200
            status = run_command("status", DATABASE_URL=roles.url)
            assert (status.returncode, errors_of(status.stderr)) == (0, "")
    assert not [entry for entry in service.entries() if entry["severity"] == "ERROR"]
    # The next migration's tables are covered, and the service cannot change the schema.
    run_sql(roles.owner_url, "create table later (id int)")
    run_sql(roles.url, "insert into later values (1)")
    for statement in (
        "create table mine (id int)",
        "drop table project",
        "delete from _yoyo_migration",
        "update migration_checksum set sha256 = ''",
        "truncate project",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run_sql(roles.url, statement)


@pytest.mark.parametrize(
    ("revoked", "granted"),
    [
        ("revoke select on _yoyo_migration from {}", ["select on public._yoyo_migration"]),
        (
            "revoke select on _yoyo_migration, migration_checksum from {}",
            ["select on public.migration_checksum", "select on public._yoyo_migration"],
        ),
        ("revoke usage on schema public from {}, public", ["usage on schema public"]),
    ],
)
def test_a_missing_right_is_named_with_its_grant(
    revoked: str, granted: list[str], roles: Roles, start_service: Start
) -> None:
    run_sql(roles.admin_url, *documented_grants(roles.name), revoked.format(roles.name))
    grants = [f"grant {right} to {roles.name}" for right in granted]
    service = start_service(DATABASE_URL=roles.url)
    response = httpx.get(f"{service.url}/api/health")
    assert response.status_code == 503
    body = response.json()
    assert (body["database"], body["reason"]) == ("connected", "migrations_pending")
    assert "permission" not in response.text
    assert service.wait_for("database_rights_missing")["grants"] == "; ".join(grants)
    for command in ("status", "migrate", "rollback"):
        result = run_command(command, DATABASE_URL=roles.url)
        assert result.returncode == 1
        assert "; ".join(grants) in errors_of(result.stderr)
        assert errors_of(result.stderr).count("\n") == 1
    for _ in range(3):
        assert service.health() == (503, "migrations_pending")
    run_sql(roles.admin_url, *grants)
    eventually(service.is_healthy)
    service.expect("database_rights_missing")
    assert run_command("status", DATABASE_URL=roles.url).returncode == 0


def test_a_missing_right_on_a_table_is_a_500_and_its_table_is_in_the_log(
    roles: Roles, start_service: Start
) -> None:
    run_sql(
        roles.admin_url,
        *documented_grants(roles.name),
        f"revoke insert on project from {roles.name}",
        f"revoke all on sync_run from {roles.name}",
    )
    service = start_service(DATABASE_URL=roles.url)
    assert service.is_healthy()
    body = {"name": "hunter2"}
    response = httpx.post(f"{service.url}/api/projects", json=body)
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "project" not in response.json()["detail"]
    eventually(lambda: "permission denied for table project" in service.log.read_text())
    assert "hunter2" not in service.log.read_text()
    assert httpx.get(f"{service.url}/api/projects").status_code == 200
    waits = service.wait_for("sync_waits_for_database")
    assert "permission denied for table sync_run" in waits["error"]
    result = run_command("sync", "https://github.com/a/b", DATABASE_URL=roles.url)
    assert result.returncode == 1
    assert "permission denied for table" in errors_of(result.stderr)
    assert errors_of(result.stderr).count("\n") == 1
