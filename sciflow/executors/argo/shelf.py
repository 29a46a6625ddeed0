"""What is deployed: WorkflowTemplates and CronWorkflows, by Argo's server or Kubernetes itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from sciflow.errors import ConfigError
from sciflow.executors.argo.connection import MISSING, Connection
from sciflow.executors.argo.deployment import DEPLOYED_LABEL, VERSION_LABEL
from sciflow.executors.argo.kubernetes_api import GROUP
from sciflow.executors.argo.reaching import make_connection
from sciflow.executors.settings import ArgoSettings

Manifest = dict[str, Any]

_KINDS: Mapping[str, tuple[str, str, str]] = {  # kind -> part of the address at either, and the name in a request
    "WorkflowTemplate": ("workflow-templates", "workflowtemplates", "template"),
    "CronWorkflow": ("cron-workflows", "cronworkflows", "cronWorkflow"),
}


class Shelf:
    """What is deployed in one namespace."""

    def __init__(self, connection: Connection, namespace: str, *, directly: bool) -> None:
        """`directly`: the connection is to Kubernetes."""
        self._connection = connection
        self._namespace = namespace
        self._directly = directly

    def close(self) -> None:
        """Lets go of connections."""
        self._connection.close()

    def found(self, kind: str, name: str) -> Manifest | None:
        """The object of that kind and name."""
        answer = self._connection.ask("GET", self._at(kind, name), passed=(MISSING,))
        return None if answer.status_code == MISSING else msgspec.json.decode(answer.content)

    def put(self, manifest: Manifest) -> bool:
        """Puts an object there, in the place of an earlier one; False if it is there already.

        Raises:
            ConfigError: there is one of that name that was not deployed from here.
        """
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        before = self.found(kind, name)
        if before is None:
            self._connection.json("POST", self._at(kind, ""), self._wrapped(manifest))
            return True
        labels = before["metadata"].get("labels", {})
        if labels.get(DEPLOYED_LABEL) != manifest["metadata"]["labels"][DEPLOYED_LABEL]:
            raise ConfigError(
                f"{self._connection.url}: namespace {self._namespace} has another {kind} {name}\n"
                "    fix:      deploy under another name: --name"
            )
        if _same(before, manifest):
            return False
        metadata = {**before["metadata"], **manifest["metadata"], "labels": manifest["metadata"]["labels"]}
        changed = {**before, **manifest, "metadata": metadata}
        self._connection.json("PUT", self._at(kind, name), self._wrapped(changed))
        return True

    def deployed(self, name: str = "") -> Iterator[Manifest]:
        """All objects that were deployed; those under a name, if one is given."""
        selector = f"{DEPLOYED_LABEL}={name}" if name else DEPLOYED_LABEL
        asked = "labelSelector" if self._directly else "listOptions.labelSelector"
        for kind in _KINDS:
            answer = self._connection.json("GET", f"{self._at(kind, '')}?{asked}={selector}")
            yield from ({**found, "kind": kind} for found in answer.get("items") or ())

    def remove(self, manifest: Manifest) -> None:
        """Removes one of them."""
        self._connection.ask("DELETE", self._at(manifest["kind"], manifest["metadata"]["name"]), passed=(MISSING,))

    def _at(self, kind: str, name: str) -> str:
        there, native, _ = _KINDS[kind]
        space = self._namespace
        place = f"{GROUP}/namespaces/{space}/{native}" if self._directly else f"/api/v1/{there}/{space}"
        return f"{place}/{name}" if name else place

    def _wrapped(self, manifest: Manifest) -> Manifest:
        return manifest if self._directly else {_KINDS[manifest["kind"]][2]: manifest}


def _same(before: Manifest, manifest: Manifest) -> bool:
    """Whether two objects are of one version, and begin runs at the same times."""
    version: bool = before["metadata"]["labels"].get(VERSION_LABEL) == manifest["metadata"]["labels"][VERSION_LABEL]
    if manifest["kind"] != "CronWorkflow":
        return version
    names = ("schedules", "timezone", "workflowSpec")
    return version and all(before["spec"].get(name) == manifest["spec"].get(name) for name in names)


def open_shelf(settings: ArgoSettings) -> Shelf:
    """That of an executor."""
    return Shelf(make_connection(settings), settings.namespace, directly=not settings.server)
