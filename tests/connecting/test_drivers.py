"""One URL, both drivers: what asyncpg does with it is what libpq does."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import asyncpg
import psycopg
import pytest

from service.connecting.hosts import Connector, session_settings
from service.connecting.url import read_url
from service.migrations.session import connect
from service.settings import SettingsError, load_settings
from tests.support.service import errors_of, run_command
from tests.support.tls import KEY_PASSWORD, needs_tls_postgres

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.postgres import Postgres
    from tests.support.service import Service
    from tests.support.tls import Certificates, TlsPostgres

    Start = Callable[..., Service]

TRANSPORT = """
    select case when ssl then version else 'plain' end
    from pg_stat_ssl where pid = pg_backend_pid()
"""


def ask_asyncpg(url: str, query: str = TRANSPORT) -> Any:
    """Return a query's value, or `failed`."""

    async def ask() -> Any:
        address = read_url(url)
        try:
            connection = await Connector(address, 10)(
                server_settings=session_settings(address, "x")
            )
        except (OSError, asyncpg.PostgresError, asyncpg.TargetServerAttributeNotMatched):
            await asyncio.sleep(0.05)  # asyncpg closes its failed connections in the background
            return "failed"
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(ask())


def ask_psycopg(url: str, query: str = TRANSPORT) -> Any:
    try:
        with connect(url) as connection:
            row = connection.execute(query.encode()).fetchone()
            assert row is not None
            return row[0]
    except psycopg.OperationalError:
        return "failed"


def ask_both(url: str, query: str = TRANSPORT) -> Any:
    """Return the value that both drivers get, or both values if they differ."""
    first, second = ask_asyncpg(url, query), ask_psycopg(url, query)
    return first if first == second else (first, second)


TLS = "TLSv1.3"
CASES: list[tuple[str, dict[str, str], str]] = [
    ("secure", {}, TLS),
    ("secure", {"sslmode": "disable"}, "failed"),
    ("secure", {"sslmode": "allow"}, TLS),
    ("secure", {"sslmode": "prefer"}, TLS),
    ("secure", {"sslmode": "require"}, TLS),
    ("secure", {"ssl": "true"}, TLS),
    ("secure", {"sslmode": "verify-ca", "sslrootcert": "authority"}, TLS),
    ("secure", {"sslmode": "verify-full", "sslrootcert": "authority"}, TLS),
    ("secure", {"sslmode": "require", "sslrootcert": "authority"}, TLS),
    ("secure", {"sslmode": "require", "sslrootcert": "other_authority"}, "failed"),
    ("secure", {"sslmode": "verify-ca", "sslrootcert": "other_authority"}, "failed"),
    ("secure", {"sslmode": "verify-full", "sslrootcert": "other_authority"}, "failed"),
    ("either", {"sslmode": "allow"}, "plain"),
    ("either", {"sslmode": "prefer"}, TLS),
    ("plain", {}, "plain"),
    ("plain", {"sslmode": "allow"}, "plain"),
    ("plain", {"sslmode": "disable"}, "plain"),
    ("plain", {"sslmode": "require"}, "failed"),
    ("secure", {"sslmode": "require", "ssl_max_protocol_version": "TLSv1.2"}, "TLSv1.2"),
    ("secure", {"sslmode": "require", "ssl_min_protocol_version": "TLSv1.3"}, TLS),
    ("secure", {"sslmode": "verify-ca", "sslrootcert": "authority", "sslcrl": "revoked_none"}, TLS),
    (
        "secure",
        {"sslmode": "verify-ca", "sslrootcert": "authority", "sslcrl": "revoked_server"},
        "failed",
    ),
    ("certified", {"sslmode": "require"}, "failed"),
    ("certified", {"sslmode": "require", "sslcert": "client", "sslkey": "client_key"}, TLS),
    ("certified", {"sslcert": "client", "sslkey": "client_key"}, TLS),
    ("certified", {"sslmode": "require", "sslcert": "both"}, TLS),
    (
        "certified",
        {"sslcert": "client", "sslkey": "encrypted_key", "sslpassword": KEY_PASSWORD},
        TLS,
    ),
    (
        "certified",
        {"sslcert": "client", "sslkey": "client_key", "sslcertmode": "disable"},
        "failed",
    ),
    # PostgreSQL 15 has no direct negotiation.
    ("secure", {"sslmode": "require", "sslnegotiation": "direct"}, "failed"),
    (
        "secure",
        {"sslmode": "require", "channel_binding": "require", "sslrootcert": "authority"},
        TLS,
    ),
    ("secure", {"channel_binding": "require", "sslrootcert": "authority"}, TLS),
    ("secure", {"sslmode": "require", "channel_binding": "disable"}, TLS),
    ("secure", {"gssencmode": "prefer", "keepalives_idle": "30", "connect_timeout": "10"}, TLS),
]


@needs_tls_postgres
@pytest.mark.parametrize(
    ("role", "options", "transport"), CASES, ids=[f"{role} {given}" for role, given, _ in CASES]
)
def test_both_drivers_connect_in_the_same_way(
    role: str, options: dict[str, str], transport: str, tls_postgres: TlsPostgres
) -> None:
    url = tls_postgres.url(role, **file_options(options, tls_postgres.certificates))
    assert ask_both(url) == transport


