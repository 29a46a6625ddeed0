"""`sciflow graph --format argo`: the manifests of workflows, and what Argo itself says of them."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path

import pytest

from sciflow.cli.main import exit_code

yaml = pytest.importorskip("yaml")

FLOW = Path(__file__).with_name("flow_of_argo.py")
WORKFLOWS = ("chain", "fan", "condition", "subgraphs", "review", "handled", "demanding", "programs")
BUCKET = {"type": "s3", "endpoint": "http://minio.argo:9000", "bucket": "artifacts", "prefix": "sciflow"}
ARGO = {
    "type": "argo",
    "server": "https://argo.example.org",
    "namespace": "argo",
    "storage": "bucket",
    "secrets": {"MP_API_KEY": "keys/materials-project"},
}


@pytest.fixture
def manifest(monkeypatch, tmp_path, capsys):
    """`manifest("chain")`: as it is printed; `manifest("chain", **settings)`: at an executor that has these."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCIFLOW_STORAGES", json.dumps({"bucket": BUCKET}))

    def printed(name, *args, executors=None, **settings):
        monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"cluster": ARGO | settings, **(executors or {})}))
        code = exit_code(["graph", f"{FLOW}:{name}", "--format", "argo", *args])
        said = capsys.readouterr()
        assert code == 0, said.err
        return said.out

    return printed


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_manifest_of_a_workflow(name, manifest, golden):
    golden(f"argo/{name}.yaml", unversioned(manifest(name)))


GOVERNED = {
    "node_selector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "priority_class": "batch",
    "service_account": "worker",
    "executor_account": "argo-executor",
    "pull_secrets": ["registry", "other-registry"],
    "volumes": [
        {"name": "potentials", "persistentVolumeClaim": {"claimName": "potentials", "readOnly": True}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "10Gi"}},
    ],
    "mounts": [
        {"name": "potentials", "mountPath": "/opt/potentials", "readOnly": True},
        {"name": "scratch", "mountPath": "/scratch"},
    ],
    "labels": {"team": "metals"},
    "annotations": {"example.org/grant": "a: b # c"},
    "keep_workflow_s": 3600,
    "workers": 2,
    "pods": 8,
    "parallelism": 6,
    "lost_retries": 4,
}


def test_the_manifest_at_an_executor_that_has_every_setting(manifest, golden):
    golden("argo/governed.yaml", unversioned(manifest("sweep", **GOVERNED)))


def test_the_python_of_ops_images_is_not_looked_for_in_the_base_image(manifest):
    made = yaml.safe_load(manifest("fan", python="/opt/conda/bin/python", image="tools:1"))["spec"]["templates"]
    pods = {pod["name"]: pod["container"] for pod in made if "container" in pod}
    assert {pod["command"][0] for pod in pods.values() if pod["image"] == "tools:1"} == {"/opt/conda/bin/python"}
    assert pods["sciflow-plan"]["image"] == "sciflow-base"
    assert pods["sciflow-plan"]["command"][0] == "python3"


def unversioned(text):
    """Without the hashes of what is sent, and the version of sciflow."""
    text = re.sub(r"[0-9a-f]{64}", "<sha256>", text)
    return re.sub(r'(sciflow/made-by: "?sciflow )[\w.]+', r"\1<version>", text)


HPC = {"type": "batch", "system": "slurm", "host": "me@login", "work_root": "/scratch/me", "argo_secret": "login"}


def test_the_manifest_of_nodes_that_a_batch_system_runs(manifest, golden, monkeypatch):
    text = manifest("dispatched", "--on", "cluster", executors={"hpc": HPC})
    golden("argo/dispatched.yaml", re.sub(r"[0-9a-f]{64}", "<sha256>", text))
    made = yaml.safe_load(text)["spec"]["templates"]
    (pod,) = [template for template in made if "login" in [volume["name"] for volume in template.get("volumes", ())]]
    containers = [pod["container"], *pod["initContainers"]]
    assert not [m for one in containers for m in one.get("volumeMounts", ()) if m["name"] == "login"]
    (patched,) = json.loads(pod["podSpecPatch"])["containers"]
    assert patched["name"] == "main"  # alone
    assert "resources" not in pod["container"]


