"""The sentences that users see when git fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from service.git.errors import explain
from tests.support.git_repository import TOKEN, checked_text, fetch_error, git_options

if TYPE_CHECKING:
    from tests.support.git_server import GitServer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("status", "part"),
    [
        (301, "has moved"),
        (308, "has moved"),
        (401, "is private"),
        (403, "refuses access"),
        (404, "not found"),
        (410, "not found"),
        (429, "too many requests"),
        (500, "(500)"),
        (503, "(503)"),
    ],
)
async def test_an_http_error_status_is_explained(
    tmp_path: Path, server: GitServer, status: int, part: str
) -> None:
    remote = server.create()
    server.behaviour.status = status
    server.behaviour.body = b"\x1b]0;evil\x07\x1b[2J SSL"
    assert part in await fetch_error(git_options(tmp_path, server, token=TOKEN), remote.url)


async def test_a_server_without_gits_smart_protocol_is_explained(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit({"a.md": b""})
    server.behaviour.status = 200
    server.behaviour.body = b"<html>\nSign in\n</html>\n"
    text = await fetch_error(git_options(tmp_path, server), remote.url)
    assert "no git repository" in text
    server.behaviour.status = None
    server.behaviour.is_dumb = True
    remote.git("update-server-info")
    assert "shallow" in await fetch_error(git_options(tmp_path, server), remote.url)


async def test_a_broken_connection_is_explained(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b""})
    server.behaviour.hang_up_after = 200
    assert "broke off" in await fetch_error(git_options(tmp_path, server), remote.url)


async def test_an_unreachable_and_an_unknown_host_are_explained(
    tmp_path: Path, server: GitServer
) -> None:
    options = git_options(tmp_path, server)
    assert "cannot be reached" in await fetch_error(options, "http://127.0.0.1:1/x.git")
    assert "unknown" in await fetch_error(options, "https://nothing.invalid/x.git")


@pytest.mark.parametrize("fault", ["no mode", "no name", "cut off", "no tree", "a file as tree"])
async def test_a_damaged_tree_is_explained(tmp_path: Path, server: GitServer, fault: str) -> None:
    remote = server.create()
    blob = remote.write_object("blob", b"x")
    tree = {
        "no mode": lambda: remote.write_tree(("", b"a.md", blob)),
        "no name": lambda: remote.write_tree(("100644", b"", blob)),
        "cut off": lambda: remote.write_object("tree", b"100644 a.md\0short"),
        "no tree": lambda: remote.write_tree(("40000", b"docs", "0" * 40)),
        "a file as tree": lambda: remote.write_tree(("40000", b"docs", blob)),
    }[fault]()
    remote.commit_tree(tree)
    assert "damaged on its server" in await fetch_error(git_options(tmp_path, server), remote.url)


async def test_a_commit_that_the_server_lost_is_explained(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.lose(remote.commit({"a.md": b""}))
    assert "changed while it was read" in await fetch_error(
        git_options(tmp_path, server), remote.url
    )


@pytest.mark.parametrize(
    ("errors", "part"),
    [
        ("fatal: write error: No space left on device\nfatal: index-pack failed", "disk is full"),
        ("fatal: unable to access 'https://h/x': Could not resolve host: h", "unknown"),
        ("fatal: unable to access 'https://h/TLS': SSL certificate problem: expired", "certif"),
        ("fatal: unable to access 'https://h/SSL': Failed to connect to h", "cannot be reached"),
        ("fatal: Out of memory, malloc failed (tried to allocate 9 bytes)", "memory"),
        ("fatal: transport 'file' not allowed", "kind"),
        ("prlimit: failed to set the AS resource limit: Operation not permitted", "started"),
        ("remote: SSL\nfatal: \x1b[31mnew\x1b]0;t\x07\u202e \x00thing\n", "git says: new thing"),
        ("error: first\nfatal: second\nhint: third", "git says: second"),
        ("fatal: bad https://user:pass@h/x", "git says: bad https://h/x"),
        (f"fatal: {TOKEN} in /tmp/here", "git says: … in …"),
        ("", "git ended unexpectedly (128)"),
        ("fatal: " + "x" * 5000, "xxx…"),
    ],
)
def test_gits_messages_are_explained_or_cleaned(errors: str, part: str) -> None:
    error = explain(128, errors.encode(), max_bytes=1, cpu_seconds=2, hidden=["/tmp/here", TOKEN])
    assert part in checked_text(error)
