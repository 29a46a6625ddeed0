"""A workflow as a Workflow of Argo. Pure.

A graph becomes a `dag` template, an op a template of one pod, a suspension a `suspend` template. A fan of N slices is a
task over a sequence of `ceil(N / chunk)` pods. How many parts a fan has, and whether a condition holds, is known
beforehand, or worked out by Argo, or told by a pod of the template `plan`, see `dag`. Parameters hold what is made here
alone: paths and numbers. Everything else travels in files, under keys that both sides compute.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sciflow.core.expr import Const, Tree
from sciflow.core.graph import EXIT_NODE as EXIT
from sciflow.core.graph import Graph, Node, OpTemplate, Program, Resources, Secret, Suspend, WorkflowSpec
from sciflow.core.ports import NONE
from sciflow.core.spelling import spelled
from sciflow.errors import ConfigError
from sciflow.executors.argo.manifest import Manifest
from sciflow.executors.argo.manifest.called import reachable, sharing_graphs
from sciflow.executors.argo.manifest.dag import Surrounding, dag_templates
from sciflow.executors.argo.manifest.demands import Demands, demands_of
from sciflow.executors.argo.manifest.gate import gate_template, wait_template
from sciflow.executors.argo.manifest.images import is_image
from sciflow.executors.argo.manifest.naming import OURS, Names, dns_name, workflow_name
from sciflow.executors.argo.manifest.numbers import constant_told
from sciflow.executors.argo.manifest.pod_patch import patient_pods
from sciflow.executors.argo.manifest.pod_template import RUN, PodKind, PodSurrounding, op_template, plan_template
from sciflow.executors.argo.manifest.site import Site
from sciflow.executors.argo.place.layout import Delivery, Layout
from sciflow.executors.dispatched import dispatcher_of

RUN_LABEL, NAME_LABEL, VERSION_LABEL = "sciflow/run", "sciflow/workflow", "sciflow/version"
MADE_BY = "sciflow/made-by"  # the version of sciflow
EXIT_CALL, PLAN = f"{OURS}exit", f"{OURS}plan"
SECCOMP = {"type": "RuntimeDefault"}  # of all containers of a pod, Argo's too: namespaces may demand it


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run before it begins."""

    run: str
    totals: Mapping[str, int]  # tasks of nodes of the workflow's own graph, by id, as far as they are known
    pods: int  # of a fan at most
    workers: int = 1  # slices at once in a pod
    timeout_s: float | None = None
    parallelism: int | None = None
    inputs: Mapping[str, Tree] = {}  # as far as they are known
    locks: Mapping[str, int] = {}  # how many tasks may hold a lock at most, whatever its op says
    workflow: str = ""  # the Workflow's name, where it is not made of the run's id
    run_inside: str = RUN  # the run's id, as pods are told it
    version: str = ""  # of the workflow, by its content; none of one that is only looked at
    sciflow: str = ""  # its version, where that is known
    dispatchers: Mapping[str, str] = {}  # executors of batch systems that nodes name -> the Secret for logging in

    @property
    def name(self) -> str:
        """The Workflow's name."""
        return self.workflow or workflow_name(self.run)


def manifest(spec: WorkflowSpec, plan: Plan, *, layout: Layout, site: Site, delivery: Delivery) -> Manifest:
    """The Workflow of one run.

    Raises:
        ConfigError: something of it cannot be had on Argo.
    """
    return _Maker(spec, plan, layout, site, delivery).workflow()


