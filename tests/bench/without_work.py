"""The service without its readers of stories, epics and problems, to compare it with.

It is a copy of the service's files in which one function returns nothing, so that both are the same
in all else.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from service import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from contenders import Contender

READERS: Final = "service/bmad/reading.py"
NOTHING: Final = '''"""Reads nothing."""

from service.bmad.document import BmadDocument
from service.bmad.readings import Reading


def read_document(document: BmadDocument) -> Reading:
    """Return an empty reading."""
    return {}
'''


def copy_without_work(service: Contender, folder: Path) -> Contender:
    """Return the service without readers and history, whose files are copied to a new folder."""
    for name in ("service", "sql"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".env", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / READERS).write_text(NOTHING)
    variables = service.variables | {"SYNC_HISTORY_COMMITS": "0"}
    return replace(service, name="service without work", folder=folder, variables=variables)
