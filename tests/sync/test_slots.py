"""The slots of a worker, by host and by project."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

import pytest

from service.sync import slots as slots_module
from service.sync.slots import NONE_FULL, ServedProjects, find_full
from tests.support.git_server import LIST
from tests.support.hub import Hub, running_hub
from tests.support.postgres import run_sql
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)


Case: TypeAlias = tuple[int, list[tuple[str, UUID]], set[str], set[UUID]]

CASES: list[Case] = [
    (1, [], set(), set()),
    (1, [("x", A)], set(), set()),
    (2, [], set(), set()),
    (2, [("x", A)], {"x"}, {A}),
    (3, [("x", A)], set(), {A}),
    (3, [("x", A), ("x", B)], {"x"}, {A, B}),
    (4, [("x", A)], set(), set()),
    (4, [("x", A), ("y", A)], set(), {A}),
    (4, [("x", A), ("x", A), ("x", B)], {"x"}, {A}),
    (4, [("x", A), ("x", B), ("y", C)], set(), set()),
    (16, [("x", A)] * 14, set(), {A}),
    (16, [("x", A)] * 14 + [("x", B)], {"x"}, {A}),
]


@pytest.mark.parametrize(("slots", "running", "hosts", "projects"), CASES)
def test_one_host_and_one_project_leave_slots_free(
    slots: int, running: list[tuple[str, UUID]], hosts: set[str], projects: set[UUID]
) -> None:
    assert find_full(running, slots, 2) == (hosts, projects)
    assert find_full(running, slots, 1).hosts == (
        hosts if hosts and slots < len(running) else set()
    )


def test_without_running_runs_nothing_is_full() -> None:
    assert find_full([], 16, 4) == NONE_FULL


def test_slow_sources_of_one_project_do_not_hold_up_another(database: str, tmp_path: Path) -> None:
    with running_hub(database, tmp_path, sync_concurrency=2) as hub:
        hub.server.behaviour.stall_after = 0
        hub.server.behaviour.stall_only = LIST
        slow = hub.create_project("Slow")
        for number in range(6):
            source = hub.create_source(slow, hub.server.create(f"slow/{number}"))
            hub.client.post(f"/api/project-docs/{source}/sync")
        eventually(lambda: hub.server.stalled)
        hub.server.behaviour.stall_after = None
        remote = hub.server.create("honest")
        remote.commit({"a.md": b"a"})
        honest = hub.create_source(hub.create_project("Honest"), remote)
        assert hub.sync(honest)["status"] == "completed"
        assert (
            hub.client.get(f"/api/projects/{slow}/docs").json()[-1]["last_run"]["status"]
            == "running"
        )
        hub.server.behaviour.resume.set()


# Ordered by their starts; the source's name begins with the project's.
STARTED = """
    select project_doc.name
    from sync_run join project_doc on project_doc.id = project_doc_id
    where started_at is not null
    order by started_at
"""


@pytest.mark.parametrize(("slots", "slow"), [(1, "A"), (2, "A"), (2, "AB"), (4, "ABCD")])
def test_a_slot_that_slow_sources_free_goes_to_another_project_of_their_host(
    database: str, tmp_path: Path, slots: int, slow: str
) -> None:
    with running_hub(database, tmp_path, sync_concurrency=slots, sync_timeout=2.0) as hub:
        hub.server.behaviour.stall_after = 0
        hub.server.behaviour.stall_only = LIST
        projects = {name: hub.create_project(name) for name in [*slow, "Honest"]}
        sources = [
            create_source(hub, projects[name], f"{name}{number}")
            for number in range(4)
            for name in slow
        ]
        honest = [create_source(hub, projects["Honest"], f"H{number}") for number in range(2)]
        for source in sources:
            hub.client.post(f"/api/project-docs/{source}/sync")
        eventually(lambda: len(run_sql(database, STARTED)) == len(slow))
        # At once: these wait for a slot before the first slow run ends.
        for source in honest:
            hub.client.post(f"/api/project-docs/{source}/sync")
        eventually(lambda: ("H1",) in run_sql(database, STARTED), 30)
        hub.server.behaviour.stall_after = None
        hub.server.behaviour.resume.set()
        started = "".join(name[0] for (name,) in run_sql(database, STARTED))
    # The slots of the slow projects, then one for the honest one; and so again.
    first, second = started.index("H"), started.rindex("H")
    assert first == len(slow)
    assert second - first <= len(slow) + 1


def create_source(hub: Hub, project: str, name: str) -> str:
    body = {"name": name, "github_url": hub.server.create(name).url}
    return hub.client.post(f"/api/projects/{project}/docs", json=body).json()["id"]


def test_a_worker_remembers_the_projects_that_it_served_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slots_module, "SERVED_MAX", 2)
    served = ServedProjects()
    for project in (A, B, A):
        served.add(project)
    assert list(served) == [B, A]
    served.add(C)
    assert list(served) == [A, C]
