"""One PostgreSQL with TLS for the tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.migrations.run import migrate
from tests.support.tls import Certificates, TlsPostgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "certificates of a test")


@pytest.fixture(scope="session")
def tls_postgres(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[TlsPostgres]:
    with TlsPostgres(tmp_path_factory.mktemp("tls") / "server", certificates).run() as server:
        migrate(server.socket_url, print)
        yield server
