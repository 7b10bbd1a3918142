"""git through a forward proxy, over TLS, as on a network without another way out."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from service.git.credentials import GitToken
from service.git.errors import GitMachineError
from service.git.options import GitOptions
from service.git.proxy import check_proxy
from service.git.repository import GitRepository
from tests.support.forward_proxy import ForwardProxy, forward_proxy
from tests.support.git_repository import TOKEN, fetch_all, fetch_error
from tests.support.git_server import GitServer, git_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

PASSWORD = "p@ss/w%rd"
QUOTED = "p%40ss%2Fw%25rd"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with a key, and a certificate of git.example."""
    path = tmp_path / "git.example.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path, "-out",
         tmp_path / "certificate.pem", "-days", "2", "-subj", "/CN=git.example",
         "-addext", "subjectAltName=DNS:git.example,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + (tmp_path / "certificate.pem").read_text())
    return path


@pytest.fixture
def tls_server(tmp_path: Path, certificate: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "served", certificate) as server:
        server.create().commit({"a.md": b"a"})
        yield server


@pytest.fixture
def proxy(tls_server: GitServer) -> Iterator[ForwardProxy]:
    with forward_proxy({"git.example:443": tls_server.port}) as proxy:
        yield proxy


def options(tmp_path: Path, proxy: str | None, **changes: Any) -> GitOptions:
    config = tmp_path / "gitconfig"
    config.write_text(f"[http]\n\tsslCAInfo = {tmp_path}/certificate.pem\n")
    return GitOptions(config_global=str(config), proxy=proxy, seconds=30, **changes)


URL = "https://git.example/team/docs.git"


async def test_a_repository_is_fetched_through_the_proxy_which_looks_its_host_up(
    tmp_path: Path, proxy: ForwardProxy, tls_server: GitServer
) -> None:
    """git.example has no address here."""
    token = GitToken("git.example", TOKEN)
    through = options(tmp_path, f"http://127.0.0.1:{proxy.port}", tokens=(token,))
    _, contents = await fetch_all(through, URL)
    assert contents == {b"a.md": b"a"}
    assert all(head.startswith("CONNECT git.example:443 ") for head in proxy.heads)
    # The token goes to the host, inside of TLS.
    assert not any("\nauthorization" in head.lower() for head in proxy.heads)
    assert all("authorization" in request.headers for request in tls_server.requests)
    assert "unknown" in await fetch_error(options(tmp_path, None), URL)


async def test_the_proxys_password_is_sent_to_the_proxy_and_shown_nowhere(
    tmp_path: Path, proxy: ForwardProxy, tls_server: GitServer
) -> None:
    proxy.authorization = f"Basic {b64encode(f'me:{PASSWORD}'.encode()).decode()}"
    through = options(tmp_path, f"http://me:{QUOTED}@127.0.0.1:{proxy.port}")
    assert PASSWORD not in repr(through)
    assert QUOTED not in repr(through)
    _, contents = await fetch_all(through, URL)
    assert contents == {b"a.md": b"a"}
    assert not any("proxy-authorization" in request.headers for request in tls_server.requests)
    proxy.authorization = "Basic other"
    text = await fetch_error(through, URL)
    assert "(407)" in text
    assert PASSWORD not in text
    assert QUOTED not in text


async def test_what_fails_at_the_proxy_is_the_services_fault(
    tmp_path: Path, proxy: ForwardProxy
) -> None:
    proxy_url = f"http://127.0.0.1:{proxy.port}"
    for url, proxy_at, said in (
        (
            "https://other.example/a",
            proxy_url,
            "The proxy (GIT_PROXY) refuses the connection (403).",
        ),
        (URL, "http://127.0.0.1:1", "The proxy (GIT_PROXY) cannot be reached."),
        (URL, "http://me:secret@nowhere.invalid:3128", "The proxy (GIT_PROXY) cannot be reached."),
    ):
        async with GitRepository(options(tmp_path, proxy_at)) as repository:
            with pytest.raises(GitMachineError) as raised:
                await repository.read_head(url, None)
            assert str(raised.value) == said


async def test_a_host_of_no_proxy_is_reached_without_it(
    tmp_path: Path, proxy: ForwardProxy, tls_server: GitServer
) -> None:
    address = f"127.0.0.1:{tls_server.port}"
    proxy_url = f"http://127.0.0.1:{proxy.port}"
    direct = options(tmp_path, proxy_url, no_proxy=(address,), private_networks=True)
    _, contents = await fetch_all(direct, f"https://{address}/team/docs.git")
    assert contents == {b"a.md": b"a"}
    assert proxy.heads == []
    checked = options(tmp_path, proxy_url, no_proxy=(address,))
    text = await fetch_error(checked, f"https://{address}/team/docs.git")
    assert "not on the public internet" in text


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "[::1]", "169.254.169.254"])
async def test_a_private_address_is_refused_through_a_proxy_too(
    tmp_path: Path, proxy: ForwardProxy, host: str
) -> None:
    through = options(tmp_path, f"http://127.0.0.1:{proxy.port}")
    assert "not on the public internet" in await fetch_error(through, f"https://{host}/a.git")
    assert proxy.heads == []


async def test_the_environments_proxy_is_not_used(
    tmp_path: Path, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert "unknown" in await fetch_error(options(tmp_path, None), URL)
    assert proxy.heads == []


@pytest.mark.parametrize(
    "url",
    [
        "http://proxy:3128",
        "http://proxy",
        "http://proxy:3128/",
        "https://proxy.example:443",
        "socks5h://[2001:db8::1]:1080",
        f"http://me:{QUOTED}@proxy:3128",
    ],
)
def test_the_url_of_a_proxy_is_accepted(url: str) -> None:
    check_proxy(url)


@pytest.mark.parametrize(
    "url",
    [
        "proxy:3128", "//proxy", "http://", "http://:3128", "ftp://proxy", "socks5://proxy",
        "http://proxy:x", "http://proxy:0", "http://proxy:99999", "http://[::1", "http://proxy/a",
        "http://proxy?hunter2", "http://proxy#hunter2", "http://me:hunter2/x@proxy",
        "http://me:hunter2@x@proxy", "http://me:hunter2%@proxy", "http://me:hunter2%0a@proxy",
        "http://me:hunter2%00@proxy", "http://me@proxy", "http://me:@proxy", "http://pro xy",
        "http://me:hunter2\u00e9@proxy",
    ],
)  # fmt: skip
def test_other_urls_are_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be|has a") as raised:
        check_proxy(url)
    assert "hunter2" not in str(raised.value)
