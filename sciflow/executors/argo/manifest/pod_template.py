"""An op as a template of Argo: one pod, which runs one chunk of a node's tasks. Pure.

Before the task's own container, one of ours finds out what it is to do (see `sciflow.pod`); it alone has the keys of
the bucket. Both share a volume, from which Argo takes what is left. The image of an op that is a program need not have
Python: there the runner is in a container beside the task's own, which needs only a shell (see `pod/mailbox.sh`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec

from sciflow.core.graph import Resources
from sciflow.executors.argo.manifest import Manifest
from sciflow.executors.argo.manifest.numbers import UNTOLD, Number
from sciflow.executors.argo.manifest.site import Site
from sciflow.executors.argo.place.layout import LOGIN, OUTCOMES, PACKAGE, RUNNER, Delivery, Layout
from sciflow.runner.exit_codes import UNREACHABLE
from sciflow.runner.pod import KEYS, NUMBERS
from sciflow.runner.pod_ends import CACHE

OP = "sciflow/op"  # says in Argo what the ports are called
VOLUME = "/sciflow/work"
POD, ROOT = f"{VOLUME}/pod", f"{VOLUME}/run"
BASE_PYTHON, SHELL = "python3", "/bin/sh"  # of the base image, and of an image that runs programs alone
RUN = "{{workflow.parameters.run}}"
PATH, CHUNK, PHASE = "{{inputs.parameters.path}}", "{{inputs.parameters.chunk}}", "{{inputs.parameters.phase}}"
# The pod was lost, its op not failed: to be replaced. One that ran out of memory would again.
LOST = (
    "lastRetry.status == 'Error'"
    f" or lastRetry.message contains 'bind: Error (exit code {UNREACHABLE})'"
    " or (asInt(lastRetry.exitCode) in [137, 143] and not (lastRetry.message contains 'OOMKilled'))"
)
USER: Manifest = {"name": "LOGNAME", "value": "sciflow"}  # who logs in where nobody else is named
UID: Manifest = {"name": "SCIFLOW_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
RAW: Manifest = {"archive": {"none": {}}}
LOCKED = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


class PodKind(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes that are alike in these share a template."""

    op: str
    image: str
    program: bool
    resources: Resources
    secrets: tuple[tuple[str, str], ...]  # variable -> "secret/key" of Kubernetes
    cached: bool  # outcomes go into the cache
    locks: tuple[tuple[str, int], ...]  # and how many pods may hold each at a time
    exits: bool  # it is part of the exit handler, and told the run's phase
    login: str = ""  # the Secret with which it logs in where a batch system runs its tasks; none: it runs them itself
    asked: tuple[Number, ...]  # numbers of its output that it tells Argo
    keyed: bool  # its tasks have keys
    ports: tuple[tuple[str, ...], tuple[str, ...]]  # names of what it is given, and of what it gives


class PodSurrounding(msgspec.Struct, frozen=True, kw_only=True):
    """What all pods of a run have in common."""

    layout: Layout
    site: Site
    delivery: Delivery
    run: str = RUN  # its id, as pods are told it


def op_template(name: str, kind: PodKind, around: PodSurrounding) -> Manifest:
    """The template of a pod that runs tasks."""
    layout, site = around.layout, around.site
    # Argo saves one after the other: when the ends of tasks can be read, all that they speak of is there
    artifacts = [
        *(_saved(part, f"{ROOT}/{part}", layout.part(part)) for part in ("tasks", "values", "logs")),
        *([_saved("cache", f"{POD}/{CACHE}", layout.cache)] if kind.cached else []),
        _saved("outcomes", f"{POD}/outcomes", layout.part(f"{OUTCOMES}/{PATH}/{CHUNK}")),
    ]
    parameters = told_parameters(kind.asked)
    parameters += [_told(KEYS)] if kind.keyed else []
    outputs = {"artifacts": artifacts, **({"parameters": parameters} if parameters else {})}
    if kind.login:
        return {**_dispatching(name, kind, around), **_about(kind), **_locked(kind), "outputs": outputs}
    beside = kind.program and kind.image != site.base_image
    runner = {
        "command": [BASE_PYTHON if beside else site.python, RUNNER, "pod", POD, *asked_argument(kind.asked)],
        "env": [*_home(), *(_of_secret(name, where) for name, where in kind.secrets)],
        "workingDir": "/tmp",  # noqa: S108  an empty volume
    }
    shell = {"command": [SHELL, f"{POD}/mailbox.sh", f"{POD}/mailbox"], "env": _home(), "workingDir": "/tmp"}  # noqa: S108
    main = {
        "name": "main",
        "image": kind.image,
        **(shell if beside else runner),
        "resources": _resources(kind.resources),
    }
    sidecar = {"name": "runner", "image": site.base_image, **runner, "mirrorVolumeMounts": True}
    setup = {"python": BASE_PYTHON, "image": kind.image} if beside else {}
    errand = _Errand(command=["bind", PATH, CHUNK], exits=kind.exits, setup=setup, env=[UID])
    return {
        **_pod(name, main, around, errand),
        **_about(kind),
        **_locked(kind),
        **({"sidecars": [{**sidecar, "securityContext": LOCKED}]} if beside else {}),
        "outputs": outputs,
    }


