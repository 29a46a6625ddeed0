"""A compiled likeness of the runner's zip beside it: without it, Python compiles the runner anew for every element."""

from __future__ import annotations

import os
import sys

from sciflow.runner.placing import write_whole

CODE_HEADER = 16  # bytes of a compiled file before its code


def make_likeness() -> None:
    """Make it for this Python, if this runner is a zip and it has none. That it cannot be made is no error."""
    runner = os.path.abspath(sys.argv[0])
    likeness = f"{runner}.{sys.implementation.cache_tag}"
    if not runner.endswith(".zip") or os.path.exists(likeness) or not sys.implementation.cache_tag:
        return
    try:
        write_whole(likeness, _compiled(runner, likeness))
    except OSError:
        return


def _compiled(runner: str, likeness: str) -> bytes:
    import io
    import marshal
    import zipfile
    from importlib.util import MAGIC_NUMBER

    made = io.BytesIO()
    head = MAGIC_NUMBER + bytes(CODE_HEADER - len(MAGIC_NUMBER))
    with zipfile.ZipFile(runner) as sources, zipfile.ZipFile(made, "w") as archive:
        for name in sources.namelist():
            if "/" in name:
                code = compile(sources.read(name), f"{likeness}/{name}", "exec", dont_inherit=True)
                archive.writestr(f"{name}c", head + marshal.dumps(code))
    return made.getvalue()
