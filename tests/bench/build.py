"""Builds the Go server, with the pgx of Debian's packages: Go itself downloads nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from contenders import GO, GO_BINARY, HERE, BenchmarkError

PGX_DEBIAN_PACKAGE: Final = "golang-github-jackc-pgx-v4-dev"
GOPATH: Final = Path("/usr/share/gocode")  # where Debian installs Go packages
PGX: Final = GOPATH / "src/github.com/jackc/pgx/v4"

# The first build also compiles pgx and the standard library.
BUILD_SECONDS = 300.0


def can_build_go() -> bool:
    """Return whether Go and pgx are installed."""
    return shutil.which("go") is not None and PGX.is_dir()


def build_go() -> None:
    """Build the binary of GO. Raises BenchmarkError."""
    variables = {"GO111MODULE": "off", "GOPATH": str(GOPATH), "CGO_ENABLED": "0"}
    try:
        subprocess.run(
            ["go", "build", "-o", str(GO_BINARY), "."],
            cwd=HERE / "go",
            env=os.environ | variables,
            check=True,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        output = " ".join(error.stderr.split())
        raise BenchmarkError(f"{GO.name} cannot be built: {output}") from error
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"{GO.name} was not built in {BUILD_SECONDS:.0f} s") from error
