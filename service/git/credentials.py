"""Tokens for git's hosts: which host gets which, and with which user name."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple

from service.git.names import HOST

if TYPE_CHECKING:
    from collections.abc import Iterable

# Visible ASCII without commas, which separate the tokens of several hosts.
_ENTRY = re.compile(r"([^=]+)=(?:([!-+\--9;-~]+):)?((?!:)[!-+\--~]+)")


class GitToken(NamedTuple):
    """A token for one host, given as `host` or `host:port`. Without `user`, the host's usual one.

    `repr()` leaves out the token.
    """

    host: str
    token: str
    user: str | None = None

    def __repr__(self) -> str:
        return f"GitToken({self.host!r})"

    def authorization(self) -> str:
        """Return the value of the Authorization header."""
        credentials = f"{self.user or default_user(self.host)}:{self.token}"
        return f"Basic {b64encode(credentials.encode()).decode()}"


def default_user(host: str) -> str:
    """Return the user name with which a host takes a token as password.

    GitHub, Gitea, Forgejo and Azure DevOps take any name, GitLab any that is not empty.
    """
    if host == "bitbucket.org":
        return "x-token-auth"
    return "oauth2" if host.split(".")[0] == "gitlab" else "x-access-token"


def parse_tokens(text: str) -> tuple[GitToken, ...]:
    """Return the tokens of `host=token,host=user:token`; raise ValueError, which shows none."""
    tokens: dict[str, GitToken] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        match = _ENTRY.fullmatch(entry)
        host = match[1].strip().lower().removesuffix(":443") if match else ""
        if match is None or not HOST.fullmatch(host):
            raise ValueError("each is host=token or host=user:token, separated by commas")
        if host in tokens:
            raise ValueError("has two tokens for one host")
        tokens[host] = GitToken(host, match[3], match[2])
    return tuple(tokens.values())


def find_token(tokens: Iterable[GitToken], url: str, address: str) -> GitToken | None:
    """Return the token for a URL at `address`, `host` or `host:port`, if the URL is https."""
    if not url.startswith("https:"):
        return None
    return next((token for token in tokens if token.token and token.host.lower() == address), None)
