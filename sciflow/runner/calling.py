"""Running a program on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess

from sciflow.runner.failures import CodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Optional, Sequence


def call(argv: Sequence[str], stdin: Any, stdout: Any, env: Optional[Mapping[str, str]] = None) -> int:
    """Run a program; its exit code, or minus the number of the signal that ended it.

    Raises:
        CodeError: it is not there, or cannot be started.
    """
    program = argv[0] if "/" in argv[0] else shutil.which(argv[0])
    if program is None:
        raise CodeError(f"program {argv[0]!r} is not found here; PATH is {os.environ.get('PATH', '')}")
    try:
        return subprocess.call(argv, executable=program, stdin=stdin, stdout=stdout, env=env)
    except (FileNotFoundError, PermissionError) as error:
        raise CodeError(f"program {program!r} cannot be started: {error.strerror}") from error
