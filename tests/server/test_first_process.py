"""The service as the first process of a container without an init: in a namespace of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from service import ROOT
from tests.support.containers import CONTAINER, needs_containers
from tests.support.copies import Copies, make_files, run_processes
from tests.support.git_server import TREE, GitServer, git_server
from tests.support.service import Service, service_environment, start_process
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

pytestmark = needs_containers


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "repositories") as server:
        yield server


@contextmanager
def first_process(copies: Copies) -> Generator[psutil.Process]:
    """Serve in a namespace of its own while the block runs; yield its first process."""

    def start(**variables: str) -> Service:
        log = copies.folder / "service.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*CONTAINER, sys.executable, "-m", "service", "serve"],
                cwd=ROOT,
                env=service_environment(**variables),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return Service(process, log)

    copies.start_service = start
    service = copies.start()
    try:
        assert service.url
        [first] = psutil.Process(service.process.pid).children()
        yield first
    finally:
        service.process.kill()
        service.wait()


@pytest.fixture
def copies(database: str, tmp_path: Path, git: GitServer) -> Copies:
    return Copies(start_process, database, tmp_path, git)


def test_the_first_process_reaps_what_a_killed_run_leaves(copies: Copies) -> None:
    with first_process(copies) as first:
        [service] = copies.services
        copies.stall(TREE)
        copies.request(copies.create_source(make_files()))
        copies.wait_for_stalled()
        git = [one for one in first.children(recursive=True) if one.name().startswith("git")]
        [process] = run_processes(service)
        process.kill()  # first: a run that goes on may complete before it is killed
        copies.resume()
        copies.wait_for_runs(("completed", 2))
        eventually(lambda: not any(one.is_running() for one in (process, *git)))
        assert service.is_healthy()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_first_process_passes_signals_on_and_exits_with_the_code_of_the_service(
    copies: Copies, sent: signal.Signals
) -> None:
    with first_process(copies) as first:
        [service] = copies.services
        first.send_signal(sent)
        assert service.wait() == 0
        service.expect("stopped")


def test_the_first_process_exits_as_a_shell_does_if_the_service_was_killed(copies: Copies) -> None:
    with first_process(copies) as first:
        [service] = copies.services
        [child] = first.children()
        child.kill()
        assert service.wait() == 128 + signal.SIGKILL


def test_the_first_process_passes_on_a_signal_that_its_parent_ignored(copies: Copies) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # which the service inherits
    try:
        with first_process(copies) as first:
            signal.signal(signal.SIGTERM, before)
            [service] = copies.services
            first.send_signal(signal.SIGTERM)
            assert service.wait() == 0
            service.expect("stopped")
    finally:
        signal.signal(signal.SIGTERM, before)
