from __future__ import annotations

import pytest

from service.server.sockets import ListenError, listen
from service.settings import SettingsError


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
