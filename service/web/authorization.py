"""Authorization: changes need API_TOKEN. With API_TOKEN_FOR_READS, reads need it or API_READ_TOKEN.

A program sends a token as `Bearer` (RFC 6750), a browser that shows a page as the password of
`Basic` (RFC 7617). A browser repeats the latter by itself, also for requests that pages of other
sites cause: it is no permission for a change, and none for what such a page loads.
"""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from service.problems import Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from service.web.compression import RawHeaders

Access: TypeAlias = Literal["open", "read", "change"]

READ_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

WEBHOOK: Final = re.compile(r"/api/project-docs/[^/]+/webhook")

# Monitors have no token, and browsers ask for these files without one. A webhook has a signature
# instead, which its route checks.
OPEN: Final = re.compile(
    rf"/api/health(/live)?|{WEBHOOK.pattern}|/metrics|/openapi\.json|/docs(/assets/[^/]+)?|/redoc"
    r"|/assets/[^/]+|/favicon\.ico|/robots\.txt"
)

# Every request to the endpoint for agents is a POST, and none changes anything.
READ_BY_ANY_METHOD: Final = "/mcp"

# Of programs: a browser asks its user for a password where the challenge is Basic, and a script of
# a front end or of Swagger UI that requests the API is to open no prompt. What our own pages load
# gets Basic, at which a browser repeats the password of the page, without a prompt. Unasked, it
# sends a password only to paths beside and below the page that it was given for.
BEARER_PATHS: Final = re.compile(r"(/api|/mcp)(/.*)?", re.DOTALL)

# Values of Sec-Fetch-Site: of a page of the same scheme, host and port, and of no page at all.
SAME_ORIGIN: Final = b"same-origin"
OWN_SITES: Final = frozenset({SAME_ORIGIN, b"none"})

# What hub.js says of itself: a request of any script has `empty` as Sec-Fetch-Dest.
PAGE_SCRIPT: Final = (b"x-requested-with", b"hub.js")

CHALLENGE: Final = 'Bearer realm="BMADFlow API"'
PAGE_CHALLENGE: Final = 'Basic realm="BMADFlow", charset="UTF-8"'

UNAUTHENTICATED: Final = "This needs the API's token, as in: Authorization: Bearer TOKEN."
PAGE_UNAUTHENTICATED: Final = (
    "This needs a token of the API: as the password, with any name, or as in: Authorization: "
    "Bearer TOKEN."
)
MISMATCH: Final = "The token is not the API's."
BASIC_CHANGE: Final = (
    "A change needs the API's token as in: Authorization: Bearer TOKEN. Basic is refused here, "
    "since browsers send it by themselves."
)
MALFORMED_BASIC: Final = "The credentials of Basic are not NAME:TOKEN in base64 (RFC 7617)."
ONLY_READS: Final = (
    "This token is API_READ_TOKEN, which may only read: a change needs API_TOKEN, as in: "
    "Authorization: Bearer TOKEN."
)
FOREIGN_PAGE: Final = (
    "A page of another site caused this request, and the browser added the password by itself: "
    "such a page may only link here. A program sends Authorization: Bearer TOKEN."
)

CACHE_CONTROL: Final = b"cache-control"
VARY_AUTHORIZATION: Final = (b"vary", b"Authorization")


def access_to(method: str, path: str) -> Access:
    """Return the kind of access that a request asks for, whether or not its path exists."""
    # A target such as `*api/hello` is no path, and matches none of these.
    if OPEN.fullmatch(path):
        return "open"
    return "read" if method in READ_METHODS or path == READ_BY_ANY_METHOD else "change"


