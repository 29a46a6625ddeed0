"""How the tasks of a pod have ended, as the file that the pod leaves; see `runner.pod`, which writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sciflow.core.records import Reply


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    path: str
    chunk: int
    generation: int = 0  # pods that have worked on this chunk before
    folders: Mapping[str, Sequence[Sequence[str]]] = {}  # what is in each: (relative path, kind, where a link points)
    executable: tuple[str, ...] = ()  # files
    left: tuple[int, ...] = ()  # slices that have not ended: the pod was stopped, or lost


class TaskEnd(msgspec.Struct, frozen=True, array_like=True):
    """The end of one attempt."""

    slice: int
    attempt: int
    worker: str
    stdout_start: int
    stderr_start: int
    reply: msgspec.Raw

    @property
    def told(self) -> Reply:
        """What the worker said."""
        return _REPLY.decode(self.reply)


_HEAD = msgspec.json.Decoder(Head)
_ENDS = msgspec.json.Decoder(list[TaskEnd])
_REPLY = msgspec.json.Decoder(Reply)


class Outcomes(msgspec.Struct, frozen=True):
    """A pod's file."""

    head: Head
    ends: Sequence[TaskEnd]  # in the order in which they came


def read_outcomes(text: bytes) -> Outcomes:
    """The file of a pod.

    Raises:
        msgspec.DecodeError: it is none.
    """
    first, _, rest = text.partition(b"\n")
    lines = rest.rstrip(b"\n").replace(b"\n", b",")
    return Outcomes(_HEAD.decode(first), _ENDS.decode(b"[%s]" % lines))


def final_ends(ends: Sequence[TaskEnd]) -> dict[int, TaskEnd]:
    """The last attempt of each slice."""
    return {end.slice: end for end in ends}