def _dispatching(name: str, kind: PodKind, around: PodSurrounding) -> Manifest:
    """The pod that gives its tasks to a batch system: no code of users runs in it.

    The Secret for logging in there is mounted by a patch, since what a container `main` mounts others would have, too.
    """
    main = {
        "name": "main",
        "image": kind.image,
        "command": [BASE_PYTHON, "-m", "sciflow.pod", "dispatch", POD, *asked_argument(kind.asked)],
        "env": [
            *_orders(around, {"login": LOGIN}),
            USER,
            *_keys(around.site),
            *(_of_secret(name, where) for name, where in kind.secrets),
        ],
        "workingDir": "/tmp",  # noqa: S108
    }
    pod = _pod(name, main, around, _Errand(command=["bind", PATH, CHUNK], exits=kind.exits, env=[UID]))
    login = {"name": "login", "secret": {"secretName": kind.login, "defaultMode": 0o400}}
    mounted = {"name": "main", "volumeMounts": [{"name": "login", "mountPath": LOGIN, "readOnly": True}]}
    patch = json.dumps({"containers": [mounted]}, separators=(",", ":"))
    return {**pod, "volumes": [*pod["volumes"], login], "podSpecPatch": patch}


def _locked(kind: PodKind) -> Manifest:
    return {"synchronization": {"mutexes": [_mutex(*lock) for lock in kind.locks]}} if kind.locks else {}


def _about(kind: PodKind) -> Manifest:
    """What the op's ports are called, for who looks at Argo; nothing that Argo would read as its own language."""
    given, gives = (", ".join(ports) for ports in kind.ports)
    about = f"{kind.op}({given}) -> {gives}" if gives else f"{kind.op}({given})"
    return {} if "{{" in about else {"metadata": {"annotations": {OP: about}}}


def asked_argument(told: Sequence[Number]) -> list[str]:
    """How a pod is told which numbers are asked for."""
    asked = [[one.name, one.kind, *one.path] for one in told]
    return [json.dumps(asked, separators=(",", ":"))] if asked else []


def _mutex(lock: str, holders: int) -> Manifest:
    """A lock that several may hold is several of one holder, shared out among the pods by their place.

    Argo's own locks of several holders take their number from a ConfigMap, which its server makes for nobody. So a pod
    may have to wait while another of the locks is free; the pods of a fan take them in turn. What is before the first
    `_` is no other workflow's, and what is behind the last one is a number: so no lock has the name of another.
    """
    if holders == 1:
        return {"name": f"{lock}_0"}
    spread = "int(sprig.adler32sum(sprig.sha256sum(inputs.parameters.path))) + int(inputs.parameters.chunk)"
    return {"name": f"{lock}_{{{{=({spread}) % {holders}}}}}"}


def plan_template(name: str, around: PodSurrounding, *, exits: bool) -> Manifest:
    """The template of a pod that tells in how many parts a node is run."""
    parts = {"name": "parts", "valueFrom": {"path": f"{POD}/parts", "default": "0"}}
    errand = _Errand(command=["plan", PATH], exits=exits)
    return {**_pod(name, _clerk(around.site), around, errand), "outputs": {"parameters": [parts]}}


def frame_template(
    name: str, command: Sequence[str], around: PodSurrounding, *, env: Sequence[Manifest], outputs: Manifest
) -> Manifest:
    """The template of a pod that begins or ends a run which no engine looks after; see `deployed`."""
    return {**_pod(name, _clerk(around.site), around, _Errand(command=command, env=env)), "outputs": outputs}


def told_parameters(asked: Sequence[Number]) -> list[Manifest]:
    """The output parameters of a pod that tells numbers."""
    return [_told(told.name) for told in asked]


def _told(name: str) -> Manifest:
    return {"name": name, "valueFrom": {"path": f"{POD}/{NUMBERS}/{name}", "default": UNTOLD}}


def _clerk(site: Site) -> Manifest:
    """A container that says what the one before it has found out."""
    return {
        "name": "main",
        "image": site.base_image,
        "command": [BASE_PYTHON, RUNNER, "pod", POD],
        "env": _home(),
        "workingDir": "/tmp",  # noqa: S108
    }