class Authorization:
    """Refuse a request that needs a token and lacks it (RFC 6750, RFC 7617).

    `read_token` may read only, and matters only with `for_reads`.
    """

    def __init__(
        self, app: ASGIApp, token: str, read_token: str | None = None, *, for_reads: bool
    ) -> None:
        self.app = app
        self._tokens = [known.encode() for known in (token, read_token) if known is not None]
        self._guarded = {"change", "read"} if for_reads else {"change"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            access = access_to(scope["method"], scope["path"])
            if access in self._guarded:
                self._check(scope, access)
        await self.app(scope, receive, send)

    def _check(self, scope: Scope, access: Access) -> None:
        """Raise a Problem unless the request's credentials permit the access."""
        headers = scope["state"]["headers"]
        is_program = access == "change" or (
            BEARER_PATHS.fullmatch(scope["path"]) is not None and not _is_loaded_by_page(headers)
        )
        challenge = CHALLENGE if is_program else PAGE_CHALLENGE
        scheme, _, credentials = headers.get(b"authorization", b"").partition(b" ")
        match scheme.lower():
            case b"bearer":
                token = credentials.strip()
            case b"basic":
                if access == "change":
                    raise _unauthorized(BASIC_CHANGE, challenge)
                token = _read_password(credentials)
                if token is None:
                    raise _unauthorized(MALFORMED_BASIC, challenge)
                _check_site(headers)
            case _:
                detail = UNAUTHENTICATED if is_program else PAGE_UNAUTHENTICATED
                raise _unauthorized(detail, challenge)
        # With each of them and in constant time, so that the response time reveals neither.
        is_right = [hmac.compare_digest(token, known) for known in self._tokens]
        if not any(is_right):
            error = ', error="invalid_token"' if is_program else ""
            raise _unauthorized(MISMATCH, challenge + error)
        if access == "change" and not is_right[0]:
            insufficient = f'{CHALLENGE}, error="insufficient_scope"'
            raise Problem("forbidden", ONLY_READS, headers={"WWW-Authenticate": insufficient})


def _is_loaded_by_page(headers: dict[bytes, bytes]) -> bool:
    """Return whether one of our pages loads or links to what is requested, by Fetch Metadata."""
    name, value = PAGE_SCRIPT
    return headers.get(b"sec-fetch-site") == SAME_ORIGIN and (
        headers.get(b"sec-fetch-dest") != b"empty" or headers.get(name) == value
    )


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem("unauthorized", detail, headers={"WWW-Authenticate": challenge})


def _read_password(credentials: bytes) -> bytes | None:
    """Return the password of Basic's credentials (RFC 7617, section 2), None for malformed ones.

    Tokens are ASCII, so the password's bytes are the same in UTF-8 and in every older charset.
    """
    try:
        _, colon, password = b64decode(credentials.strip(), validate=True).partition(b":")
    except binascii.Error:
        return None
    return password if colon else None


def _check_site(headers: dict[bytes, bytes]) -> None:
    """Raise a Problem if a page of another site caused a request with Basic, but for links to here.

    The time and the size of a response tell such a page whether a search finds something. Browsers
    name the site where the service is reached by TLS or on their own machine (Fetch Metadata).
    """
    if headers.get(b"sec-fetch-site", b"none") in OWN_SITES:
        return
    if headers.get(b"sec-fetch-dest") != b"document":
        raise Problem("forbidden", FOREIGN_PAGE)
    # The page chose the query that a search's page shows beside documents. Uncompressed, the length
    # reveals no more of these (BREACH).
    headers.pop(b"accept-encoding", None)


class PrivateResponses:
    """Mark responses that need a token: caches that clients share keep none of them.

    A request with Authorization already asks that of them (RFC 9111, section 3.5), but not every
    cache heeds it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or access_to(scope["method"], scope["path"]) == "open":
            await self.app(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _mark_private(message["headers"])}
            await send(message)

        await self.app(scope, receive, send_marked)


def _mark_private(headers: RawHeaders) -> RawHeaders:
    """Return the headers of a response that only clients with a token may have."""
    marked = [header for header in headers if header[0] != CACHE_CONTROL]
    if VARY_AUTHORIZATION not in marked:
        marked.append(VARY_AUTHORIZATION)
    given = b", ".join(value for name, value in headers if name == CACHE_CONTROL) or b"no-cache"
    is_private = b"no-store" in given or b"private" in given
    return [*marked, (CACHE_CONTROL, given if is_private else b"private, " + given)]
