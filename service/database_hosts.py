"""Connecting to the first host of DATABASE_URL that is reachable and has the role asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

if TYPE_CHECKING:
    from asyncpg import Connection

# Errors after which another host may work, or the same one later: the host is unreachable, starts,
# stops, or has another role than the URL asks for (a standby, with target_session_attrs=primary).
TRY_AGAIN = (
    OSError,  # a TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.TargetServerAttributeNotMatched,
)


class Connector:
    """Connects as asyncpg does, but with a time limit for each host.

    asyncpg has one time limit for all hosts together: a first host that neither accepts nor
    refuses uses it up on every attempt. Here each host has an equal share of `seconds`, and a host
    that let its share pass moves to the end of the list.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self._urls = one_url_per_host(url)
        self._seconds_each = seconds / len(self._urls)

    async def __call__(self, *_: object, **options: Any) -> Connection[asyncpg.Record]:
        """Return a connection to the first suitable host, or raise the last host's error."""
        options["timeout"] = self._seconds_each
        last_error: Exception | None = None
        for url in list(self._urls):
            has_responded = False
            try:
                connection = await asyncpg.connect(url, **options)
            except TRY_AGAIN as error:
                has_responded = not isinstance(error, TimeoutError)
                last_error = error
            except Exception:
                has_responded = True
                raise
            else:
                has_responded = True
                return connection
            finally:
                if not has_responded:  # also when the caller's own deadline cancelled this
                    self._urls.remove(url)
                    self._urls.append(url)
        assert last_error is not None
        raise last_error


def one_url_per_host(url: str) -> list[str]:
    """Return a URL for each host that `url` names before the path, with that host alone.

    With `target_session_attrs=prefer-standby` the URL stays whole: asyncpg must compare the hosts.
    """
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if "prefer-standby" in parse_qs(parts.query).get("target_session_attrs", []):
        return [url]
    return [parts._replace(netloc=f"{user}{at}{host}").geturl() for host in hosts.split(",")]