def test_what_is_printed_is_yaml_of_the_manifest(manifest):
    made = yaml.safe_load(manifest("fan", labels={"yes": "no", "größe": "a: b # c\n'\"{{x}}"}, user="namespace"))
    assert made["metadata"]["labels"]["größe"] == "a: b # c\n'\"{{x}}"
    assert made["metadata"]["labels"]["yes"] == "no"
    assert made["spec"]["automountServiceAccountToken"] is False
    fans = {task["name"]: task.get("withSequence") for task in made["spec"]["templates"][0]["dag"]["tasks"]}
    assert fans["double"] == {"count": "3"}  # five slices, two in a pod


def test_what_strict_namespaces_ask_of_pods_is_in_every_manifest(manifest):
    made = yaml.safe_load(manifest("programs"))["spec"]
    assert made["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert made["securityContext"]["runAsNonRoot"] is True
    patch = json.loads(made["podSpecPatch"])
    pods = [template for template in made["templates"] if "container" in template]
    ours = [one for pod in pods for one in (pod["container"], *pod["initContainers"], *pod.get("sidecars", []))]
    for container in (*ours, *patch["initContainers"], *patch["containers"]):  # ours, and those of Argo
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_what_is_printed_is_what_is_submitted_with_these_settings(manifest, monkeypatch):
    monkeypatch.setenv("SCIFLOW_LOCKS", '{"licence": 1}')
    assert "name: fan_licence_0" in manifest("fan")  # a place alone, of the two that the op lets
    fan = [t for t in yaml.safe_load(manifest("alike", workers=2))["spec"]["templates"] if t["name"].endswith("fan-2")]
    assert [template["parallelism"] for template in fan] == [2]  # pods of two slices each


def test_templates_tasks_and_locks_have_names_of_their_own(manifest):
    made = yaml.safe_load(manifest("alike"))
    names = [template["name"] for template in made["spec"]["templates"]]
    assert len(set(names)) == len(names)
    assert "t-sciflow-plan" in names  # an op, and no template of ours
    for template in made["spec"]["templates"]:
        tasks = [task["name"] for task in template.get("dag", {"tasks": ()})["tasks"]]
        assert len(set(tasks)) == len(tasks)
    one, several = sorted(
        template["synchronization"]["mutexes"][0]["name"]
        for template in made["spec"]["templates"]
        if "synchronization" in template
    )
    assert one == f"{made['metadata']['name']}_a-1_0"
    assert several.startswith(f"{made['metadata']['name']}_a_{{{{=")


LONG = """
from sciflow import op, workflow

@op
def {op}(x: int) -> int:
    return 2 * x

@op
def {op}_too(x: int) -> int:
    return 2 * x

@workflow
def {inner}(x: int) -> list[int]:
    return {op}.map(x=[x, {op}_too({op}(x))])

@workflow
def some(n: int) -> list[list[int]]:
    return {inner}.options(parallelism=2).map(x=[{op}_too(n), n])
"""


def test_names_longer_than_argo_takes_are_shortened(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCIFLOW_STORAGES", json.dumps({"bucket": BUCKET}))
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"cluster": ARGO}))
    (tmp_path / "long.py").write_text(LONG.format(op="o" * 200, inner="i" * 126))
    assert exit_code(["graph", "long.py:some", "--format", "argo"]) == 0
    templates = yaml.safe_load(capsys.readouterr().out)["spec"]["templates"]
    tasks = [task for template in templates for task in template.get("dag", {}).get("tasks", ())]
    names = [template["name"] for template in templates]
    assert len(set(names)) == len(names) > 3
    assert {task["template"] for task in tasks} <= set(names)
    assert all(len(name) <= 128 for name in [*names, *(task["name"] for task in tasks)])


