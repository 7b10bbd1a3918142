"""Certificates and HOME: each fault is one line at the start, never an endless outage."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from service import ROOT
from service.connecting.files import user_name
from service.connecting.tls import check_files
from service.connecting.url import UrlError, read_url
from tests.connecting.test_drivers import TLS, ask_both
from tests.support.postgres import run_sql
from tests.support.service import Service, errors_of, run_command, service_environment
from tests.support.tls import QUOTED_PASSWORD, needs_tls_postgres
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.postgres import Postgres
    from tests.support.tls import Certificates, TlsPostgres

NAMELESS = 64_123  # a uid without an entry in passwd


@pytest.fixture
def folder(tmp_path: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of files, good and bad, and an empty HOME."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home/.postgresql").mkdir(parents=True)
    (tmp_path / "garbage").write_text("hunter2")
    (tmp_path / "empty").touch()
    shutil.copy(certificates.client_key, tmp_path / "open.key")
    (tmp_path / "open.key").chmod(0o644)
    for source in certificates.folder.glob("*"):
        shutil.copy(source, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sslrootcert=missing", "sslrootcert cannot be read (No such file or directory)"),
        ("sslrootcert=home", "sslrootcert"),
        ("sslrootcert=garbage", "sslrootcert holds no certificates"),
        ("sslrootcert=empty", "sslrootcert holds no certificates"),
        ("sslrootcert=authority.crt&sslcrl=missing", "sslcrl cannot be read"),
        ("sslrootcert=authority.crt&sslcrl=garbage", "sslcrl holds no certificates"),
        ("sslrootcert=authority.crt&sslcrldir=missing", "sslcrldir cannot be read"),
        ("sslcert=missing", "cannot be read"),
        ("sslcert=client.crt&sslkey=missing", "sslkey cannot be read"),
        ("sslcert=client.crt&sslkey=open.key", "sslkey may be read by others"),
        ("sslcert=client.crt&sslkey=server.key", "sslcert holds no certificate with the key"),
        ("sslcert=client.crt&sslkey=encrypted.key", "sslpassword is not the key's"),
        ("sslcert=client.crt&sslkey=encrypted.key&sslpassword=hunter2", "sslpassword"),
        ("sslcert=garbage&sslkey=client.key", "sslcert holds no certificate"),
        ("sslcert=client.crt", "sslcert holds no certificate with the key"),
        ("passfile=missing", "passfile names cannot be read"),
        ("passfile=home", "passfile names is not a plain file"),
        ("passfile=open.key", "passfile names may be read or written by others"),
        ("sslmode=verify-full", "sslmode=verify-full needs a certificate authority"),
        ("sslmode=verify-ca", "sslmode=verify-ca needs a certificate authority"),
        ("ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2", "is below"),
        ("ssl_max_protocol_version=TLSv1.1", "is below"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_at_the_start(
    query: str, said: str, folder: Path
) -> None:
    (folder / "server.key").chmod(0o600)
    (folder / "client.crt").chmod(0o600)
    pairs = [pair.partition("=") for pair in query.split("&")]
    files = {"sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir", "passfile"}
    query = "&".join(
        f"{name}={folder / value if name in files else value}" for name, _, value in pairs
    )
    if "sslmode" not in query:
        query += "&sslmode=require"
    url = f"postgresql://u@db.invalid/app?{query}"
    with pytest.raises(UrlError) as raised:
        check_files(read_url(url))
    assert said in str(raised.value)
    assert "hunter2" not in str(raised.value)
    # The same for the commands.
    if query.startswith(("sslrootcert", "passfile")):
        result = run_command("migrate", DATABASE_URL=url)
        assert (result.returncode, errors_of(result.stderr)) == (
            2,
            f"error: DATABASE_URL: {raised.value}\n",
        )


def test_files_do_not_matter_without_tls(folder: Path) -> None:
    check_files(read_url(f"postgresql://u@db/app?sslmode=disable&sslrootcert={folder}/missing"))
    check_files(read_url(f"postgresql://u@/app?host={folder}&sslrootcert={folder}/missing"))


def test_a_system_without_authorities_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_command(
        "status",
        DATABASE_URL="postgresql://u@db/app?sslrootcert=system",
        SSL_CERT_FILE="/missing",
        SSL_CERT_DIR="/missing",
    )
    assert result.returncode == 2
    assert "install ca-certificates, or set SSL_CERT_FILE" in errors_of(result.stderr)
    assert errors_of(result.stderr).count("\n") == 1


@needs_tls_postgres
def test_the_files_of_home_are_taken_by_both_drivers(
    folder: Path, tls_postgres: TlsPostgres
) -> None:
    certificates = tls_postgres.certificates
    home = folder / "home/.postgresql"
    verified = tls_postgres.url("secure", sslmode="verify-full")
    required = tls_postgres.url("secure", sslmode="require")
    assert ask_both(required) == TLS
    shutil.copy(certificates.other_authority, home / "root.crt")
    assert ask_both(verified) == ask_both(required) == "failed"
    shutil.copy(certificates.authority, home / "root.crt")
    assert ask_both(verified) == ask_both(required) == TLS
    shutil.copy(certificates.revoked_server, home / "root.crl")
    assert ask_both(verified) == "failed"
    (home / "root.crl").unlink()
    shutil.copy(certificates.client, home / "postgresql.crt")
    shutil.copy(certificates.client_key, home / "postgresql.key")
    certified = tls_postgres.url("certified", sslmode="require")
    assert ask_both(certified) == TLS
    shutil.move(home / "postgresql.crt", folder / "elsewhere.crt")  # its key is still in HOME
    assert ask_both(certified) == "failed"
    assert ask_both(f"{certified}&sslcert={folder}/elsewhere.crt") == TLS
    shutil.copy(certificates.both, home / "postgresql.crt")
    (home / "postgresql.crt").chmod(0o600)
    (home / "postgresql.key").unlink()
    assert ask_both(certified) == TLS
    (home / "postgresql.crt").unlink()
    for place in (home.parent / ".pgpass", folder / "passwords"):
        place.write_text(f"localhost:{tls_postgres.port}:*:secure:p@ss w\\:rd\n")
        place.chmod(0o600)
    without = required.replace(f":{QUOTED_PASSWORD}", "")
    assert ask_both(without) == TLS
    (home.parent / ".pgpass").unlink()
    assert ask_both(without) == "failed"
    assert ask_both(f"{without}&passfile={folder}/passwords") == TLS


# A user namespace: no other uid could enter the folders of the interpreter and of the project.
PREFIX = ["unshare", "--user", f"--map-user={NAMELESS}", f"--map-group={NAMELESS}"]


def has_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*PREFIX, "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder that an ordinary account may not enter."""
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0)
    yield folder
    folder.chmod(0o700)