def file_options(options: dict[str, str], certificates: Certificates) -> dict[str, str]:
    """Return options with the paths of the certificates that they name."""
    return {
        name: quote(str(getattr(certificates, value, value)), safe="/")
        for name, value in options.items()
    }


@needs_tls_postgres
def test_verify_full_compares_the_host_and_verify_ca_does_not(tls_postgres: TlsPostgres) -> None:
    root = {"sslrootcert": quote(str(tls_postgres.certificates.authority))}
    url = tls_postgres.url("secure", host="127.0.0.1", sslmode="verify-full", **root)
    assert ask_both(url) == "failed"
    assert ask_both(url.replace("verify-full", "verify-ca")) == TLS
    # The first host fails, and the second is taken.
    several = f"127.0.0.1:{tls_postgres.port},localhost"
    url = tls_postgres.url("secure", host=several, sslmode="verify-full", **root)
    assert ask_both(url) == TLS


@needs_tls_postgres
def test_channel_binding_is_never_weakened_to_tls_without_verification(
    tls_postgres: TlsPostgres,
) -> None:
    url = tls_postgres.url("secure", sslmode="require", channel_binding="require")
    # This server's authority is not one of the system's. libpq binds the channel.
    assert (ask_asyncpg(url), ask_psycopg(url)) == ("failed", TLS)
    # The authority is trusted here, but this is not the host that the certificate is for.
    root = {"sslrootcert": quote(str(tls_postgres.certificates.authority))}
    options = {"sslmode": "require", "channel_binding": "require", **root}
    url = tls_postgres.url("secure", host="127.0.0.1", **options)
    assert (ask_asyncpg(url), ask_psycopg(url)) == ("failed", TLS)


@needs_tls_postgres
@pytest.mark.parametrize("command", ["migrate", "status", "rollback", "serve"])
@pytest.mark.parametrize("fault", ["an unknown authority", "another name"])
def test_a_bound_channel_without_a_valid_certificate_is_refused_at_the_start(
    command: str, fault: str, tls_postgres: TlsPostgres
) -> None:
    options = {"sslmode": "require", "channel_binding": "require"}
    if fault == "another name":
        authority = quote(str(tls_postgres.certificates.authority))
        options |= {"host": "127.0.0.1", "sslrootcert": authority}
    result = run_command(command, DATABASE_URL=tls_postgres.url("secure", **options))
    said = "DATABASE_URL: the option channel_binding=require needs a certificate of the server, "
    assert (result.returncode, result.stdout) == (2, "")
    assert errors_of(result.stderr).startswith(f"error: {said}")
    assert result.stderr.count("\n") == 1


@needs_tls_postgres
def test_a_bound_channel_whose_server_is_down_or_refuses_the_role_starts(
    tls_postgres: TlsPostgres, start_service: Start
) -> None:
    options = {"sslmode": "require", "channel_binding": "require"}
    down = tls_postgres.url("secure", **options).replace(f":{tls_postgres.port}/", ":1/")
    refused = tls_postgres.url("missing", **options)
    trust = str(tls_postgres.certificates.authority)
    for url in (down, refused):
        service = start_service(DATABASE_URL=url, SSL_CERT_FILE=trust)
        assert service.health() == (503, "unreachable")


@needs_tls_postgres
def test_a_wrong_password_is_the_error_that_the_log_gets(tls_postgres: TlsPostgres) -> None:
    url = tls_postgres.url("secure").replace(":p%40", ":wrong")
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(Connector(read_url(url), 10)())


@needs_tls_postgres
@pytest.mark.parametrize(
    "options",
    [
        "sslmode=require&channel_binding=require",  # what Neon's console hands out
        "sslrootcert=system",
        "sslmode=verify-full&sslrootcert=system&connect_timeout=10&keepalives=1",
    ],
)
def test_a_url_that_a_provider_hands_out_migrates_and_serves(
    options: str, tls_postgres: TlsPostgres, start_service: Start
) -> None:
    url = f"{tls_postgres.url('secure')}{options}"
    trust: dict[str, Any] = {"SSL_CERT_FILE": str(tls_postgres.certificates.authority)}
    result = run_command("migrate", DATABASE_URL=url, **trust)
    assert result.returncode == 0, errors_of(result.stderr)
    assert run_command("status", DATABASE_URL=url, **trust).returncode == 0
    service = start_service(DATABASE_URL=url, **trust)
    assert service.is_healthy()
    ignored = [entry["options"] for entry in service.find("database_options_ignored")]
    assert ignored == (["keepalives"] if "keepalives" in options else [])
    replaced = service.find("channel_binding_replaced")
    assert len(replaced) == ("channel_binding" in options)


