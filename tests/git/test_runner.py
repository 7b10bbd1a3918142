"""Where git connects to, where the token goes, and what fails before git runs."""

from __future__ import annotations

import asyncio
import os
import tracemalloc
from base64 import b64encode
from pathlib import Path

import psutil
import pytest

from service import temporary as temporary_module
from service.git.errors import GitError
from service.git.repository import GitRepository
from tests.support.git_repository import (
    TOKEN,
    assert_nothing_is_left,
    fetch_all,
    fetch_error,
    files_below,
    git_options,
    processes_of,
    wait_until,
)
from tests.support.git_server import GitServer, git_server

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch {path}",
        "-utouch {path}",
        "ext::touch {path}",
        "https::https://git.example/team/docs.git",
        "https::{local}",
        "file://{served}/team/docs.git",
        "{served}/team/docs.git",
        "ssh://git.example/team/docs.git",
        "git@git.example:team/docs.git",
        "https://user:secret@git.example/team/docs.git",
        "https:///team/docs.git",
        "https://[::1/team/docs.git",
        "https://git.example:x/team/docs.git",
        "",
    ],
)
async def test_an_invalid_url_starts_no_process(
    tmp_path: Path, server: GitServer, url: str
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    path = tmp_path / "touched"
    url = url.format(path=path, served=server.folder, local=remote.local_url)
    options = git_options(tmp_path, server)
    assert "not the URL" in await fetch_error(options, url)
    async with GitRepository(options) as repository:
        with pytest.raises(GitError, match="not the URL"):
            await repository.read_head(url, None)
        with pytest.raises(GitError, match="not the URL"):
            await repository.fetch_blobs(url, ["1" * 40])
    assert not path.exists()
    assert server.requests == []


async def test_a_protocol_that_is_not_allowed_is_refused(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    options = git_options(tmp_path, server, protocols=("https",))
    assert "kind that is not supported" in await fetch_error(options, remote.url)
    assert "not the URL" in await fetch_error(options, remote.local_url)
    assert server.requests == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "0x7f.1", "2130706433", "[::1]", "[::ffff:7f00:1]"]
)
async def test_a_private_address_is_refused(tmp_path: Path, server: GitServer, host: str) -> None:
    server.create().commit({"a.md": b"a"})
    options = git_options(tmp_path, server, private_networks=False)
    url = f"http://{host}:{server.port}/team/docs.git"
    assert "not on the public internet" in await fetch_error(options, url)
    async with GitRepository(options) as repository:
        with pytest.raises(GitError, match="not on the public internet"):
            await repository.read_head(url, None)
    assert server.requests == []


