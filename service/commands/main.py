"""The commands of `python -m service`: one function for each, and what several of them use."""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

from service import ROOT, __version__
from service.commands.databases import (
    check_channel_bindable,
    log_database,
    run_on_database,
    running_embedded,
)
from service.commands.errors import CommandError
from service.commands.output import FAILED, Output
from service.documents.kind_names import KINDS
from service.migrations.files import (
    MigrationFileError,
    create_migration_files,
    read_migration_files,
)
from service.server.first_process import leave_first_process
from service.server.sockets import ListenError, listen
from service.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

# Each command imports its own libraries when it runs. Without those of the other commands it starts
# faster, and the service takes less memory.

BAD_SETTINGS = 2

# The time for migrations to end after a signal.
END_SECONDS = 5.0


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
        return output.failed
    except KeyboardInterrupt:
        output.print_errors("interrupted")
        return 128 + signal.SIGINT


def run_serve(options: argparse.Namespace) -> int:
    """Serve until a signal says stop."""
    settings = load_settings()  # before the fork: it refuses some defaults in a first process
    leave_first_process()
    check_channel_bindable(settings)
    read_migration_files()  # a bad file is one error line here, and not a traceback of each worker
    try:
        # Before the migrations, so that a port in use changes nothing.
        sockets = listen(settings.host, settings.port, only_loopback=settings.only_loopback)
    except ListenError as error:
        raise CommandError(str(error)) from error
    with running_embedded(settings, restarts=True) as running:
        if options.migrate and (code := _import_server_while_migrating(settings)):
            return code
        from service.server.serve import serve

        if not options.migrate:
            log_database(settings)
        return serve(running, sockets)


def run_migrate(options: argparse.Namespace) -> int:
    """Bring the schema up to date."""
    options.output.is_needed = not options.by_serve
    from service.migrations.run import migrate

    return run_on_database(options, lambda url: migrate(url, options.output.print_line))


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
    return run_on_database(
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

    return run_on_database(options, print_status)


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
    from service.commands.registration import WantedSource
    from service.commands.sync import LOG_LEVEL, sync_repository
    from service.telemetry.logs import configure_logs

    settings = load_settings()
    configure_logs(LOG_LEVEL, settings.log_format)
    wanted = WantedSource(options.url, options.folder, options.branch, options.project)
    with running_embedded(settings, restarts=True) as running:
        sync_repository(running, wanted, options.output.print_line)
    return 0


def run_find(options: argparse.Namespace) -> int:
    """Search the documents: 0 found, 1 nothing found, 2 failed."""
    from service.commands.find import Search, search_documents
    from service.commands.reading import FAILED as READING_FAILED
    from service.commands.reading import LOG_LEVEL
    from service.telemetry.logs import configure_logs

    options.output.failed = READING_FAILED
    settings = load_settings()
    configure_logs(LOG_LEVEL, settings.log_format)
    search = Search(
        " ".join(options.words), options.project, options.kind, options.limit, options.as_you_type
    )
    with running_embedded(settings) as running:
        return search_documents(running, search, options.output)


def run_progress(options: argparse.Namespace) -> int:
    """Show how far projects are, or one: 0 shown, 1 nothing to show, 2 failed."""
    from service.commands.progress import show_progress
    from service.commands.reading import FAILED as READING_FAILED
    from service.commands.reading import LOG_LEVEL
    from service.telemetry.logs import configure_logs

    options.output.failed = READING_FAILED
    settings = load_settings()
    configure_logs(LOG_LEVEL, settings.log_format)
    with running_embedded(settings) as running:
        return show_progress(running, options.project, options.output)


def run_psql(options: argparse.Namespace) -> int:
    """Open psql on the database; arguments are passed on."""
    from service.commands.psql import open_psql

    return open_psql(load_settings(), options.arguments)


def _import_server_while_migrating(settings: Settings) -> int:
    # In another process, so that the migrations' libraries do not stay in the service's memory.
    # This process imports the server's libraries meanwhile.
    command = [sys.executable, "-m", "service", "migrate", "--by-serve"]
    # In a process group of its own, so that a terminal's Ctrl-C reaches only this process.
    with subprocess.Popen(command, process_group=0) as migrating:
        try:
            importlib.import_module("service.server.serve")
            log_database(settings)
            code = migrating.wait()
        except BaseException:
            migrating.terminate()
            try:
                migrating.wait(END_SECONDS)
            except subprocess.TimeoutExpired:  # the next start goes on
                migrating.kill()
            raise
    if code < 0:  # by the kernel, when memory runs out
        name = signal.Signals(-code).name
        raise CommandError(f"the migrations were ended by {name}; start again to finish them")
    return code


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
    find = add("find", run_find)
    find.add_argument("words", nargs="+", help="""words, '"exact phrases"' and or""")
    find.add_argument("--project", help="only of the project with this name or id")
    find.add_argument("--kind", choices=KINDS, help="only documents of this kind")
    find.add_argument("--limit", type=int, help="documents at most: 1 to 50, else 10")
    find.add_argument("--as-you-type", action="store_true", help="the last word is a beginning")
    progress = add("progress", run_progress)
    progress.add_argument("project", nargs="?", help="its name or id; else all projects")
    add("psql", run_psql, has_help=False)  # psql has its own help
    return parser


def _raise_exit(sig: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + sig)
