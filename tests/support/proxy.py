"""HAProxy in front of the service, under a prefix of its own."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.fleet import HAPROXY, running_program, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

CONFIGURATION = """
frontend site
    mode http
    bind fd@{listener}
    timeout client 30s
    http-request redirect location /hub/ if {{ path /hub }}
    http-request deny deny_status 404 unless {{ path_beg /hub/ }}
    {rule}
    default_backend bmadflow

backend bmadflow
    mode http
    timeout connect 5s
    timeout server 30s
    server service 127.0.0.1:{port}
"""

STRIPS = r"http-request replace-path /hub(/.*) \1"


@contextmanager
def proxied_under_hub(folder: Path, port: int, *, strips: bool) -> Generator[str]:
    """Serve the service of this port below /hub; yield that URL, which ends with a slash.

    The proxy sends the path without /hub if it `strips`, or the whole path.
    """
    assert HAPROXY is not None
    listener = socket.create_server(("127.0.0.1", 0))
    configuration = folder / "haproxy.cfg"
    rule = STRIPS if strips else ""
    configuration.write_text(CONFIGURATION.format(listener=listener.fileno(), rule=rule, port=port))
    proxy_port = listener.getsockname()[1]
    log = folder / "haproxy.log"
    command = [HAPROXY, "-db", "-f", str(configuration)]
    with listener, running_program(command, log, keep=[listener.fileno()]) as process:
        wait_for_port(proxy_port, process, log)
        yield f"http://localhost:{proxy_port}/hub/"