async def test_git_connects_to_the_address_that_was_checked(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs.invalid has no address but the pinned one."""
    remote = server.create()
    remote.commit({"a.md": b"a"})
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> str:
        await asyncio.sleep(0)
        asked.append((host, port))
        return f"*:{port}:127.0.0.1"

    monkeypatch.setattr("service.git.runner.resolve_public", resolve)
    options = git_options(tmp_path, server, private_networks=False)
    url = f"http://docs.invalid:{server.port}/team/docs.git"
    _, contents = await fetch_all(options, url)
    assert contents == {b"a.md": b"a"}
    assert asked == [("docs.invalid", server.port)]
    assert "is unknown" in await fetch_error(git_options(tmp_path, server), url)


@pytest.mark.parametrize("path", ["info/refs", "git-upload-pack"])
async def test_a_redirect_is_not_followed(tmp_path: Path, server: GitServer, path: str) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    with git_server(tmp_path / "other") as other:
        other.create().commit({"a.md": b"evil"})
        server.behaviour.redirect_to = other.url
        server.behaviour.redirect_paths = path
        options = git_options(tmp_path, server, token=TOKEN, token_host="git.example")
        text = await fetch_error(options, remote.url)
        async with GitRepository(options) as repository:
            with pytest.raises(GitError, match="has moved"):
                await repository.read_head(remote.url, None)
        assert other.requests == []
    assert "has moved" in text
    assert ".git" in text


@pytest.mark.parametrize(
    ("token_host", "port", "user"),
    [
        ("git.example", "", "x-access-token"),
        ("GIT.example", ":443", "x-access-token"),
        ("bitbucket.org", "", "x-token-auth"),
        ("gitlab.com", "", "oauth2"),
        ("gitlab.team.example:8443", ":8443", "oauth2"),
        ("[2001:db8::1]", "", "x-access-token"),
        ("[2001:db8::1]:8443", ":8443", "x-access-token"),
    ],
)
async def test_the_token_is_sent_to_its_host(
    tmp_path: Path, server: GitServer, token_host: str, port: str, user: str
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    url = f"https://{token_host.removesuffix(':8443')}{port}/team/docs.git"
    config = tmp_path / "config"
    base = url.removesuffix("team/docs.git")
    config.write_text(f'[url "{server.url}/"]\n\tinsteadOf = {base}\n')
    server.behaviour.authorization = basic_credentials(user)
    options = git_options(
        tmp_path, server, config_global=str(config), token=TOKEN, token_host=token_host
    )
    _, contents = await fetch_all(options, url)
    assert contents == {b"a.md": b"a"}
    async with GitRepository(options) as repository:
        assert await repository.read_head(url, None) == remote.head()
    assert TOKEN not in repr(options)


@pytest.mark.parametrize(
    "token_host", ["github.com", "example", "git.example.com", "git.example:8443", "", "127.0.0.1"]
)
async def test_the_token_is_not_sent_to_other_hosts(
    tmp_path: Path, server: GitServer, token_host: str
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    options = git_options(tmp_path, server, token=TOKEN, token_host=token_host)
    async with GitRepository(options) as repository:
        await repository.read_head(remote.url, None)
        await repository.read_head(remote.local_url, None)
    assert len(server.requests) >= 4
    assert all("authorization" not in request.headers for request in server.requests)


async def test_the_token_is_not_sent_over_http(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    host = f"127.0.0.1:{server.port}"
    await fetch_all(git_options(tmp_path, server, token=TOKEN, token_host=host), remote.local_url)
    assert all("authorization" not in request.headers for request in server.requests)


async def test_the_token_appears_in_no_process_list_file_or_error(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    server.behaviour.stall_after = 200
    secrets = [TOKEN, basic_credentials("x-access-token").removeprefix("Basic ")]
    options = git_options(tmp_path, server, token=TOKEN, token_host="git.example")

    async def fetch() -> None:
        async with GitRepository(options) as repository:
            tree = await repository.fetch_tree(remote.url, None, None)
            await repository.fetch_blobs(remote.url, [entry.id for entry in tree.entries])
            assert len(files_below(temporary)) > 10
            for path in files_below(temporary):
                assert not any(secret.encode() in path.read_bytes() for secret in secrets)

    task = asyncio.create_task(fetch())
    await wait_until(lambda: len(server.requests) >= 3)
    assert server.requests[0].headers["authorization"] == basic_credentials("x-access-token")
    assert processes_of(temporary)
    for process in psutil.process_iter(["cmdline"]):
        arguments = " ".join(process.info["cmdline"] or [])
        assert not any(secret in arguments for secret in secrets)
    server.behaviour.resume.set()
    await task
    server.behaviour.authorization = "Basic other"
    assert "is private" in await fetch_error(options, remote.url)


def basic_credentials(user: str) -> str:
    return f"Basic {b64encode(f'{user}:{TOKEN}'.encode()).decode()}"


async def test_errors_hide_the_path_of_the_operators_configuration(
    tmp_path: Path, server: GitServer
) -> None:
    config = tmp_path / "broken.gitconfig"
    config.write_text("[nonsense\n")
    async with GitRepository(
        git_options(tmp_path, server, config_global=str(config))
    ) as repository:
        with pytest.raises(GitError) as raised:
            await repository.read_head("https://git.example/team/docs", None)
    assert str(tmp_path) not in str(raised.value)


def install_failing_git(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, version: str, failure: str
) -> None:
    """Put a git on PATH that knows its version, and runs these shell commands for all else."""
    folder.mkdir()
    git = folder / "git"
    git.write_text(
        f'#!/bin/sh\ncase "$*" in *version) echo git version {version}; exit;; esac\n'
        f"{failure}; exit 1\n"
    )
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


async def test_only_the_end_of_gits_errors_is_read(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = git_options(tmp_path, server)
    failure = "head -c 50000000 /dev/zero >&2; echo >&2; echo fatal: the end >&2"
    install_failing_git(monkeypatch, tmp_path / "bin", version="2.39.5", failure=failure)
    tracemalloc.start()
    try:
        assert "the end" in await fetch_error(options, "https://git.example/team/docs.git")
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("version", "part"),
    [
        ("2.34.1", "git 2.37 or newer"),
        ("2.36.9", "git 2.37 or newer"),
        ("2.37.0", "git says: it ran"),
        ("3.0", "git says: it ran"),
    ],
)
async def test_a_git_older_than_2_37_is_refused(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch, version: str, part: str
) -> None:
    options = git_options(tmp_path, server)
    url = server.create().url
    failure = "echo fatal: it ran >&2"
    install_failing_git(monkeypatch, tmp_path / "bin", version=version, failure=failure)
    assert part in await fetch_error(options, url)


async def test_a_machine_without_a_usable_git_is_explained(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    options = git_options(tmp_path, server)
    url = server.create().url
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert "git is not installed" in await fetch_error(options, url)
    unusable = tmp_path / "bin/git"
    unusable.write_text("#!/nowhere\n")
    unusable.chmod(0o755)
    assert "cannot be started" in await fetch_error(options, url)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    monkeypatch.setattr(temporary_module, "DEFAULT_PARENTS", (str(tmp_path / "nowhere"),))
    assert "temporary folder" in await fetch_error(options, url)
    assert_nothing_is_left(temporary)