def test_who_runs_pods_may_be_left_to_the_namespace(manifest):
    made = yaml.safe_load(manifest("chain", user="namespace"))["spec"]
    assert made["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}


def test_a_file_name_chooses_the_manifest(manifest, tmp_path):
    assert manifest("chain", "-o", "chain.yaml") == ""
    assert yaml.safe_load((tmp_path / "chain.yaml").read_text())["kind"] == "Workflow"


def test_one_of_several_executors_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCIFLOW_STORAGES", json.dumps({"bucket": BUCKET}))
    call = ["graph", f"{FLOW}:chain", "--format", "argo"]
    assert exit_code(call) == 2
    assert 'add an executor with type = "argo"' in capsys.readouterr().err
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"here": ARGO, "there": ARGO | {"namespace": "other"}}))
    assert exit_code(call) == 2
    assert "--on here or there" in capsys.readouterr().err
    assert exit_code([*call, "--on", "their"]) == 2
    assert "did you mean there?" in capsys.readouterr().err
    assert exit_code([*call, "--on", "there"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["metadata"]["namespace"] == "other"


def test_a_storage_that_is_no_bucket_is_told(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"cluster": ARGO}))
    assert exit_code(["graph", f"{FLOW}:chain", "--format", "argo"]) == 2
    assert "[executors.cluster] storage: expected the name of a bucket" in capsys.readouterr().err


@pytest.fixture
def server(kubernetes):
    """Its server, as a user of it has it."""
    from tests.contract.argo_place import argo_server

    found = argo_server(kubernetes)
    yield found
    found.close()


def test_argo_finds_no_fault_with_any_of_them(manifest, kubernetes, server, tmp_path):
    made = {name: manifest(name, namespace=kubernetes.namespace) for name in WORKFLOWS}
    made["governed"] = manifest("sweep", namespace=kubernetes.namespace, **GOVERNED)
    for name, text in made.items():
        (tmp_path / f"{name}.yaml").write_text(text)
        server.lint(yaml.safe_load(text))
    files = [str(tmp_path / f"{name}.yaml") for name in made]
    assert "no linting errors" in kubernetes.run("argo", "lint", "--offline", "--no-color", *files)


def test_argo_takes_them_as_they_are(manifest, kubernetes, server):
    made = {name: yaml.safe_load(manifest(name, namespace=kubernetes.namespace)) for name in WORKFLOWS}
    made["governed"] = yaml.safe_load(manifest("sweep", namespace=kubernetes.namespace, **GOVERNED))
    inside = ("-n", kubernetes.namespace)
    names = {name: f"taken-{name}-{secrets.token_hex(4)}" for name in made}
    try:
        for name, workflow in made.items():
            workflow["metadata"]["name"] = names[name]
            workflow["spec"]["suspend"] = True  # nothing is to run
            assert server.create(workflow)
        for name, workflow in made.items():
            kept = json.loads(kubernetes.run("kubectl", "get", "workflow", names[name], *inside, "-o", "json"))
            of_all = workflow["spec"]["podMetadata"].get("annotations", {})
            for template in workflow["spec"]["templates"]:
                if "annotations" in template.get("metadata", {}):  # Argo adds to them what all pods have
                    template["metadata"]["annotations"] |= of_all
            assert list(changes(workflow["spec"], kept["spec"])) == []
            assert workflow["metadata"]["labels"].items() <= kept["metadata"]["labels"].items()
    finally:
        for name in names.values():
            server.delete(name)


def changes(ours, theirs, where="spec"):
    """Where Argo has something else than it was given; empty objects that it adds say nothing."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in ours.keys() | theirs.keys():
            if name in ours or theirs[name] != {}:
                yield from changes(ours.get(name), theirs.get(name), f"{where}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from changes(one, other, f"{where}[{number}]")
    elif ours != theirs:
        yield f"{where}: {ours!r} became {theirs!r}"


def test_a_fan_after_hundreds_of_fans_is_as_long_as_the_first(manifest):
    made = yaml.safe_load(manifest("long"))
    tasks = {task["name"]: task for task in made["spec"]["templates"][0]["dag"]["tasks"]}
    assert "double-400" in tasks
    assert tasks["double-400"]["withSequence"]["count"].count("inputs.parameters") == 2  # of whose length it is