@pytest.mark.skipif(not has_namespaces(), reason="there are no user namespaces here")
@needs_tls_postgres
@pytest.mark.parametrize("home", ["closed", "missing", "empty", "unset"])
@pytest.mark.parametrize("role", ["secure", "plain"])
def test_a_nameless_account_serves_whatever_home_it_has(
    home: str, role: str, closed: Path, tls_postgres: TlsPostgres, tmp_path: Path
) -> None:
    homes = {"closed": str(closed), "missing": str(tmp_path / "missing"), "empty": ""}
    environment = service_environment(DATABASE_URL=tls_postgres.url(role))
    environment.pop("HOME", None)
    if home in homes:
        environment["HOME"] = homes[home]
    command = [*PREFIX, sys.executable, "-m", "service"]

    def run(*arguments: str) -> tuple[int, str]:
        result = subprocess.run(
            [*command, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return result.returncode, errors_of(result.stderr)

    code, errors = run("migrate")
    assert code == 0, errors
    assert run("psql", "-c", "select 1") == (0, "")
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "serve"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    service = Service(process, log)
    try:
        assert service.is_healthy()
    finally:
        process.terminate()
        assert service.wait() == 0
    environment["DATABASE_URL"] = f"postgresql://localhost:{tls_postgres.port}/bmadflow"
    said = "error: DATABASE_URL: names no user, and the uid of this process has no name: write "
    said += "postgresql://user@host/database\n"
    assert run("migrate") == run("serve") == (2, said)


def test_a_url_without_a_user_is_for_the_account_of_the_process(
    postgres: Postgres, database: str, start_service: Callable[..., Service]
) -> None:
    name = user_name()
    assert name is not None
    url = database.replace("postgres@", "")
    environment: dict[str, Any] = {
        "DATABASE_URL": url,
        "USER": "someone-else",
        "LOGNAME": "someone-else",
    }
    result = run_command("status", **environment)
    assert result.returncode == 1
    assert errors_of(result.stderr).endswith(f'role "{name}" does not exist\n')
    service = start_service(**environment)
    response = httpx.get(f"{service.url}/api/health")
    assert (response.status_code, response.json()["reason"]) == (503, "unreachable")
    assert f'role "{name}" does not exist' in service.wait_for("health_lost")["error"]
    run_sql(postgres.url, f'create role "{name}" login superuser')
    try:
        eventually(service.is_healthy)
        assert run_command("status", **environment).returncode == 0
    finally:
        service.end()
        run_sql(postgres.url, f'drop role "{name}"')
