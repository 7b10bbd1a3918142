"""`python -m service psql`: psql on the database of the migrations."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from service.commands.databases import running_embedded
from service.commands.errors import CommandError
from service.connecting.libpq import connection_string, libpq_environment, libpq_parameters
from service.connecting.url import read_url
from service.setting_checks import EMBEDDED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.settings import Settings


def open_psql(settings: Settings, arguments: Sequence[str]) -> int:
    """Run psql with these arguments, and return its exit code. Raises CommandError."""
    with running_embedded(settings) as running:
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
        command = [program, connection_string(parameters), *arguments]
        code = subprocess.run(command, env=environment, check=False).returncode
        return 128 - code if code < 0 else code  # of a signal, as a shell has it


def _find_psql(settings: Settings) -> str:
    if settings.migrations_database_url.startswith(EMBEDDED):
        from service.embedded.postgres import find_binaries

        return str(find_binaries() / "psql")
    found = shutil.which("psql")
    if found is None:
        raise CommandError("psql is not installed: it comes with PostgreSQL's client programs")
    return found
