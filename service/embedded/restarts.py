"""When an embedded PostgreSQL that was lost is started again: not after a stop on purpose.

It has ended, or its socket was removed, so that it can get no new connection.

Meanwhile its log is kept small: each request that breaks a constraint adds lines to it.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from service.embedded.errors import EmbeddedPostgresError
from service.locks import lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.embedded.server import Server

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# How often the server's lock is tried; after a start that failed, twice as long each time.
WATCH_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0

# The end of the server's log that is searched for a stop.
LOG_BYTES: Final = 64 * 1024

# A larger log of a server that runs becomes the older log, of which one is kept.
LOG_BYTES_MAX: Final = 16 * 1024 * 1024

# What the postmaster logs for SIGTERM, SIGINT and SIGQUIT, also for those of `pg_ctl stop`. Its
# messages are in English, as initdb's environment asks. Only a whole line counts, whose first colon
# with a space is that of LOG: a client's text in the line of an error may have the same words.
_STOP: Final = re.compile(
    rb"^(?!\t)(?:(?!: ).)*LOG:  received (?:smart|fast|immediate) shutdown request$", re.MULTILINE
)


class Restarts:
    """Starts one server again and again, with pauses, and logs once what each outage is."""

    def __init__(self, server: Server) -> None:
        """Watch a server."""
        self.pause = WATCH_SECONDS
        self._server = server
        self._start_lock = server.directory / "start.lock"
        self._version = server.data / "PG_VERSION"
        self._server_log = server.log
        self._logged: set[str] = set()  # the events of this outage that were logged

    def restart_if_lost(self, start: Callable[[], object]) -> None:
        """Call `start` if the server was lost, and its data are still there."""
        try:
            # A missing folder was deleted, and `start` would make a new one, without data.
            event = self._find_loss() if self._version.exists() else None
            if event is None:
                self.pause = WATCH_SECONDS
                self._logged.clear()
                self._limit_log()
                return
            if self._was_stopped():
                self._log_once("embedded_postgres_stopped")
                return
            self._log_once(event)
            start()
        except Exception as error:  # noqa: BLE001 - logged; and the watch must outlive any
            is_known = isinstance(error, EmbeddedPostgresError | OSError)
            self._log_once("embedded_postgres_not_started", error=str(error), exc_info=not is_known)
            self.pause = min(2 * self.pause, LONGEST_PAUSE_SECONDS)
        else:
            self._logged.clear()
            self.pause = WATCH_SECONDS
            log.info("embedded_postgres_started_again", folder=str(self._server.directory))

    def _find_loss(self) -> str | None:
        if not self._server.is_running():
            return "embedded_postgres_ended"
        return "embedded_postgres_socket_removed" if self._server.has_lost_socket() else None

    def _was_stopped(self) -> bool:
        """Return whether a signal asked the server to stop: no kill, no fault."""
        try:
            with self._server_log.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - LOG_BYTES))
                return _STOP.search(file.read()) is not None
        except FileNotFoundError:
            return False

    def _limit_log(self) -> None:
        if not self._server_log.exists() or self._server_log.stat().st_size <= LOG_BYTES_MAX:
            return
        # Of several processes that use the server, one does it.
        start = lock(self._start_lock)
        if start is None:
            return
        try:
            with suppress(OSError):  # a full disk has no room for a copy, and needs the space
                shutil.copyfile(self._server_log, f"{self._server_log}.old")
            # The server appends to the open file, so that stays, and is emptied. Not while the
            # server stops: the log tells then why it has ended.
            if not self._was_stopped():
                os.truncate(self._server_log, 0)
        finally:
            os.close(start)

    def _log_once(self, event: str, **fields: object) -> None:
        if event not in self._logged:
            self._logged.add(event)
            log.error(event, folder=str(self._server.directory), **fields)
