"""What the pods of a run must know of it: one object in the bucket, written when the run begins."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.graph import Fan, Node, WorkflowSpec
from sciflow.executors.argo.place.shapes import Shapes
from sciflow.executors.dispatched import dispatcher_of

FORMAT = 1


class Format(msgspec.Struct, frozen=True):
    """What of the facts can be read whoever wrote them."""

    format: int = FORMAT


class Facts(Shapes, frozen=True, kw_only=True):
    """See above; with the shapes of what the run was given."""

    format: int = FORMAT  # of what lies in the bucket of a run, this and all else
    started: float = 0.0  # when the run began; nothing of what is deployed
    setup: msgspec.Raw = msgspec.Raw(b"{}")  # how it is executed, for whoever adopts it: `engine.setup.RunSetup`
    spec: WorkflowSpec
    inputs: Mapping[str, Tree]
    reuse: Mapping[str, Tree]  # outputs that were given for tasks, by their keys
    executor: str  # its name, by which files are known that lie in the bucket
    inline_bytes: int
    pods: int  # of a fan, at most, where it does not say itself how many slices make a job
    workers: int  # slices at once in a pod
    bundle: str  # the user's modules, by their content
    argv: Sequence[str]
    main: str | None
    host: Mapping[str, object]
    code: Sequence[str]  # files of the run folder's `code`
    dispatchers: Mapping[str, Mapping[str, Any]] = {}  # executors of batch systems that nodes name, and their settings
    start_limit_s: float = 600.0  # for which a host may be out of reach before anything was given to it
    refused: Sequence[str] = ()  # why it could not begin: what is wrong with the parameters that it was started with

    def chunk_at(self, node: Node, total: int, *, above: Sequence[int]) -> int:
        """How many tasks of a node make one pod."""
        return chunk_at(node, total, self.pods, above=above, dispatchers=self.dispatchers)


class GivenValue(Shapes, frozen=True, kw_only=True):
    """A value that came from outside, and the shapes of what it may speak of."""

    output: msgspec.Raw


def chunk_of(fan: Fan | None, total: int, pods: int, *, above: Sequence[int] = ()) -> int:
    """How many slices of a fan make one pod.

    `above`: how many slices those fans have of which a slice is the graph at work around it. Graphs side by side share
    the pods, for a workflow of a hundred thousand pods is none: see `share_of`.
    """
    if fan is None:
        return 1
    for slices in above:
        pods = share_of(pods, slices)
    return fan.chunk or max(1, -(-total // pods))


def chunk_at(node: Node, total: int, pods: int, *, above: Sequence[int] = (), dispatchers: Container[str] = ()) -> int:
    """How many tasks of a node make one pod: all of them, if it gives them to a batch system."""
    return max(1, total) if dispatcher_of(node, dispatchers) else chunk_of(node.fan, total, pods, above=above)


def share_of(pods: int, slices: int) -> int:
    """How many pods a fan in each of so many graphs may have that are at work side by side."""
    return max(1, pods // max(1, slices))
