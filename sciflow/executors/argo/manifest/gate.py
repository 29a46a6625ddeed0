"""A suspension, which Argo lets go when its answer is there. Pure."""

from __future__ import annotations

from sciflow.executors.argo.manifest import Manifest
from sciflow.executors.argo.manifest.naming import OURS

ANSWER, ANSWERED, UNANSWERED = "answer", "given", "none"  # the answer itself is in the bucket
WAIT = f"{OURS}wait"


def gate_template(name: str, *, asks: bool) -> Manifest:
    """One suspension. Who has Argo go on after a pause lets all suspended nodes go: one that `asks` waits again."""
    path = {"arguments": {"parameters": [{"name": "path", "value": "{{inputs.parameters.path}}"}]}}
    unanswered = f"{{{{=tasks.wait.outputs.parameters.{ANSWER} != '{ANSWERED}'}}}}"
    again = {"name": "again", "template": name, "depends": "wait.Succeeded", **path, "when": unanswered}
    return {
        "name": name,
        "inputs": {"parameters": [{"name": "path"}]},
        "dag": {"tasks": [{"name": "wait", "template": WAIT, **path}, *([again] if asks else [])]},
    }


def wait_template() -> Manifest:
    """What all suspensions wait at."""
    return {
        "name": WAIT,
        "inputs": {"parameters": [{"name": "path"}]},
        "suspend": {},
        "outputs": {"parameters": [{"name": ANSWER, "valueFrom": {"supplied": {}, "default": UNANSWERED}}]},
    }
