"""Argo's server, by its REST API (Argo Workflows 3.7, `api/openapi-spec/swagger.json`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import msgspec

from sciflow.errors import HostFailed, HostRefused, HostUnreachable
from sciflow.executors.argo.server.connection import MISSING, TAKEN, Connection
from sciflow.executors.argo.server.objects import PAGE, Continuation, Described, KeptWorkflow, PodEvent, WorkflowStatus

CREATION_S = 180.0  # for which it may check a workflow: that takes longer than linear with the steps
EVENTS_S = 1.0  # for which no further one has come: there are no more
FIELDS = (
    "metadata.labels,metadata.deletionTimestamp,spec.suspend,spec.shutdown,"
    "status.phase,status.message,status.progress,status.finishedAt"
)
LISTED = (  # of each workflow of a list
    "metadata.name", "metadata.labels", "metadata.annotations", "metadata.creationTimestamp",
    "spec.suspend", "status.phase", "status.finishedAt",
)  # fmt: skip


@contextmanager
def _creating(workflow: Mapping[str, Any]) -> Iterator[None]:
    """Says of a server that is silent that it may be at work.

    Raises:
        HostUnreachable: with how large the workflow is.
    """
    import httpx

    try:
        yield
    except HostUnreachable as error:
        said, _, way = str(error).partition("\n    fix:      ")
        if not isinstance(error.__cause__, httpx.ReadTimeout) and "(504)" not in said:  # that is a proxy's word for it
            raise
        tasks = sum(len(template.get("dag", {}).get("tasks", ())) for template in workflow["spec"]["templates"])
        raise HostUnreachable(
            f"{said}\n    found:    a workflow of {tasks:,} tasks was to be created, which the server checks first\n"
            f"    expected: an answer within {CREATION_S:.0f} s, which is enough for some hundred tasks\n"
            "    fix:      if it has so many, make steps that are alike the slices of a fan, `.map(...)`, or a chain "
            f"of them a loop in an op; else {way or 'ask those who run the server'}"
        ) from error


class _Page(msgspec.Struct, frozen=True):
    metadata: Continuation = Continuation()
    items: list[KeptWorkflow] | None = None


class _Event(msgspec.Struct, frozen=True):
    result: PodEvent = PodEvent()


class ArgoServer:
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

    def version(self) -> str:
        """See `Workflows`."""
        return str(self._told("version").get("version", ""))

    def account(self) -> str:
        """See `Workflows`."""
        told = self._told("userinfo")
        return next((str(told[key]) for key in ("name", "email", "subject") if told.get(key)), "")

    def _told(self, what: str) -> dict[str, Any]:
        """What the server tells everybody."""
        answer = self._connection.ask("GET", f"/api/v1/{what}", tokenless=True)
        return self._connection.decoded(answer.content, dict[str, Any])

    def check_access(self, workflow: Mapping[str, Any]) -> None:
        """See `Workflows`."""
        self._connection.json(
            "GET", f"/api/v1/workflows/{self._namespace}?listOptions.limit=1&fields=items.metadata.name"
        )
        self.lint(workflow)
        self._connection.json("POST", self._all, {"workflow": workflow, "serverDryRun": True})

    def lint(self, workflow: Mapping[str, Any]) -> None:
        """Has a workflow checked.

        Raises:
            HostRefused: what is wrong with it.
        """
        self._connection.json("POST", f"{self._all}/lint", {"workflow": workflow})

    def create(self, workflow: Mapping[str, Any]) -> bool:
        """See `Workflows`."""
        with _creating(workflow):
            answer = self._connection.ask(
                "POST", self._all, {"workflow": workflow}, passed=(TAKEN,), timeout_s=CREATION_S
            )
        self._connection.decoded(answer.content, Described)
        return answer.status_code != TAKEN

    def status(self, name: str, *, nodes: bool) -> WorkflowStatus | None:
        """See `Workflows`; the server tells also of one that it has archived."""
        fields = FIELDS
        if nodes:
            fields += ",status.nodes"
        answer = self._connection.ask("GET", f"{self._place(name)}?fields={fields}", sought=name)
        if answer.status_code == MISSING:
            return None
        found = self._connection.decoded(answer.content, KeptWorkflow)
        return found.state(nodes=found.status.nodes, progress=found.status.progress)

    def annotation(self, name: str, annotation: str) -> str:
        """See `Workflows`."""
        answer = self._connection.ask("GET", f"{self._place(name)}?fields=metadata.annotations", sought=name)
        if answer.status_code == MISSING:
            return ""
        return self._connection.decoded(answer.content, Described).metadata.annotations.get(annotation, "")

    def pages(self, selector: str) -> Iterator[list[KeptWorkflow]]:
        """See `Workflows`."""
        wanted = ",".join(["metadata.continue", *(f"items.{field}" for field in LISTED)])
        asked = {"listOptions.labelSelector": selector, "listOptions.limit": str(PAGE), "fields": wanted}
        while True:
            answer = self._connection.ask("GET", f"{self._all}?{urlencode(asked)}")
            page = self._connection.decoded(answer.content, _Page)
            yield page.items or []
            if not page.metadata.more:
                return
            asked["listOptions.continue"] = page.metadata.more

    def repository(self, name: str) -> Mapping[str, Any]:
        """See `Workflows`."""
        answer = self._connection.json("GET", f"{self._place(name)}?fields=status.artifactRepositoryRef")
        told = answer.get("status", {}).get("artifactRepositoryRef", {}).get("artifactRepository", {})
        return told if isinstance(told, dict) else {}

    def words(self, name: str, *, container: str) -> str:
        """See `Workflows`."""
        ask = f"{self._place(name)}/log?logOptions.container={container}&logOptions.tailLines=30"
        answer = self._connection.ask("GET", ask, passed=(400, 403, MISSING, 500))
        lines = answer.content.splitlines() if answer.is_success else []
        read = (self._connection.decoded(line, dict[str, Any]) for line in lines if line.strip())
        told = [str(one.get("result", {}).get("content", "")) for one in read]
        return "\n".join(line for line in told if "argo=true" not in line)

    def log(
        self, name: str, *, pod: str = "", tail: int | None = None, selector: str = "", follow: bool = False
    ) -> Iterator[tuple[str, str]]:
        """See `Workflows`."""
        asked = {"container": "main", **({"tailLines": tail} if tail is not None else {})}
        options = "&".join(f"logOptions.{key}={value}" for key, value in asked.items())
        options += f"&podName={pod}" if pod else f"&selector={selector}"
        options += "&logOptions.follow=true" if follow else ""
        for text in self._connection.lines(f"{self._place(name)}/log?{options}", endless=follow, passed=(MISSING,)):
            yield from self._entry(text)

    def _entry(self, text: str) -> Iterator[tuple[str, str]]:
        told = self._connection.decoded(text.strip(), dict[str, Any])
        if "error" in told:
            said, code = told["error"].get("message", ""), told["error"].get("http_code", 500)
            said = self._connection.shown(str(said))
            raise HostRefused(f"{self.url}: the log: {said} ({code}){self._connection.advice(code)}")
        if "result" in told:
            yield str(told["result"].get("podName", "")), str(told["result"].get("content", ""))

    def events(self, pod: str) -> list[PodEvent]:
        """See `Workflows`; the server tells all that there is, then what comes, and not where the one ends."""
        path = f"/api/v1/stream/events/{self._namespace}?listOptions.fieldSelector=involvedObject.name={pod}"
        lines = self._connection.lines_until_silent(path, silence_s=EVENTS_S)
        return [self._connection.decoded(line, _Event).result for line in lines if line]

    def suspend(self, name: str) -> None:
        """See `Workflows`."""
        self._order(name, "suspend")

    def resume(self, name: str) -> None:
        """See `Workflows`."""
        self._order(name, "resume")

    def release(self, name: str, node: str, values: Mapping[str, str]) -> None:
        """See `Workflows`."""
        at = {"nodeFieldSelector": f"id={node}"}
        told = {**at, "outputParameters": msgspec.json.encode(values).decode()}
        try:
            self._connection.json("PUT", f"{self._place(name)}/set", told)
        except (HostRefused, HostFailed) as error:
            if "already set" not in str(error):  # by a call of which only this part came through
                raise
        self._connection.json("PUT", f"{self._place(name)}/resume", at)

    def stop(self, name: str) -> None:
        """See `Workflows`."""
        self._order(name, "stop")

    def terminate(self, name: str) -> None:
        """See `Workflows`."""
        self._order(name, "terminate")

    def _order(self, name: str, what: str) -> None:
        try:
            self._connection.json("PUT", f"{self._place(name)}/{what}", {})
        except (HostRefused, HostFailed):
            status = self.status(name, nodes=False)
            if status is not None and not status.ended:  # else there is nothing left to be done
                raise

    def retry(self, name: str, *, succeeded: bool) -> bool:
        """See `Workflows`."""
        told = {"restartSuccessful": True, "nodeFieldSelector": "phase=Failed"} if succeeded else {}
        self._connection.json("PUT", f"{self._place(name)}/retry", told)
        return True

    def delete(self, name: str) -> None:
        """See `Workflows`."""
        answer = self._connection.ask("DELETE", self._place(name), sought=name)
        self._connection.decoded(answer.content, Described)

    @property
    def _all(self) -> str:
        return f"/api/v1/workflows/{self._namespace}"

    def _place(self, name: str) -> str:
        return f"{self._all}/{name}"
