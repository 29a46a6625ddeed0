"""Manifests of programs at random: what must hold of each, and what Argo itself says of them.

SCIFLOW_TEST_SLOW=1 takes hundreds.
"""

from __future__ import annotations

import json
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings

from sciflow.executors.argo.manifest.workflow import Plan, manifest
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.refusals import LARGEST_BYTES, NOTHING_SENT
from sciflow.executors.argo.submission import bucket_settings, site_of
from sciflow.executors.settings import ArgoSettings
from tests.conformance.random_programs import programs, programs_at_random

SLOW = bool(os.environ.get("SCIFLOW_TEST_SLOW"))
SETTINGS = ArgoSettings(server="https://argo.example.org", namespace="argo", storage="bucket")
STORAGES = {"bucket": {"type": "s3", "endpoint": "http://minio.argo:9000", "bucket": "artifacts"}}
# what is made here: numbers, truth values, "?", and paths of nodes and runs; all else is an expression of Argo
PLAIN = re.compile(
    r"-?\d+|true|false|\?||(\{\{inputs\.parameters\.at\}\})?([\w-]+|\{\{item\}\})(/([\w-]+|\{\{item\}\}))*/?"
)
EXPRESSION = re.compile(r"\{\{=.*\}\}|\{\{[\w.-]+\}\}", re.DOTALL)
WORDS_OF_USERS = re.compile(r"""["\\\n]|=2\}\}|[^\x20-\x7e]""")  # stand in texts of the programs, see `random_programs`
TOLD = re.compile(r"tasks\['([^']+)'\]\.outputs\.parameters(?:\.([A-Za-z_]\w*)|\['([^']+)'\])")
STATUS = re.compile(r"tasks\['([^']+)'\]\.status")
GIVEN = re.compile(r"inputs\.parameters(?:\.([A-Za-z_]\w*)|\['([^']+)'\])")


def manifest_of(program, *, known):
    """`known`: as it is submitted, with the inputs; else as it is printed."""
    store = bucket_settings("cluster", SETTINGS, STORAGES)
    inputs = {"n": program.n, "k": program.k} if known else {}
    plan = Plan(run=f"{program.name}-1", totals={}, pods=SETTINGS.pods, inputs=inputs)
    site = site_of(SETTINGS, store)
    return manifest(program.workflow().spec(), plan, layout=Layout("", plan.run), site=site, delivery=NOTHING_SENT)


@settings(
    max_examples=400 if SLOW else 60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
@given(programs(exits=True))
def test_a_manifest_is_whole_whatever_the_program(program):
    for known in (True, False):
        made = manifest_of(program, known=known)
        assert list(faults(made)) == []
        assert len(json.dumps(made)) < LARGEST_BYTES


def faults(made):
    """What is wrong with a manifest, as far as it can be told without Argo."""
    templates = {template["name"]: template for template in made["spec"]["templates"]}
    if len(templates) < len(made["spec"]["templates"]):
        yield "two templates have the same name"
    if made["spec"]["entrypoint"] not in templates:
        yield "there is no entrypoint"
    for template in templates.values():
        yield from _faults_of_template(template, templates)
    for parameter in made["spec"]["arguments"]["parameters"]:
        yield from _faults_of_value("the workflow", parameter)


def _faults_of_template(template, templates):
    name, tasks = template["name"], {task["name"]: task for task in template.get("dag", {}).get("tasks", ())}
    if len(tasks) < len(template.get("dag", {}).get("tasks", ())):
        yield f"{name}: two tasks have the same name"
    given = {parameter["name"] for parameter in template.get("inputs", {}).get("parameters", ())}
    for task in tasks.values():
        where = f"{name}.{task['name']}"
        yield from _faults_of_call(where, task, templates)
        yield from (f"{where}: depends on {word}" for word in _depends_on(task) if word not in tasks)
        for parameter in task.get("arguments", {}).get("parameters", ()):
            yield from _faults_of_value(where, parameter)
        yield from _faults_of_references(
            where, _texts(task), {t: templates.get(c["template"], {}) for t, c in tasks.items()}, given
        )
        needed = {match[1] for text in _texts(task) for match in (*TOLD.finditer(text), *STATUS.finditer(text))}
        missing = needed - _ancestors(task, tasks)
        if missing:
            yield f"{where}: rests on {missing}, which it does not depend on"
    outputs = [p["valueFrom"].get("expression", "") for p in template.get("outputs", {}).get("parameters", ())]
    yield from _faults_of_references(
        f"outputs of {name}", outputs, {t: templates.get(c["template"], {}) for t, c in tasks.items()}, given
    )


def _ancestors(task, tasks):
    found, todo = set(), [task]
    while todo:
        for word in _depends_on(todo.pop()):
            if word in tasks and word not in found:
                found.add(word)
                todo.append(tasks[word])
    return found


def _depends_on(task):
    return {word.partition(".")[0] for word in re.findall(r"[A-Za-z][\w.-]*", task.get("depends", ""))}


def _faults_of_call(where, task, templates):
    callee = templates.get(task["template"])
    if callee is None:
        yield f"{where}: there is no template {task['template']}"
        return
    ports = {parameter["name"]: parameter for parameter in callee.get("inputs", {}).get("parameters", ())}
    told = [parameter["name"] for parameter in task.get("arguments", {}).get("parameters", ())]
    yield from (f"{where}: gives {name}, which {task['template']} does not take" for name in told if name not in ports)
    yield from (f"{where}: is not given {name}" for name, p in ports.items() if "value" not in p and name not in told)
    if len(set(told)) < len(told):
        yield f"{where}: is given a parameter twice"


def _faults_of_value(where, parameter):
    value = parameter["value"]
    if not (PLAIN.fullmatch(value) or EXPRESSION.fullmatch(value)):
        yield f"{where}: {parameter['name']} is {value!r}"
    if WORDS_OF_USERS.search(value):
        yield f"{where}: {parameter['name']} holds text of a user: {value!r}"


def _faults_of_references(where, texts, callees, given):
    for text in texts:
        for match in TOLD.finditer(text):
            callee = callees.get(match[1])
            outputs = {p["name"] for p in (callee or {}).get("outputs", {}).get("parameters", ())}
            if (match[2] or match[3]) not in outputs:
                yield f"{where}: {match[0]} is told by nobody"
        for match in GIVEN.finditer(TOLD.sub("", text)):
            if (match[1] or match[2]) not in given:
                yield f"{where}: {match[0]} is no input"


def _texts(tree):
    match tree:
        case dict():
            return [text for value in tree.values() for text in _texts(value)]
        case list():
            return [text for value in tree for text in _texts(value)]
        case str():
            return [tree]
        case _:
            return []


@pytest.mark.kubernetes
def test_argo_finds_no_fault_with_programs_at_random(kubernetes, tmp_path):
    files = []
    for program in programs_at_random(200 if SLOW else 40, start=0, exits=True):
        for known in (True, False):
            made = manifest_of(program, known=known)
            made["metadata"]["namespace"] = kubernetes.namespace
            files.append(tmp_path / f"{program.name}-{known}.json")
            files[-1].write_text(json.dumps(made))
    said = kubernetes.run("argo", "lint", "--offline", "--no-color", *map(str, files), timeout_s=240.0)
    assert "no linting errors" in said
