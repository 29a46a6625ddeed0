"""What an executor is handed: one job, some tasks of one node in one piece."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sciflow.core.graph import OpTemplate, Policy, Resources, Secret

SINGLE = -1  # the slice number of a task that is not part of a fan
NUMBER_BITS = 20  # a task's number: its job's id above, its position in the job below


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What jobs have in common that may run in the same place."""

    executor: str
    resources: Resources
    env: tuple[tuple[str, str | Secret], ...]
    image: str | None = None


class Job(msgspec.Struct, kw_only=True, eq=False):
    """Tasks of one node that are run one after the other in one place.

    `elements[k]` holds the texts of the columns for `slices[k]`, in the order of `columns`.
    """

    id: int
    node: int  # the node's number in the run
    path: str  # the node's path in the run, "relax/3/energy"
    template: OpTemplate
    policy: Policy
    need: Need
    fixed: bytes  # JSON object: port -> tree, for the inputs that all slices share
    columns: tuple[str, ...] = ()
    slices: Sequence[int]
    attempts: Sequence[int]
    elements: Sequence[Sequence[bytes]]
    keys: Sequence[str | None]
    seed: int  # of slice 0; see `seed_of`
    parallelism: int | None = None  # slices of the node at once, where the executor sees to that
    seeds: Sequence[int] = ()  # of each task, where they do not go by the slice

    def number(self, position: int) -> int:
        """The number under which executor and engine speak of one task."""
        return self.id << NUMBER_BITS | position

    def task_path(self, position: int) -> str:
        """The task's path in the run, "relax/3/energy/12"; its folder is the same under `tasks/`."""
        slice_ = self.slices[position]
        return self.path if slice_ == SINGLE else f"{self.path}/{slice_}"


def job_of(number: int) -> int:
    """The id of the job to which a task's number belongs."""
    return number >> NUMBER_BITS


def position_of(number: int) -> int:
    """The task's position in its job."""
    return number & ((1 << NUMBER_BITS) - 1)


def seed_of(base: int, slice_: int) -> int:
    """A slice's random seed in [0, 2**32): the same in every run, attempt and place, different from its neighbours'.

    Weyl sequence with the golden ratio's fraction (Knuth, The Art of Computer Programming 3, 6.4), started from a hash
    of the node's path.
    """
    return (base + (slice_ + 1) * 0x9E3779B1) & 0xFFFFFFFF
