"""What is sent for a submission: `index.json` and `requests`, which the runner's elements read. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeVar

import msgspec

from sciflow.core.graph import Secret
from sciflow.core.job import Job, Need, job_of
from sciflow.executors.capacity import Share
from sciflow.executors.frames import op_frame, op_text, tasks_frame

K = TypeVar("K")
T = TypeVar("T")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
CARRIER = "SCIFLOW_SECRET_"  # begins the variables in which values of secrets travel with a job


class Element(msgspec.Struct, kw_only=True, eq=False):
    """A job's tasks as one element of a submission; `gpus` are given to it where they are counted by number."""

    job: Job
    numbers: tuple[int, ...]  # by which the engine knows the tasks
    gpus: tuple[int, ...] = ()

    @property
    def share(self) -> Share:
        """What it takes of what is counted."""
        return Share(resources=self.job.need.resources, gpus=self.gpus)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all elements of an executor; paths begin with `$ROOT/` or `$DEPOT/` where they lie there."""

    sys_path: Sequence[str]
    argv: Sequence[str]
    main: str | None
    host: Mapping[str, object]
    inline_bytes: int
    at: str | None  # the name by which files that stay there are known


def element_of(job: Job, positions: Sequence[int], gpus: tuple[int, ...]) -> Element:
    """Some tasks of a job as an element."""
    numbers = tuple(map(job.number, positions))
    if len(positions) == len(job.slices):
        return Element(job=job, numbers=numbers, gpus=gpus)

    def picked(row: Sequence[T]) -> list[T]:
        return [row[position] for position in positions]

    some = msgspec.structs.replace(
        job,
        slices=picked(job.slices),
        attempts=picked(job.attempts),
        elements=picked(job.elements),
        keys=picked(job.keys),
        seeds=picked(job.seeds) if job.seeds else (),
    )
    return Element(job=some, numbers=numbers, gpus=gpus)


def renumbered(job: Job, element: int) -> Job:
    """The job with the numbers that its tasks have on the host: unique in a submission, and none is 0."""
    return msgspec.structs.replace(job, id=element + 1)


def requests(
    elements: Sequence[Element], *, numbered: bool = False
) -> tuple[bytes, Sequence[tuple[int, int]], tuple[int, int]]:
    """The frames of a submission, where each element's own lie in them, and where those that all of them read.

    `numbered`: the ops are told the numbers of their GPUs.
    """
    numbers: dict[bytes, int] = {}
    ops = []
    for element in elements:
        text = op_text(element.job, element.gpus if numbered else ())
        numbers.setdefault(text, len(numbers) + 1)
        ops.append(numbers[text])
    common = b"".join(op_frame(number, text) for text, number in numbers.items())
    parts, places, at = [common], [], len(common)
    for k, (element, op) in enumerate(zip(elements, ops, strict=True)):
        frame = tasks_frame(op, renumbered(element.job, k), None)
        parts.append(frame)
        places.append((at, len(frame)))
        at += len(frame)
    return b"".join(parts), places, (0, len(common))


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """What a submission is, but for where it goes."""

    index: Mapping[str, object]  # what `index.json` says, but for where it lies
    requests: bytes


def payload(
    name: str,
    elements: Sequence[Element],
    *,
    around: Surroundings,
    env: Mapping[str, object],
    gpus: int,
    walltime_s: float | None,
    numbered: bool = False,
) -> Payload:
    """Puts a submission together.

    Args:
        name: the submission's.
        elements: with jobs as the host is to have them.
        around: what is the same for all elements of the executor.
        env: the variables of their op, see `environment`.
        gpus: of a task; their numbers are the batch system's to say.
        walltime_s: after which an element is ended.
        numbered: the ops are told the numbers of their GPUs.
    """
    data, places, common = requests(elements, numbered=numbered)
    index: dict[str, object] = {
        "name": name,
        "common": common,
        "elements": places,
        "walltime_s": walltime_s,
        "gpus": gpus,
        "at": around.at,
        "env": env,
        "hello": {
            "sys_path": around.sys_path,
            "argv": around.argv,
            "main": around.main,
            "host": around.host,
            "inline_bytes": around.inline_bytes,
        },
    }
    return Payload(index=index, requests=data)


def taken_back(waiting: dict[K, list[Element]], jobs: AbstractSet[int]) -> list[Element]:
    """Takes the elements of some jobs out of those that have not been sent."""
    unsent = []
    for key, elements in waiting.items():
        unwanted = [element for element in elements if job_of(element.numbers[0]) in jobs]
        waiting[key] = [element for element in elements if element not in unwanted]
        unsent += unwanted
    return unsent


def environment(need: Need) -> tuple[dict[str, object], dict[str, Secret]]:
    """An op's variables as `index.json` has them, and the secrets among them by the variable in which they travel."""
    env: dict[str, object] = dict.fromkeys(THREADS, str(max(1, need.resources.cpus)))
    secrets: dict[str, Secret] = {}
    for name, value in need.env:
        if isinstance(value, Secret):
            carrier = f"{CARRIER}{len(secrets)}"
            secrets[carrier] = value
            env[name] = {"secret": carrier}
        else:
            env[name] = value
    return env, secrets
