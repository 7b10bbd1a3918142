"""The commands of `python -m service`: one function for each, and what several of them use."""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from service import ROOT, __version__
from service.commands.databases import check_database_url, describe_database
from service.commands.output import FAILED, Output
from service.connecting.libpq import connection_string, libpq_environment, libpq_parameters
from service.connecting.url import read_url
from service.migrations.files import (
    MigrationFileError,
    create_migration_files,
    read_migration_files,
)
from service.server.sockets import ListenError, listen
from service.setting_checks import EMBEDDED
from service.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from types import FrameType

# Each command imports its own libraries when it runs. Without those of the other commands it starts
# faster, and the service takes less memory.

BAD_SETTINGS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors go to standard error, a line for each."""
    output = Output()
    try:
        code = _run_command(arguments, output)
    except SystemExit as ending:  # argparse's, or that of a signal
        code = ending.code if isinstance(ending.code, int) else FAILED
    return output.finish(code)


def _run_command(arguments: Sequence[str] | None, output: Output) -> int:
    for stop_signal in (signal.SIGTERM, signal.SIGHUP):
        # Raise SystemExit, as Ctrl-C raises KeyboardInterrupt: otherwise an embedded PostgreSQL
        # would outlive the command. nohup ignores SIGHUP, and that stays.
        if signal.getsignal(stop_signal) is not signal.SIG_IGN:
            signal.signal(stop_signal, _raise_exit)
    parser = _build_parser()
    options, rest = parser.parse_known_args(arguments)
    options.output = output
    if options.command is run_psql:
        options.arguments = rest
    elif rest:
        parser.error(f"unknown: {' '.join(rest)}")
    if options.command is not run_serve:
        gc.enable()  # __main__ disabled it; the server enables it when it is ready
    try:
        return options.command(options)
    except SettingsError as error:
        output.print_errors(str(error))
        return BAD_SETTINGS
    except (MigrationFileError, CommandError) as error:
        output.print_errors(str(error))
        return FAILED
    except KeyboardInterrupt:
        output.print_errors("interrupted")
        return 128 + signal.SIGINT


class CommandError(Exception):
    """A command could not do its work; `str()` is one readable line."""


def run_serve(options: argparse.Namespace) -> int:
    """Serve until a signal says stop."""
    settings = load_settings()
    check_database_url(settings)
    read_migration_files()  # a bad file is one error line here, and not a traceback of each worker
    try:
        # Before the migrations, so that a port in use changes nothing.
        sockets = listen(settings.host, settings.port, only_loopback=settings.only_loopback)
    except ListenError as error:
        raise CommandError(str(error)) from error
    with _running_embedded(settings) as running:
        if options.migrate and (code := _import_server_while_migrating(settings)):
            return code
        from service.server.serve import serve

        if not options.migrate:
            _log_database(settings)
        return serve(running, sockets)


def run_migrate(options: argparse.Namespace) -> int:
    """Bring the schema up to date."""
    options.output.is_needed = not options.by_serve
    from service.migrations.run import migrate

    return _run_on_database(options, lambda url: migrate(url, options.output.print_line))


def run_rollback(options: argparse.Namespace) -> int:
    """Undo the last migration; ask first, where that drops rows."""
    from service.migrations.backend import MigrationError
    from service.migrations.run import refuse_losses, rollback

    def ask(losses: list[str]) -> None:
        options.output.print_line("This drops:")
        for loss in losses:
            options.output.print_line(f"  {loss}")
        sys.stdout.write("Roll back? [y/N] ")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise MigrationError("nothing was rolled back")

    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    confirm = None if options.yes else ask if is_terminal else refuse_losses
    return _run_on_database(
        options, lambda url: rollback(url, options.output.print_line, confirm=confirm)
    )


def run_status(options: argparse.Namespace) -> int:
    """Say how the schema stands: 0 current, 2 pending, 3 locked by another, 4 drift."""
    from service.migrations.run import read_status

    def print_status(url: str) -> int:
        status = read_status(url)
        differences = {
            "pending": status.pending,
            "edited after it was applied": status.edited,
            "applied, and its file is gone": status.gone,
        }
        for difference, ids in differences.items():
            for migration_id in ids:
                options.output.print_line(f"{migration_id}: {difference}")
        if status.is_locked:
            options.output.print_line("another process is migrating now")
            return 3
        if status.edited or status.gone:
            return 4
        if status.pending:
            return 2
        options.output.print_line(f"the schema is up to date ({len(status.applied)} applied)")
        return 0

    return _run_on_database(options, print_status)


def run_new(options: argparse.Namespace) -> int:
    """Create a numbered migration and its rollback."""
    for path in create_migration_files(options.title):
        options.output.print_line(f"created {path.relative_to(ROOT)}")
    return 0


def run_openapi(options: argparse.Namespace) -> int:
    """Print the OpenAPI document."""
    from service.app import ROUTES
    from service.routes.shared import RESOURCES
    from service.web.openapi import build_document
    from service.web.operation import HAS_DOCSTRINGS, NO_DOCSTRINGS, UndocumentedRouteError

    if not HAS_DOCSTRINGS:
        sys.stderr.write(f"warning: {NO_DOCSTRINGS}\n")
    try:
        document = build_document(ROUTES, RESOURCES)
    except UndocumentedRouteError as error:
        raise CommandError(str(error)) from error
    options.output.print_line(json.dumps(document, indent=2))
    return 0


def run_sync(options: argparse.Namespace) -> int:
    """Register a git repository and bring its documents in."""
    from service.commands.sync import SyncCommandError, WantedSource, sync_repository
    from service.logs import configure_logs

    settings = load_settings()
    configure_logs("ERROR", settings.log_format)  # the command itself prints the lesser events
    wanted = WantedSource(options.url, options.folder, options.branch, options.project)
    with _running_embedded(settings) as running:
        try:
            sync_repository(running, wanted, options.output.print_line)
        except SyncCommandError as error:
            raise CommandError(str(error)) from error
    return 0


def run_psql(options: argparse.Namespace) -> int:
    """Open psql on the database; arguments are passed on."""
    settings = load_settings()
    with _running_embedded(settings) as running:
        program = _find_psql(settings)
        parameters = libpq_parameters(read_url(running.migrations_database_url))
        environment = libpq_environment(os.environ)
        # Every user of the machine can read a process's arguments, so they hold no secret. psql
        # asks for the password of a key.
        if password := parameters.pop("password", None):
            environment["PGPASSWORD"] = password
        parameters.pop("sslpassword", None)
        # Ctrl-C is psql's: it cancels the query.
        signal.signal(signal.SIGINT, lambda _signal, _frame: None)
        command = [program, connection_string(parameters), *options.arguments]
        return subprocess.run(command, env=environment, check=False).returncode


def _find_psql(settings: Settings) -> str:
    if settings.migrations_database_url.startswith(EMBEDDED):
        from service.embedded.postgres import find_binaries

        return str(find_binaries() / "psql")
    found = shutil.which("psql")
    if found is None:
        raise CommandError("psql is not installed: it comes with PostgreSQL's client programs")
    return found


def _import_server_while_migrating(settings: Settings) -> int:
    # In another process, so that the migrations' libraries do not stay in the service's memory.
    # This process imports the server's libraries meanwhile.
    command = [sys.executable, "-m", "service", "migrate", "--by-serve"]
    # In a process group of its own, so that a terminal's Ctrl-C reaches only this process.
    with subprocess.Popen(command, process_group=0) as migrating:
        try:
            importlib.import_module("service.server.serve")
            _log_database(settings)
            return migrating.wait()
        except BaseException:
            migrating.terminate()
            raise


def _log_database(settings: Settings) -> None:
    import structlog

    from service.logs import configure_logs

    configure_logs(settings.log_level, settings.log_format)
    database = describe_database(settings.database_url)
    migrations = describe_database(settings.migrations_database_url)
    other = {} if migrations == database else {"for_migrations": migrations}
    structlog.get_logger().info("database_chosen", database=database, **other)


@contextmanager
def _running_embedded(settings: Settings) -> Generator[Settings]:
    """Run the embedded PostgreSQLs of the settings; yield the settings with the servers' URLs."""
    addresses = (settings.database_url, settings.migrations_database_url)
    folders = dict.fromkeys(url for url in addresses if url.startswith(EMBEDDED))
    if not folders:
        yield settings
        return
    from service.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError

    try:
        with ExitStack() as servers:
            running = {
                url: servers.enter_context(EmbeddedPostgres(Path(url.removeprefix(EMBEDDED))))
                for url in folders
            }
            database_url, migrations_database_url = (running.get(url, url) for url in addresses)
            yield replace(
                settings,
                database_url=database_url,
                migrations_database_url=migrations_database_url,
            )
    except EmbeddedPostgresError as error:
        raise CommandError(str(error)) from error


