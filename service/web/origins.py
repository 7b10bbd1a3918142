"""Origins: which pages may call an endpoint that other programs than browsers use.

A browser names the origin of the page that sends a request in `Origin` (RFC 6454, section 7); other
programs send none. CORS does not stop such a request, it only keeps its response from the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import Scope

# What an origin and a Host may leave out (RFC 9110, sections 4.2.1 and 4.2.2).
DEFAULT_PORTS: Final = {b"http": b":80", b"https": b":443"}

FOREIGN: Final = (
    "A page of another origin may not call this, unless the service's operator adds the origin to "
    "CORS_ORIGINS. A program that is no browser sends no Origin."
)


def is_origin_accepted(scope: Scope, cors_origins: Collection[str]) -> bool:
    """Return whether `Origin` is absent, the request's own origin or one of `cors_origins`.

    The own origin is the scheme that the client used, as far as a trusted proxy says so, and its
    `Host`; AllowedHosts says which names that may have. `null`, the origin of sandboxed pages and
    of files, is another's.
    """
    headers = scope["state"]["headers"]
    if b"origin" not in headers:
        return True
    accepted = {origin.encode() for origin in cors_origins}
    if host := headers.get(b"host"):
        accepted.add(_normalise(b"%b://%b" % (scope["scheme"].encode(), host)))
    # All of them, although no browser sends more than one: `headers` has only the last.
    sent = {value for name, value in scope["headers"] if name == b"origin"}
    return {_normalise(origin) for origin in sent} <= accepted


def check_origin(scope: Scope, cors_origins: Collection[str]) -> None:
    """Raise a Problem, a 403, for a request whose `Origin` is not accepted.

    The Model Context Protocol asks that of its servers (2025-11-25, Transports, Security Warning),
    against pages that rebind their name to the service's address.
    """
    if not is_origin_accepted(scope, cors_origins):
        raise Problem("forbidden", FOREIGN)


def _normalise(origin: bytes) -> bytes:
    """Return an origin in lower case, without its scheme's default port."""
    origin = origin.strip(b" \t").lower()
    scheme, separator, host = origin.partition(b"://")
    return scheme + separator + host.removesuffix(DEFAULT_PORTS.get(scheme, b""))
