"""Copies of the service on one database, their runs and their git processes."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import psycopg

from tests.support.hub import Hub, hub_variables
from tests.support.postgres import run_sql
from tests.support.processes import freeze
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from tests.support.git_server import GitServer, Remote
    from tests.support.service import Service

DOCUMENTS = "select file_path, content from document order by 1"
RUNS = "select status, attempts from sync_run order by number"
WAITING_WRITES = """
    select count(*) from pg_stat_activity
    where wait_event_type = 'Lock' and query like '%insert into document%'
        and datname = current_database()
"""

# Seconds in which another copy has to finish the run of a killed one.
TAKEN_OVER = 30


@dataclass
class Copies:
    """Copies of the service on one database and one machine, and the git server they sync from."""

    start_service: Callable[..., Service]
    database: str
    folder: Path
    git: GitServer
    services: list[Service] = field(default_factory=list)
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"

    def start(self, **variables: str) -> Service:
        self.temporary.mkdir(exist_ok=True)
        service = self.start_service(
            **{"DATABASE_URL": self.database, "TMPDIR": str(self.temporary)}
            | hub_variables(self.folder, self.git)
            | variables
        )
        self.services.append(service)
        return service

    def hub(self, service: Service | None = None) -> Hub:
        url = (service or self.services[0]).url
        self.clients.append(httpx.Client(base_url=url, timeout=30))
        return Hub(self.clients[-1], self.git, self.database)

    def create_source(self, files: dict[str, bytes]) -> str:
        """Return the id of a new source, whose new repository has these files."""
        remote = self.git.create(f"team/{len(list(self.git.folder.iterdir()))}")
        remote.commit(files)
        return create_source(self.database, remote)

    def request(self, source: str, service: Service | None = None) -> None:
        url = (service or self.services[0]).url
        response = httpx.post(f"{url}/api/project-docs/{source}/sync", timeout=30)
        assert response.status_code == 202, response.text

    def stall(self, step: bytes) -> None:
        """Let the git server stall at this step of each run."""
        self.git.behaviour.stall_after = 0
        self.git.behaviour.stall_only = step

    def resume(self) -> None:
        """End the stall, for the requests that wait as well."""
        self.git.behaviour.stall_after = None
        self.git.behaviour.resume.set()

    def wait_for_stalled(self) -> Service:
        """Wait until a request to the git server stalls, and return the copy that sent it."""

        def find() -> Service | None:
            living = [service for service in self.services if service.process.poll() is None]
            return next((service for service in living if git_processes(service)), None)

        eventually(lambda: self.git.stalled, 20)
        return eventually(find)

    def runs(self) -> list[tuple[Any, ...]]:
        return run_sql(self.database, RUNS)

    def wait_for_runs(self, *runs: tuple[str, int], seconds: float = TAKEN_OVER) -> None:
        """Wait until all runs, oldest first, have these statuses and numbers of attempts."""
        eventually(lambda: self.runs() == list(runs), seconds)

    def holds(self, files: dict[str, bytes]) -> bool:
        found = dict(run_sql(self.database, DOCUMENTS))
        return found == {path: content.decode() for path, content in files.items()}

    def close(self) -> None:
        for client in self.clients:
            client.close()

    def log(self) -> str:
        return "".join(service.log.read_text() for service in self.services)

    def folders(self) -> list[Path]:
        return list(self.temporary.glob("bmadflow-sync-*"))

    def expire_claims(self) -> None:
        """Take all claims away now, for tests that are not about the time until they expire."""
        run_sql(
            self.database,
            "update sync_run set claim_id = null, claimed_until = null where finished_at is null",
        )


def create_source(database: str, remote: Remote) -> str:
    [[source]] = run_sql(
        database,
        "insert into project (name) values ('Payments') on conflict do nothing",
        "insert into project_doc (project_id, name, github_url) "
        f"select id, 'Docs', '{remote.url}' from project returning id::text",
    )
    return source


def git_processes(service: Service) -> list[psutil.Process]:
    """The git processes of a copy, with their helpers."""
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(service.process.pid).children(recursive=True)
        return [child for child in children if _is_git(child)]
    return []


def run_processes(service: Service) -> list[psutil.Process]:
    """The processes of the runs of a copy, working or idle."""
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(service.process.pid).children(recursive=True)
        found = {child.pid: child for child in children if does_runs(child)}
        # Until a new child has become git, its command line is that of the process that started it.
        return [child for child in found.values() if _parent_of(child) not in {None, *found}]
    return []


def _parent_of(process: psutil.Process) -> int | None:
    """Return the id of a process's parent, or None if the process has just ended."""
    with suppress(psutil.NoSuchProcess):
        return process.ppid()
    return None


def does_runs(process: psutil.Process) -> bool:
    """Whether a process is that of a run, and not a zombie."""
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return "service.sync.process_main" in " ".join(process.cmdline())
    return False


def freeze_copy(service: Service) -> None:
    """Stop a copy's process and all that it has started."""
    process = psutil.Process(service.process.pid)
    freeze(process)  # first, so that it starts no other
    freeze(*process.children(recursive=True))


def thaw_copy(service: Service) -> None:
    """Let a copy's process and all that it has started go on."""
    process = psutil.Process(service.process.pid)
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            one.resume()


def _is_git(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.name().startswith("git")
    return False


def kill_service(service: Service) -> list[psutil.Process]:
    """Send SIGKILL to a copy; return the git processes that it had."""
    processes = git_processes(service)
    service.process.kill()
    service.wait()
    return processes


@contextmanager
def locked_documents(database: str) -> Generator[psycopg.Connection[Any]]:
    """Block all writes of documents until the block or the connection ends."""
    with psycopg.connect(database) as connection:
        connection.execute("lock table document in share mode")
        yield connection
        with suppress(psycopg.OperationalError):
            connection.rollback()


def is_idle(service: Service) -> bool:
    """Whether no run is in progress, and no connection of the pool is in use or waited for."""
    lines = httpx.get(f"{service.url}/metrics", timeout=20).text.splitlines()
    pool = 'db_client_connection_pool_name="main"'
    return {
        f'db_client_connections{{{pool},db_client_connection_state="used"}} 0.0',
        f"db_client_connection_pending_requests{{{pool}}} 0.0",
        "bmadflow_syncs_running 0.0",
    } <= set(lines)


def make_files(number: int = 20, word: str = "text") -> dict[str, bytes]:
    return {f"{index:04}.md": f"# {word} {index}\n".encode() for index in range(number)}


def assert_no_fault(copies: Copies) -> None:
    assert "Traceback" not in copies.log()
    assert "sync_fault" not in copies.log()
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    assert run_sql(copies.database, deadlocks) == [(0,)]
