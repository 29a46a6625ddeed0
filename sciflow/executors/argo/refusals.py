"""What Argo, or this way to it, cannot do of a workflow: found out before anything is submitted."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

import msgspec

from sciflow.config import Tables
from sciflow.core.expr import Const, Tree
from sciflow.core.graph import Graph, Node, Secret, WorkflowSpec
from sciflow.core.spelling import spelled
from sciflow.errors import ConfigError, Problem
from sciflow.executors.argo.manifest.depth import deeper_than
from sciflow.executors.argo.manifest.images import is_image, with_images
from sciflow.executors.argo.manifest.pod_count import least_pods
from sciflow.executors.argo.place.layout import Delivery
from sciflow.executors.argo.rehearsal import rehearse
from sciflow.executors.argo.submission import bucket_settings
from sciflow.executors.dispatched import dispatcher_of, dispatchers_of
from sciflow.executors.settings import ArgoSettings

LARGEST_BYTES = 1_000_000  # of a manifest: etcd keeps 1.5 MB of an object, of which its status takes a part
DEEPEST = 90  # levels: Argo ends a workflow at the hundredth, and its own handling takes some
NOTHING_SENT = Delivery(runner="0" * 64, package="0" * 64)


def problems_of_argo(
    spec: WorkflowSpec,
    name: str,
    settings: ArgoSettings,
    storages: Tables,
    *,
    executors: Tables,
    inputs: Mapping[str, Tree],
) -> list[Problem]:
    """All that keeps a run from being carried out by the executor of that name, of type `argo`; one of `executors`."""
    spec = with_images(spec, inputs)
    nodes = [node for template in spec.templates.values() if isinstance(template, Graph) for node in template.nodes]
    dispatchers = dispatchers_of(spec, executors)
    in_pods = [node for node in nodes if not dispatcher_of(node, dispatchers)]
    found = [problem for node in nodes for problem in _other_place(node, name, executors)]
    found += [problem for node in nodes for problem in _secrets(node, name, settings)]
    found += [problem for node in in_pods for check in (_image, _machines) for problem in check(node)]
    found += _depth(spec, inputs) or _pods(spec, name, settings, inputs, dispatchers=dispatchers)
    try:
        bucket_settings(name, settings, storages)
    except ConfigError as error:
        found.append(Problem(where="", what=str(error)))
    return found or list(_size(spec, name, settings, storages, executors))


def _other_place(node: Node, name: str, executors: Tables) -> Iterator[Problem]:
    match node.executor:
        case None:
            return
        case Const(value=str() as other):
            if other == name:
                return
            table = executors.get(other, {})
            if table.get("type") == "batch" and table.get("host"):
                yield from _without_login(node, other, table)
                return
            found = f"executor={other!r}"
        case expr:
            found = f"executor={spelled(expr)}, known only while running"
    yield Problem(
        where=node.where,
        what=f"{node.id} is to run at another executor than the run, which {name} carries out as a whole",
        expected=f"no executor of its own, {name!r}, or one of type batch with a host, to which a pod gives its tasks",
        found=found,
        fix="leave it out; or submit the run to another executor, and what is to run in pods as a run of its own",
    )


def _without_login(node: Node, other: str, table: Mapping[str, Any]) -> Iterator[Problem]:
    if not table.get("argo_secret"):
        yield Problem(
            where=node.where,
            what=f"{node.id} is to run at {other}, and how a pod logs in there is not said",
            expected=f"`argo_secret` in [executors.{other}]: a Secret with the entries id and known_hosts",
            found="none",
            fix="make one of a key that needs no passphrase: a pod cannot be asked for one, nor for a password; "
            f'and write argo_secret = "NAME" in [executors.{other}]',
        )


def _image(node: Node) -> Iterator[Problem]:
    match node.image:
        case None:
            return
        case Const(value=name) if is_image(name):
            return
        case Const(value=name):
            found, what = repr(name), f"{node.id}: this cannot be the name of an image"
        case expr:
            found = spelled(expr)
            what = f"the image of {node.id} is not known before the run begins, and Argo is told all images then"
    yield Problem(
        where=node.where,
        what=what,
        expected="the name of an image, or an input of the run",
        found=found,
        fix="name one image, or let it be an input; or write a node for each, and `when` before it",
    )


def _secrets(node: Node, name: str, settings: ArgoSettings) -> Iterator[Problem]:
    for variable, value in sorted(node.policy.env.items()):
        if isinstance(value, Secret):
            secret = value.env or value.file or ""
            if secret not in settings.secrets:
                yield Problem(
                    where=node.where,
                    what=f"{node.id}: where Kubernetes has the value of {variable} is not said",
                    expected=f"an entry {secret} in `secrets` of [executors.{name}]",
                    found=", ".join(sorted(settings.secrets)) or "none",
                    fix=f"put it into a Secret of namespace {settings.namespace}, and write "
                    f'secrets = {{ {_key(secret)} = "SECRET/KEY" }} in [executors.{name}]',
                )


def _key(name: str) -> str:
    """A name as TOML takes it for a key."""
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else f'"{name}"'


def _machines(node: Node) -> Iterator[Problem]:
    if node.resources.nodes > 1:
        yield Problem(
            where=node.where,
            what=f"{node.id} asks for several machines, and a pod is on one",
            expected="nodes=1",
            found=f"nodes={node.resources.nodes}",
            fix="leave `nodes` out, or run it at a batch system",
        )


def _depth(spec: WorkflowSpec, inputs: Mapping[str, Tree]) -> list[Problem]:
    node = deeper_than(DEEPEST, spec, inputs)
    if node is None:
        return []
    return [
        Problem(
            where=node.where,
            what=f"with these inputs, workflows call each other deeper than Argo lets them: {node.id}",
            expected=f"at most {DEEPEST} levels",
            fix="do several rounds on one level, or the whole loop in an op; other executors have no such limit",
        )
    ]


def _pods(
    spec: WorkflowSpec,
    name: str,
    settings: ArgoSettings,
    inputs: Mapping[str, Tree],
    *,
    dispatchers: Container[str],
) -> list[Problem]:
    count, node = least_pods(spec, inputs, settings.pods, dispatchers)
    if count <= settings.most_pods or node is None:
        return []
    return [
        Problem(
            where=node.where,
            what=f"the run would have more pods than Argo can keep the status of; most are of {node.id}",
            expected=f"at most {settings.most_pods:,} pods",
            found=f"{count:,} or more",
            fix="let a pod run more slices: a larger chunk, `.options(chunk=...)`, or none, which makes "
            f"{settings.pods} pods of a fan; or divide the run. If Argo's controller keeps the status of nodes in a "
            f"database (`nodeStatusOffLoad`), say `most_pods` in [executors.{name}]",
        )
    ]


def _size(
    spec: WorkflowSpec,
    name: str,
    settings: ArgoSettings,
    storages: Tables,
    executors: Tables,
) -> Iterator[Problem]:
    made = rehearse(spec, name, settings, storages, run=spec.name, delivery=NOTHING_SENT, executors=executors)
    size = len(msgspec.json.encode(made))
    if size > LARGEST_BYTES:
        pods = sum("container" in template for template in made["spec"]["templates"])
        nodes = sum(len(template.nodes) for template in spec.templates.values() if isinstance(template, Graph))
        yield Problem(
            where=spec.templates[spec.entry].where,
            what="the manifest of this workflow is larger than Kubernetes keeps",
            expected=f"at most {LARGEST_BYTES / 1e6:g} MB",
            found=f"{size / 1e6:.1f} MB: {nodes:,} nodes, {pods:,} kinds of pods",
            fix="make nodes that are alike the slices of a fan, `.map(...)`; let those of an op ask for the same "
            "resources and image; or divide the workflow into several runs",
        )