class _Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What the container that comes first is to do."""

    command: Sequence[str]
    exits: bool = False  # it is told what the run came to
    setup: Mapping[str, str] = {}  # see `pod.workplace.PodSetup`; where the bucket is, is told all of them
    env: Sequence[Manifest] = ()


def _pod(name: str, main: Manifest, around: PodSurrounding, errand: _Errand) -> Manifest:
    """A pod: the container that comes first, and `main`."""
    layout, site, delivery = around.layout, around.site, around.delivery
    mounts = [{"name": "work", "mountPath": VOLUME}, {"name": "tmp", "mountPath": "/tmp"}, *site.mounts]  # noqa: S108
    asked = [word for word in (*errand.command, *([PHASE] if errand.exits else [])) if word in (PATH, CHUNK, PHASE)]
    parameters = [{"name": word[len("{{inputs.parameters.") : -2]} for word in asked]
    return {
        "name": name,
        "inputs": {
            **({"parameters": parameters} if parameters else {}),
            "artifacts": [
                {"name": "runner", "path": RUNNER, **RAW, "s3": {"key": layout.code(delivery.runner)}},
                {"name": "sciflow", "path": PACKAGE, **RAW, "s3": {"key": layout.code(delivery.package)}},
            ],
        },
        "volumes": [{"name": "work", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}, *site.volumes],
        "initContainers": [_binder(around, errand)],
        "container": {**main, "volumeMounts": mounts, "securityContext": LOCKED},
        "retryStrategy": {
            "limit": str(site.lost_retries),
            "retryPolicy": "Always",
            "expression": LOST,
            "backoff": {"duration": "5", "factor": "3"},
        },
    }


def _binder(around: PodSurrounding, errand: _Errand) -> Manifest:
    """The container that comes first. It has the keys of the bucket, and the one that runs tasks has not."""
    site = around.site
    return {
        "name": "bind",
        "image": site.base_image,
        "command": [BASE_PYTHON, "-m", "sciflow.pod", *errand.command],
        "mirrorVolumeMounts": True,
        "env": [
            *_orders(around, errand.setup),
            {"name": "SCIFLOW_RETRIES", "value": "{{retries}}"},
            *([{"name": "SCIFLOW_EXIT_PHASE", "value": PHASE}] if errand.exits else []),
            *errand.env,
            *_keys(site),
        ],
        "securityContext": LOCKED,
        "terminationMessagePolicy": "FallbackToLogsOnError",  # Argo shows what is wrong
    }


def _orders(around: PodSurrounding, setup: Mapping[str, str]) -> list[Manifest]:
    """What a container is told that runs sciflow itself."""
    layout, site = around.layout, around.site
    place = {"volume": VOLUME, "runner": RUNNER, "python": site.python, "prefix": layout.prefix, "s3": dict(site.store)}
    return [
        *_home(),
        {"name": "PYTHONPATH", "value": PACKAGE},
        {"name": "SCIFLOW_RUN", "value": around.run},
        {"name": "SCIFLOW_POD", "value": json.dumps({**place, **setup}, separators=(",", ":"))},
    ]


def _keys(site: Site) -> list[Manifest]:
    """Those of the bucket."""
    return [
        _of_secret("AWS_ACCESS_KEY_ID", f"{site.secret}/{site.access_key}"),
        _of_secret("AWS_SECRET_ACCESS_KEY", f"{site.secret}/{site.secret_key}"),
    ]


def _saved(name: str, path: str, key: str) -> Manifest:
    return {"name": name, "path": path, **RAW, "optional": True, "s3": {"key": key}}


def _home() -> list[Manifest]:
    return [{"name": "HOME", "value": "/tmp"}, {"name": "TMPDIR", "value": "/tmp"}]  # noqa: S108


def _of_secret(variable: str, where: str) -> Manifest:
    secret, _, key = where.partition("/")
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _resources(wanted: Resources) -> Manifest:
    """Requests and limits; the scheduler of Kubernetes goes by the former."""
    cpus = wanted.cpus * wanted.ranks
    asked: dict[str, str] = {"cpu": str(cpus)} if cpus > 1 else {}
    if wanted.memory_mb:
        asked["memory"] = f"{wanted.memory_mb}M"
    limits: Mapping[str, str] = {name: amount for name, amount in asked.items() if name == "memory"}
    if wanted.gpus:
        limits = {**limits, wanted.gpu_type or "nvidia.com/gpu": str(wanted.gpus)}
    return {name: amounts for name, amounts in (("requests", asked), ("limits", dict(limits))) if amounts}
