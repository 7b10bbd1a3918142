"""Where the machine's own Chromium is, and how it is started: for tests and the benchmark."""

from __future__ import annotations

import shutil

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

# No sandbox: root and most containers cannot have one, and Chromium opens only our own pages. The
# other arguments keep Chromium from connecting to Google.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
