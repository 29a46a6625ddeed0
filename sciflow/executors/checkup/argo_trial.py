"""A small workflow that is really submitted: do its pods start, does Argo keep files where we look for them?

First a pod of the base image with all secrets, whose troubles Kubernetes tells in its own words; then a task as those
of every run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from sciflow.core.expr import Output
from sciflow.core.graph import Function, Graph, Node, OpTemplate, WorkflowSpec
from sciflow.core.ports import Type
from sciflow.core.records import Phase
from sciflow.errors import HostError
from sciflow.executors.argo.follow.trouble import BLOCKED, advice
from sciflow.executors.argo.follow.waiting import BEGINNING, SILENT_S, trouble_of
from sciflow.executors.argo.manifest import Manifest
from sciflow.executors.argo.manifest.pod_template import LOCKED
from sciflow.executors.argo.place.outcomes import read_outcomes
from sciflow.executors.argo.place.sending import PARTS_GIVEN, Sender
from sciflow.executors.argo.pod_logs import pod_name
from sciflow.executors.argo.server.objects import NodeStatus, WorkflowStatus
from sciflow.executors.argo.submission import Submission
from sciflow.executors.checkup.argo import ArgoVisit
from sciflow.executors.checkup.finding import Finding, bad, note, ok
from sciflow.executors.errand import Errand, Whole

LOOK_S = 1.0
LATE_S = 10.0  # for which the end of a task may come later than that of its workflow
KEPT_S = 300  # seconds for which a workflow stays that nobody could remove
TASK, POD = "task", "pod"
GONE = "somebody has removed its workflow"
MISSING = "not found"  # of a Secret or another volume: it will not come by itself
# Constant program text, run in a pod of the base image.
PROBE = """
import sys
try:
    import minio, msgspec
    assert sys.version_info >= (3, 11), "Python is %d.%d" % sys.version_info[:2]
except (ImportError, AssertionError) as error:
    sys.exit("the base image lacks something: %s" % error)
