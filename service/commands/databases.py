"""Which database a command speaks to, and whether all commands can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.connecting.url import UrlError, read_url
from service.setting_checks import EMBEDDED
from service.settings import SettingsError

if TYPE_CHECKING:
    from service.connecting.url import Host
    from service.settings import Settings


def describe_database(url: str) -> str:
    """Return the name of a database and all its hosts, without a user or a password.

    `url` is one of the settings: `embedded:` and a folder, or the URL of a server.
    """
    if url.startswith(EMBEDDED):
        return f"embedded in {url.removeprefix(EMBEDDED)}"
    address = read_url(url)
    name = address.database if address.database.isprintable() else repr(address.database)
    return f"{name} on {', '.join(_describe_host(host) for host in address.hosts)}"


def _describe_host(host: Host) -> str:
    if host.is_socket:
        return f"the socket {host.name}/.s.PGSQL.{host.port}"
    return f"[{host.name}]:{host.port}" if ":" in host.name else f"{host.name}:{host.port}"


def check_database_url(settings: Settings) -> None:
    """Raise SettingsError if the migrations could connect by the URL, and the service never."""
    if settings.database_url.startswith(EMBEDDED):
        return
    address = read_url(settings.database_url)
    if not address.binds_channel:
        return
    from service.connecting.hosts import check_channel_binding  # imports asyncpg

    try:
        check_channel_binding(address)
    except UrlError as error:
        raise SettingsError(f"DATABASE_URL: {error}") from None
