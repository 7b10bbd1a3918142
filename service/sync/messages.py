"""What a worker and a process that does its runs tell each other, through a socket.

The worker sends RunOptions once, then a Claim for each run, as pickles. The process sends lines of
JSON, each of at most MESSAGE_BYTES_MAX: it reads what strangers wrote, so nothing that it sends is
unpickled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from service.git.options import GitOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.settings import Settings

MESSAGE_BYTES_MAX: Final = 64 * 1024

# The most files and folders, documents or not, in a source's folder: a run looks at each.
ENTRIES_MAX: Final = 500_000


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The settings that a run needs, and no other secrets than these."""

    database_url: str = field(repr=False)
    database_prepared_statements: bool
    # Those that the code needs: see open_database.
    migrations: Sequence[str]
    log_level: str
    log_format: str
    git: GitOptions
    # The time limit of a whole run, writing included.
    seconds: float
    max_files: int
    # How far back git's history is read.
    history_commits: int
    max_bytes: int
    max_documents_per_project: int
    # The descriptor of open_turns, which the process inherits.
    turns: int | None = None


class Outcome(NamedTuple):
    """How a run ended: the fields of its log line, and what its operator should know."""

    fields: dict[str, Any]
    # By host: the HTTP status with which it refused the service's token.
    refused_tokens: Mapping[str, int]
    # Whether the run failed through this machine, not through the repository or its server.
    is_service_fault: bool = False


def run_options(settings: Settings, migrations: Sequence[str] = ()) -> RunOptions:
    """Return the part of the settings that a run needs."""
    return RunOptions(
        database_url=settings.database_url,
        database_prepared_statements=settings.database_prepared_statements,
        migrations=tuple(migrations),
        log_level=settings.log_level,
        log_format=settings.log_format,
        git=GitOptions(
            protocols=settings.git_protocols,
            hosts=settings.git_hosts,
            private_networks=settings.git_private_networks,
            proxy=settings.git_proxy,
            no_proxy=settings.git_no_proxy,
            config_global=settings.git_config_global,
            token=settings.git_token,
            token_host=settings.git_token_host,
            tokens=settings.git_tokens,
            seconds=settings.sync_timeout,
            max_bytes=settings.sync_max_bytes,
            max_entries=ENTRIES_MAX,
        ),
        seconds=settings.sync_timeout,
        max_files=settings.sync_max_files,
        history_commits=settings.sync_history_commits,
        max_bytes=settings.sync_max_bytes,
        max_documents_per_project=settings.max_documents_per_project,
    )


def encode_message(**fields: Any) -> bytes:
    """Return a line of JSON. Raises ValueError for one of more than MESSAGE_BYTES_MAX."""
    line = json.dumps(fields).encode() + b"\n"
    if len(line) > MESSAGE_BYTES_MAX:
        raise ValueError(f"a message of {len(line)} bytes")
    return line


def describe_time_limit(seconds: float) -> str:
    """Return why a run failed that took longer than `seconds`."""
    return f"The sync took longer than {seconds:g} s (SYNC_TIMEOUT_SECONDS)."
