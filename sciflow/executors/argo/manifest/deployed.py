"""A workflow that is deployed: a WorkflowTemplate from which others start runs, or a CronWorkflow that does. Pure.

No engine looks after such a run. Around its graph, a pod `begin` reads the parameters and writes down what the run is,
and a pod `end` finds out what it has come to: so that the Workflow's phase is the run's, whatever Argo makes of the
failures in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sciflow.core.graph import Graph, WorkflowSpec
from sciflow.executors.argo.manifest import Manifest
from sciflow.executors.argo.manifest.called import reachable
from sciflow.executors.argo.manifest.demands import demands_of
from sciflow.executors.argo.manifest.naming import OURS, dns_name, names
from sciflow.executors.argo.manifest.numbers import Number
from sciflow.executors.argo.manifest.parameters import Parameter, description
from sciflow.executors.argo.manifest.pod_template import (
    POD,
    RAW,
    PodSurrounding,
    asked_argument,
    frame_template,
    told_parameters,
)
from sciflow.executors.argo.manifest.site import Site
from sciflow.executors.argo.manifest.workflow import NAME_LABEL, RUN_LABEL, VERSION_LABEL, Plan, made_by, manifest
from sciflow.executors.argo.place.layout import RESULT, Delivery, Layout

DEPLOYED_LABEL = "sciflow/deployed"
ABOUT = "workflows.argoproj.io/description"  # which Argo shows in its list
LONGEST_NAME = 40  # Argo puts the date behind the name of a schedule, and we the version
_WHEN = "{{workflow.creationTimestamp.%s}}"
_DAY, _TIME = ("".join(_WHEN % part for part in parts) for parts in ("Ymd", "HMS"))
# the id of a run: names of Workflows come again when one is deleted, and in other namespaces of the same bucket
RUN = f"{{{{workflow.name}}}}-{_DAY}-{_TIME}-{{{{=workflow.uid[0:8]}}}}"
# Argo rewrites what it puts into a text, and then what it finds in there; base64 has nothing that it would find
PARAMETERS_BASE64 = "{{=toBase64(workflow.parameters.json)}}"
FRAME, BEGIN, END = f"{OURS}run", f"{OURS}begin", f"{OURS}end"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When runs are begun."""

    cron: str  # minute, hour, day, month, day of the week
    timezone: str = ""  # as "Europe/Berlin"; that of Argo's controller if there is none


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """What is deployed."""

    name: str
    version: str  # a hash of all that it is made of
    about: str
    parameters: Sequence[Parameter]

    @property
    def key(self) -> str:
        """What it is known by, in the bucket and at Argo: it alone, and never another."""
        return f"{self.name}-{self.version}"

    @property
    def labels(self) -> dict[str, str]:
        """By which it is found."""
        return {DEPLOYED_LABEL: self.name, VERSION_LABEL: self.version}


def template_manifest(
    name: str, deployment: Deployment, spec: WorkflowSpec, plan: Plan, *, layout: Layout, site: Site, delivery: Delivery
) -> Manifest:
    """The WorkflowTemplate of that name; `plan` and `layout` are those of a run whose id is RUN.

    Raises:
        ConfigError: something of it cannot be had on Argo.
    """
    plan = msgspec.structs.replace(plan, run=RUN, workflow="{{workflow.name}}", run_inside=RUN)
    made = manifest(spec, plan, layout=layout, site=site, delivery=delivery)["spec"]
    around = PodSurrounding(layout=layout, site=site, delivery=delivery, run=RUN)
    asked = _asked(spec)
    frame = [_frame(made["entrypoint"], asked), _begin(deployment, asked, around), _end(around)]
    labels = {NAME_LABEL: dns_name(spec.name), **deployment.labels, **site.labels}
    about = {ABOUT: deployment.about} if deployment.about else {}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {
            "name": name,
            "namespace": site.namespace,
            "labels": labels,
            **({"annotations": about} if about else {}),
        },
        "spec": {
            **made,
            "entrypoint": FRAME,
            "arguments": {"parameters": [_parameter(parameter) for parameter in deployment.parameters]},
            "workflowMetadata": {
                "labels": labels,
                "labelsFrom": {RUN_LABEL: {"expression": "workflow.name"}},
                "annotations": {RUN_LABEL: RUN, **made_by(plan), **site.annotations},
            },
            "templates": [*frame, *made["templates"]],
        },
    }


def cron_manifest(deployment: Deployment, schedule: Schedule, site: Site) -> Manifest:
    """The CronWorkflow that begins runs of this version, one at a time."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {
            "name": deployment.name,
            "namespace": site.namespace,
            "labels": {**deployment.labels, **site.labels},
        },
        "spec": {
            "schedules": [schedule.cron],
            **({"timezone": schedule.timezone} if schedule.timezone else {}),
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "workflowSpec": {"workflowTemplateRef": {"name": deployment.key}},
        },
    }


def _asked(spec: WorkflowSpec) -> list[Number]:
    """The numbers of the inputs that Argo looks at."""
    entry = spec.templates[spec.entry]
    assert isinstance(entry, Graph)
    used = [*reachable(spec, spec.entry), *reachable(spec, entry.on_exit)]
    return demands_of(spec.templates, used, totals=lambda _: {}).of_inputs(spec.entry)


def _frame(entry: str, asked: Sequence[Number]) -> Manifest:
    tasks = names(["begin", "end", entry])
    graph = tasks[entry]
    told = [{"name": one.name, "value": f"{{{{tasks.begin.outputs.parameters.{one.name}}}}}"} for one in asked]
    ended = " || ".join(f"{graph}.{end}" for end in ("Succeeded", "Failed", "Errored"))
    return {
        "name": FRAME,
        "dag": {
            "failFast": False,
            "tasks": [
                {"name": "begin", "template": BEGIN},
                {
                    "name": graph,
                    "template": entry,
                    "depends": "begin.Succeeded",
                    **({"arguments": {"parameters": told}} if told else {}),
                },
                {"name": "end", "template": END, "depends": f"begin.Succeeded && ({ended})"},
            ],
        },
    }


def _begin(deployment: Deployment, asked: Sequence[Number], around: PodSurrounding) -> Manifest:
    outputs = {"parameters": told_parameters(asked)} if asked else {}
    command = ["begin", deployment.key, *asked_argument(asked)]
    return frame_template(
        BEGIN, command, around, env=[{"name": "SCIFLOW_GIVEN", "value": PARAMETERS_BASE64}], outputs=outputs
    )


def _end(around: PodSurrounding) -> Manifest:
    key = around.layout.part(RESULT)
    result = {"name": "result", "path": f"{POD}/{RESULT}", **RAW, "optional": True, "s3": {"key": key}}
    return frame_template(END, ["end"], around, env=(), outputs={"artifacts": [result]})


def _parameter(parameter: Parameter) -> Mapping[str, Any]:
    return {
        "name": parameter.name,
        "description": description(parameter),
        **({"value": parameter.text} if parameter.text is not None else {}),
        **({"enum": list(parameter.choices)} if parameter.choices else {}),
    }
