"""`python -m tests.attacks [NAME…]`: run the attacks, and print what each cost the service."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path

import tests.attacks
from tests.attacks.arena import ATTACKS, Checkout, Result, run_attack
from tests.support.postgres import Postgres

QUIET_SECONDS = 10.0


def main() -> int:
    """Return 0 if every bound held, else 1."""
    for module in pkgutil.iter_modules(tests.attacks.__path__):
        if module.name != "__main__":
            importlib.import_module(f"tests.attacks.{module.name}")
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(sorted(ATTACKS)))
    parser.add_argument(
        "--checkout", type=Path, help="attack the code of another checkout, with its .venv"
    )
    parser.add_argument(
        "--quiet-seconds",
        type=float,
        default=QUIET_SECONDS,
        help="how long after the attack memory is read again",
    )
    options = parser.parse_args()
    if unknown := set(options.names) - ATTACKS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    checkout = Checkout(options.checkout.resolve()) if options.checkout else Checkout()
    is_held = True
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        postgres = Postgres(Path(folder, "postgres"))
        postgres.start()
        try:
            for name in options.names or sorted(ATTACKS):
                own_folder = Path(folder, name)
                own_folder.mkdir()
                print(f"{name}: {(ATTACKS[name].run.__doc__ or '').strip()}", flush=True)
                result = run_attack(
                    checkout, postgres, own_folder, ATTACKS[name], options.quiet_seconds
                )
                _print_result(result)
                is_held = is_held and not result.broken
        finally:
            postgres.stop()
    return 0 if is_held else 1


def _print_result(result: Result) -> None:
    observed = result.observed
    if observed is not None:
        failures = f", not 200: {observed.failures}" if observed.failures else ""
        print(
            f"  memory: {result.idle_mb:.0f} MB before, {observed.peak_mb:.0f} MB at the peak, "
            f"{result.quiet_mb:.0f} MB after\n"
            f"  health: {observed.probes} probes, slowest {observed.slowest:.3f} s, "
            f"p99 {observed.p99:.3f} s{failures}"
        )
    print(f"  SIGTERM: {result.stop_seconds:.1f} s")
    for name, value in result.figures.items():
        print(f"  {name}: {value}")
    print(f"  {'; '.join(result.broken) or 'all bounds held'}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
