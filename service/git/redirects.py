"""Where a repository has moved to, read from git's trace of a redirect that it did not follow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from service.git.names import parse_repository_url

if TYPE_CHECKING:
    from collections.abc import Sequence

# git writes the headers of each response into the trace, and hides those with secrets.
TRACE_VARIABLES: Final = {"GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_REDACT": "1"}
TRACE_BYTES: Final = 65_536

_LOCATION: Final = re.compile(r"<= Recv header: location: *(\S+)\s*$", re.IGNORECASE | re.MULTILINE)
# What git adds to a repository's URL (gitprotocol-http).
_ADDED: Final = re.compile(r"/(info/refs\?service=git-upload-pack|git-upload-pack)$")


def find_target(trace: str, url: str, hosts: Sequence[str]) -> str | None:
    """Return the URL that the last redirect in git's trace names for the repository at `url`.

    None unless it is the URL of a repository on one of `hosts`, without a user or a password.
    """
    locations = _LOCATION.findall(trace)
    if not locations:
        return None
    location: str = locations[-1]
    if location.startswith("/") and not location.startswith("//"):
        location = "/".join(url.split("/", 3)[:3]) + location
    added = _ADDED.search(location)
    if added is None:
        return None
    try:
        target = parse_repository_url(location[: added.start()], hosts)
    except ValueError:
        return None
    return None if target == url else target
