"""URLs in responses: relative references, which are right behind every proxy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urljoin

if TYPE_CHECKING:
    from starlette.types import Scope

# The slashes of a path that is served. Each reference in a response has as many `../`: with the
# 64 KiB of slashes that a request may send, those of one page would take 20 MB. A document is in at
# most 100 folders.
MAX_SLASHES: Final = 128


def reference_to(scope: Scope, path: str) -> str:
    """Return `path` of this service as a relative reference (RFC 3986, sections 4.2 and 5.2).

    A client resolves the reference against the URL that it requested. A proxy may have replaced the
    scheme, the host and the beginning of that URL's path, which the service need not know. The
    reference leads up to the service's root and down again, so it never begins with a host.
    """
    root = scope["root_path"]
    depth = scope["raw_path"].count(b"/") - 1 - root.count("/")
    path = path.removeprefix("/")
    if depth < 0 and root:  # the request was for the root itself, without a slash at its end
        return f"./{quote(root.rpartition('/')[2])}/{path}"
    return ("../" * depth or "./") + path


def reference_to_request(scope: Scope) -> str:
    """Return a relative reference to the URL of the request itself, without its query.

    The path is as the client sent it; characters that a URI may not have are escaped (RFC 3986,
    section 3.3).
    """
    segments = scope["raw_path"].split(b"/")[1 + scope["root_path"].count("/") :]
    sent = re.sub(rb"%(?![0-9A-Fa-f]{2})", b"%25", b"/".join(segments))
    return reference_to(scope, "/" + quote(sent, safe="/%:@!$&'()*+,;="))


def absolute_url(scope: Scope, path: str) -> str:
    """Return the URL of `path` of this service, for texts that are read elsewhere, such as feeds.

    It has the scheme that the client used, as far as a trusted proxy says so, and its `Host`. The
    prefix of a proxy that removes it is not there, since nothing names it.
    """
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    if not host:  # HTTP/1.0
        name, port = scope.get("server") or ("localhost", None)
        host = name if port is None else f"{name}:{port}"
    request_url = f"{scope['scheme']}://{host}{quote(scope['raw_path'], safe='/%')}"
    return urljoin(request_url, reference_to(scope, path))
