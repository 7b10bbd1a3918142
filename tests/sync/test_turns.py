"""Turns among processes, with real processes that inherit the descriptor."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from service import ROOT
from service.sync.turns import open_turns
from tests.support.waiting import eventually

PROGRAM = """
import asyncio, sys
from service.sync import turns

async def main():
    turns.WAIT_SECONDS = float(sys.argv[2])
    async with turns.take_turn(int(sys.argv[1]), turns.Turn.LISTS):
        print("has it", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


def start(turns: int, wait_seconds: float = 60) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(turns), str(wait_seconds)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(turns,),
    )
    assert process.stdout
    os.set_blocking(process.stdout.fileno(), False)
    return process


def has_turn(process: subprocess.Popen[bytes]) -> bool:
    assert process.stdout
    return bool(process.stdout.read())


@pytest.mark.parametrize("is_killed", [False, True])
def test_one_process_at_a_time_has_the_turn(is_killed: bool) -> None:
    turns = open_turns()
    assert turns is not None
    waiting = [start(turns) for _ in range(3)]
    try:
        while waiting:
            found: list[subprocess.Popen[bytes]] = []
            eventually(lambda found=found: found.extend(filter(has_turn, waiting)) or found)
            [process] = found
            waiting.remove(process)
            assert not any(map(has_turn, waiting))
            if is_killed:
                process.kill()
            process.communicate()
    finally:
        for process in waiting:
            process.kill()
            process.communicate()
        os.close(turns)


def test_a_process_goes_on_without_a_turn_that_it_does_not_get() -> None:
    turns = open_turns()
    assert turns is not None
    processes = [start(turns)]
    try:
        eventually(lambda: has_turn(processes[0]))
        processes += [start(turns, wait_seconds=0.2), start(turns)]
        for impatient in (processes[1], start(turns, wait_seconds=0.2)):
            eventually(lambda process=impatient: has_turn(process))
            impatient.communicate()  # ends, and gives back nothing that it did not have
        assert not has_turn(processes[2])
        processes[0].communicate()
        eventually(lambda: has_turn(processes[2]))
    finally:
        for process in processes:
            process.kill()
            process.communicate()
        os.close(turns)
