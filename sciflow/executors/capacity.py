"""What this machine has: cores, memory, GPUs; and what of it is in use."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from sciflow.core.graph import Resources
from sciflow.errors import ConfigError


def core_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_mb() -> int:
    """The machine's memory, MB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def gpu_ids() -> list[int]:
    """The GPUs that CUDA_VISIBLE_DEVICES names, else those that nvidia-smi lists."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [int(part) for part in visible.split(",") if part.strip().isdigit()]
    import shutil
    import subprocess

    if shutil.which("nvidia-smi") is None:
        return []
    try:
        told = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return list(range(sum(line.startswith("GPU ") for line in told.splitlines())))


UNLIMITED = 1 << 20


class Quota(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run may take of a place at once; None: as much as it gets."""

    cpus: int | None = None
    memory_mb: int | None = None
    gpus: int | None = None

    def __bool__(self) -> bool:
        return not (self.cpus is None and self.memory_mb is None and self.gpus is None)

    def capacity(self) -> Capacity:
        """Counts against it; what it leaves open is not counted."""
        memory_mb, gpus = self.memory_mb or UNLIMITED * 1024, 1024 if self.gpus is None else self.gpus
        return Capacity(cpus=self.cpus or UNLIMITED, memory_mb=memory_mb, gpus=gpus)


class Share(msgspec.Struct, frozen=True):
    """What one job is counted with; the numbers of GPUs are those that it was given."""

    resources: Resources
    gpus: tuple[int, ...] = ()


class Capacity:
    """Counts cores, memory and GPUs in use. A GPU is given whole, by its number."""

    def __init__(self, *, cpus: int | None = None, memory_mb: int | None = None, gpus: int | None = None) -> None:
        self.cpus = cpus or core_count()
        self._memory_mb = memory_mb
        self._gpus: Sequence[int] | None = None if gpus is None else range(gpus)
        self._used_cpus = 0
        self._used_mb = 0
        self._used_gpus: set[int] = set()

    @property
    def memory_mb(self) -> int:
        """Memory that tasks may ask for together, MB."""
        if self._memory_mb is None:
            self._memory_mb = memory_mb()
        return self._memory_mb

    @property
    def gpus(self) -> Sequence[int]:
        """Numbers of the GPUs that tasks may ask for."""
        if self._gpus is None:
            self._gpus = gpu_ids()
        return self._gpus

    def check(self, want: Resources, who: str) -> None:
        """Whether a task that wants so much could ever run here.

        Raises:
            ConfigError: it asks for more than there is.
        """
        rows = [("cpus", want.cpus, self.cpus, "workers")]
        rows += [("memory_mb", want.memory_mb, self.memory_mb, "memory_mb")] if want.memory_mb else []
        rows += [("gpus", want.gpus, len(self.gpus), "gpus")] if want.gpus else []
        for name, asked, there, setting in rows:
            if asked > there:
                fix = f"ask for less, run it elsewhere, or set `{setting}` if this machine has more"
                raise ConfigError(f"{who} asks for {name}={asked}, and there are {there} here\n    fix:      {fix}")

    def fits(self, want: Resources) -> bool:
        """Whether so much is free now."""
        if self._used_cpus + want.cpus > self.cpus:
            return False
        if want.memory_mb and self._used_mb + want.memory_mb > self.memory_mb:
            return False
        return not want.gpus or len(self._used_gpus) + want.gpus <= len(self.gpus)

    def holds(self, want: Resources) -> bool:
        """Whether cores or memory are free, and too few of them for this."""
        short_of_cores = 0 < self.cpus - self._used_cpus < want.cpus
        short_of_memory = want.memory_mb > 0 and self._used_mb + want.memory_mb > self.memory_mb
        return short_of_cores or (short_of_memory and self._used_cpus < self.cpus)

    def take(self, want: Resources, gpus: Sequence[int] = ()) -> tuple[int, ...]:
        """Counts it as used; the numbers of the GPUs given, `gpus` if they are free."""
        self._used_cpus += want.cpus
        self._used_mb += want.memory_mb
        known = gpus and self._used_gpus.isdisjoint(gpus) and all(gpu in self.gpus for gpu in gpus)
        given = tuple(gpus) if known else tuple(islice(self._free_gpus(), want.gpus))
        self._used_gpus.update(given)
        return given

    def _free_gpus(self) -> Iterator[int]:
        """Looks for GPUs only when the first is asked for: to find them out takes a program."""
        for gpu in self.gpus:
            if gpu not in self._used_gpus:
                yield gpu

    def give(self, want: Resources, gpus: Sequence[int]) -> None:
        """Counts it as free again."""
        self._used_cpus -= want.cpus
        self._used_mb -= want.memory_mb
        self._used_gpus.difference_update(gpus)
