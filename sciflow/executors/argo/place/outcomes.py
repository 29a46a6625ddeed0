"""How the tasks of a pod have ended, as the file that the pod leaves; see `runner.pod`, which writes it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sciflow.core.records import Reply
from sciflow.executors.argo.place.shapes import Shapes

HEAD_BYTES = 8192  # in which the first line is, since keys have at most 1024


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: how far a chunk is can be told without reading all of it."""

    path: str
    chunk: int
    generation: int = 0  # pods that have worked on this chunk before
    succeeded: int = 0  # tasks, in whichever pod


class Rest(Shapes, frozen=True, kw_only=True):
    """The second line, with the shapes of what the ends speak of."""

    left: tuple[int, ...] = ()  # that have not ended: the pod was stopped, or lost


class TaskEnd(msgspec.Struct, frozen=True, array_like=True):
    """The end of one attempt."""

    slice: int
    attempt: int
    worker: str
    stdout_start: int
    stderr_start: int
    told: Reply  # what the worker said


_HEAD = msgspec.json.Decoder(Head)
_REST = msgspec.json.Decoder(Rest)
_ENDS = msgspec.json.Decoder(list[TaskEnd])


class Outcomes(msgspec.Struct, frozen=True):
    """A pod's file."""

    head: Head
    rest: Rest
    ends: Sequence[TaskEnd]  # in the order in which they came


def read_outcomes(text: bytes) -> Outcomes:
    """The file of a pod.

    Raises:
        msgspec.DecodeError: it is none.
    """
    first, second, rest = text.split(b"\n", 2)
    lines = rest.rstrip(b"\n").replace(b"\n", b",")
    return Outcomes(_HEAD.decode(first), _REST.decode(second), _ENDS.decode(b"[%s]" % lines))


def read_head(text: bytes) -> Head:
    """The first line of a file that begins so."""
    return _HEAD.decode(text.partition(b"\n")[0])


def final_ends(ends: Sequence[TaskEnd]) -> dict[int, TaskEnd]:
    """The last attempt of each slice."""
    return {end.slice: end for end in ends}
