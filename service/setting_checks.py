"""The values of settings: checked, and brought into the form that the service uses.

The functions `check_…` raise ValidationError, which never has the value in it.
"""

from __future__ import annotations

import os
import re
from ipaddress import IPv6Address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from marshmallow import ValidationError, validate

from service import ROOT
from service.connecting.options import PORT_MAX
from service.connecting.tls import check_files
from service.connecting.url import UrlError, read_url
from service.git.credentials import parse_tokens
from service.git.names import HOST
from service.git.proxy import check_proxy
from service.webhooks.hosts import SIGNING_TOKEN, read_signing_key

if TYPE_CHECKING:
    from collections.abc import Callable

EMBEDDED = "embedded:"

# An origin as browsers send it (RFC 6454, section 6.2): scheme, host and port.
ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")

# A host as browsers send it: a name of another script as its `xn--` form.
ALLOWED_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")

# Unreserved characters (RFC 3986, section 2.3): with others, paths that differ could be meant.
# Clients remove segments of dots alone (section 5.2.4).
ROOT_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*/?")

# The first segments of the service's own paths, which would be taken for the prefix.
OWN_PATHS = (
    "api",
    "assets",
    "docs",
    "documents",
    "favicon.ico",
    "llms.txt",
    "mcp",
    "metrics",
    "openapi.json",
    "projects",
    "redoc",
    "search",
)

# Visible ASCII, which a header can carry; RFC 6750, section 2.1, allows even fewer characters.
TOKEN = re.compile(r"[!-~]{1,4096}")

# Those of git's protocols that run no command which an operator's `insteadOf` could name.
GIT_PROTOCOLS = ("https", "http", "ssh", "git", "file", "ftps", "ftp")

SYNC_EVERY_MINUTES_MIN = 0.1


def check_not_empty(value: str) -> None:
    if not value.strip():
        raise ValidationError("is empty")


def between(low: float, high: float) -> validate.Range:
    """Return a check that a number is within a range, which includes both ends."""
    return validate.Range(low, high, error=f"must be between {low:g} and {high:g}")


def one_of(*choices: str) -> Callable[[str], None]:
    """Return a check that a text is one of `choices`, in upper or lower case."""

    def check(value: str) -> None:
        if value.upper() not in {choice.upper() for choice in choices}:
            raise ValidationError(f"must be one of {', '.join(choices)}")

    return check


def check_database_url(url: str) -> None:
    check_not_empty(url)
    if url.startswith(EMBEDDED):
        if not url.removeprefix(EMBEDDED):
            raise ValidationError("embedded: needs a folder, as in embedded:.postgres")
        return
    try:
        check_files(read_url(url, os.environ))
    except UrlError as error:
        raise ValidationError(str(error)) from None


def complete_database_url(url: str) -> str:
    """Return a valid URL as a complete one, or with an absolute folder; "" for an invalid one."""
    if url.startswith(EMBEDDED):
        return f"{EMBEDDED}{ROOT / url.removeprefix(EMBEDDED)}"
    try:
        return read_url(url, os.environ).url
    except UrlError:  # an error of its own, which is raised with all others
        return ""


def check_origins(value: str) -> None:
    for origin in split_list(value):
        if origin == "*":
            raise ValidationError(
                "* is refused, since credentials are allowed: list each origin, "
                "as in http://localhost:3000,https://docs.example.com"
            )
        # Browsers leave out the scheme's default port: such an origin would never match.
        has_default_port = origin.endswith(":443" if origin.startswith("https:") else ":80")
        if not ORIGIN.fullmatch(origin) or has_default_port:
            raise ValidationError(
                "each origin is scheme://host[:port] in lower case, as browsers send it: without "
                "the port 80 of http or 443 of https, and with nothing after it"
            )


def check_root_path(value: str) -> None:
    if value and not ROOT_PATH.fullmatch(value):
        raise ValidationError("must be a path that begins with a slash, as in /hub")
    if value.split("/")[1:2] in ([name] for name in OWN_PATHS):
        raise ValidationError("must not begin like a path of the service, such as /api")


def normalise_allowed_hosts(value: str) -> tuple[str, ...]:
    """Return names in lower case, without a last dot, and IPv6 addresses in brackets."""
    return tuple(
        f"[{IPv6Address(name.strip('[]'))}]" if ":" in name else name.lower().removesuffix(".")
        for name in split_list(value)
    )


def check_allowed_hosts(value: str) -> None:
    for name in split_list(value):
        if name != "*" and not (_is_ipv6(name) if ":" in name else ALLOWED_HOST.fullmatch(name)):
            raise ValidationError(
                "each is a name or an address as in a URL, without a scheme and a port, as in "
                "hub.example.com,*.example.com,10.0.0.5,[2001:db8::1], or *"
            )


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text[1:-1] if text.startswith("[") and text.endswith("]") else text)
    except ValueError:
        return False
    return True


def check_proxies(value: str) -> None:
    for proxy in split_list(value):
        if proxy == "*":
            continue
        try:
            ip_network(proxy)
        except ValueError:
            raise ValidationError(
                "each is an address or a network, as in 10.0.0.5,10.1.0.0/16, or *"
            ) from None


def check_token(value: str) -> None:
    if value and not TOKEN.fullmatch(value):
        raise ValidationError("must be visible ASCII characters, without spaces")


def check_gitlab_secret(value: str) -> None:
    if value.startswith(SIGNING_TOKEN):
        try:
            read_signing_key(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


def check_git_hosts(value: str) -> None:
    if not split_list(value):
        raise ValidationError("names no host")
    for host in split_list(value):
        check_git_host(host)


def check_git_host(value: str) -> None:
    host = HOST.fullmatch(value.lower())
    if value and not (host and int(host[4] or 0) <= PORT_MAX):
        raise ValidationError("each host is a name, as in git.example.com or git.example.com:8443")


def check_git_protocols(value: str) -> None:
    protocols = split_list(value)
    if not set(protocols) <= set(GIT_PROTOCOLS):
        raise ValidationError(f"each must be one of {', '.join(GIT_PROTOCOLS)}")
    if "https" not in protocols:
        raise ValidationError("must have https, since the URL of every source begins with it")


def check_git_tokens(value: str) -> None:
    try:
        parse_tokens(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def check_git_proxy(value: str) -> None:
    try:
        check_proxy(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def check_git_no_proxy(value: str) -> None:
    for host in split_list(value):
        check_git_host(host)


def check_git_config(value: str) -> None:
    if not value:
        return
    if not value.startswith("/"):
        raise ValidationError("must be an absolute path")
    try:
        Path(value).read_bytes()  # git itself ignores an unreadable file without an error
    except (OSError, ValueError):
        raise ValidationError("cannot be read as a file") from None


def normalise_git_hosts(value: str) -> tuple[str, ...]:
    """Return each host as normalise_git_host does."""
    return tuple(normalise_git_host(host) for host in split_list(value))


def normalise_git_host(value: str) -> str:
    """Return `host` or `host:port` as it is in the URL of a repository."""
    return value.lower().removesuffix(":443")  # a repository's URL never has the port of https


def check_sync_every(value: float) -> None:
    if value and not SYNC_EVERY_MINUTES_MIN <= value <= 100_000:
        raise ValidationError("must be 0, for never, or between 0.1 and 100000")


def split_list(value: str) -> tuple[str, ...]:
    """Return the parts of a list with commas, without white space around them."""
    return tuple(part.strip() for part in value.split(",") if part.strip())
