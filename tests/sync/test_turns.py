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
from service.sync.turns import take_turn

async def main():
    async with take_turn(int(sys.argv[1])):
        print("has it", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


def start(turns: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(turns)],
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
