"""A queue for machines without a batch system: placeholder until its supervisor is here."""

from __future__ import annotations

import sys


def main(argv: list[str]) -> int:
    """Do what is asked; the exit code."""
    sys.stderr.write(f"sciflow: shell {' '.join(argv)}: not yet\n")
    return 1