"""

SPEC = WorkflowSpec(
    name="doctor",
    entry="doctor",
    templates={
        "doctor": Graph(
            name="doctor",
            inputs=(),
            nodes=(Node(id=TASK, template=TASK),),
            result=Output(node=TASK),
            output=Type(name="str"),
        ),
        TASK: OpTemplate(
            name=TASK,
            inputs=(),
            output=Type(name="str"),
            code=Function(module="platform", qualname="python_version"),
        ),
    },
)


def trial(visit: ArgoVisit) -> Iterator[Finding]:
    """Submits it, waits for it, and removes all of it."""
    try:
        began = time.monotonic()
        _submit(visit)
        status = _wait(visit)
        yield from _told(visit, status, time.monotonic() - began)
    except HostError as error:
        said, _, fix = str(error).partition("\n    fix:      ")
        yield bad("test workflow", said, visit.role if "forbidden" in said else fix or "try again later")
    finally:
        left = _remove(visit)
    if left:
        by_hand = f"remove it by hand: argo -n {visit.settings.namespace} delete {visit.mark}"
        yield note("removal", left, f"{visit.role}; {by_hand}" if "forbidden" in left else by_hand)


def _submit(visit: ArgoVisit) -> None:
    """It is made suspended, and let go: for that, too, a right is needed."""
    whole = Whole(
        spec=SPEC,
        inputs={},
        reuse={},
        timeout_s=visit.wait_s + KEPT_S,
        parallelism=None,
        locks={},
        setup=msgspec.Raw(b"{}"),
    )
    settings = msgspec.structs.replace(visit.settings, lost_retries=0)
    submission = Submission(name=visit.name, settings=settings, store=visit.store, whole=whole)
    with TemporaryDirectory(prefix="sciflow-") as folder:
        for part in PARTS_GIVEN:
            Path(folder, part).mkdir()
        errand = Errand(root=Path(folder), sys_path=(), argv=(), main=None, inline_bytes=4096, code={}, host={})
        delivery = Sender(visit.bucket, visit.layout, Path(folder), submission.facts(errand), {}).send()
    made = submission.workflow(submission.plan(visit.mark), delivery)
    visit.server.create(_with_pod(made, visit))
    visit.server.resume(visit.mark)


def _with_pod(made: Manifest, visit: ArgoVisit) -> Manifest:
    """The workflow, with a pod of the base image before its task."""
    settings, spec = visit.settings, made["spec"]
    keys = (f"{settings.secret}/{settings.access_key}", f"{settings.secret}/{settings.secret_key}")
    secrets = [where.partition("/") for where in (*keys, *settings.secrets.values())]
    pod = {
        "name": POD,
        "container": {
            "image": settings.base_image,
            "command": ["python3", "-c", PROBE],
            "env": [
                {"name": f"SECRET_{k}", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
                for k, (name, _, key) in enumerate(secrets)
            ],
            "securityContext": LOCKED,
        },
    }
    (dag,) = [template for template in spec["templates"] if template["name"] == spec["entrypoint"]]
    (task,) = dag["dag"]["tasks"]
    dag["dag"]["tasks"] = [{"name": POD, "template": POD}, {**task, "depends": f"{POD}.Succeeded"}]
    templates = [*spec["templates"], pod]
    return {
        **made,
        "spec": {**spec, "templates": templates, "suspend": True, "ttlStrategy": {"secondsAfterCompletion": KEPT_S}},
    }


def _wait(visit: ArgoVisit) -> WorkflowStatus:
    """How far it is when it has ended, cannot go on, is not to go on, or the time is over."""
    began = time.monotonic()
    end = began + visit.wait_s
    looked = False
    while True:
        status = visit.server.status(visit.mark, nodes=True) or WorkflowStatus(phase="Error", message=GONE)
        if status.ended or time.monotonic() > end or any(_blocked(node) for node in _pods(status)):
            return status
        if time.monotonic() > began + SILENT_S and any(MISSING in _unsaid(visit, node) for node in _pods(status)):
            return status
        if not looked and any(node.phase == "Succeeded" for node in _pods(status)):
            looked = True
            if _elsewhere(visit) is not None:  # the task would leave files in a bucket that is not ours to tidy
                return status
        time.sleep(LOOK_S)


def _pods(status: WorkflowStatus) -> list[NodeStatus]:
    """The pod before the task first."""
    return sorted((n for n in status.nodes.values() if n.type == "Pod"), key=lambda n: n.parameter("path"))


def _blocked(node: NodeStatus) -> bool:
    return node.phase == "Pending" and node.message.startswith(BLOCKED)


def _unsaid(visit: ArgoVisit, node: NodeStatus) -> str:
    """What keeps its container from being made, of which only the pod's events tell."""
    silent = node.phase == "Pending" and node.message in BEGINNING
    return trouble_of(visit.server.events(pod_name(visit.mark, node))) if silent else ""


def _told(visit: ArgoVisit, status: WorkflowStatus, seconds: float) -> Iterator[Finding]:
    pods = {node.parameter("path"): node for node in _pods(status)}
    before, task = pods.get(""), pods.get(TASK)
    if before is None or before.phase != "Succeeded":
        yield _trouble(visit, status, "test pod", before, container="main")
        return
    yield ok("test pod", f"{visit.settings.base_image} ran, with secret {visit.settings.secret}")
    elsewhere = _elsewhere(visit)
    if elsewhere is not None:
        yield elsewhere
        return
    if task is None or not status.ended:
        yield _trouble(visit, status, "test task", task, container="bind")
        return
    text = _outcomes(visit, wanted=task.phase == "Succeeded")
    if text is None and task.phase == "Succeeded":
        fix = (
            f"is the server that pods keep artifacts at the one of [storages.{visit.settings.storage}]? "
            "Two of them may have a bucket of the same name"
        )
        yield bad("artifacts", f"what the pod left did not come to {visit.bucket!r}", fix)
    elif text is None:
        yield _trouble(visit, status, "test task", task, container="bind")
    else:
        yield ok("artifacts", f"kept in {visit.bucket!r}, where we look for them")
        yield _ended(visit, text, seconds)


