"""One measurement in a fresh process: `python -m benchmarks.child MODULE:FUNCTION[:ARGUMENT] SIZE FOLDER`."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main(work: str, size: str, folder: str) -> None:
    """Does the work and prints its figures, as JSON on the last line."""
    module, name, *arguments = work.split(":")
    function = getattr(importlib.import_module(f"benchmarks.{module}"), name)
    figures: dict[str, float] = function(*arguments, int(size), Path(folder))
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
