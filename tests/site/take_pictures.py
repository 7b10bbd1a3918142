"""Takes the README's pictures: `python -m tests.site.take_pictures` writes docs/pictures/.

Needs Chromium. The pictures show the projects that tests sync, as they are on the day.
"""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from service import ROOT
from service.migrations.run import migrate
from tests.site.berths import commit_berths
from tests.site.browser import Look, launched, visiting
from tests.support.bmad_repositories.history import push
from tests.support.bmad_repositories.v4 import lending_library
from tests.support.bmad_repositories.v6 import invoices
from tests.support.hub import running_hub
from tests.support.postgres import Postgres

if TYPE_CHECKING:
    from tests.support.hub import Hub

FOLDER: Final = ROOT / "docs/pictures"
WIDTH: Final = 1200
MOST_BYTES: Final = 120_000
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def sync_projects(hub: Hub) -> str:
    """Sync the projects of the pictures; return the id of the one whose board is shown."""
    for name, product in (("Lending Library", lending_library()), ("Invoices", invoices())):
        remote = hub.server.create(f"team/{name.split()[-1].lower()}")
        push(remote, product.history.commits)
        hub.sync(hub.create_source(hub.create_project(name), remote))
    remote = hub.server.create("harbour/berths")
    commit_berths(remote, datetime.now(UTC).date())
    project = hub.create_project("Berths")
    hub.sync(hub.create_source(project, remote, name="Planning"))
    return project


def compress(png: bytes) -> bytes:
    """Return the picture without what is no pixel of it, compressed as well as zlib can."""
    parts: dict[bytes, bytes] = {}
    place = len(SIGNATURE)
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        name = png[place + 4 : place + 8]
        parts[name] = parts.get(name, b"") + png[place + 8 : place + 8 + length]
        place += length + 12
    parts[b"IDAT"] = zlib.compress(zlib.decompress(parts[b"IDAT"]), 9)
    return SIGNATURE + b"".join(
        struct.pack(">I", len(parts[name]))
        + name
        + parts[name]
        + struct.pack(">I", zlib.crc32(name + parts[name]))
        for name in (b"IHDR", b"IDAT", b"IEND")
    )


def take_pictures(folder: Path) -> None:
    """Write each page's picture in light and dark."""
    with TemporaryDirectory() as temporary:
        server = Postgres(Path(temporary) / "postgres")
        migrate(server.start(), print)
        with running_hub(server.url, Path(temporary)) as hub, launched() as browser:
            project = sync_projects(hub)
            pages = {
                "overview": ("/", 500),
                "board": (f"/projects/{project}", 720),
                "document": (f"/projects/{project}/files/docs/architecture.md", 720),
            }
            with visiting(browser, hub.client.base_url) as open_page:
                for look in (Look("light"), Look("dark")):
                    for name, (path, height) in pages.items():
                        page = open_page(path, look)
                        page.set_viewport_size({"width": WIDTH, "height": height})
                        picture = compress(page.screenshot())
                        assert len(picture) <= MOST_BYTES, f"{name}: {len(picture)} bytes"
                        (folder / f"{name}-{look.scheme}.png").write_bytes(picture)
        server.stop()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    take_pictures(FOLDER)
