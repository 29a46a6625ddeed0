"""What is deployed at Argo's server: WorkflowTemplates and CronWorkflows, by its REST API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from sciflow.errors import ConfigError
from sciflow.executors.argo.client import MISSING, ArgoServer
from sciflow.executors.argo.deployment import DEPLOYED_LABEL, VERSION_LABEL
from sciflow.executors.secrets import resolve_secret
from sciflow.executors.settings import ArgoSettings

Manifest = dict[str, Any]

_KINDS: Mapping[str, tuple[str, str]] = {  # kind -> the part of the address, the name in a request
    "WorkflowTemplate": ("workflow-templates", "template"),
    "CronWorkflow": ("cron-workflows", "cronWorkflow"),
}


class Shelf(ArgoServer):
    """What is deployed at one server and namespace."""

    def found(self, kind: str, name: str) -> Manifest | None:
        """The object of that kind and name."""
        answer = self._ask("GET", self._at(kind, name), passed=(MISSING,))
        return None if answer.status_code == MISSING else msgspec.json.decode(answer.content)

    def put(self, manifest: Manifest) -> bool:
        """Puts an object there, in the place of an earlier one; False if it is there already.

        Raises:
            ConfigError: there is one of that name that was not deployed from here.
        """
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        wrapped = _KINDS[kind][1]
        before = self.found(kind, name)
        if before is None:
            self._json("POST", self._at(kind, ""), {wrapped: manifest})
            return True
        labels = before["metadata"].get("labels", {})
        if labels.get(DEPLOYED_LABEL) != manifest["metadata"]["labels"][DEPLOYED_LABEL]:
            raise ConfigError(
                f"{self.url}: namespace {self.namespace} has another {kind} {name}\n"
                "    fix:      deploy under another name: --name"
            )
        if _same(before, manifest):
            return False
        metadata = {**before["metadata"], **manifest["metadata"], "labels": manifest["metadata"]["labels"]}
        self._json("PUT", self._at(kind, name), {wrapped: {**before, **manifest, "metadata": metadata}})
        return True

    def deployed(self, name: str = "") -> Iterator[Manifest]:
        """All objects that were deployed; those under a name, if one is given."""
        selector = f"{DEPLOYED_LABEL}={name}" if name else DEPLOYED_LABEL
        for kind in _KINDS:
            answer = self._json("GET", f"{self._at(kind, '')}?listOptions.labelSelector={selector}")
            yield from ({**found, "kind": kind} for found in answer.get("items") or ())

    def remove(self, manifest: Manifest) -> None:
        """Removes one of them."""
        self._ask("DELETE", self._at(manifest["kind"], manifest["metadata"]["name"]), passed=(MISSING,))

    def _at(self, kind: str, name: str) -> str:
        return f"/api/v1/{_KINDS[kind][0]}/{self.namespace}" + (f"/{name}" if name else "")


def _same(before: Manifest, manifest: Manifest) -> bool:
    """Whether two objects are of one version, and begin runs at the same times."""
    version: bool = before["metadata"]["labels"].get(VERSION_LABEL) == manifest["metadata"]["labels"][VERSION_LABEL]
    if manifest["kind"] != "CronWorkflow":
        return version
    names = ("schedules", "timezone", "workflowSpec")
    return version and all(before["spec"].get(name) == manifest["spec"].get(name) for name in names)


def open_shelf(settings: ArgoSettings) -> Shelf:
    """That of an executor."""
    token = resolve_secret(settings.token) if settings.token is not None else ""
    return Shelf(settings.server, settings.namespace, token=token, ca_file=settings.ca_file, verify=settings.verify)
