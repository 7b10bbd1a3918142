"""The signals that stop the service."""

from __future__ import annotations

import signal


def stop_signals() -> tuple[signal.Signals, ...]:
    """Return SIGINT and SIGTERM, and SIGHUP unless it is ignored, as under nohup.

    The first two also where whatever started the service ignores them: a shell does so for SIGINT
    of background jobs, and otherwise only SIGKILL would end the service.
    """
    always = (signal.SIGINT, signal.SIGTERM)
    is_hup_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return always if is_hup_ignored else (*always, signal.SIGHUP)
