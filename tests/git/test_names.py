"""Which names of repositories, branches and folders are accepted."""

from __future__ import annotations

import re
import subprocess

import pytest

from service.git.names import parse_branch, parse_folder, parse_repository_url

HOSTS = (
    "github.com",
    "gitlab.com",
    "codeberg.org",
    "bitbucket.org",
    "Git.Example:8443",
    "git.one",
    "dev.azure.com",
)


@pytest.mark.parametrize(
    ("url", "normalised"),
    [
        ("https://github.com/bmad/docs", "https://github.com/bmad/docs"),
        ("https://github.com/bmad/docs/", "https://github.com/bmad/docs"),
        ("https://github.com/bmad/docs.git", "https://github.com/bmad/docs.git"),
        ("HTTPS://GitHub.COM/Bmad/Docs", "https://github.com/Bmad/Docs"),
        ("https://github.com:443/bmad/docs", "https://github.com/bmad/docs"),
        ("https://www.github.com/bmad/docs", "https://github.com/bmad/docs"),
        ("https://github.com:00443/bmad/docs", "https://github.com/bmad/docs"),
        ("https://gitlab.com/a/b/c/d.git", "https://gitlab.com/a/b/c/d.git"),
        ("https://gitlab.com/tree/blob/raw", "https://gitlab.com/tree/blob/raw"),
        ("https://git.example:8443/docs", "https://git.example:8443/docs"),
        ("https://git.one/~team/a+b_c", "https://git.one/~team/a+b_c"),
        ("https://git.one/a%2Bb", "https://git.one/a%2Bb"),
        ("https://git.one/a%2bb", "https://git.one/a%2Bb"),
        ("https://git.one/%61%2D%7Eb", "https://git.one/a-~b"),
        (
            "https://dev.azure.com/team/My%20Project/_git/Docs%20%26%20Notes",
            "https://dev.azure.com/team/My%20Project/_git/Docs%20%26%20Notes",
        ),
        ("https://dev.azure.com/t/C%23/_git/R", "https://dev.azure.com/t/C%23/_git/R"),
        (
            "https://dev.azure.com/t/P%20%28old%29/_git/R",
            "https://dev.azure.com/t/P%20%28old%29/_git/R",
        ),
        ("https://git.one/caf%c3%a9/%e6%97%a5", "https://git.one/caf%C3%A9/%E6%97%A5"),
        ("https://git.one/%F0%9F%9A%80", "https://git.one/%F0%9F%9A%80"),
        ("https://git.one/a%2E%2e.b", "https://git.one/a...b"),
        ("https://codeberg.org/a/...", "https://codeberg.org/a/..."),
        ("https://git.one/".ljust(2048, "a"), "https://git.one/".ljust(2048, "a")),
    ],
)
def test_a_url_is_normalised(url: str, normalised: str) -> None:
    assert parse_repository_url(url, HOSTS) == normalised
    assert parse_repository_url(normalised, HOSTS) == normalised


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("", "begin with https://"),
        ("docs", "begin with https://"),
        ("http://github.com/a/b", "begin with https://"),
        ("ssh://git@github.com/a/b", "begin with https://"),
        ("git@github.com:a/b.git", "begin with https://"),
        ("file:///etc/passwd", "begin with https://"),
        ("/etc/passwd", "begin with https://"),
        ("https:/github.com/a/b", "begin with https://"),
        ("https::https://github.com/a/b", "begin with https://"),
        ("ext::sh -c id", "spaces"),
        ("--upload-pack=x", "begin with https://"),
        ("-uhttps://github.com/a/b", "begin with https://"),
        ("https:///a/b", "host"),
        ("https://github.com./a/b", "host"),
        ("https://.github.com/a/b", "host"),
        ("https://github.com:/a/b", "host"),
        ("https://github.com:0/a/b", "port"),
        ("https://github.com:65536/a/b", "port"),
        ("https://github.com:4430000/a/b", "port"),
        ("https://github.com:8443/a/b", "not one that this service may read"),
        ("https://git.example/a/b", "not one that this service may read"),
        ("https://git.example:443/a/b", "not one that this service may read"),
        ("https://evil.example/a/b", "not one that this service may read"),
        ("https://github.com.evil.example/a/b", "not one that this service may read"),
        ("https://127.0.0.1/a/b", "not one that this service may read"),
        ("https://0x7f.1/a/b", "not one that this service may read"),
        ("https://[::1]/a/b", "not one that this service may read"),
        ("https://[::1/a/b", "host"),
        ("https://github.com@evil.example/a/b", "user name"),
        ("https://token@github.com/a/b", "user name"),
        ("https://user:secret@github.com/a/b", "user name"),
        ("https://%67ithub.com/a/b", "host"),
        ("https://github.com/a/b?ref=main", "query"),
        ("https://github.com?/a/b", "query"),
        ("https://github.com/a/b?", "query"),
        ("https://github.com/a/b#readme", "fragment"),
        ("https://github.com#/a/b", "fragment"),
        (" https://github.com/a/b", "spaces"),
        ("https://github.com/a/b\n", "line breaks"),
        ("https://github.com/a/\tb", "line breaks"),
        ("https://github.com/a/b\x00", "line breaks"),
        ("https://github.com/a/b\x7f", "line breaks"),
        ("https://github.com/a\\b", "backslashes"),
        ("https://github.com\\@evil.example/a/b", "backslashes"),
        ("https://github.com/a/bücher", "ASCII"),
        ("https://g\u0131thub.com/a/b", "ASCII"),
        ("https://github.com/a/\ud800", "ASCII"),
        ("https://github.com", "no repository"),
        ("https://github.com/", "no repository"),
        ("https://github.com//", "part that is empty"),
        ("https://github.com//a/b", "part that is empty"),
        ("https://github.com/a//b", "part that is empty"),
        ("https://github.com/a/b//", "part that is empty"),
        ("https://github.com/a/..", "part that is empty"),
        ("https://github.com/./b", "part that is empty"),
        ("https://git.one/a/%2e%2E/b", "part that is empty"),
        ("https://git.one/a/%2e", "part that is empty"),
        ("https://git.one/a%2fb", "character"),
        ("https://git.one/a%5Cb", "character"),
        ("https://git.one/a%00b", "character"),
        ("https://git.one/a%0Ab", "character"),
        ("https://git.one/a%5cb", "character"),
        ("https://git.one/a%2F..%2Fb", "character"),
        ("https://git.one/a%0D%0AHost:%20x", "character"),
        ("https://git.one/a%09b", "character"),
        ("https://git.one/a%7Fb", "character"),
        ("https://git.one/a%C2%85b", "character"),
        ("https://git.one/a%E2%80%AEb", "character"),
        ("https://git.one/a%E2%80%8Bb", "character"),
        ("https://git.one/a%C2%A0b", "character"),
        ("https://git.one/a%22b", "character"),
        ("https://git.one/a%3Cb%3E", "character"),
        ("https://git.one/a%3Fb", "character"),
        ("https://git.one/a%252e", "character"),
        ("https://git.one/a%25", "character"),
        ("https://git.one/%20", "character"),
        ("https://git.one/%20/a", "character"),
        ("https://git.one/a%20", "character"),
        ("https://git.one/..%20/a", "character"),
        ("https://git.one/a/%2E%2E", "part that is empty"),
        ("https://git.one/a%zz", "begins no escape"),
        ("https://git.one/a%", "begins no escape"),
        ("https://git.one/a%2", "begins no escape"),
        ("https://git.one/a%u00e9", "begins no escape"),
        ("https://git.one/a%C3", "not UTF-8"),
        ("https://git.one/a%E9", "not UTF-8"),
        ("https://git.one/a%C0%AE%C0%AE", "not UTF-8"),
        ("https://git.one/a%ED%A0%80", "not UTF-8"),
        ("https://github.com/a%2Fb/c%2Fd", "character"),
        ("https://git.one/a<b>", "character"),
        ('https://git.one/a"b', "character"),
        ("https://github.com/a", "https://github.com/owner/name"),
        ("https://bitbucket.org/a", "https://bitbucket.org/owner/name"),
        ("https://git.one/".ljust(2049, "a"), "2,048"),
    ],
)
def test_a_url_that_names_no_repository_is_refused_with_a_reason(url: str, part: str) -> None:
    with pytest.raises(ValueError, match=re.escape(part)) as raised:
        parse_repository_url(url, HOSTS)
    assert str(raised.value).isprintable()
    assert "secret" not in str(raised.value)
    assert "token@" not in str(raised.value)


