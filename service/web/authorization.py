"""Authorization: changes need the bearer token API_TOKEN; reads, too, with API_TOKEN_FOR_READS."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from service.problems import Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Access: TypeAlias = Literal["open", "read", "change"]

READ_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

WEBHOOK: Final = re.compile(r"/api/project-docs/[^/]+/webhook")

# Monitors have no token. A webhook has a signature instead, which its route checks.
OPEN: Final = re.compile(rf"/api/health(/live)?|{WEBHOOK.pattern}")

CHALLENGE: Final = 'Bearer realm="BMADFlow API"'

UNAUTHENTICATED: Final = "This needs the API's token, as in: Authorization: Bearer TOKEN."


def access_to(method: str, path: str) -> Access:
    """Return the kind of access that a request asks for, whether or not its path exists."""
    # A target that does not begin with a slash, such as `*api/hello`, is no path, and never open.
    if (path.startswith("/") and not path.startswith("/api/")) or OPEN.fullmatch(path):
        return "open"
    return "read" if method in READ_METHODS else "change"


class Authorization:
    """Refuse a request that needs the token and lacks it (RFC 6750)."""

    def __init__(self, app: ASGIApp, token: str, *, for_reads: bool) -> None:
        self.app = app
        self._expected = token.encode()
        self._guarded = {"change", "read"} if for_reads else {"change"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and access_to(scope["method"], scope["path"]) in self._guarded:
            self._check(scope["state"]["headers"].get(b"authorization", b""))
        await self.app(scope, receive, send)

    def _check(self, header: bytes) -> None:
        scheme, _, token = header.partition(b" ")
        if scheme.lower() != b"bearer":
            raise Problem(
                "unauthorized",
                UNAUTHENTICATED,
                headers={"WWW-Authenticate": CHALLENGE},
            )
        # In constant time, so that the response time does not reveal the token.
        if not hmac.compare_digest(token.strip(), self._expected):
            raise Problem(
                "unauthorized",
                "The token is not the API's.",
                headers={"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'},
            )
