"""The replies of a server that is ready, refuses, is absent or is stuck."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from service.embedded import probe
from tests.support.embedded import server

if TYPE_CHECKING:
    from pathlib import Path


def test_a_server_replies_with_the_first_error_or_success(folder: Path) -> None:
    with server(folder):
        assert probe.ask(folder, "bmadflow") == probe.Reply(probe.SUCCESS)
        assert probe.ask(folder, "bmadflow", "select 1") == probe.Reply(probe.SUCCESS)
        assert probe.ask(folder, "bmadflow", "select 1 / 0") == ("22012", "division by zero")
        code, message = probe.ask(folder, "missing")
    assert (code, message) == (probe.UNKNOWN_DATABASE, 'database "missing" does not exist')


def test_without_a_server_there_is_no_reply(tmp_path: Path) -> None:
    assert probe.ask(tmp_path, "bmadflow") == probe.Reply(probe.NO_REPLY)


@pytest.mark.parametrize("sent", [b"", b"R\0\0\0\x08\0\0\0\0", b"R\0\0", b"E\0\0\0\x64SFATAL\0"])
def test_a_server_that_closes_the_connection_gives_no_reply(tmp_path: Path, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / probe.SOCKET))
        listener.listen()
        client = ThreadPoolExecutor(1).submit(probe.ask, tmp_path, "bmadflow")
        connection, _ = listener.accept()
        assert b"bmadflow" in connection.recv(100)
        connection.sendall(sent)
        connection.close()
        assert client.result(5) == probe.Reply(probe.NO_REPLY)


def test_a_stuck_server_gives_no_reply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_CONNECT_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / probe.SOCKET))
        listener.listen()
        assert probe.ask(tmp_path, "bmadflow") == probe.Reply(probe.NO_REPLY)
