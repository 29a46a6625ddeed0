"""Whether the kernel ends processes of this container for want of memory."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    Tree = Any

# of cgroups in their second version, and in their first: a line `oom_kill N`
COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
KILLED = "SIGKILL"


class MemoryWatch:
    """Tells which of the processes that were killed had run out of memory, of the container in which it runs itself."""

    def __init__(self, memory_mb: int, *, counters: Sequence[str] = COUNTERS) -> None:
        """`memory_mb`: what was asked for, 0 if nothing was."""
        self._memory_mb = memory_mb
        self._counters = counters
        self._explained = kills(counters)

    def explained(self, error: Tree) -> Tree:
        """The error of a task that has ended; of one that has run out of memory, one that says so."""
        if error.get("signal") != KILLED or error.get("kind") != "died" or kills(self._counters) <= self._explained:
            return error
        self._explained += 1
        return {**error, **out_of_memory(self._memory_mb)}


def out_of_memory(memory_mb: int) -> dict[str, Tree]:
    """What is said of a task that has run out of memory: it would again."""
    asked = f" of {memory_mb} MB" if memory_mb else ""
    message = f"it ran out of the memory{asked} that its pod had: ask for more memory_mb"
    return {"kind": "limit", "type": "sciflow:OutOfMemory", "message": message, "transient": False}


def kills(counters: Sequence[str] = COUNTERS) -> int:
    """How many processes were ended so far."""
    for path in counters:
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, number = line.partition(" ")
            if name == "oom_kill" and number.isdigit():
                return int(number)
    return 0
