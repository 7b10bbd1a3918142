"""The machine's own Chromium, which connects to this machine only."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import HttpCredentials, sync_playwright

from tests.support.chromium import ARGUMENTS, CHROMIUM

if TYPE_CHECKING:
    from collections.abc import Generator

    from playwright.sync_api import Page

# In CI a missing Chromium fails the tests instead of skipping them.
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="there is no Chromium on this machine"
)


@contextmanager
def browser_page(base_url: object, password: str = "") -> Generator[Page]:
    """Open an empty page that resolves paths against `base_url`.

    With a password, the browser sends it where the service asks for one, as a person would.
    """
    given = HttpCredentials(username="somebody", password=password) if password else None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_context(base_url=str(base_url), http_credentials=given).new_page()
        page.set_default_timeout(20_000)
        yield page
        browser.close()


class _EmptyPage(BaseHTTPRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        body = b'<!doctype html><link rel="icon" href="data:,"><title>Front end</title>'
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def front_end_server() -> Generator[str]:
    """Serve an empty page on an origin of its own, as http://localhost:3000 is; yield the origin.

    A page from playwright's routing has no address, and Chromium blocks its requests to this
    machine.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _EmptyPage)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
