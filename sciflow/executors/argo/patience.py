"""How long the containers of a pod wait for a bucket whose server does not answer. Pure.

What a task has done lies in its pod until it is saved: a pod that gave up after some seconds, as Argo's own containers
do by themselves, would lose it.
"""

from __future__ import annotations

import json

BIND_S = 600.0  # of the container that comes before a task's own
# between two tries of Argo's own containers: 2 s, each a third longer than the one before, about 9 minutes in all
_PAUSES = {"DURATION": "2s", "FACTOR": "1.3", "STEPS": "17", "JITTER": "0.2"}


def patient_pods() -> str:
    """A patch of every pod's spec that has Argo's containers try again for as long."""
    env = [{"name": f"EXECUTOR_RETRY_BACKOFF_{name}", "value": value} for name, value in _PAUSES.items()]
    told = {"initContainers": [{"name": "init", "env": env}], "containers": [{"name": "wait", "env": env}]}
    return json.dumps(told, separators=(",", ":"))
