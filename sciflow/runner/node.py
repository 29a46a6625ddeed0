"""The runner as a file of its own, `python3 RUNNER.zip ...`: what it does on a machine that has nothing else of ours.

element BATCH_DIR K     one element of an array job
crew BATCH_DIR A        several elements at once: see `crew`
host VERB [WORK_ROOT]   commands of the engine about this machine: see `host`
keep BATCH_DIR K        the same, with a container that must not be left: see `keeper`
pod FOLDER [ASKED]      the tasks of a pod: see `pod`
pooled BATCH_DIR K      the same, for a worker of a pool: see `pooled`
shell VERB              a queue for machines without a batch system: see `shell_queue`
"""

from __future__ import annotations

import os
import sys

LIFE = "SCIFLOW_LIFE"  # the descriptor of a pipe that ends with who looks after several elements
# Modules come from the likeness of this zip if it has one for this Python; see `likeness`.
_START = """\
try:
    from _frozen_importlib_external import MAGIC_NUMBER as mark
    from marshal import loads
    with open(f"{sys.argv[0]}.{sys.implementation.cache_tag}", "rb") as file:
        data = memoryview(file.read())
    if data[:len(mark)] == data[-len(mark):] == mark:
        finder, places, size = loads(data[len(mark):])
        names = {"__name__": "sciflow.runner.finder"}
        exec(finder, names)
        names["install"](sys.argv[0], places, data[-len(mark) - size:])
except (ImportError, OSError, EOFError, ValueError, TypeError):
    pass
from sciflow.runner.node import main
"""
MAIN = f"import sys\n{_START}if __name__ == '__main__':\n    sys.exit(main(sys.argv[1:]))\n"  # the zip's own __main__
# Python runs that by `runpy`, which imports half as much again as an element needs.
_BARE = "import sys; del sys.argv[0]; sys.path[:] = [sys.argv[0], *filter(None, sys.path)]\n"
_BARE += f"{_START}sys.exit(main(sys.argv[1:]))"
USAGE = "usage: python3 RUNNER.zip element BATCH_DIR K | host VERB [WORK_ROOT] | shell submit|list|cancel ..."


def started(python: str, runner: str, *command: str) -> tuple[str, ...]:
    """The argv of one of the commands above, for programs that are started often."""
    return (python, "-c", _BARE, runner, *command)


def main(argv: list[str]) -> int:
    """Run the command; its exit code. Only what it needs is imported."""
    if argv[:2] == ["host", "shell"]:
        argv = argv[1:]
    command, rest = argv[:1], argv[1:]
    if LIFE in os.environ:
        _bind_to(int(os.environ.pop(LIFE)))
    if len(rest) == 2 and rest[1].isdigit() and command in (["element"], ["pooled"], ["keep"], ["crew"]):
        return _run_element(command[0], rest[0], int(rest[1]))
    if command == ["watch"] and len(rest) == 3:
        from sciflow.runner import keeper

        return keeper.watch(rest[0], int(rest[1]), int(rest[2]))
    if command == ["pod"] and len(rest) in (1, 2):
        from sciflow.runner import pod

        return pod.main(*rest)
    if command == ["host"] and len(rest) in (1, 2):
        from sciflow.runner import host

        return host.main(*rest)
    if command == ["shell"] and rest:
        from sciflow.runner import shell_queue

        return shell_queue.main(rest)
    from sciflow.runner.exit_codes import BAD_REQUEST

    sys.stderr.write(USAGE + "\n")
    return BAD_REQUEST


def _bind_to(life: int) -> None:
    """End with the process that has the other end of this pipe; in a container there may be no pipe."""
    from sciflow.runner.channel import bind_life

    try:  # noqa: SIM105  contextlib is slow to import
        bind_life(life)
    except OSError:
        pass


def _run_element(how: str, folder: str, number: int) -> int:
    if how == "crew":
        from sciflow.runner import crew

        return crew.main(folder, number)
    if how == "pooled":
        from sciflow.runner import pooled

        return pooled.main(folder, number)
    if how == "keep":
        from sciflow.runner import keeper

        return keeper.keep(folder, number)
    import gc

    gc.disable()  # nothing that is made before the worker is forked is garbage
    from sciflow.runner import element

    code = element.main(folder, number)
    sys.stderr.flush()
    os._exit(code)  # there is nothing that Python would have to put in order


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