@pytest.mark.parametrize(
    ("repository", "page"),
    [
        ("https://github.com/bmad/docs", "tree/main/docs/prd"),
        ("https://github.com/bmad/docs", "blob/main/README.md"),
        ("https://github.com/bmad/docs", "pull/1"),
        ("https://github.com/bmad/docs", "tree"),
        ("https://github.com/bmad/docs", "blob/main/-/README.md"),
        ("https://gitlab.com/bmad/docs", "-/tree/main/docs"),
        ("https://gitlab.com/bmad/docs", "tree/main/docs"),
        ("https://gitlab.com/bmad/team/docs", "-/blob/main/README.md"),
        ("https://gitlab.com/bmad/team/a/b/docs", "-/issues/1"),
        ("https://gitlab.com/bmad/team/docs", "-/tree/main/-/docs"),
        ("https://codeberg.org/bmad/docs", "src/branch/main/docs"),
        ("https://git.one/bmad/docs", "src/branch/main"),
        ("https://git.one/bmad/docs", "tree/main"),
        ("https://bitbucket.org/bmad/docs", "src/main/"),
    ],
)
def test_the_url_of_a_page_is_refused_with_the_repositorys_url(repository: str, page: str) -> None:
    with pytest.raises(ValueError, match="its branch and its folder apart") as raised:
        parse_repository_url(f"{repository}/{page}", HOSTS)
    assert f"as in {repository}, " in str(raised.value)