class _Maker:
    def __init__(self, spec: WorkflowSpec, plan: Plan, layout: Layout, site: Site, delivery: Delivery) -> None:
        self._spec = spec
        self._plan = plan
        self._layout = layout
        self._site = site
        self._delivery = delivery
        entry = spec.templates[spec.entry]
        assert isinstance(entry, Graph)
        self._entry = entry
        self._exiting = reachable(spec, entry.on_exit)
        self._sharing = sharing_graphs(spec)
        self._free = Names().free
        texts = [*spec.templates, *(f"{name}-{EXIT}" for name in spec.templates)]
        self._names = {text: self._free(text) for text in texts}
        self._kinds: dict[PodKind, str] = {}
        self._holders = _holders(spec, plan.locks)
        self._demands: Demands = demands_of(
            spec.templates, [*reachable(spec, spec.entry), *self._exiting], totals=self._totals
        )

    def workflow(self) -> Manifest:
        """The whole object."""
        graphs = [t for name in reachable(self._spec, self._spec.entry) for t in self._graph(name, exits=False)]
        exits = [t for name in self._exiting for t in self._graph(name, exits=True)]
        exit_call = [self._exit_call(self._entry.on_exit)] if self._entry.on_exit is not None else []
        used = [*graphs, *exits]
        gates = [self._gate(g) for g in self._spec.templates.values() if isinstance(g, Suspend)]
        gates += [wait_template()] if gates else []
        around = PodSurrounding(
            layout=self._layout, site=self._site, delivery=self._delivery, run=self._plan.run_inside
        )
        pods = [op_template(name, kind, around) for kind, name in self._kinds.items()]
        planners = [plan_template(PLAN, around, exits=False)]
        planners += [plan_template(f"{PLAN}-{EXIT}", around, exits=True)] if self._exiting else []
        called = {task["template"] for template in used for task in template["dag"]["tasks"]}
        planners = [planner for planner in planners if planner["name"] in called]
        labels = {RUN_LABEL: self._plan.name, NAME_LABEL: dns_name(self._spec.name)}
        version = {VERSION_LABEL: self._plan.version} if self._plan.version else {}
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {
                "name": self._plan.name,
                "namespace": self._site.namespace,
                "labels": {**labels, **version, **self._site.labels},
                "annotations": {RUN_LABEL: self._plan.run, **made_by(self._plan), **self._site.annotations},
            },
            "spec": {**self._settings(labels), "templates": [*used, *exit_call, *gates, *planners, *pods]},
        }

    def _gate(self, suspend: Suspend) -> Manifest:
        """A suspension. One that asks nothing is let go in Argo itself, where no engine looks after the run."""
        return gate_template(self._names[suspend.name], asks=not self._plan.workflow or suspend.output != NONE)

    def _settings(self, labels: Mapping[str, str]) -> Manifest:
        site, plan = self._site, self._plan
        limits = [s for s in (plan.timeout_s, self._entry.timeout_s) if s is not None]
        most = [n for n in (plan.parallelism, site.parallelism) if n is not None]
        chosen: Manifest = {
            "serviceAccountName": site.service_account,
            "imagePullSecrets": [{"name": name} for name in site.pull_secrets],
            "onExit": EXIT_CALL if self._entry.on_exit is not None else "",
            "activeDeadlineSeconds": int(min(limits)) + 1 if limits else 0,
            "parallelism": min(most) if most else 0,
            "nodeSelector": dict(site.node_selector),
            "tolerations": [dict(toleration) for toleration in site.tolerations],
            "podPriorityClassName": site.priority_class,
            "ttlStrategy": {"secondsAfterCompletion": keep_s} if (keep_s := site.keep_workflow_s) is not None else {},
        }
        return {
            "entrypoint": self._names[self._spec.entry],
            "arguments": {"parameters": [{"name": "run", "value": plan.run}, *self._told_inputs()]},
            "automountServiceAccountToken": False,
            "executor": {"serviceAccountName": site.executor_account},
            "securityContext": _security(site.user),
            "podMetadata": {
                "labels": {**labels, **site.labels},
                **({"annotations": dict(site.annotations)} if site.annotations else {}),
            },
            "podSpecPatch": patient_pods(),
            **{name: value for name, value in chosen.items() if value},
        }

    def _graph(self, name: str, *, exits: bool) -> list[Manifest]:
        graph = self._spec.templates[name]
        if not isinstance(graph, Graph):
            return []
        around = Surrounding(
            templates=self._spec.templates,
            name_of=lambda node: self._template_of(node, exits=exits),
            free=self._free,
            planner=f"{PLAN}-{EXIT}" if exits else PLAN,
            totals={} if exits else self._totals(name),
            pods=self._plan.pods,
            sharing=self._sharing,
            workers=self._plan.workers,
            exits=exits,
            demands=self._demands,
            dispatchers=self._plan.dispatchers,
        )
        return dag_templates(self._named(name, exits=exits), name, around)

    def _totals(self, name: str) -> Mapping[str, int]:
        return self._plan.totals if name == self._spec.entry and self._is_called_once(name) else {}

    def _told_inputs(self) -> list[Manifest]:
        """What the run tells its own graph."""
        defaults = {port.name: port.default.value for port in self._entry.inputs if port.default is not None}
        inputs = {**defaults, **self._plan.inputs}
        texts = {
            told.name: constant_told(inputs[told.path[0]], told.kind, told.path[1:])
            for told in self._demands.of_inputs(self._spec.entry)
            if told.path[0] in inputs
        }
        return [{"name": name, "value": text} for name, text in texts.items() if text is not None]

    def _named(self, name: str, *, exits: bool) -> str:
        return self._names[f"{name}-{EXIT}" if exits else name]

    def _is_called_once(self, name: str) -> bool:
        """Whether a graph is the run's own and nothing else: what is known of it holds wherever it is at work."""
        graphs = (graph for graph in self._spec.templates.values() if isinstance(graph, Graph))
        return all(node.template != name for graph in graphs for node in graph.nodes)

    def _exit_call(self, handler: str) -> Manifest:
        """Calls the exit handler with the run's phase."""
        node = Node(id=EXIT, template=handler)
        phase = {"name": "phase", "value": "{{workflow.status}}"}
        match self._spec.templates[handler]:
            case Graph():
                told = [{"name": "at", "value": f"{EXIT}/"}, phase]
            case _:
                told = [{"name": "path", "value": EXIT}, {"name": "chunk", "value": "0"}, phase]
        task = {
            "name": EXIT,
            "template": self._template_of(node, exits=True),
            "arguments": {"parameters": told},
        }
        return {"name": EXIT_CALL, "dag": {"tasks": [task]}}

    def _template_of(self, node: Node, *, exits: bool) -> str:
        """The template that runs a node."""
        match self._spec.templates[node.template]:
            case Graph():
                return self._named(node.template, exits=exits)
            case Suspend():
                return self._names[node.template]
            case OpTemplate():
                kind = self._kind(node, exits=exits)
                if kind not in self._kinds:
                    name = self._named(node.template, exits=exits)
                    self._kinds[kind] = self._free(name) if name in self._kinds.values() else name
                return self._kinds[kind]

    def _kind(self, node: Node, *, exits: bool) -> PodKind:
        dispatcher = dispatcher_of(node, self._plan.dispatchers)
        template = self._spec.templates[node.template]
        assert isinstance(template, OpTemplate)
        carried = [value for _, value in sorted(node.policy.env.items()) if isinstance(value, Secret)]
        secrets = tuple((f"SCIFLOW_SECRET_{k}", self._secret(secret, node)) for k, secret in enumerate(carried))
        return PodKind(
            op=node.template,
            image=self._site.base_image if dispatcher else self._image(node),
            program=not dispatcher and isinstance(template.code, Program),
            resources=Resources() if dispatcher else node.resources,
            login=self._plan.dispatchers.get(dispatcher, ""),
            secrets=secrets,
            cached=node.policy.cache,
            locks=tuple((f"{self._plan.name}_{lock}", self._holders[lock]) for lock in sorted(node.policy.locks)),
            exits=exits,
            asked=tuple(self._demands.of_result(node.template)) if node.fan is None else (),
            keyed=node.key is not None,
            ports=(tuple(port.name for port in template.inputs), tuple(template.output.fields)),
        )

    def _image(self, node: Node) -> str:
        match node.image:
            case None:
                return self._site.image or self._site.base_image
            case Const(value=str(name)) if is_image(name):
                return name
        raise ConfigError(
            f"{node.where or node.id}: the image of {node.id} follows from no value that is known\n"
            "    expected: the name of an image\n"
            f"    found:    {spelled(node.image)}\n"
            "    fix:      name an image; only a run whose inputs are known may take it from them"
        )

    def _secret(self, secret: Secret, node: Node) -> str:
        name = secret.env or secret.file or ""
        if name not in self._site.secrets:
            raise ConfigError(
                f"{node.where or node.id}: the secret {name} is not known to Kubernetes\n"
                f'    fix:      put it into a Secret there, and write `secrets = {{{name} = "SECRET/KEY"}}` in the '
                "settings of the executor"
            )
        return self._site.secrets[name]


def made_by(plan: Plan) -> Mapping[str, str]:
    """The annotation that says by which version of sciflow a Workflow was made."""
    return {MADE_BY: f"sciflow {plan.sciflow}"} if plan.sciflow else {}


def _holders(spec: WorkflowSpec, most: Mapping[str, int]) -> Mapping[str, int]:
    """How many may hold each lock: the least that is said of it anywhere."""
    graphs = (template for template in spec.templates.values() if isinstance(template, Graph))
    said = [lock for graph in graphs for node in graph.nodes for lock in node.policy.locks.items()]
    found: dict[str, int] = {}
    for name, holders in said:
        found[name] = min(holders, found.get(name, holders), most.get(name, holders))
    return found


def _security(user: int | None) -> Manifest:
    if user is None:
        return {"seccompProfile": SECCOMP}
    who = {"runAsUser": user, "runAsGroup": user, "fsGroup": user, "runAsNonRoot": user != 0}
    return {**who, "seccompProfile": SECCOMP}
