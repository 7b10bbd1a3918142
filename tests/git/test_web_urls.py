"""Where a repository's files, commits and editors are on its host."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from service.git.web_urls import find_pages

COMMIT = "3f2a" * 10
PATH = "docs/a b#1?.md"


@pytest.mark.parametrize(
    ("url", "file", "edit", "commit"),
    [
        (
            "https://github.com/team/docs.git",
            f"https://github.com/team/docs/blob/{COMMIT}/docs/a%20b%231%3F.md",
            "https://github.com/team/docs/edit/feature/x%231/docs/a%20b%231%3F.md",
            f"https://github.com/team/docs/commit/{COMMIT}",
        ),
        (
            "https://gitlab.com/group/sub/docs",
            f"https://gitlab.com/group/sub/docs/-/blob/{COMMIT}/docs/a%20b%231%3F.md",
            "https://gitlab.com/group/sub/docs/-/edit/feature/x%231/docs/a%20b%231%3F.md",
            f"https://gitlab.com/group/sub/docs/-/commit/{COMMIT}",
        ),
        (
            "https://codeberg.org/team/docs",
            f"https://codeberg.org/team/docs/src/commit/{COMMIT}/docs/a%20b%231%3F.md",
            "https://codeberg.org/team/docs/_edit/feature/x%231/docs/a%20b%231%3F.md",
            f"https://codeberg.org/team/docs/commit/{COMMIT}",
        ),
        (
            "https://bitbucket.org/team/docs",
            f"https://bitbucket.org/team/docs/src/{COMMIT}/docs/a%20b%231%3F.md",
            (
                f"https://bitbucket.org/team/docs/src/{COMMIT}/docs/a%20b%231%3F.md"
                "?mode=edit&at=feature/x%231"
            ),
            f"https://bitbucket.org/team/docs/commits/{COMMIT}",
        ),
        (
            "https://code.example/bitbucket/scm/DOC/docs.git",
            (
                "https://code.example/bitbucket/projects/DOC/repos/docs/browse/docs/a%20b%231%3F.md"
                f"?at={COMMIT}"
            ),
            (
                "https://code.example/bitbucket/projects/DOC/repos/docs/browse/docs/a%20b%231%3F.md"
                "?at=refs/heads/feature/x%231&edit=true"
            ),
            f"https://code.example/bitbucket/projects/DOC/repos/docs/commits/{COMMIT}",
        ),
        (
            "https://dev.azure.com/org/My%20Project/_git/docs",
            (
                "https://dev.azure.com/org/My%20Project/_git/docs?path=/docs/a%20b%231%3F.md"
                f"&version=GC{COMMIT}"
            ),
            (
                "https://dev.azure.com/org/My%20Project/_git/docs?path=/docs/a%20b%231%3F.md"
                "&version=GBfeature/x%231&_a=contents"
            ),
            f"https://dev.azure.com/org/My%20Project/_git/docs/commit/{COMMIT}",
        ),
        (
            "https://git.sr.ht/~team/docs",
            f"https://git.sr.ht/~team/docs/tree/{COMMIT}/item/docs/a%20b%231%3F.md",
            None,
            f"https://git.sr.ht/~team/docs/commit/{COMMIT}",
        ),
        ("https://git.example/team/docs", None, None, None),
    ],
)
def test_each_host_has_pages_of_its_own(
    url: str, file: str | None, edit: str | None, commit: str | None
) -> None:
    pages = find_pages(url)
    assert pages.file_url(PATH, commit=COMMIT, branch="feature/x#1") == file
    assert pages.edit_url(PATH, commit=COMMIT, branch="feature/x#1") == edit
    assert pages.commit_url(COMMIT) == commit


@pytest.mark.parametrize(
    ("url", "name", "file"),
    [
        ("https://github.example:8443/t/d", "GitHub", "/t/d/blob/main/a.md"),
        ("https://gitlab.example/t/d", "GitLab", "/t/d/-/blob/main/a.md"),
        ("https://my-gitlab.example/t/d", "GitLab", "/t/d/-/blob/main/a.md"),
        ("https://code.example/group/sub/d", "GitLab", "/group/sub/d/-/blob/main/a.md"),
        ("https://gitea.example/t/d", "Gitea", "/t/d/src/branch/main/a.md"),
        ("https://forgejo.example/t/d", "Gitea", "/t/d/src/branch/main/a.md"),
        ("https://codeberg.org/t/d", "Codeberg", "/t/d/src/branch/main/a.md"),
        ("https://bitbucket.example/scm/~ann/d", "Bitbucket", "/users/ann/repos/d/browse/a.md"),
        ("https://bitbucket.example/elsewhere/d", "bitbucket.example", None),
        ("https://code.example/org/p/_git/d", "Azure DevOps", "/org/p/_git/d"),
        ("https://notgithub.example/t/d", "notgithub.example", None),
        ("https://git.example:8443/t/d", "git.example:8443", None),
    ],
)
def test_a_host_of_ones_own_is_told_by_its_name_or_its_paths(
    url: str, name: str, file: str | None
) -> None:
    pages = find_pages(url)
    found = pages.file_url("a.md", commit=None, branch="main")
    assert pages.host_name == name
    assert (found and urlsplit(found).path) == file


@pytest.mark.parametrize("path", ["../other/a.md", "docs/../../a.md", "./a.md", "docs//a.md", ""])
def test_no_path_leads_out_of_the_repository(path: str) -> None:
    pages = find_pages("https://github.com/team/docs")
    assert pages.file_url(path, commit=COMMIT, branch=None) is None
    assert pages.edit_url(path, commit=COMMIT, branch="main") is None


@pytest.mark.parametrize(
    "path", ["a&version=GBx.md", "é文.md", "100%.md", "a\\b.md", "//x", "a;b+c"]
)
@pytest.mark.parametrize(
    "url", ["https://github.com/team/docs", "https://dev.azure.com/org/p/_git/docs"]
)
def test_an_address_has_the_hosts_name_and_no_more_parameters(url: str, path: str) -> None:
    found = find_pages(url).file_url(path.strip("/"), commit=COMMIT, branch=None)
    assert found is not None
    assert found.isascii()
    assert urlsplit(found).netloc == urlsplit(url).netloc
    assert urlsplit(found).query.count("&") == (1 if "azure" in url else 0)


def test_without_a_branch_nothing_is_edited_and_without_a_commit_the_branch_is_shown() -> None:
    pages = find_pages("https://github.com/team/docs")
    assert pages.edit_url("a.md", commit=COMMIT, branch=None) is None
    assert pages.file_url("a.md", commit=None, branch=None) is None
    assert (
        pages.file_url("a.md", commit=None, branch="main")
        == "https://github.com/team/docs/blob/main/a.md"
    )
