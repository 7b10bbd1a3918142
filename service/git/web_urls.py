"""The pages of a repository on its host: a file, a commit, the editor, by the URL that git reads.

Pure functions. Each host has addresses of its own; those of an unknown host are told by a name in
its own, such as `gitlab.example.com`, or by its groups of groups, which only GitLab has. Of a host
that is told by nothing there are no pages but the repository's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

HostKind = Literal[
    "github", "gitlab", "gitea", "bitbucket", "bitbucket_server", "azure", "sourcehut"
]

# What may stand in a part of a path unescaped (RFC 3986, section 3.3).
UNESCAPED: Final = "!$&'()*+,;=:@~"

# A word of the host's name, by which it is told.
_HOST_WORDS: Final = re.compile(
    r"(?:^|[.-])(github|gitlab|gitea|forgejo|codeberg|bitbucket)(?=[.:-]|$)"
)
_HOSTS: Final[Mapping[str, HostKind]] = {
    "bitbucket.org": "bitbucket",
    "dev.azure.com": "azure",
    "git.sr.ht": "sourcehut",
    "framagit.org": "gitlab",
    "invent.kde.org": "gitlab",
    "git.disroot.org": "gitea",
}
_KINDS: Final[Mapping[str, HostKind]] = {
    "github": "github",
    "gitlab": "gitlab",
    "gitea": "gitea",
    "forgejo": "gitea",
    "codeberg": "gitea",
    # Only bitbucket.org is Bitbucket Cloud.
    "bitbucket": "bitbucket_server",
}
_NAMES: Final[Mapping[HostKind, str]] = {
    "github": "GitHub",
    "gitlab": "GitLab",
    "gitea": "Gitea",
    "bitbucket": "Bitbucket",
    "bitbucket_server": "Bitbucket",
    "azure": "Azure DevOps",
    "sourcehut": "SourceHut",
}

# https://confluence.atlassian.com/bitbucketserver: git reads /scm/PROJECT/repository.
_SERVER_PATH: Final = re.compile(r"(.*)/scm/([^/]+)/([^/]+)")


class RepositoryPages(NamedTuple):
    """The addresses of a repository's pages; None where the host is not known to have such one.

    `host_name` is that of the host's software, or of the host itself, as in "Edit on GitHub".
    """

    url: str
    host_name: str
    kind: HostKind | None

    def file_url(self, path: str, *, commit: str | None, branch: str | None) -> str | None:
        """Return the URL of a file or a folder as it was at a commit; without one, on the branch.

        None if the host has no such page, if there is neither, and for a path that a browser would
        resolve away.
        """
        return self._find_url(path, commit, branch, is_edited=False)

    def edit_url(self, path: str, *, commit: str | None, branch: str | None) -> str | None:
        """Return the URL at which a person with the right to it edits a file on the branch."""
        return self._find_url(path, commit, branch, is_edited=True)

    def commit_url(self, commit: str) -> str | None:
        """Return the URL of a commit."""
        paths: Mapping[HostKind, str] = {
            "gitlab": "-/commit",
            "bitbucket": "commits",
            "bitbucket_server": "commits",
        }
        if self.kind is None:
            return None
        return f"{self.url}/{paths.get(self.kind, 'commit')}/{quote(commit, safe='')}"

    def _find_url(
        self, path: str, commit: str | None, branch: str | None, *, is_edited: bool
    ) -> str | None:
        if self.kind is None or not {"", ".", ".."}.isdisjoint(path.split("/")):
            return None
        find = _find_edit_page if is_edited else _find_file_page
        name = quote(path, safe=f"/{UNESCAPED}")
        page = find(self.kind, name, _escape(commit), _escape(branch))
        return None if page is None else self.url + page


def find_pages(url: str) -> RepositoryPages:
    """Return the pages of the repository at a URL as parse_repository_url returns it."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    kind = _find_kind(host, path)
    name = "Codeberg" if host == "codeberg.org" else _NAMES[kind] if kind else host
    if kind == "bitbucket_server" and (match := _SERVER_PATH.fullmatch(f"/{path}")):
        project, repository = match[2], match[3].removesuffix(".git")
        owner = f"users/{project[1:]}" if project.startswith("~") else f"projects/{project}"
        return RepositoryPages(
            f"{scheme}://{host}{match[1]}/{owner}/repos/{repository}", name, kind
        )
    page = url if kind in (None, "azure", "sourcehut") else url.removesuffix(".git")
    return RepositoryPages(page, name, kind)


def _find_kind(host: str, path: str) -> HostKind | None:
    if host in _HOSTS:
        return _HOSTS[host]
    if match := _HOST_WORDS.search(host):
        kind = _KINDS[match[1]]
        # Its pages are elsewhere than where git reads, and only this form tells where.
        is_known = kind != "bitbucket_server" or _SERVER_PATH.fullmatch(f"/{path}")
        return kind if is_known else None
    if "/_git/" in f"/{path}":
        return "azure"
    if _SERVER_PATH.fullmatch(f"/{path}"):
        return "bitbucket_server"
    return "gitlab" if path.count("/") > 1 else None


def _escape(name: str | None) -> str | None:
    # A branch's name may have slashes, which the hosts take as they are.
    return None if name is None else quote(name, safe=f"/{UNESCAPED}")


def _find_file_page(
    kind: HostKind, path: str, commit: str | None, branch: str | None
) -> str | None:
    version = commit or branch
    if version is None:
        return None
    match kind:
        case "github":
            return f"/blob/{version}/{path}"
        case "gitlab":
            return f"/-/blob/{version}/{path}"
        case "gitea":
            return f"/src/{'commit' if commit else 'branch'}/{version}/{path}"
        case "bitbucket":
            return f"/src/{version}/{path}"
        case "bitbucket_server":
            return f"/browse/{path}?at={_as_value(version)}"
        case "azure":
            return (
                f"?path=/{_as_value(path)}&version={'GC' if commit else 'GB'}{_as_value(version)}"
            )
        case "sourcehut":
            return f"/tree/{version}/item/{path}"


def _find_edit_page(
    kind: HostKind, path: str, commit: str | None, branch: str | None
) -> str | None:
    if branch is None:
        return None
    match kind:
        case "github":
            return f"/edit/{branch}/{path}"
        case "gitlab":
            return f"/-/edit/{branch}/{path}"
        case "gitea":
            return f"/_edit/{branch}/{path}"
        case "bitbucket":
            # The path cannot have a branch with a slash, but takes a commit.
            return f"/src/{commit}/{path}?mode=edit&at={_as_value(branch)}" if commit else None
        case "bitbucket_server":
            return f"/browse/{path}?at={_as_value(f'refs/heads/{branch}')}&edit=true"
        case "azure":
            return f"?path=/{_as_value(path)}&version=GB{_as_value(branch)}&_a=contents"
        case "sourcehut":
            return None


def _as_value(escaped: str) -> str:
    """Return an escaped part of a path with those characters escaped that end a query's value."""
    return escaped.replace("&", "%26").replace("+", "%2B").replace(";", "%3B")
