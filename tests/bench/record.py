"""results.json: all figures, with the versions of all programs."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from build import PGX_DEBIAN_PACKAGE
from contenders import FASTIFY_PACKAGES, GO, HEALTH, NODE

if TYPE_CHECKING:
    from goals import Goal
    from results import Results

PACKAGES = ("starlette", "uvicorn", "asyncpg", "orjson")
PEER_PACKAGES = ("fastapi", "sqlalchemy", "pydantic")

# What is measured by itself with `--only`, too.
Part: TypeAlias = Literal["search", "growth", "syncs", "progress", "pages"]
PARTS: Final = get_args(Part)

NODE_PACKAGES = {"fastify": "fastify", "postgres.js": "postgres"}

VERSION_SECONDS = 10


def write_record(results: Results, goals: list[Goal], command: str, path: Path) -> None:
    """Write the figures, the goals and the kind of machine, but nothing that identifies it.

    Parts of the file that were not measured stay as they are.
    """
    figures = asdict(results)
    postgresql = figures.pop("postgresql")
    parts = _read(path)
    record = {
        **_begin(command, goals, postgresql),
        **{name: parts[name] for name in PARTS if name in parts},
        **figures,
    }
    record["versions"] |= {
        **{package: version(package) for package in PEER_PACKAGES},
        **{name: _node_package_version(package) for name, package in NODE_PACKAGES.items()},
        "node": _version_of(str(NODE), "--version"),
        **(_go_versions() if GO.name in results.loads[HEALTH] else {}),
        "wrk": _version_of("wrk", "--version"),
    }
    _write(record, path)


def write_part(
    name: Part,
    figures: dict[str, Any],
    goals: list[Goal],
    command: str,
    postgresql: str,
    path: Path,
) -> None:
    """Write one part of the file, with its own date, command, versions and goals."""
    _write(_read(path) | {name: _begin(command, goals, postgresql) | figures}, path)


def _begin(command: str, goals: list[Goal], postgresql: str) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
        "machine": {
            "cpu": _cpu_model(),
            "cores": os.cpu_count(),
            "system": platform.system(),
        },
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
            "postgresql": postgresql,
            "git": _version_of("git", "--version"),
        },
        "goals": [asdict(goal) | {"is_held": goal.is_held} for goal in goals],
    }


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def _write(record: dict[str, Any], path: Path) -> None:
    # `parse_float` is called for every float of the record.
    rounded = json.loads(json.dumps(record), parse_float=_round)
    path.write_text(json.dumps(rounded, indent=2) + "\n")


def _round(number: str) -> float:
    return float(f"{float(number):.5g}")


def _cpu_model() -> str:
    # Only x86 has this line.
    models = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return models[0] if models else platform.machine()


def _node_package_version(package: str) -> str:
    return json.loads((FASTIFY_PACKAGES / package / "package.json").read_text())["version"]


def _go_versions() -> dict[str, str]:
    pgx = _version_of("dpkg-query", "--show", "--showformat=${Version}", PGX_DEBIAN_PACKAGE)
    return {"go": _version_of("go", "version"), "pgx": pgx}


def _version_of(*command: str) -> str:
    # wrk exits with 1 after printing its version.
    output = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=VERSION_SECONDS,
        check=False,
    ).stdout
    found = re.search(r"\d+(\.\d+)+", output)
    return found[0] if found else "unknown"
