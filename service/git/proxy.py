"""The forward proxy through which git reaches its hosts."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

# With each, the proxy looks the repository's host up, not git.
SCHEMES: Final = ("http", "https", "socks5h")

_VISIBLE: Final = re.compile(r"[!-~]+")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|%(00|0[AaDd])")


def check_proxy(url: str) -> None:
    """Raise ValueError unless the URL is a proxy's, as in http://user:password@proxy:3128.

    Its `str()` shows nothing of the URL, which can have a password.
    """
    try:
        parts = urlsplit(url)
        is_valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid, parts = False, urlsplit("")
    if not is_valid or parts.scheme not in SCHEMES or not _VISIBLE.fullmatch(url):
        raise ValueError(f"must be a URL as in http://proxy:3128, with {', '.join(SCHEMES)}")
    if parts.path not in ("", "/") or "?" in url or "#" in url or parts.netloc.count("@") > 1:
        raise ValueError(
            "has a path, a query or a fragment; in a password write %2F for /, %3F for ?, "
            "%23 for #, %40 for @"
        )
    if _BAD_ESCAPE.search(url):
        raise ValueError("has a % that begins no escape; in a password write %25 for %")
    if parts.username is not None and not parts.password:
        raise ValueError("has a user without a password")


def proxy_secrets(url: str) -> set[str]:
    """Return the texts of a proxy's URL that no error may show."""
    password = urlsplit(url).password
    return {url, password, unquote(password)} if password else set()
