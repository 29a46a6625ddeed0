"""What is deployed: WorkflowTemplates and CronWorkflows, at Argo's server or by Kubernetes itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from sciflow.errors import ConfigError
from sciflow.executors.argo.manifest import Manifest
from sciflow.executors.argo.manifest.deployed import DEPLOYED_LABEL
from sciflow.executors.argo.manifest.workflow import VERSION_LABEL
from sciflow.executors.argo.server.connection import MISSING, Connection
from sciflow.executors.argo.server.kubernetes_api import GROUP
from sciflow.executors.argo.server.reaching import make_connection
from sciflow.executors.settings import ArgoSettings


class Kind(msgspec.Struct, frozen=True):
    """How objects are spoken of."""

    argo: str  # in addresses of Argo's server
    wrapped: str  # the name of an object in a request to it
    kubernetes: str  # in addresses of Kubernetes


KINDS: Mapping[str, Kind] = {
    "WorkflowTemplate": Kind("workflow-templates", "template", "workflowtemplates"),
    "CronWorkflow": Kind("cron-workflows", "cronWorkflow", "cronworkflows"),
}


class Shelf:
    """What is deployed in one namespace. Its methods raise as those of `connection.Connection`."""

    def __init__(self, connection: Connection, namespace: str, *, by_argo: bool) -> None:
        """`by_argo`: it is Argo's server that answers, else that of Kubernetes."""
        self._connection = connection
        self._namespace = namespace
        self._by_argo = by_argo

    def close(self) -> None:
        """Lets go of the connection."""
        self._connection.close()

    def put(self, manifest: Manifest) -> bool:
        """Puts an object there, in the place of an earlier one; False if it is there already.

        Raises:
            ConfigError: there is one of that name that was not deployed from here.
        """
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        answer = self._connection.ask("GET", self._at(kind, name), sought=name)
        if answer.status_code == MISSING:
            self._connection.json("POST", self._at(kind), self._told(manifest))
            return True
        before = self._connection.decoded(answer.content, Manifest)
        labels = before["metadata"].get("labels", {})
        if labels.get(DEPLOYED_LABEL) != manifest["metadata"]["labels"][DEPLOYED_LABEL]:
            raise ConfigError(
                f"{self._connection.url}: namespace {self._namespace} has another {kind} {name}\n"
                "    fix:      deploy under another name: --name"
            )
        if _same(before, manifest):
            return False
        changed = {**before, **manifest, "metadata": {**before["metadata"], **manifest["metadata"]}}
        self._connection.json("PUT", self._at(kind, name), self._told(changed))
        return True

    def deployed(self) -> Iterator[Manifest]:
        """All objects that were deployed."""
        query = "listOptions.labelSelector" if self._by_argo else "labelSelector"
        for kind in KINDS:
            answer = self._connection.json("GET", f"{self._at(kind)}?{query}={DEPLOYED_LABEL}")
            items = ({**found, "kind": kind} for found in answer.get("items") or ())
            yield from (found for found in items if VERSION_LABEL in found["metadata"]["labels"])

    def remove(self, manifest: Manifest) -> None:
        """Removes one of them."""
        name = manifest["metadata"]["name"]
        self._connection.ask("DELETE", self._at(manifest["kind"], name), sought=name)

    def _at(self, kind: str, name: str = "") -> str:
        if self._by_argo:
            place = f"/api/v1/{KINDS[kind].argo}/{self._namespace}"
        else:
            place = f"{GROUP}/namespaces/{self._namespace}/{KINDS[kind].kubernetes}"
        return f"{place}/{name}" if name else place

    def _told(self, manifest: Manifest) -> Manifest:
        return {KINDS[manifest["kind"]].wrapped: manifest} if self._by_argo else manifest


def _same(before: Manifest, manifest: Manifest) -> bool:
    """Whether two objects are of one version, and begin runs at the same times."""
    version: bool = before["metadata"]["labels"].get(VERSION_LABEL) == manifest["metadata"]["labels"][VERSION_LABEL]
    if manifest["kind"] != "CronWorkflow":
        return version
    names = ("schedules", "timezone", "workflowSpec")
    return version and all(before["spec"].get(name) == manifest["spec"].get(name) for name in names)


def open_shelf(settings: ArgoSettings) -> Shelf:
    """That of an executor."""
    return Shelf(make_connection(settings), settings.namespace, by_argo=bool(settings.server))
