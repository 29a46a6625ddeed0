"""Which fields of a manifest are understood here, which mean nothing, and which are refused.

A field in none of the tables is one that Argo does not have, or that nobody has thought about: it is refused as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sciflow.author.argo_file.source import At
from sciflow.core.naming import nearest


class Known(msgspec.Struct, frozen=True):
    """The fields of one kind of object: read, left aside, and refused with what to do instead."""

    read: Sequence[str]
    aside: Sequence[str] = ()
    refused: Mapping[str, str] = {}


_OF_PODS = (
    "nodeSelector", "affinity", "tolerations", "schedulerName", "priorityClassName", "serviceAccountName",
    "automountServiceAccountToken", "executor", "hostAliases", "securityContext", "metrics", "archiveLocation",
    "imagePullSecrets", "hostNetwork", "dnsPolicy", "dnsConfig",
)  # fmt: skip
_VOLUMES = "pass files on as artifacts"
_ELSEWHERE = "run it on Argo itself: argo submit"
_LOCKS = "leave it out, or use `parallelism`"
_HOOKS = "use onExit of the whole workflow"

WORKFLOW = Known(read=("apiVersion", "kind", "metadata", "spec"), aside=("status",))
SPEC = Known(
    read=(
        "entrypoint", "arguments", "templates", "onExit", "activeDeadlineSeconds", "parallelism", "templateDefaults",
        "workflowTemplateRef", "volumes",
    ),
    aside=(
        *_OF_PODS, "artifactRepositoryRef", "ttlStrategy", "podGC", "podPriorityClassName", "priority",
        "podDisruptionBudget", "volumeClaimGC", "podMetadata", "archiveLogs", "workflowMetadata", "artifactGC",
    ),
    refused={
        "volumeClaimTemplates": _VOLUMES, "synchronization": _LOCKS, "hooks": _HOOKS,
        "retryStrategy": "write it in templateDefaults", "suspend": "begin with a suspend template",
        "shutdown": "leave it out", "podSpecPatch": _ELSEWHERE,
    },
)  # fmt: skip
_EVERY_TEMPLATE = ("name", "inputs", "outputs")
NOT_HERE = {
    "resource": _ELSEWHERE, "http": "call curl in a container template", "plugin": _ELSEWHERE, "data": _ELSEWHERE,
    "containerSet": "make a template of each container", "memoize": "leave it out", "synchronization": _LOCKS,
    "initContainers": "make it a step before", "sidecars": _ELSEWHERE, "daemon": _ELSEWHERE,
    "podSpecPatch": _ELSEWHERE,
}  # fmt: skip
_ASIDE = (*_OF_PODS, "metadata", "annotations")
PROGRAM_TEMPLATE = Known(
    read=(*_EVERY_TEMPLATE, "container", "script", "retryStrategy", "activeDeadlineSeconds", "timeout", "volumes"),
    aside=(*_ASIDE, "parallelism", "failFast"),
    refused=NOT_HERE,
)
_NO_LIMITS = {
    "retryStrategy": "write it in the templates of the containers",
    "activeDeadlineSeconds": "write it in the spec, or in the templates of the containers",
    "timeout": "write activeDeadlineSeconds in the templates of the containers",
}
GRAPH_TEMPLATE = Known(
    read=(*_EVERY_TEMPLATE, "dag", "steps", "parallelism"),
    aside=(*_ASIDE, "failFast"),
    refused={**NOT_HERE, **_NO_LIMITS},
)
SUSPEND_TEMPLATE = Known(read=(*_EVERY_TEMPLATE, "suspend"), aside=_ASIDE, refused={**NOT_HERE, **_NO_LIMITS})
SUSPEND = Known(read=("duration",))
DAG = Known(read=("tasks",), aside=("failFast",), refused={"target": "leave tasks out that are not to be run"})
STEP = Known(
    read=(
        "name", "template", "inline", "templateRef", "arguments", "withItems", "withParam", "withSequence", "when",
        "continueOn",
    ),
    refused={"onExit": _HOOKS, "hooks": _HOOKS},
)  # fmt: skip
TASK = Known(read=(*STEP.read, "dependencies", "depends"), refused=STEP.refused)
_ENV_FROM = {"valueFrom": "write value, or give the program a parameter", "envFrom": "write env with values"}
CONTAINER = Known(
    read=("image", "command", "args", "env", "resources", "workingDir", "source", "volumeMounts"),
    aside=(
        "name", "imagePullPolicy", "securityContext", "ports", "livenessProbe", "readinessProbe", "startupProbe",
        "terminationMessagePath", "terminationMessagePolicy", "stdin", "tty",
    ),
    refused={
        "volumeDevices": _VOLUMES, "envFrom": _ENV_FROM["envFrom"], "lifecycle": _ELSEWHERE,
    },
)  # fmt: skip
_OTHER_VOLUMES = ("persistentVolumeClaim", "secret", "configMap", "hostPath", "projected", "nfs", "csi", "ephemeral")
VOLUME = Known(read=("name", "emptyDir"), refused=dict.fromkeys(_OTHER_VOLUMES, _VOLUMES))
MOUNT = Known(read=("name", "mountPath"), aside=("readOnly",), refused={"subPath": "mount the whole volume"})
ENV = Known(read=("name", "value"), refused=_ENV_FROM)
PORTS = Known(read=("parameters", "artifacts"), refused={"result": "leave it out", "exitCode": "leave it out"})
PARAMETER = Known(read=("name", "value", "default", "enum", "valueFrom", "description"), aside=("globalName",))
VALUE_FROM = Known(
    read=("path", "default", "parameter", "expression", "supplied"),
    refused={
        "configMapKeyRef": "write the value", "event": _ELSEWHERE, "jsonPath": _ELSEWHERE, "jqFilter": _ELSEWHERE,
    },
)  # fmt: skip
_STORES = ("s3", "http", "git", "gcs", "azure", "oss", "hdfs", "artifactory")
ARTIFACT = Known(
    read=("name", "path", "from", "raw", "optional"),
    aside=("archive", "artifactGC", "archiveLogs", "globalName", "recurseMode", *_STORES),
    refused={
        "mode": "let the program set it", "subPath": "name the whole artifact", "fromExpression": "write `from`",
    },
)  # fmt: skip
GIVEN_ARTIFACT = Known(
    read=ARTIFACT.read, aside=("archive",), refused={**ARTIFACT.refused} | dict.fromkeys(_STORES, "give it as a file")
)
RETRY = Known(read=("limit", "backoff", "retryPolicy"), aside=("affinity",), refused={"expression": "use retryPolicy"})
BACKOFF = Known(read=("duration", "factor", "cap"), aside=("maxDuration",))
SEQUENCE = Known(read=("count", "start", "end", "format"))
CONTINUE_ON = Known(read=("failed", "error"))


def check(at: At, known: Known, what: str) -> None:
    """Say of every field what is to be said."""
    for name, value in at.fields.items():
        if name in known.read:
            continue
        if name in known.aside:
            value.note("has no meaning here and is left aside")
        elif name in known.refused:
            value.say(f"{what} with {name} cannot be run here", expected=_list(known), fix=known.refused[name])
        else:
            near = nearest(name, known.read)
            fix = f"did you mean {near}?" if near else "leave it out"
            value.say(f"{what} has no field {name!r}", expected=_list(known), found=name, fix=fix)


def _list(known: Known) -> str:
    return ", ".join(known.read)
