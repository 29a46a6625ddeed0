"""What Kubernetes and Argo say of a workflow, as far as it matters here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

ARCHIVED = "workflows.argoproj.io/workflow-archiving-status"  # a label: "Persisted" if only Argo's database has it
STOPPED, DEADLINE = "Stopped with strategy", "exceeded its deadline"  # what Argo says of what it has ended itself
PAGE = 200  # objects of a list that are asked for at once


class PodEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What Kubernetes has noted of a pod."""

    type: str = ""  # Normal or Warning
    reason: str = ""
    message: str = ""
    last_timestamp: str | None = None
    event_time: str | None = None

    @property
    def last(self) -> str:
        """When it was noted for the last time."""
        return self.last_timestamp or self.event_time or ""


class Output(msgspec.Struct, frozen=True):
    """An output parameter."""

    name: str = ""
    value: Any = None


class Outputs(msgspec.Struct, frozen=True):
    """What a node has come to, or was told."""

    parameters: Sequence[Output] = ()


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A node of a workflow, as far as it matters here."""

    id: str = ""
    type: str = ""
    phase: str = ""
    message: str = ""
    progress: str = ""  # "N/M"
    template: str = msgspec.field(default="", name="templateName")
    inputs: Mapping[str, Any] = {}
    outputs: Outputs = Outputs()

    @property
    def task(self) -> tuple[str, str]:
        """What a pod works on: the path of a node, and the chunk."""
        return self.parameter("path"), self.parameter("chunk")

    def parameter(self, name: str) -> str:
        """The value of an input parameter; empty if there is none."""
        return next((str(p.get("value", "")) for p in self.inputs.get("parameters", ()) if p["name"] == name), "")

    def told(self, name: str) -> str:
        """The value of an output parameter; empty if there is none."""
        return next((str(output.value) for output in self.outputs.parameters if output.name == name), "")


class WorkflowStatus(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """How far a workflow is."""

    phase: str = ""
    message: str = ""
    progress: str = ""  # changes with that of its nodes
    nodes: Mapping[str, NodeStatus] = {}
    suspended: bool = False  # as a whole
    archived: bool = False  # Kubernetes has it no more
    leaving: bool = False  # it is being removed
    gone: bool = False  # there is no such workflow any more
    shutdown: str = ""  # Stop or Terminate, once somebody has asked for it
    finished: datetime | None = None
    partial: bool = False  # what its object says besides phase and progress was not looked at

    @cached_property
    def pods(self) -> Mapping[str, Sequence[NodeStatus]]:
        """By the path of the node that they work on."""
        found: dict[str, list[NodeStatus]] = {}
        for node in self.nodes.values():
            if node.type == "Pod":
                found.setdefault(node.parameter("path"), []).append(node)
        return found

    @property
    def gates(self) -> Mapping[str, str]:
        """The suspensions that it has come to, and waits at: nodes by path."""
        nodes = (node for node in self.nodes.values() if node.type == "Suspend" and node.phase == "Running")
        return {node.parameter("path"): node.id for node in nodes}

    @property
    def passed(self) -> list[NodeStatus]:
        """The suspensions that it has come to, and waits at no more."""
        return [node for node in self.nodes.values() if node.type == "Suspend" and node.phase == "Succeeded"]

    @property
    def cut_short(self) -> bool:
        """Whether it has ended before its pods had: somebody has stopped it, or its time was over."""
        late = (node.message for node in self.nodes.values() if node.type == "Pod" and node.phase == "Failed")
        return STOPPED in self.message or any(DEADLINE in message for message in late)

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it, short of a retry."""
        return self.gone or self.phase in ("Succeeded", "Failed", "Error")


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Of an object of Kubernetes."""

    name: str = ""
    uid: str = ""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    creation_timestamp: datetime | None = None  # a retry starts a workflow anew
    deletion_timestamp: str | None = None
    resource_version: str = ""  # changes with the object


class Described(msgspec.Struct, frozen=True):
    """An object without its content."""

    metadata: Metadata = Metadata()


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a workflow is to do."""

    suspend: bool | None = None
    shutdown: str | None = None


class KeptStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A status as it is kept: the nodes as they are, or packed, or in a database of Argo's."""

    phase: str = ""
    message: str = ""
    progress: str = ""
    finished_at: datetime | None = None
    nodes: Mapping[str, NodeStatus] = {}
    compressed_nodes: str = ""
    offload_node_status_version: str = ""


class KeptWorkflow(msgspec.Struct, frozen=True):
    """A Workflow, or as much of it as was asked for."""

    metadata: Metadata = Metadata()
    spec: Spec = Spec()
    status: KeptStatus = KeptStatus()

    def state(self, *, nodes: Mapping[str, NodeStatus], progress: str) -> WorkflowStatus:
        """How far it is; where the nodes are, and what changes with them, depends on who was asked."""
        return WorkflowStatus(
            phase=self.status.phase,
            message=self.status.message,
            progress=progress,
            nodes=nodes,
            suspended=bool(self.spec.suspend),
            archived=self.metadata.labels.get(ARCHIVED) == "Persisted",
            leaving=bool(self.metadata.deletion_timestamp),
            shutdown=self.spec.shutdown or "",
            finished=self.status.finished_at,
        )


class Continuation(msgspec.Struct, frozen=True):
    """What is said of a list that comes in parts."""

    more: str = msgspec.field(default="", name="continue")  # where to go on; empty: that was all


def ended_pods(status: WorkflowStatus) -> AbstractSet[tuple[str, str]]:
    """Paths and chunks whose pods have ended; a workflow that is retried forgets the pods that run again."""
    pods = [pod for pods in status.pods.values() for pod in pods]
    live = {pod.task for pod in pods if pod.phase in ("Pending", "Running")}
    return {pod.task for pod in pods} - live
