"""The service under attack, its bounds, and the figures of an attack."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, overload

import httpx

from service import ROOT
from tests.attacks.observer import Observed, Observer, memory_mb
from tests.support.git_server import GitServer, git_server
from tests.support.hub import Hub, hub_variables
from tests.support.service import Service, service_environment

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.support.postgres import Postgres

# The bounds that each attack has to leave intact.
MEMORY_MB = 400.0
HEALTH_SECONDS = 1.2
SHUTDOWN_SECONDS = 2
STOP_SECONDS = SHUTDOWN_SECONDS + 2.0

# The longest wait for a service that does not stop, before it is killed.
PATIENCE_SECONDS = 120.0

SETTINGS = {
    "HEALTH_TIMEOUT_SECONDS": "1",
    "SHUTDOWN_SECONDS": str(SHUTDOWN_SECONDS),
    "LOG_FORMAT": "json",
}

Figures: TypeAlias = "dict[str, object]"


@dataclass
class Checkout:
    """The code to attack: this checkout, or another one that has an environment in .venv.

    This one runs with what a deployment installs: structlog, for one, imports rich where it finds
    it, and that takes 5 to 10 MB of each process.
    """

    folder: Path = ROOT

    @property
    def python(self) -> str:
        """Return the interpreter of its environment."""
        environment = ".venv-attacked" if self.folder == ROOT else ".venv"
        return str(self.folder / environment / "bin/python")

    def start(
        self, command: str, variables: Mapping[str, str], log: Path = Path(os.devnull)
    ) -> subprocess.Popen[bytes]:
        """Start `python -m service …` with these settings."""
        with log.open("wb") as output:
            return subprocess.Popen(
                [self.python, "-m", "service", command],
                cwd=self.folder,
                env=service_environment(PYTHONPATH=str(self.folder), **variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


@dataclass
class Arena:
    """A running service, with what an attack needs. The attack begins with `observing`."""

    folder: Path
    database: str
    postgres: Postgres
    git: GitServer
    service: Service
    hub: Hub
    # Figures of the observed time; the last ones count, if an attack observes several times.
    observed: Observed | None = None
    stop_seconds: float | None = None

    @property
    def url(self) -> str:
        """The address of the service."""
        return self.service.url

    @property
    def pid(self) -> int:
        """The service's process; with several workers the supervisor."""
        return self.service.process.pid

    def memory_mb(self) -> float:
        """Return the resident memory of all processes of the service now, in MB."""
        return memory_mb(self.pid)

    @contextmanager
    def observing(self) -> Generator[None]:
        """Probe health and sample memory during the block."""
        with Observer(self.url, self.pid) as observer:
            try:
                yield
            finally:
                self.observed = observer.end()

    def stop(self) -> float:
        """Send SIGTERM, and return the seconds until the service has ended."""
        if self.stop_seconds is None:
            process = self.service.process
            started = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self.stop_seconds = time.perf_counter() - started
        return self.stop_seconds


Attack: TypeAlias = "Callable[[Arena], Figures]"


class Entry(NamedTuple):
    """An attack, the settings of its service, and whether health may fail during it."""

    run: Attack
    variables: Mapping[str, str]
    may_be_unhealthy: bool


ATTACKS: dict[str, Entry] = {}


@overload
def attack(run: Attack, /) -> Attack: ...


@overload
def attack(*, may_be_unhealthy: bool = False, **variables: str) -> Callable[[Attack], Attack]: ...


def attack(
    run: Attack | None = None, /, *, may_be_unhealthy: bool = False, **variables: str
) -> Attack | Callable[[Attack], Attack]:
    """Register a function as an attack, named like it; `variables` are the service's settings."""

    def register(function: Attack) -> Attack:
        name = function.__name__.replace("_", "-")
        ATTACKS[name] = Entry(function, variables, may_be_unhealthy)
        return function

    return register(run) if run else register


@dataclass
class Result:
    """The figures of one attack, and the bounds that it broke."""

    idle_mb: float
    observed: Observed | None
    quiet_mb: float
    stop_seconds: float
    figures: Figures = field(default_factory=dict)
    may_be_unhealthy: bool = False

    @property
    def broken(self) -> list[str]:
        """The bounds that the attack broke."""
        found: list[str] = []
        if self.observed is None:
            return ["nothing was observed"]
        if self.observed.peak_mb > MEMORY_MB:
            found.append(f"memory above {MEMORY_MB:g} MB")
        if self.observed.slowest > HEALTH_SECONDS:
            found.append(f"health slower than {HEALTH_SECONDS:g} s")
        if self.observed.failures and not self.may_be_unhealthy:
            found.append(f"health failed: {self.observed.failures}")
        if self.stop_seconds > STOP_SECONDS:
            found.append(f"SIGTERM took longer than {STOP_SECONDS:g} s")
        return found


@contextmanager
def open_arena(
    checkout: Checkout, postgres: Postgres, folder: Path, variables: Mapping[str, str]
) -> Generator[Arena]:
    """Migrate a new database, and serve with it during the block."""
    with ExitStack() as stack:
        database = postgres.create_database()
        stack.callback(postgres.drop_database, database)
        server = stack.enter_context(git_server(folder / "repositories"))
        settings = {
            **SETTINGS,
            **hub_variables(folder, server),
            "DATABASE_URL": database,
            **variables,
        }
        migrating = checkout.start("migrate", settings)
        if migrating.wait(60):
            raise RuntimeError("the migration failed")
        log = folder / "service.log"
        service = Service(checkout.start("serve", settings, log), log)
        with ExitStack() as unless_ready:
            unless_ready.callback(service.end)
            client = stack.enter_context(httpx.Client(base_url=service.url, timeout=120))
            unless_ready.pop_all()
        arena = Arena(folder, database, postgres, server, service, Hub(client, server, database))
        stack.callback(lambda: arena.service.end())  # an attack may have replaced the first one
        yield arena


def run_attack(
    checkout: Checkout, postgres: Postgres, folder: Path, entry: Entry, quiet_seconds: float
) -> Result:
    """Start a service, attack it, and return the figures."""
    with open_arena(checkout, postgres, folder, entry.variables) as arena:
        time.sleep(1)  # until the service has started its first tasks
        idle = arena.memory_mb()
        figures = entry.run(arena)
        quiet = 0.0
        if arena.stop_seconds is None:
            time.sleep(quiet_seconds)
            quiet = arena.memory_mb()
        return Result(idle, arena.observed, quiet, arena.stop(), figures, entry.may_be_unhealthy)
