"""Databases of commands: which one a command speaks to, and running those that are embedded."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from service.commands.errors import CommandError
from service.connecting.libpq import libpq_environment
from service.connecting.url import UrlError, read_url
from service.setting_checks import EMBEDDED
from service.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator

    from service.connecting.url import Host


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


def check_channel_bindable(settings: Settings) -> None:
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


def run_on_database(options: argparse.Namespace, work: Callable[[str], int | None]) -> int:
    """Call `work` with the URL for migrations; return its result as exit code, 0 for None.

    Standard error says first which database that is, except on behalf of `serve`, which logs it.
    """
    from service.migrations.backend import MigrationError

    wanted = load_settings()
    if not options.by_serve:
        check_channel_bindable(wanted)
        options.output.print_note(f"database: {describe_database(wanted.migrations_database_url)}")
    with running_embedded(wanted) as settings:
        # The settings have all that libpq would read from the environment.
        environment = libpq_environment(os.environ)
        os.environ.clear()
        os.environ.update(environment)
        try:
            return work(settings.migrations_database_url) or 0
        except MigrationError as error:
            raise CommandError(str(error)) from error


@contextmanager
def running_embedded(settings: Settings, *, restarts: bool = False) -> Generator[Settings]:
    """Run the embedded PostgreSQLs of the settings; yield the settings with the servers' URLs.

    With `restarts`, a server that ends meanwhile by itself is started again.
    """
    addresses = (settings.database_url, settings.migrations_database_url)
    folders = dict.fromkeys(url for url in addresses if url.startswith(EMBEDDED))
    if not folders:
        yield settings
        return
    from service.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError

    try:
        with ExitStack() as servers:
            running: dict[str, str] = {}
            for url in folders:
                server = EmbeddedPostgres(Path(url.removeprefix(EMBEDDED)))
                running[url] = servers.enter_context(server)
                if restarts:
                    servers.enter_context(server.restarting())
            database_url, migrations_database_url = (running.get(url, url) for url in addresses)
            yield replace(
                settings,
                database_url=database_url,
                migrations_database_url=migrations_database_url,
            )
    except EmbeddedPostgresError as error:
        raise CommandError(str(error)) from error


def log_database(settings: Settings) -> None:
    """Log which databases `serve` and its migrations speak to."""
    import structlog

    from service.telemetry.logs import configure_logs

    configure_logs(settings.log_level, settings.log_format)
    database = describe_database(settings.database_url)
    migrations = describe_database(settings.migrations_database_url)
    other = {} if migrations == database else {"for_migrations": migrations}
    structlog.get_logger().info("database_chosen", database=database, **other)
