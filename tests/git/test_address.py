"""Which addresses count as public, and how a host is pinned to its addresses."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from service.git import address as git_address
from service.git.address import ADDRESSES_MAX, is_public, resolve_public
from service.git.errors import GitError
from tests.support.waiting import within

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return ("asyncio", {"use_uvloop": request.param == "uvloop"})


PUBLIC = ("8.8.8.8", "140.82.112.3", "172.32.0.1", "2606:4700:4700::1111", "2a01:4f8::1")
NOT_PUBLIC = (
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",  # carrier-grade NAT
    "100.100.100.200",  # Alibaba's metadata service
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",  # Azure's platform service
    "169.254.169.254",  # most other clouds' metadata service
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_special_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "0", "localhost", "::1", "10.1"],
)
async def test_a_host_with_a_private_address_is_refused(host: str) -> None:
    with pytest.raises(GitError, match="is not on the public internet"):
        await resolve_public(host, 443)


@pytest.mark.parametrize(
    "host", ["nothing.invalid", "", "x" * 64 + ".example", "a..b", "a\x00b", "host name"]
)
async def test_a_host_without_an_address_is_unknown(host: str) -> None:
    if host == "":  # getaddrinfo returns this machine's addresses
        with pytest.raises(GitError):
            await resolve_public(host, 443)
    else:
        with pytest.raises(GitError, match="is unknown"):
            await resolve_public(host, 443)


@pytest.mark.parametrize(
    ("host", "port", "pin"),
    [
        ("8.8.8.8", 443, "*:443:8.8.8.8"),
        ("2606:4700:4700::1111", 8443, "*:8443:[2606:4700:4700::1111]"),
    ],
)
async def test_a_public_address_is_pinned_in_curls_format(host: str, port: int, pin: str) -> None:
    assert await resolve_public(host, port) == pin


def set_addresses(monkeypatch: pytest.MonkeyPatch, *addresses: str, seconds: float = 0) -> None:
    """Let the look-up return these addresses: no name has them on every machine."""

    async def look_up(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(seconds)
        return list(addresses)

    monkeypatch.setattr(git_address, "_look_up", look_up)


async def test_all_addresses_of_a_host_are_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    set_addresses(monkeypatch, "8.8.8.8", "2606:4700::1", "8.8.4.4")
    assert await resolve_public("x", 443) == "*:443:8.8.8.8,[2606:4700::1],8.8.4.4"


async def test_only_the_first_addresses_of_many_are_pinned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    addresses = [f"8.8.8.{number}" for number in range(ADDRESSES_MAX + 3)]
    set_addresses(monkeypatch, *addresses)
    pin = await resolve_public("x", 443)
    assert pin == f"*:443:{','.join(addresses[:ADDRESSES_MAX])}"


@pytest.mark.parametrize("private", ["127.0.0.1", "::1", "169.254.169.254"])
async def test_a_host_with_one_private_address_among_public_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch, private: str
) -> None:
    set_addresses(monkeypatch, *["8.8.8.8"] * 20, private)
    with pytest.raises(GitError, match="is not on the public internet"):
        await resolve_public("x", 443)


async def test_a_look_up_has_a_time_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_addresses(monkeypatch, "8.8.8.8", seconds=60)
    monkeypatch.setattr(git_address, "RESOLVE_SECONDS", 0.05)
    with within(5), pytest.raises(GitError, match="in time"):
        await resolve_public("x", 443)


class _Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@pytest.mark.skipif(not socket.has_ipv6, reason="has no IPv6")
def test_git_connects_to_a_pinned_ipv6_address() -> None:
    try:
        server = _Server(("::1", 0), BaseHTTPRequestHandler)  # responds with 501 to every request
    except OSError:
        pytest.skip("has no IPv6")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        port = server.server_address[1]
        command = ["git", "ls-remote", f"http://docs.invalid:{port}/x"]
        configuration = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.curloptResolve",
            "GIT_CONFIG_VALUE_0": f"*:{port}:[::1]",
        }
        finished = subprocess.run(
            command, capture_output=True, env=os.environ | configuration, check=False
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert b"returned error: 501" in finished.stderr