def _run_on_database(options: argparse.Namespace, work: Callable[[str], int | None]) -> int:
    """Call `work` with the URL for migrations; return its result as exit code, 0 for None.

    Standard error says first which database that is, except on behalf of `serve`, which logs it.
    """
    from service.migrations.backend import MigrationError

    wanted = load_settings()
    if not options.by_serve:
        check_database_url(wanted)
        options.output.print_note(f"database: {describe_database(wanted.migrations_database_url)}")
    with _running_embedded(wanted) as settings:
        # The settings have all that libpq would read from the environment.
        environment = libpq_environment(os.environ)
        os.environ.clear()
        os.environ.update(environment)
        try:
            return work(settings.migrations_database_url) or 0
        except MigrationError as error:
            raise CommandError(str(error)) from error


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service", description="BMADFlow API")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True)

    def add(
        name: str, command: Callable[[argparse.Namespace], int], *, has_help: bool = True
    ) -> argparse.ArgumentParser:
        text = command.__doc__
        added = commands.add_parser(name, help=text, description=text, add_help=has_help)
        added.set_defaults(command=command, by_serve=False)
        return added

    serve = add("serve", run_serve)
    serve.add_argument("--migrate", action="store_true", help="bring the schema up to date first")
    migrate = add("migrate", run_migrate)
    migrate.add_argument("--by-serve", action="store_true", help=argparse.SUPPRESS)
    rollback = add("rollback", run_rollback)
    rollback.add_argument("--yes", action="store_true", help="drop rows without a question")
    add("status", run_status)
    add("new", run_new).add_argument("title", help='in plain words, as in "add projects"')
    add("openapi", run_openapi)
    sync = add("sync", run_sync)
    sync.add_argument("url", help="as in https://github.com/owner/repository")
    sync.add_argument("--folder", help="where its documents are; else the whole repository")
    sync.add_argument("--branch", help="else its default branch")
    sync.add_argument("--project", help="the project's name; else the repository's")
    add("psql", run_psql, has_help=False)  # psql has its own help
    return parser


def _raise_exit(sig: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + sig)
