"""Quotas: no more projects, sources and documents than the settings allow, and no fewer.

What is there already stays when a quota is lowered. Only more is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from service import ROOT
from service.sync.queue import QUEUE_FULL
from tests.support.copies import WAITING_WRITES, locked_documents
from tests.support.deliveries import GITHUB, SECRETS
from tests.support.git_server import git_server
from tests.support.hub import Hub, hub_settings, hub_variables, running_hub
from tests.support.postgres import run_sql
from tests.support.problems import assert_problem
from tests.support.service import run_command, serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"
SOURCE = {"name": "Docs", "github_url": "https://git.example/team/docs"}

ADD_PROJECTS = "insert into project (name) select 'Project ' || n from generate_series(1, {}) as n"
RUNS = "select status, count(*) from sync_run group by 1 order by 1"
ADD_SOURCES = """
    insert into project_doc (project_id, name, github_url)
    select project.id, 'Docs', 'https://git.example/team/docs'
    from project, generate_series(1, {})
    """


def post(client: httpx.Client, path: str, body: dict[str, Any]) -> int:
    """Post from a client of its own, as clients at the same time do; return the status."""
    return httpx.post(f"{client.base_url}{path}", json=body, timeout=60).status_code


def test_projects_are_limited(database: str) -> None:
    with serving(database, max_projects=2) as client:
        names = ("a", "b", "c")
        responses = [client.post("/api/projects", json={"name": name}) for name in names]
        assert [response.status_code for response in responses] == [201, 201, 409]
        detail = assert_problem(responses[-1], 409)["detail"]
        assert "2 projects already" in detail
        assert "MAX_PROJECTS" in detail
        kept, _ = client.get("/api/projects").json()
        path = f"/api/projects/{kept['id']}"
        assert client.put(path, json={"name": "still changes"}).status_code == 200
        assert client.delete(path).status_code == 200
        assert client.post("/api/projects", json={"name": "c"}).status_code == 201


def test_sources_of_each_project_are_limited(database: str) -> None:
    with serving(database, max_sources_per_project=2) as client:
        for name in ("One", "Two"):
            project = client.post("/api/projects", json={"name": name}).json()["id"]
            path = f"/api/projects/{project}/docs"
            responses = [client.post(path, json=SOURCE) for _ in range(3)]
            assert [response.status_code for response in responses] == [201, 201, 409]
            detail = assert_problem(responses[-1], 409)["detail"]
            assert "2 sources already" in detail
            assert "MAX_SOURCES_PER_PROJECT" in detail
        source = f"/api/project-docs/{client.get(path).json()[0]['id']}"
        assert client.put(source, json={"branch": "main"}).status_code == 200
        assert client.delete(source).status_code == 200
        assert client.post(path, json=SOURCE).status_code == 201
        assert_problem(client.post(f"/api/projects/{UNKNOWN}/docs", json=SOURCE), 404)


@pytest.mark.parametrize("limit", [5, 205])
def test_requests_at_once_do_not_exceed_a_quota(
    database: str, together: Callable[..., list[int]], limit: int
) -> None:
    """With 205, the first ones are added without a lock."""
    run_sql(database, ADD_PROJECTS.format(limit - 5))
    with serving(database, max_projects=limit) as client:
        numbers = iter(range(40))
        statuses = together(
            40, lambda: post(client, "/api/projects", {"name": f"New {next(numbers)}"})
        )
        # A request that does not get the lock in time is refused with 503.
        assert set(statuses) <= {201, 409, 503}
        count = run_sql(database, "select count(*) from project")[0][0]
        assert count == limit - 5 + statuses.count(201) <= limit
        for number in range(6):
            client.post("/api/projects", json={"name": f"Late {number}"})
    assert run_sql(database, "select count(*) from project") == [(limit,)]


def test_sources_added_at_once_do_not_exceed_their_quota(
    database: str, together: Callable[..., list[int]]
) -> None:
    run_sql(database, ADD_PROJECTS.format(1), ADD_SOURCES.format(3))
    ((project,),) = run_sql(database, "select id from project")
    with serving(database, max_sources_per_project=6) as client:
        path = f"/api/projects/{project}/docs"
        statuses = together(30, lambda: post(client, path, SOURCE))
        assert set(statuses) <= {201, 409, 503}
        assert statuses.count(201) <= 3
        for _ in range(4):
            client.post(path, json=SOURCE)
    assert run_sql(database, "select count(*) from project_doc") == [(6,)]


def test_what_is_there_stays_when_a_quota_is_lowered(database: str) -> None:
    run_sql(database, ADD_PROJECTS.format(3), ADD_SOURCES.format(3))
    with serving(database, max_projects=1, max_sources_per_project=1) as client:
        projects = client.get("/api/projects").json()
        assert len(projects) == 3
        path = f"/api/projects/{projects[0]['id']}/docs"
        assert len(client.get(path).json()) == 3
        assert_problem(client.post("/api/projects", json={"name": "x"}), 409)
        assert_problem(client.post(path, json=SOURCE), 409)
        assert client.put(path[:-5], json={"description": "x"}).status_code == 200


def test_queued_runs_are_limited(database: str) -> None:
    """A source with a run that does for the request is never refused."""
    run_sql(database, ADD_PROJECTS.format(1), ADD_SOURCES.format(4))
    sources = [str(id_) for (id_,) in run_sql(database, "select id from project_doc order by 1")]
    run_sql(
        database,
        "insert into sync_run (project_doc_id, status, started_at, claim_id, claimed_until) values"
        f"('{sources[3]}', 'running', now(), gen_random_uuid(), now())",
    )
    secret = SECRETS["github_webhook_secret"]
    settings = {"sync_concurrency": 0, "sync_max_queued": 2, "github_webhook_secret": secret}
    with serving(database, **settings) as client:

        def request(source: str) -> httpx.Response:
            return client.post(f"/api/project-docs/{source}/sync")

        def push(source: str, delivery: str) -> httpx.Response:
            return GITHUB.push(SOURCE["github_url"], id_=delivery).send(client, source)

        first, second = request(sources[0]), push(sources[1], "one")
        assert [first.status_code, second.status_code] == [202, 202]
        for refused in (request(sources[2]), push(sources[2], "two"), push(sources[3], "three")):
            assert assert_problem(refused, 503)["detail"] == QUEUE_FULL
            assert refused.headers["retry-after"]
        for source, response in ((sources[0], first), (sources[1], second)):
            for again in (request(source), push(source, "four")):
                assert again.headers["location"] == response.headers["location"]
        assert request(sources[3]).status_code == 202  # is running
        assert_problem(request(UNKNOWN), 404)
        # Nothing of a refused delivery is stored: when it comes again, it is not known.
        run_sql(database, "delete from sync_run where status = 'queued'")
        assert push(sources[2], "two").status_code == 202
        assert push(sources[3], "three").status_code == 202
    assert run_sql(database, RUNS) == [("queued", 2), ("running", 1)]


def test_periodic_syncs_keep_to_the_limit_of_queued_runs(database: str) -> None:
    run_sql(database, ADD_PROJECTS.format(1), ADD_SOURCES.format(7))
    settings = {"sync_concurrency": 0, "sync_max_queued": 3, "sync_every_minutes": 1.0}
    with serving(database, **settings) as client:
        eventually(lambda: run_sql(database, RUNS) == [("queued", 3)], 20)
        (other,) = run_sql(
            database,
            "select id from project_doc where id not in (select project_doc_id from sync_run)",
        )[0]
        assert_problem(client.post(f"/api/project-docs/{other}/sync"), 503)
        # There is room again for the sources that have none yet.
        run_sql(
            database,
            "update sync_run set status = 'failed', finished_at = now() where status = 'queued'",
        )
        eventually(lambda: run_sql(database, RUNS) == [("failed", 3), ("queued", 3)], 30)


def test_documents_of_a_projects_sources_together_are_limited(
    database: str, tmp_path: Path
) -> None:
    with running_hub(database, tmp_path, max_documents_per_project=5) as hub:
        first, second = hub.server.create("team/first"), hub.server.create("team/second")
        first.commit({f"{number}.md": b"# A\n" for number in range(3)})
        second.commit({f"{number}.md": b"# B\n" for number in range(2)})
        project = hub.create_project()
        sources = [hub.create_source(project, remote) for remote in (first, second)]
        assert [hub.sync(source)["status"] for source in sources] == ["completed"] * 2
        other = hub.create_project("Other")
        assert hub.sync(hub.create_source(other, first))["status"] == "completed"

        # One more is too many, and nothing else of that commit is shown.
        second.commit({"0.md": b"# Changed\n", "2.md": b"# C\n"})
        before = run_sql(database, "select id, content, updated_at from document order by id")
        run = hub.sync(sources[1])
        assert run["status"] == "failed"
        assert "would have 6 documents, and 5 are the most" in run["error"]
        assert "MAX_DOCUMENTS_PER_PROJECT" in run["error"]
        after = run_sql(database, "select id, content, updated_at from document order by id")
        assert after == before

        # A change that adds none is no growth, nor is one that removes as many.
        second.commit({"1.md": None})
        run = hub.sync(sources[1])
        assert (run["status"], run["added"], run["removed"]) == ("completed", 1, 1)


def test_two_runs_of_a_project_do_not_exceed_the_quota_together(
    database: str, tmp_path: Path
) -> None:
    with running_hub(database, tmp_path, max_documents_per_project=5, sync_concurrency=4) as hub:
        project = hub.create_project()
        remotes = [hub.server.create(f"team/{number}") for number in range(2)]
        for remote in remotes:
            remote.commit({f"{number}.md": b"# A\n" for number in range(3)})
        sources = [hub.create_source(project, remote) for remote in remotes]
        with locked_documents(database):
            runs = [
                hub.client.post(f"/api/project-docs/{source}/sync").headers["location"]
                for source in sources
            ]
            eventually(lambda: run_sql(database, WAITING_WRITES) == [(2,)])
        assert {hub.wait(run)["status"] for run in runs} == {"completed", "failed"}
        assert len(hub.files(project)) == 3


def test_documents_above_a_lowered_quota_stay_and_may_change(database: str, tmp_path: Path) -> None:
    with git_server(tmp_path / "repositories") as server:
        settings = hub_settings(tmp_path, server)
        remote = server.create()
        remote.commit({f"{number}.md": b"# A\n" for number in range(4)})
        with serving(database, **settings) as client:
            hub = Hub(client, server, database)
            project = hub.create_project()
            source = hub.create_source(project, remote)
            assert hub.sync(source)["status"] == "completed"
        with serving(database, max_documents_per_project=2, **settings) as client:
            lowered = Hub(client, server, database)
            remote.commit({"0.md": b"# Changed\n"})
            assert lowered.sync(source)["changed"] == 1
            remote.commit({"0.md": None})
            assert lowered.sync(source)["removed"] == 1
            assert len(lowered.files(project)) == 3
            remote.commit({"5.md": b"# New\n"})
            assert "would have 4 documents" in lowered.sync(source)["error"]
            assert len(lowered.files(project)) == 3


def test_the_sync_command_keeps_to_the_quotas(database: str, tmp_path: Path) -> None:
    run_sql(database, ADD_PROJECTS.format(1), ADD_SOURCES.format(1))
    with git_server(tmp_path / "repositories") as server:
        remote = server.create()
        remote.commit({"a.md": b"# A\n"})
        variables = {"DATABASE_URL": database, **hub_variables(tmp_path, server)}

        def sync(project: str, **quotas: str) -> tuple[int, str]:
            arguments = ("sync", remote.url, "--project", project)
            result = run_command(*arguments, cwd=ROOT, **variables, **quotas)
            return result.returncode, result.stderr

        code, printed = sync("New", MAX_PROJECTS="1")
        assert (code, "MAX_PROJECTS" in printed) == (1, True)
        code, printed = sync("Project 1", MAX_SOURCES_PER_PROJECT="1")
        assert (code, "MAX_SOURCES_PER_PROJECT" in printed) == (1, True)
        assert run_sql(database, "select count(*) from project") == [(1,)]
        assert run_sql(database, "select count(*) from project_doc") == [(1,)]
        # What exists is synced whatever the quotas are.
        assert sync("Project 1")[0] == 0
        assert sync("Project 1", MAX_PROJECTS="1", MAX_SOURCES_PER_PROJECT="1")[0] == 0
