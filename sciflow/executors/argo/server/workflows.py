"""What is asked of the place where workflows are: Argo's server, or Kubernetes itself.

Who needs a part of it alone asks for that: `Registry`, `Watch`, `Control` or `Inspection`. Every method of them raises:
    HostUnreachable: there is no answer now.
    HostRefused: there is one, and somebody has to do something first, which the message says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from sciflow.executors.argo.server.objects import KeptWorkflow, PodEvent, WorkflowStatus


class Answering(Protocol):
    """Who answers."""

    @property
    def url(self) -> str:
        """Its address."""

    def close(self) -> None:
        """Lets go of connections."""


class Registry(Answering, Protocol):
    """Which workflows there are."""

    def create(self, workflow: Mapping[str, Any]) -> bool:
        """Submits a workflow; False if one of this name is there."""

    def delete(self, name: str) -> None:
        """Removes it, with its pods."""

    def annotation(self, name: str, annotation: str) -> str:
        """An annotation of a workflow; empty if it has none, or there is no such workflow."""

    def pages(self, selector: str) -> Iterator[list[KeptWorkflow]]:
        """The workflows that labels select, some at a time, in any order: of each what a list needs."""


class Watch(Answering, Protocol):
    """How workflows are."""

    def status(self, name: str, *, nodes: bool) -> WorkflowStatus | None:
        """How far a workflow is; None if there is none. Without `nodes` of a running one no more than what is cheap."""

    def log(
        self, name: str, *, pod: str = "", tail: int | None = None, selector: str = "", follow: bool = False
    ) -> Iterator[tuple[str, str]]:
        """The lines that the containers `main` of a workflow's pods print: (pod, line).

        `tail`: the last so many of each; `follow`: until the workflow has ended. No line if there is no such workflow.
        """

    def events(self, pod: str) -> list[PodEvent]:
        """What Kubernetes has noted of a pod; nothing if one may not see that. Takes a second."""


class Control(Answering, Protocol):
    """What is done with a workflow that is at work; of one that has ended, or is gone, there is nothing to be done."""

    def suspend(self, name: str) -> None:
        """Begins no more pods."""

    def resume(self, name: str) -> None:
        """Goes on after that."""

    def release(self, name: str, node: str, values: Mapping[str, str]) -> None:
        """Lets a suspended node go on with these output parameters."""

    def stop(self, name: str) -> None:
        """Ends its pods, then runs its exit handler."""

    def terminate(self, name: str) -> None:
        """Ends its pods."""

    def retry(self, name: str, *, succeeded: bool) -> bool:
        """Runs again what has failed, and what depends on it; also of a workflow that has `succeeded` all the same.

        False: that cannot be done here; it is being removed instead, and to be submitted again when it is gone.
        """


class Inspection(Answering, Protocol):
    """What is looked at before anything runs there, and after a trial."""

    def version(self) -> str:
        """That of Argo; empty if it is not known."""

    def account(self) -> str:
        """On whose behalf we speak; empty if that is not known."""

    def check_access(self, workflow: Mapping[str, Any]) -> None:
        """Does all that needs the right to see and create workflows, and changes nothing.

        Raises:
            HostRefused: what is not allowed.
        """

    def repository(self, name: str) -> Mapping[str, Any]:
        """Where Argo keeps the artifacts of a workflow that has begun: `s3`, `gcs`, ... with their settings."""

    def words(self, name: str, *, container: str) -> str:
        """The ends of what containers of that name in a workflow's pods have printed; empty if nobody may see it."""


class Workflows(Registry, Watch, Control, Inspection, Protocol):
    """The workflows of one namespace. Safe to use from several threads."""
