"""The engine of a detached run: `python -m sciflow.engine RUN_FOLDER [--reopen | --follow]`."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

from sciflow.core.records import Phase
from sciflow.engine.conclusion import end_without_engine
from sciflow.engine.launch import carry_on
from sciflow.engine.run_folder import RunFolder
from sciflow.errors import RunBusy, SciflowError


def main() -> None:
    """Carries the run on; what goes wrong stands in `logs/engine.log` and in the run's database."""
    folder = RunFolder(Path(sys.argv[1]))
    try:
        outcome = carry_on(folder, reopen="--reopen" in sys.argv[2:], follow="--follow" in sys.argv[2:])
    except RunBusy as error:
        sys.exit(f"{error}")
    except SciflowError as error:
        with contextlib.suppress(SciflowError):  # where nothing can be written the log alone tells, or nothing does
            end_without_engine(folder, Phase.ERROR, str(error))
        sys.exit(f"{type(error).__name__}: {error}")
    sys.stdout.write(f"{time.strftime('%F %T')} engine {os.getpid()}: {outcome.phase.value}\n")


if __name__ == "__main__":
    main()
