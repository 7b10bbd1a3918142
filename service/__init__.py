"""BMADFlow API: the backend of a documentation hub for teams that use the BMAD Method."""

from pathlib import Path

__version__ = "0.1.0"

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds `service` and `sql`, to which paths in settings are relative."""
