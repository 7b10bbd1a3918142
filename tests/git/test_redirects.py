"""What the error says about a repository that has moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.git.credentials import GitToken
from service.git.redirects import find_target
from tests.support.git_repository import TOKEN, fetch_error, git_options

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.git_server import GitServer

HOSTS = ("git.example", "github.com")
URL = "https://git.example/team/docs"
ADDED = "/info/refs?service=git-upload-pack"


def trace(*locations: str) -> str:
    lines = [f"11:22:33.444 http.c:597 <= Recv header: Location: {where}\r" for where in locations]
    return "\n".join(["=> Send header: GET /x HTTP/2", *lines, "<= Recv header: x: y", ""])


@pytest.mark.parametrize(
    ("location", "target"),
    [
        (f"https://git.example/team/new.git{ADDED}", "https://git.example/team/new.git"),
        (f"https://git.example/team/docs.git{ADDED}", f"{URL}.git"),
        (f"/team/docs.git{ADDED}", f"{URL}.git"),
        (f"https://github.com/team/new{ADDED}", "https://github.com/team/new"),
        ("https://github.com/team/new/git-upload-pack", "https://github.com/team/new"),
        (f"https://GIT.example:443/My%20Team/new{ADDED}", "https://git.example/My%20Team/new"),
        (f"{URL}{ADDED}", None),
        (f"http://git.example/team/new{ADDED}", None),
        (f"https://evil.example/team/new{ADDED}", None),
        (f"//evil.example/team/new{ADDED}", None),
        (f"https://git.example@evil.example/team/new{ADDED}", None),
        (f"https://user:{TOKEN}@git.example/team/new{ADDED}", None),
        (f"https://git.example/team/new?private_token={TOKEN}", None),
        (f"https://git.example/team/new{ADDED}&private_token={TOKEN}", None),
        ("https://git.example/users/sign_in", None),
        (f"https://git.example/a%0Ab{ADDED}", None),
        (f"https://git.example/\x1b[2Jevil{ADDED}", None),
        (f"ext::sh -c id{ADDED}", None),
        (f"team/new{ADDED}", None),
        ("", None),
    ],
)
def test_only_the_url_of_a_repository_on_an_allowed_host_is_shown(
    location: str, target: str | None
) -> None:
    assert find_target(trace(location), URL, HOSTS) == target
    assert find_target(trace(), URL, HOSTS) is None


@pytest.mark.anyio
@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("on", ["info/refs", "git-upload-pack"])
async def test_a_moved_repository_is_named_and_not_read(
    tmp_path: Path, server: GitServer, status: int, on: str
) -> None:
    server.create("team/new").commit({"a.md": b"a"})
    remote = server.create()
    remote.commit({"a.md": b"a"})
    behaviour = server.behaviour
    behaviour.redirect_to = "https://git.example"
    behaviour.redirect_path = ("/docs.git", "/new.git")
    behaviour.redirect_paths = on
    behaviour.redirect_status = status
    token = GitToken("git.example", TOKEN)
    options = git_options(tmp_path, server, hosts=HOSTS, tokens=(token,))
    text = await fetch_error(options, remote.url)
    moved = "The repository has moved to https://git.example/team/new.git: change the source's URL."
    assert text == moved
    assert not any("new.git" in request.path for request in server.requests)
    behaviour.redirect_to = "https://elsewhere.example"
    text = await fetch_error(options, remote.url)
    assert text.startswith("The repository has moved: ")
    assert "elsewhere" not in text