def test_without_allowed_hosts_every_url_is_refused() -> None:
    with pytest.raises(ValueError, match="not one"):
        parse_repository_url("https://github.com/a/b", ())


# Whether `git check-ref-format --branch` accepts the name.
BRANCHES = {
    "main": True,
    "feature/one-two_3": True,
    "release-1.0": True,
    "bücher/日本": True,
    "a@b": True,
    "a{b": True,
    "refs/heads/main": True,
    "head": True,
    "a/HEAD": True,
    "x" * 255: True,
    "": False,
    "HEAD": False,
    "@": True,
    "-main": False,
    "--upload-pack=x": False,
    "+main": True,
    "main:other": False,
    "a b": False,
    "a\tb": False,
    "a\nb": False,
    "a\x7fb": False,
    "a..b": False,
    "a~1": False,
    "a^": False,
    "a?": False,
    "a*": False,
    "a[b": False,
    "a\\b": False,
    "a@{b": False,
    "@{-1}": False,
    "/a": False,
    "a/": False,
    "a//b": False,
    ".a": False,
    "a/.b": False,
    "a.": False,
    "a./b": True,
    "a.lock": False,
    "a.lock/b": False,
    "a.locked": True,
    "a/-b": True,
}


@pytest.mark.parametrize("name", BRANCHES)
def test_branch_names_follow_gits_rules(name: str) -> None:
    checked = subprocess.run(
        ["git", "check-ref-format", "--branch", name], capture_output=True, cwd="/", check=False
    )
    assert (checked.returncode == 0) == BRANCHES[name]
    if BRANCHES[name]:
        assert parse_branch(name) == name
    else:
        with pytest.raises(ValueError, match="branch"):
            parse_branch(name)


@pytest.mark.parametrize("name", ["x" * 256, "a\x00b", "a\ud800", "a\x85"])
def test_overlong_and_unprintable_branch_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="branch"):
        parse_branch(name)


@pytest.mark.parametrize(
    ("path", "parsed"),
    [
        ("docs", "docs"),
        ("/docs/", "docs"),
        ("docs//prd///", "docs/prd"),
        ("", None),
        ("/", None),
        ("//", None),
        ("...", "..."),
        (".bmad/a b", ".bmad/a b"),
        ("bücher/*", "bücher/*"),
        (":(top)docs", ":(top)docs"),
        ("--output=x", "--output=x"),
        ("x" * 1024, "x" * 1024),
    ],
)
def test_a_folder_is_normalised(path: str, parsed: str | None) -> None:
    assert parse_folder(path) == parsed


@pytest.mark.parametrize(
    "path",
    [".", "..", "../x", "a/../b", "a/./b", "a/..", "a\x00b", "a\nb", "a\x7f", "\ud800", "x" * 1025],
)
def test_relative_overlong_and_unprintable_folders_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="folder"):
        parse_folder(path)