def test_the_session_is_what_the_url_says(postgres: Postgres) -> None:
    url = f"{postgres.url}&options=-c%20search_path%3Dx%20-c%20work_mem%3D8MB&application_name=a+b"
    assert ask_both(url, "select current_setting('search_path')") == "x"
    assert ask_both(url, "select current_setting('work_mem')") == "8MB"
    assert ask_both(url, "select current_setting('application_name')") == "a+b"
    assert ask_both(url, "select current_setting('client_encoding')") == "UTF8"
    named = f"{postgres.url}&fallback_application_name=c"
    assert ask_both(named, "select current_setting('application_name')") == "c"


def test_a_host_of_the_wanted_kind_is_chosen(postgres: Postgres) -> None:
    query = "select 'connected'"
    for wanted in ("any", "primary", "read-write", "prefer-standby"):
        assert ask_both(f"{postgres.url}&target_session_attrs={wanted}", query) == "connected"
    for wanted in ("standby", "read-only"):
        assert ask_both(f"{postgres.url}&target_session_attrs={wanted}", query) == "failed"
    assert ask_both(f"{postgres.url}&load_balance_hosts=random", query) == "connected"


@pytest.mark.parametrize("is_url", [True, False], ids=["in the URL", "in the environment"])
def test_ignored_options_are_named_once_in_the_log(
    is_url: bool, database: str, start_service: Start
) -> None:
    variables: dict[str, Any] = {
        "DATABASE_URL": f"{database}&keepalives_idle=9&tcp_user_timeout=1000"
    }
    if not is_url:
        variables = {"DATABASE_URL": database, "PGGSSENCMODE": "prefer", "PGGSSLIB": "gssapi"}
    service = start_service(**variables)
    assert service.is_healthy()
    [entry] = service.find("database_options_ignored")
    assert entry["options"] == (
        "keepalives_idle, tcp_user_timeout" if is_url else "gsslib, gssencmode"
    )


@pytest.mark.parametrize("command", ["migrate", "status", "serve", "psql", "sync"])
@pytest.mark.parametrize("name", ["DATABASE_URL", "MIGRATIONS_DATABASE_URL"])
def test_every_command_refuses_an_unknown_option_before_anything_else(
    command: str, name: str, empty_database: str
) -> None:
    urls: dict[str, Any] = {"DATABASE_URL": empty_database, name: f"{empty_database}&hunter=2"}
    arguments = ["https://git.example/a/b"] if command == "sync" else []
    result = run_command(command, *arguments, **urls)
    assert result.returncode == 2
    said = "the option 'hunter' after the ? is not one of PostgreSQL's connection options"
    assert errors_of(result.stderr) == f"error: {name}: {said}\n"


def test_variables_of_libpq_hold_for_every_command_alike(
    database: str, postgres: Postgres, start_service: Start
) -> None:
    address = read_url(database)
    variables: dict[str, Any] = {
        "DATABASE_URL": "postgresql://",
        "PGHOST": address.hosts[0].name,
        "PGPORT": str(address.hosts[0].port),
        "PGUSER": "postgres",
        "PGDATABASE": address.database,
        "PGAPPNAME": "named",
        "PGSSLMODE": "verify-full",  # without effect on a socket
        "PGTZ": "Nowhere/Land",  # libpq would send it, asyncpg not
    }
    assert run_command("status", **variables).returncode == 0
    service = start_service(**variables)
    assert service.is_healthy()
    query = "select count(*) from pg_stat_activity where application_name = 'named'"
    result = run_command("psql", "-Atc", query, **variables)
    assert (result.returncode, errors_of(result.stderr)) == (0, "")
    assert int(result.stdout) >= 2
    assert ask_psycopg(postgres.url, query) >= 1


def test_an_embedded_database_listens_to_no_variable_of_libpq(tmp_path: Path) -> None:
    variables: dict[str, Any] = {
        "PGHOST": "elsewhere.invalid", "PGPORT": "1", "PGUSER": "nobody", "PGSERVICE": "missing",
        "PGCHANNELBINDING": "require", "PGREQUIREAUTH": "none", "PGOPTIONS": "-c x=y",
        "PGSSLMODE": "wrong", "PGTARGETSESSIONATTRS": "standby", "PGPASSFILE": "/missing",
    }  # fmt: skip
    url = f"embedded:{tmp_path / 'postgres'}"
    result = run_command("migrate", DATABASE_URL=url, **variables)
    assert result.returncode == 0, errors_of(result.stderr)
    result = run_command("psql", "-Atc", "select 1", DATABASE_URL=url, **variables)
    assert (result.returncode, result.stdout) == (0, "1\n")


def test_a_fault_of_both_urls_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@db/app?x=1")
    monkeypatch.delenv("MIGRATIONS_DATABASE_URL", raising=False)
    with pytest.raises(SettingsError) as raised:
        load_settings(tmp_path / "missing.env")
    assert str(raised.value).count("\n") == 0


def test_psql_shows_no_secret_in_its_arguments(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "psql"
    program.write_text('#!/bin/sh\necho "$@"; echo "$PGPASSWORD"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    url = database.replace("postgres@", "postgres:hunter2@")
    result = run_command("psql", "-c", "it's", DATABASE_URL=f"{url}&sslpassword=hunter3")
    arguments, password = result.stdout.splitlines()
    assert password == "hunter2"
    assert "hunter" not in arguments
    assert arguments.endswith("-c it's")
