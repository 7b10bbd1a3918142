"""Connecting to whichever host of DATABASE_URL answers and is what the URL asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

if TYPE_CHECKING:
    from asyncpg import Connection

# Another host may do, or this one in a while: nobody is there, it starts or stops, or it is not
# what is asked for (a standby, where the URL says target_session_attrs=primary).
TRY_AGAIN = (
    OSError,  # a TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.TargetServerAttributeNotMatched,
)


class Connector:
    """Connects as asyncpg does, but a host that swallows everything costs its share of the time.

    asyncpg has one time limit for all hosts together, so that a first host that neither answers
    nor refuses uses it up, each time anew. Here each host has an equal part of `seconds`, and one
    that let it pass is asked last from then on.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self._urls = one_url_per_host(url)
        self._seconds_each = seconds / len(self._urls)

    async def __call__(self, *_: object, **options: Any) -> Connection[asyncpg.Record]:
        """Return a connection to the first host that will do, or raise the last one's error."""
        options["timeout"] = self._seconds_each
        last_error: Exception | None = None
        for url in list(self._urls):
            has_answered = False
            try:
                connection = await asyncpg.connect(url, **options)
            except TRY_AGAIN as error:
                has_answered = not isinstance(error, TimeoutError)
                last_error = error
            except Exception:
                has_answered = True
                raise
            else:
                has_answered = True
                return connection
            finally:
                if not has_answered:  # also when whoever waits for it has given up
                    self._urls.remove(url)
                    self._urls.append(url)
        assert last_error is not None
        raise last_error


def one_url_per_host(url: str) -> list[str]:
    """Return the URL, once for each host that it names before the path, with that host alone.

    `target_session_attrs=prefer-standby` compares the hosts with each other, and so stays whole.
    """
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if "prefer-standby" in parse_qs(parts.query).get("target_session_attrs", []):
        return [url]
    return [parts._replace(netloc=f"{user}{at}{host}").geturl() for host in hosts.split(",")]
