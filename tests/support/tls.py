"""PostgreSQL with TLS, and the certificates for it, by the openssl program."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import psycopg
import pytest

from service.embedded.account import choose_account, hand_over
from tests.support.fleet import free_ports, running_program
from tests.support.output import tail
from tests.support.postgres import FAST, run_sql
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Generator

PASSWORD: Final = "p@ss w:rd"
QUOTED_PASSWORD: Final = "p%40ss%20w%3Ard"
KEY_PASSWORD: Final = "key"

# `secure` must use TLS, `plain` must not, and `certified` has a certificate in place of a password.
ROLES: Final = ("secure", "plain", "certified", "either")
AUTHENTICATION = """
hostssl   all certified all cert
hostnossl all certified all reject
hostssl   all secure    all scram-sha-256
hostnossl all secure    all reject
hostssl   all plain     all reject
hostnossl all plain     all scram-sha-256
host      all either    all scram-sha-256
local     all all           trust
"""

OPENSSL_CONFIGURATION = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[server]
subjectAltName = DNS:localhost
[client]
extendedKeyUsage = clientAuth
[ca]
default_ca = default
[default]
database = {folder}/index
default_md = sha256
default_crl_days = 30
"""


def find_tls_postgres() -> Path | None:
    """Return the folder of an installed PostgreSQL that has TLS; the embedded one has none."""
    for program in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True):
        if b"ssl_ca_file" in program.read_bytes() and b"libssl" in program.read_bytes():
            return program.parent
    return None


needs_tls_postgres = pytest.mark.skipif(
    find_tls_postgres() is None or shutil.which("openssl") is None,
    reason="there is no PostgreSQL with TLS, or no openssl, on this machine",
)


class Certificates:
    """An authority, a certificate for the host `localhost`, and one for the role `certified`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._configuration = folder / "openssl.cnf"
        self._configuration.write_text(OPENSSL_CONFIGURATION.format(folder=folder))
        (folder / "index").touch()
        self.authority = self._create_authority("authority")
        self.other_authority = self._create_authority("other")
        self.server = self._sign("server", "localhost")
        self.client = self._sign("client", "certified")
        self.client_key = self.client.with_suffix(".key")
        self.both = folder / "both.pem"
        self.both.write_text(self.client.read_text() + self.client_key.read_text())
        self.encrypted_key = folder / "encrypted.key"
        encrypt = ("-aes256", "-passout", f"pass:{KEY_PASSWORD}", "-out", self.encrypted_key)
        self._run("rsa", "-in", self.client_key, *encrypt)
        for key in (self.both, self.client_key, self.encrypted_key):
            key.chmod(0o600)
        self.revoked_none = self._revoke("none.crl")
        self.revoked_server = self._revoke("server.crl", self.server)

    def _run(self, *arguments: object) -> None:
        command = ["openssl", *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder)

    def _create_authority(self, name: str) -> Path:
        path = self.folder / f"{name}.crt"
        self._run(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
            "-config", self._configuration, "-extensions", "authority", "-subj", f"/CN={name}",
            "-keyout", path.with_suffix(".key"), "-out", path,
        )  # fmt: skip
        return path

    def _sign(self, name: str, subject: str) -> Path:
        path = self.folder / f"{name}.crt"
        request = path.with_suffix(".csr")
        self._run(
            "req", "-newkey", "rsa:2048", "-nodes", "-config", self._configuration,
            "-subj", f"/CN={subject}", "-keyout", path.with_suffix(".key"), "-out", request,
        )  # fmt: skip
        self._run(
            "x509", "-req", "-in", request, "-days", "30",
            "-CA", self.authority, "-CAkey", self.authority.with_suffix(".key"),
            "-CAcreateserial", "-extfile", self._configuration, "-extensions", name, "-out", path,
        )  # fmt: skip
        return path

    def _revoke(self, name: str, certificate: Path | None = None) -> Path:
        authority = ("-cert", self.authority, "-keyfile", self.authority.with_suffix(".key"))
        authority += ("-config", self._configuration)
        if certificate:
            self._run("ca", *authority, "-revoke", certificate)
        self._run("ca", *authority, "-gencrl", "-out", self.folder / name)
        return self.folder / name


class TlsPostgres:
    """PostgreSQL on a port of `localhost`, with TLS and the database `bmadflow`."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self.folder = folder
        self.certificates = certificates
        [self.port] = free_ports(1)
        self.socket_url = f"postgresql://postgres@/bmadflow?host={folder}&port={self.port}"

    def url(self, role: str, host: str = "localhost", **options: object) -> str:
        """Return the URL for a role, with its password."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"postgresql://{role}:{QUOTED_PASSWORD}@{host}:{self.port}/bmadflow?{query}"

    @contextmanager
    def run(self) -> Generator[Self]:
        binaries = find_tls_postgres()
        assert binaries is not None
        self.folder.mkdir(mode=0o755)
        data, log = self.folder / "data", self.folder / "server.log"
        server = self.folder / "server"
        for suffix in (".crt", ".key"):
            shutil.copy(self.certificates.server.with_suffix(suffix), server.with_suffix(suffix))
        server.with_suffix(".key").chmod(0o600)
        shutil.copy(self.certificates.authority, self.folder / "authority.crt")
        account = choose_account(self.folder, binaries)
        hand_over(self.folder, account)
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-N", "-E", "UTF8"]
        account.run(initdb).check_returncode()
        (data / "pg_hba.conf").write_text(AUTHENTICATION)
        options = FAST | {
            "listen_addresses": "localhost",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "ssl": "on",
            "ssl_cert_file": f"{server}.crt",
            "ssl_key_file": f"{server}.key",
            "ssl_ca_file": str(self.folder / "authority.crt"),
        }
        command = [str(binaries / "postgres"), "-D", str(data)]
        command += [f"--{name}={value}" for name, value in options.items()]
        with running_program(command, log, folder=self.folder) as process:
            postgres = self.socket_url.replace("/bmadflow?", "/postgres?")

            def is_ready() -> bool:
                try:
                    run_sql(postgres, "create database bmadflow")
                except psycopg.OperationalError:
                    return False
                return True

            eventually(lambda: process.poll() is not None or is_ready(), 30)
            assert process.poll() is None, tail(log)
            for role in ROLES:
                password = PASSWORD.replace("'", "''")
                run_sql(
                    self.socket_url, f"create role {role} superuser login password '{password}'"
                )
            yield self