def _outcomes(visit: ArgoVisit, *, wanted: bool) -> bytes | None:
    end = time.monotonic() + LATE_S * wanted
    while True:
        text = visit.bucket.get(visit.layout.outcomes(TASK, 0))
        if text is not None or time.monotonic() > end:
            return text
        time.sleep(LOOK_S)


def _ended(visit: ArgoVisit, text: bytes, seconds: float) -> Finding:
    told = visit.bucket.read(visit.layout.outcomes(TASK, 0), text, read_outcomes).ends[-1].told
    image = visit.settings.image or visit.settings.base_image
    if told.phase != Phase.SUCCEEDED.value:
        error = told.extra.error if told.extra is not None else None
        message = error.message if error is not None else told.phase
        return bad("test task", message, f"has {image} a Python 3.9 or newer, as `python` in {visit.table} names it?")
    version = msgspec.json.decode(told.output)
    return ok("test task", f"ran in {image} (Python {version}) and was heard of after {seconds:.1f} s")


def _elsewhere(visit: ArgoVisit) -> Finding | None:
    """Argo keeps artifacts in another bucket than ours."""
    repository: Mapping[str, Any] = visit.server.repository(visit.mark)
    kind = next((name for name in repository if isinstance(repository[name], dict)), "")
    theirs, ours = repository.get("s3", {}), visit.store.bucket
    if not kind or theirs.get("bucket") == ours:
        return None
    setting = "artifactRepository in the ConfigMap workflow-controller-configmap"
    if kind != "s3":
        found = f"Argo keeps them in a repository of kind {kind}"
        return bad("artifacts", found, f"it must be a bucket of S3: {setting}")
    bucket, server = theirs.get("bucket"), theirs.get("endpoint", "its server")
    found = (
        f"Argo keeps them in the bucket {bucket!r} of {server}, and [storages.{visit.settings.storage}] names {ours!r}"
    )
    return bad("artifacts", found, f'write bucket = "{bucket}" there, or have Argo use the other one: {setting}')


# --- what went wrong


def _trouble(
    visit: ArgoVisit, status: WorkflowStatus, subject: str, node: NodeStatus | None, *, container: str
) -> Finding:
    message = (_unsaid(visit, node) or node.message) if node is not None else ""
    if not status.ended and not (node is not None and _blocked(node)) and MISSING not in message:
        waits = message or status.message or (node.phase if node is not None else "no pod yet")
        told = _advice(waits, visit)
        found = f"did not end within {visit.wait_s:.0f} s: {waits}"
        busy = "a busy cluster is no fault: try again with more time, --wait-s 3600"
        return note(subject, found, f"{told}; {busy}" if "Unschedulable" in waits else busy)
    said = visit.server.words(visit.mark, container=container).strip()
    found = message or status.message or f"the workflow ended: {status.phase}"
    said = "" if said and said.splitlines()[-1] in found else said  # Kubernetes has told it already
    return bad(subject, f"{found}\n{said}" if said else found, _advice(f"{found}\n{said}", visit))


def _advice(said: str, visit: ArgoVisit) -> str:
    space = visit.settings.namespace
    own = f"the pod's own words are above; `argo -n {space} submit` of a workflow of your own tells whether any runs"
    return advice(said, visit.settings, table=visit.table) or own


def _remove(visit: ArgoVisit) -> str:
    """Removes what there is of it; why that could not be done."""
    try:
        visit.server.delete(visit.mark)
        for key in visit.bucket.list(visit.layout.part("")):
            visit.bucket.delete(key)
    except HostError as error:
        return str(error).partition("\n")[0]
    return ""
