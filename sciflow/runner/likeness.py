"""A compiled likeness of the runner's zip beside it: without it, Python compiles the runner anew for every element.

It is no zip: Python's own way through one costs an element more than all that the element does for its tasks.
"""

from __future__ import annotations

import os
import sys

from sciflow.runner.placing import write_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

FINDER = "sciflow/runner/finder.py"  # a module of the zip: what finds modules in the likeness


def make_likeness() -> None:
    """Make it for this Python, if this runner is a zip and it has none. That it cannot be made is no error."""
    runner = os.path.abspath(sys.argv[0])
    likeness = f"{runner}.{sys.implementation.cache_tag}"
    if not runner.endswith(".zip") or os.path.exists(likeness) or not sys.implementation.cache_tag:
        return
    try:
        write_whole(likeness, _compiled(runner))
    except OSError:
        return


def _compiled(runner: str) -> bytes:
    """Python's mark of its compiled code, the finder's code with the places of all modules, and their codes."""
    import zipfile
    from importlib.util import MAGIC_NUMBER
    from marshal import dumps

    codes: list[bytes] = []
    places: dict[str, tuple[int, int]] = {}
    with zipfile.ZipFile(runner) as sources:
        for name in filter(lambda name: "/" in name, sources.namelist()):
            code = dumps(_code(sources.read(name), f"{runner}/{name}"))
            places[name] = sum(map(len, codes)), len(code)
            codes.append(code)
        finder = _code(sources.read(FINDER), f"{runner}/{FINDER}")
    data = b"".join(codes)
    return MAGIC_NUMBER + dumps((finder, places, len(data))) + data + MAGIC_NUMBER  # at its end: it is whole


def _code(source: bytes, file: str) -> CodeType:
    """A module's code, which imports no `__future__`: annotations are said to the compiler instead."""
    import __future__

    text = source.replace(b"from __future__ import annotations\n", b"\n", 1)
    code: CodeType = compile(text, file, "exec", __future__.annotations.compiler_flag, dont_inherit=True, optimize=2)
    return code
