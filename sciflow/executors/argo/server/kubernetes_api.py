"""Workflows through the API server of Kubernetes, where there is no server of Argo.

What Argo's server does are small changes of the Workflow object, which are made here as it makes them (Argo Workflows
3.7, `workflow/util/util.go`). To run again what has failed is none: such a workflow is removed and submitted again, and
its pods take from the bucket what has ended.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from sciflow.errors import HostRefused, HostUnreachable
from sciflow.executors.argo.server.connection import FORBIDDEN, MISSING, TAKEN, Connection
from sciflow.executors.argo.server.objects import (
    PAGE,
    Continuation,
    Described,
    KeptStatus,
    KeptWorkflow,
    Metadata,
    NodeStatus,
    PodEvent,
    WorkflowStatus,
)
from sciflow.executors.argo.server.packed_nodes import packed_nodes, unpacked
from sciflow.executors.argo.server.pods import MAIN, Pods

GROUP = "/apis/argoproj.io/v1alpha1"
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
MERGE = "application/merge-patch+json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PHASE = "workflows.argoproj.io/phase"  # a label
ENDED = frozenset({"Succeeded", "Failed", "Error"})
FOLLOW_S = 1.0  # between two looks at what pods print

TRIES = 5  # to change an object that its controller changes too


class _Page(msgspec.Struct, frozen=True):
    metadata: Continuation = Continuation()
    items: list[Described] | None = None


class _Events(msgspec.Struct, frozen=True):
    items: list[PodEvent] = []


class KubernetesApi:
    """See `workflows.Workflows`."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._namespace = namespace
        self._connection = connection

    @property
    def url(self) -> str:
        """See `Workflows`."""
        return self._connection.url

    def close(self) -> None:
        """See `Workflows`."""
        self._connection.close()

    # --- what there is

    def version(self) -> str:
        """See `Workflows`; Kubernetes knows only whether it has workflows, not by which Argo."""
        if self._connection.ask("GET", GROUP, passed=(MISSING,)).status_code == MISSING:
            raise HostRefused(
                f"{self.url}: this cluster has no workflows of Argo\n"
                "    fix:      is `context` in the executor's settings right? Else Argo is to be installed there"
            )
        return ""

    def account(self) -> str:
        """See `Workflows`."""
        answer = self._connection.ask("POST", REVIEWS, {"apiVersion": "authentication.k8s.io/v1"}, passed=(MISSING,))
        told = self._connection.decoded(answer.content, dict[str, Any]) if answer.is_success else {}
        return str(told.get("status", {}).get("userInfo", {}).get("username", ""))

    def check_access(self, workflow: Mapping[str, Any]) -> None:
        """See `Workflows`."""
        self._connection.ask("GET", f"{self._all}?limit=1")
        self._connection.json("POST", f"{self._all}?dryRun=All", _whole(workflow))

    def create(self, workflow: Mapping[str, Any]) -> bool:
        """See `Workflows`."""
        answer = self._connection.ask("POST", self._all, _whole(workflow), passed=(TAKEN,))
        self._connection.decoded(answer.content, Described)
        return answer.status_code != TAKEN

    def status(self, name: str, *, nodes: bool) -> WorkflowStatus | None:
        """See `Workflows`; without nodes of what its labels say, since Kubernetes gives no other parts of an object."""
        described = self._described(name)
        if described is None:
            return None
        phase = described.labels.get(PHASE, "")
        if not nodes and phase not in ENDED:
            version, leaving = described.resource_version, bool(described.deletion_timestamp)
            return WorkflowStatus(phase=phase, progress=version, leaving=leaving, partial=True)
        answer = self._connection.ask("GET", self._place(name), sought=name)
        if answer.status_code == MISSING:
            return None
        found = self._connection.decoded(answer.content, KeptWorkflow)
        return found.state(nodes=_nodes(found.status) if nodes else {}, progress=found.metadata.resource_version)

    def annotation(self, name: str, annotation: str) -> str:
        """See `Workflows`."""
        described = self._described(name)
        return described.annotations.get(annotation, "") if described is not None else ""

    def pages(self, selector: str) -> Iterator[list[KeptWorkflow]]:
        """See `Workflows`; of each what its labels say: Kubernetes sends whole objects else."""
        asked = {"labelSelector": selector, "limit": str(PAGE)}
        while True:
            answer = self._connection.ask("GET", f"{self._all}?{urlencode(asked)}", wanted=METADATA_LIST)
            page = self._connection.decoded(answer.content, _Page)
            yield [_listed(item.metadata) for item in page.items or []]
            if not page.metadata.more:
                return
            asked["continue"] = page.metadata.more

    def repository(self, name: str) -> Mapping[str, Any]:
        """See `Workflows`."""
        answer = self._connection.json("GET", self._place(name))
        told = answer.get("status", {}).get("artifactRepositoryRef", {}).get("artifactRepository", {})
        return told if isinstance(told, dict) else {}

    def words(self, name: str, *, container: str) -> str:
        """See `Workflows`."""
        pods = Pods(self._connection, self._namespace, name)
        lines = [line for pod in pods.phases() for line in pods.printed(pod, container=container, tail=30)]
        return "\n".join(line for line in lines if "argo=true" not in line)

    def log(
        self, name: str, *, pod: str = "", tail: int | None = None, selector: str = "", follow: bool = False
    ) -> Iterator[tuple[str, str]]:
        """See `Workflows`."""
        pods = Pods(self._connection, self._namespace, name)
        if not follow:
            for one in [pod] if pod else pods.phases(selector):
                yield from ((one, line) for line in pods.printed(one, container=MAIN, tail=tail))
            return
        pods.pass_over(selector)
        status: WorkflowStatus | None = WorkflowStatus()
        while status is not None and not status.ended:
            status = self.status(name, nodes=False)
            yield from pods.news()
            time.sleep(FOLLOW_S)

    def events(self, pod: str) -> list[PodEvent]:
        """See `Workflows`."""
        path = f"/api/v1/namespaces/{self._namespace}/events?fieldSelector=involvedObject.name={pod}"
        answer = self._connection.ask("GET", path, passed=(FORBIDDEN,))
        return self._connection.decoded(answer.content, _Events).items if answer.is_success else []

    # --- what is done with it

    def suspend(self, name: str) -> None:
        """See `Workflows`."""
        self._order(name, {"spec": {"suspend": True}})

    def resume(self, name: str) -> None:
        """See `Workflows`."""
        self._order(name, {"spec": {"suspend": None}})

    def release(self, name: str, node: str, values: Mapping[str, str]) -> None:
        """See `Workflows`."""
        for _ in range(TRIES):
            if self._released(name, node, values):
                return
        raise HostUnreachable(f"{self.url}: {name} is changed by others all the time")

    def stop(self, name: str) -> None:
        """See `Workflows`."""
        self._order(name, {"spec": {"shutdown": "Stop"}})

    def terminate(self, name: str) -> None:
        """See `Workflows`."""
        self._order(name, {"spec": {"shutdown": "Terminate"}})

    def retry(self, name: str, *, succeeded: bool) -> bool:
        """See `Workflows`: it is submitted anew; one that somebody else has submitted meanwhile is left to go on."""
        del succeeded
        found = self._described(name)
        if found is not None and found.labels.get(PHASE, "") not in ENDED:
            return True
        if found is not None:
            self._remove(name, preconditions={"uid": found.uid})  # of another one nothing is removed: that may pass
        return False

    def delete(self, name: str) -> None:
        """See `Workflows`; until its pods are gone the object stays, and keeps the name."""
        self._remove(name)

    # ---

    @property
    def _all(self) -> str:
        return f"{GROUP}/namespaces/{self._namespace}/workflows"

    def _place(self, name: str) -> str:
        return f"{self._all}/{name}"

    def _described(self, name: str) -> Metadata | None:
        answer = self._connection.ask("GET", self._place(name), sought=name, wanted=METADATA)
        if answer.status_code == MISSING:
            return None
        return self._connection.decoded(answer.content, Described).metadata

    def _remove(self, name: str, **options: Mapping[str, str]) -> None:
        asked = {"propagationPolicy": "Foreground", **options}
        answer = self._connection.ask("DELETE", self._place(name), asked, sought=name)
        self._connection.decoded(answer.content, Described)

    def _order(self, name: str, patch: Mapping[str, Any]) -> None:
        at = self._place(name)
        self._connection.ask("PATCH", at, patch, sought=name, kind=MERGE)  # of what is gone nothing is left to be done

    def _released(self, name: str, node: str, values: Mapping[str, str]) -> bool:
        """Has a suspended node succeed with these outputs; False if the object has changed meanwhile."""
        found = self._connection.json("GET", self._place(name))
        status = found.get("status", {})
        if status.get("offloadNodeStatusVersion"):
            raise HostRefused(
                f"{self.url}: the nodes of {name} are in a database of Argo's, which its server alone reads\n"
                "    fix:      name the server in the executor's settings: `server` instead of `kubeconfig`"
            )
        packed = status.get("compressedNodes", "")
        nodes = msgspec.json.decode(unpacked(packed)) if packed else status.get("nodes", {})
        gate = nodes.get(node, {})
        if gate.get("phase") != "Running":
            return True  # somebody else was quicker
        outputs = {"parameters": [{"name": name, "value": value} for name, value in values.items()]}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        change = {"phase": "Succeeded", "finishedAt": now, "outputs": outputs}
        told = (
            {"compressedNodes": packed_nodes({**nodes, node: gate | change})} if packed else {"nodes": {node: change}}
        )
        at = {"resourceVersion": found["metadata"]["resourceVersion"]}
        patch = {"metadata": at, "status": told}
        return self._connection.ask("PATCH", self._place(name), patch, passed=(TAKEN,), kind=MERGE).is_success


def _listed(metadata: Metadata) -> KeptWorkflow:
    """With as much of the status as the labels say."""
    return KeptWorkflow(metadata=metadata, status=KeptStatus(phase=metadata.labels.get(PHASE, "")))


def _whole(workflow: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", **workflow}


def _nodes(status: KeptStatus) -> Mapping[str, NodeStatus]:
    """None of a status that is in a database."""
    if not status.compressed_nodes:
        return status.nodes
    return msgspec.json.decode(unpacked(status.compressed_nodes), type=dict[str, NodeStatus])
