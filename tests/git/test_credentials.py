"""Which token goes to which host, and what happens when a host refuses it."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from service.git.credentials import GitToken, find_token, parse_tokens
from service.git.repository import GitRepository
from tests.support.git_repository import TOKEN, fetch_all, fetch_error, git_options

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.git_server import GitServer

pytestmark = pytest.mark.anyio


def header(user: str, token: str = TOKEN) -> str:
    return f"Basic {b64encode(f'{user}:{token}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("host", "user"),
    [
        ("github.com", "x-access-token"),
        ("dev.azure.com", "x-access-token"),
        ("codeberg.org", "x-access-token"),
        ("gitlab.com", "oauth2"),
        ("gitlab.team.example:8443", "oauth2"),
        ("bitbucket.org", "x-token-auth"),
        ("[2001:db8::1]:8443", "x-access-token"),
    ],
)
def test_each_host_gets_the_user_name_it_takes(host: str, user: str) -> None:
    assert GitToken(host, TOKEN).authorization() == header(user)
    assert GitToken(host, TOKEN, "me").authorization() == header("me")
    assert TOKEN not in repr(GitToken(host, TOKEN))


def test_tokens_of_several_hosts_are_read() -> None:
    text = f" GitHub.com={TOKEN}, gitlab.com:443=glpat-a.b_c ,,bitbucket.org=a@b.example:ATATT3x=,"
    assert parse_tokens(text) == (
        GitToken("github.com", TOKEN),
        GitToken("gitlab.com", "glpat-a.b_c"),
        GitToken("bitbucket.org", "ATATT3x=", "a@b.example"),
    )
    assert parse_tokens("git.example:8443=t") == (GitToken("git.example:8443", "t"),)
    assert parse_tokens("") == ()


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        "github.com",
        "github.com=",
        f"={TOKEN}",
        f"git hub={TOKEN}",
        f"https://github.com={TOKEN}",
        f"github.com=a {TOKEN}",
        f"github.com={TOKEN}\u00e9",
        f"github.com=:{TOKEN}",
        f"github.com={TOKEN},{TOKEN}",
        f"github.com={TOKEN},GITHUB.com=x",
    ],
)
def test_malformed_tokens_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(ValueError, match=r"each is host=token|two tokens") as raised:
        parse_tokens(text)
    assert TOKEN not in str(raised.value)


def test_a_token_goes_to_its_host_over_https_only() -> None:
    tokens = parse_tokens("github.com=a,gitlab.com=b,git.example:8443=c")
    for address, token in (("github.com", "a"), ("gitlab.com", "b"), ("git.example:8443", "c")):
        found = find_token(tokens, f"https://{address}/x", address)
        assert found is not None
        assert found.token == token
        assert find_token(tokens, f"http://{address}/x", address) is None
    for other in ("github.com.evil.example", "hub.com", "github.com:8443", "git.example", ""):
        assert find_token(tokens, "https://x/x", other) is None


async def test_a_public_repository_is_read_without_a_refused_token(
    tmp_path: Path, server: GitServer
) -> None:
    """GitHub, GitLab and Gitea respond with 401 to an expired token, GitHub to SSO's with 403."""
    remote = server.create()
    remote.commit({"a.md": b"a"})
    options = git_options(tmp_path, server, tokens=(GitToken("git.example", TOKEN),))
    for status in (401, 403, 404):
        server.behaviour.token_status = status
        server.forget()
        async with GitRepository(options) as repository:
            await repository.read_head(remote.url, None)
            tree = await repository.fetch_tree(remote.url, None, None)
            (entry,) = tree.entries
            blobs = await repository.fetch_blobs(remote.url, [entry.id])
            assert blobs.read(entry.id) == b"a"
            assert repository.refused_tokens == {"git.example": status}
        sent = ["authorization" in request.headers for request in server.requests]
        assert sent[0]
        assert sum(sent) == 1  # once: the host is not asked with that token again


async def test_the_error_of_a_private_repository_says_that_the_token_was_refused(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    options = git_options(tmp_path, server, token=TOKEN, token_host="git.example")
    server.behaviour.authorization = "Basic other"
    text = await fetch_error(options, remote.url)
    assert "is private" in text
    assert text.endswith("The server refuses the service's token for git.example (401).")
    server.behaviour.token_status = 403
    assert "token for git.example (403)" in await fetch_error(options, remote.url)
    server.behaviour.token_status = 404  # a good token without rights on this repository
    assert "token for" not in await fetch_error(options, remote.url)


async def test_a_good_token_is_sent_with_every_request(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    server.behaviour.authorization = header("me")
    options = git_options(tmp_path, server, tokens=(GitToken("git.example", TOKEN, "me"),))
    _, contents = await fetch_all(options, remote.url)
    assert contents == {b"a.md": b"a"}
    assert all("authorization" in request.headers for request in server.requests)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_other_errors_are_not_tried_again(
    tmp_path: Path, server: GitServer, status: int
) -> None:
    remote = server.create()
    server.behaviour.status = status
    options = git_options(tmp_path, server, token=TOKEN, token_host="git.example")
    assert str(status) in await fetch_error(options, remote.url)
    assert len(server.requests) == 1
