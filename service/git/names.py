"""Names of repositories, branches and folders, checked before git gets them."""

import re
from collections.abc import Sequence
from urllib.parse import unquote

from service.characters import CONTROL, UNSTORABLE

URL_MAX = 2048
BRANCH_MAX = 255
FOLDER_MAX = 1024

# On these hosts a repository's path is always `owner/name`; a longer path is a page's.
OWNER_AND_NAME_HOSTS = ("github.com", "codeberg.org", "bitbucket.org")
# The paths of a repository's pages on GitHub, GitLab and Gitea.
PAGE_PATH = re.compile(r"/[^/]+/[^/]+/(.*/)?(-/|(tree|blob|raw|src/(branch|commit|tag))/[^/])")

URL = re.compile(r"https://([^/]*)(/.*)?", re.IGNORECASE)
HOST = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:([0-9]{1,5}))?")
# RFC 3986, section 3.3: what may stand in a part of a path as it is.
SEGMENT = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]*")
ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
# RFC 3986, section 2.3: escaped or not, these mean the same.
UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
# ASCII characters that may be escaped, besides those of SEGMENT: Azure DevOps has projects such as
# `My Project` and `C# [old]`. Not / and \\, which a server could take for the end of a part, nor %,
# which it could decode a second time, nor ", <, > and the like, which no repository's name has.
ESCAPED = re.compile(r"[ #\[\]^`{}]")
# What `git check-ref-format --branch` refuses, besides control characters.
BAD_BRANCH = re.compile(r"[ ~^:?*\[\\]|\.\.|@\{|//|^/|/$|^-|(^|/)\.|\.$|\.lock(/|$)|^HEAD$")


def parse_repository_url(url: str, hosts: Sequence[str]) -> str:
    """Return the URL with a lower-case host, without `www.`, `:443` and a slash at its end.

    Only `hosts` are allowed, each as `host` or `host:port`. Raises ValueError; its `str()` is a
    sentence for the user who gave the URL.
    """
    if len(url) > URL_MAX:
        raise ValueError(f"The URL has more than {URL_MAX:,} characters.")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError(
            "The URL must be of ASCII characters, without spaces, backslashes and line breaks."
        )
    match = URL.fullmatch(url)
    if match is None:
        raise ValueError("The URL must begin with https:// and a host.")
    if "@" in match[1]:
        raise ValueError("The URL must not hold a user name or a password.")
    if "?" in url or "#" in url:
        raise ValueError("The URL must not have a query (?) or a fragment (#).")
    host = _parse_host(match[1].lower(), hosts)
    parts = [_normalise_part(part) for part in (match[2] or "").removesuffix("/").split("/")]
    path = "/".join(parts)
    _check_path(host, path)
    return f"https://{host}{path}"


def _normalise_part(part: str) -> str:
    """Return a part of a URL's path with upper-case escapes, and only those that it needs.

    Raises ValueError for characters that a repository's URL does not have, escaped or not.
    """
    plain = decode_part(part)
    is_allowed = all(
        (SEGMENT.fullmatch(character) and character != "%")
        or ESCAPED.fullmatch(character)
        or (not character.isascii() and character.isprintable())
        for character in plain
    )
    if not SEGMENT.fullmatch(part) or not is_allowed or plain != plain.strip():
        raise ValueError("The URL's path has a character that repositories' URLs do not have.")

    def normalise(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if UNRESERVED.fullmatch(character) else match[0].upper()

    return ESCAPE.sub(normalise, part)


def decode_part(part: str) -> str:
    """Return a part of a URL's path without escapes. Raises ValueError if they are malformed."""
    if any(match[1] is None for match in ESCAPE.finditer(part)):
        raise ValueError("The URL has a % that begins no escape such as %20.")
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("The URL has escapes that are not UTF-8, as in %C3%A9.") from None


def _parse_host(authority: str, hosts: Sequence[str]) -> str:
    match = HOST.fullmatch(authority)
    if match is None or not 0 < int(match[4] or 443) < 65536:
        raise ValueError("The URL's host, or its port, is not a valid one.")
    port = int(match[4] or 443)
    host = match[1] if port == 443 else f"{match[1]}:{port}"
    allowed = [allowed.lower() for allowed in hosts]
    if host not in allowed and host.removeprefix("www.") in allowed:
        return host.removeprefix("www.")  # redirects there
    if host not in allowed:
        raise ValueError(
            f"The host {host} is not one that this service may read: {', '.join(allowed)}."
        )
    return host


def _check_path(host: str, path: str) -> None:
    segments = path.split("/")[1:]
    if not {"", ".", ".."}.isdisjoint(segments):
        raise ValueError("The URL's path has a part that is empty, . or ..")
    if not segments:
        raise ValueError("The URL names a host, but no repository on it.")
    if host in OWNER_AND_NAME_HOSTS and len(segments) < 2:
        raise ValueError(f"The URL of a repository on {host} is https://{host}/owner/name.")
    if PAGE_PATH.match(path) or (host in OWNER_AND_NAME_HOSTS and len(segments) > 2):
        # On GitLab, where a repository can be in several groups, /-/ ends its path.
        repository, is_gitlab, _ = path.partition("/-/")
        if not is_gitlab or host in OWNER_AND_NAME_HOSTS:
            repository = f"/{segments[0]}/{segments[1]}"
        raise ValueError(
            f"The URL is that of a page: name the repository alone, as in https://{host}"
            f"{repository}, and give its branch and its folder apart from it."
        )


def parse_branch(name: str) -> str:
    """Return the branch's name, if git allows it.

    Raises ValueError; its `str()` is a sentence for the user who gave the name.
    """
    if len(name) > BRANCH_MAX:
        raise ValueError(f"The branch has more than {BRANCH_MAX} characters.")
    if not name:
        raise ValueError("The branch is empty.")
    if CONTROL.search(name) or UNSTORABLE.search(name) or BAD_BRANCH.search(name):
        raise ValueError("The branch has a name that git does not allow.")
    return name


def parse_folder(path: str) -> str | None:
    """Return the path without slashes at its ends and doubled ones; None for the whole repository.

    Raises ValueError; its `str()` is a sentence for the user who gave the path.
    """
    if len(path) > FOLDER_MAX:
        raise ValueError(f"The folder has more than {FOLDER_MAX:,} characters.")
    if CONTROL.search(path) or UNSTORABLE.search(path):
        raise ValueError("The folder has a control character in its path.")
    segments = [segment for segment in path.split("/") if segment]
    if not {".", ".."}.isdisjoint(segments):
        raise ValueError("The folder must be named from the repository's root, without . and ..")
    return "/".join(segments) or None
