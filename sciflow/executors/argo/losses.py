"""What tasks have died of whose pods have left no word of them. Pure."""

from __future__ import annotations

import re

import msgspec

from sciflow.core.records import TaskError
from sciflow.runner.memory import out_of_memory

OUT_OF_MEMORY = "OOMKilled"  # says Kubernetes


def refusal(why: str) -> TaskError:
    """A workflow came to nothing."""
    return TaskError(kind="refused", type="sciflow:Refused", message=why, fatal=True)


def not_started(why: str) -> TaskError:
    """A pod was kept from starting for too long."""
    return TaskError(
        kind="place", type="sciflow:PodNotStarted", message=f"its pod could not be started: {why}", fatal=True
    )


def lost(message: str) -> TaskError:
    """A pod was lost, by what Argo says; Argo replaces it no more."""
    if OUT_OF_MEMORY in message:
        return msgspec.convert({**out_of_memory(0), "fatal": True}, type=TaskError)
    said = f"no word of it: {_explained(message)}"
    return TaskError(kind="place", type="sciflow:PodLost", message=said, fatal=True)


def _explained(message: str) -> str:
    """What Argo says of a pod, and what is to be done about it."""
    lacking = re.search(r'failed to find name in PATH: exec: "([^"]+)"', message)
    if lacking is None:
        return message
    return (
        f"{message}\n    fix:      take an image that has {lacking[1]}: programs need a shell there, functions Python"
    )
