from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from service.server.sockets import ListenError, listen
from service.settings import SettingsError


def has_ipv6() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET6) as unbound:
        unbound.bind(("::", 0))
        return True
    return False


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a..b", "x" * 300])
def test_an_address_of_another_machine_is_a_settings_error(host: str) -> None:
    with pytest.raises(SettingsError, match=r"^BACKEND_HOST: is n") as raised:
        listen(host, 0)
    assert host not in str(raised.value)


def test_only_one_of_two_services_gets_a_port() -> None:
    sockets = listen("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    with pytest.raises(ListenError, match="Address already in use"):
        listen("127.0.0.1", port)
    sockets[0].close()


def test_a_name_is_listened_on_at_its_addresses() -> None:
    sockets = listen("localhost", 0)
    addresses = {found.getsockname()[0] for found in sockets}
    for listening in sockets:
        listening.close()
    assert "127.0.0.1" in addresses


def test_a_name_with_a_public_address_is_public_despite_a_loopback_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def look_up(*_: object, **_options: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        addresses = [("127.0.0.1", 0), ("192.0.2.1", 0)]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(SettingsError, match=r"^API_TOKEN: is wanted$"):
        listen("two.example", 0, only_loopback="API_TOKEN: is wanted")


@pytest.mark.skipif(not has_ipv6(), reason="has no IPv6")
def test_an_ipv6_socket_accepts_no_ipv4() -> None:
    # Linux sets the option itself where the address is another than ::.
    (listening,) = listen("::", 0)
    with listening:
        assert listening.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
