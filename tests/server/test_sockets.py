from __future__ import annotations

import pytest

from service.server.sockets import ListenError, listen
from service.settings import SettingsError


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a..b", "x" * 300])
def test_an_address_that_is_not_of_this_machine_is_a_bad_setting(host: str) -> None:
    with pytest.raises(SettingsError, match=r"^BACKEND_HOST: is n") as raised:
        listen(host, 0)
    assert host not in str(raised.value)


def test_of_two_that_start_together_one_gets_the_port() -> None:
    sockets = listen("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    with pytest.raises(ListenError, match="Address already in use"):
        listen("127.0.0.1", port)
    sockets[0].close()


def test_it_listens_on_every_address_of_a_name() -> None:
    sockets = listen("localhost", 0)
    addresses = {found.getsockname()[0] for found in sockets}
    for listening in sockets:
        listening.close()
    assert "127.0.0.1" in addresses
