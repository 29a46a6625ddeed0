"""What is read of a manifest of Argo, and what is refused of it before anything runs."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from sciflow import InvalidWorkflow
from sciflow.author.argo_file.reading import read_manifest
from sciflow.core.graph import Graph, OpTemplate, Program, WorkflowSpec, decode_spec, encode_spec
from sciflow.core.json_texts import json_of, json_of_results, json_of_texts, scalar

MANIFESTS = Path(__file__).parents[2] / "manifests"
HEAD = "kind: Workflow\nmetadata: {generateName: t-}\nspec:\n  entrypoint: main\n  templates:\n"
SAY = """
  - name: say
    inputs: {parameters: [{name: word}]}
    container: {image: i, command: [echo, '{{inputs.parameters.word}}']}
"""
ANY = "  - {name: x, container: {image: i, command: [a]}}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "flow.yaml"


def read(file: Path, text: str, *, direct: bool = False) -> WorkflowSpec:
    file.write_text(text, "utf-8")
    return read_manifest(str(file), direct=direct).spec


def refusal(file: Path, text: str, *, direct: bool = False) -> str:
    with pytest.raises(InvalidWorkflow) as refused:
        read(file, text, direct=direct)
    return str(refused.value)


def main_of(spec: WorkflowSpec) -> Graph:
    graph = spec.templates[spec.entry]
    assert isinstance(graph, Graph)
    return graph


@pytest.mark.parametrize("name", ["plain.yaml", "files.yaml"])
def test_a_manifest_becomes_records_that_are_stored_like_any_others(name: str) -> None:
    spec = read_manifest(str(MANIFESTS / name)).spec
    assert decode_spec(encode_spec(spec)) == spec


def test_values_are_arguments_and_never_part_of_a_program_of_ours(file: Path) -> None:
    spec = read(file, HEAD + "  - {name: main, steps: [[{name: a, template: say, arguments: {parameters: "
                "[{name: word, value: \"$(x) '\\\"\"}]}}]]}\n" + SAY)  # fmt: skip
    say = spec.templates["say"]
    assert isinstance(say, OpTemplate)
    assert isinstance(say.code, Program)
    assert say.code.argv == (("echo",), ("", {"port": "word"}))


LOOP = """
  - name: main
    steps:
    - - name: a
        template: say
        withItems: [1, x, true]
        arguments: {parameters: [{name: word, value: '<{{item}}>'}]}
"""


def test_a_list_that_is_written_out_is_a_plain_fan_without_a_graph_around_it(file: Path) -> None:
    (node,) = main_of(read(file, HEAD + LOOP + SAY)).nodes
    assert node.fan is not None
    assert node.fan.over["word"].value == ["<1>", "<x>", "<true>"]  # type: ignore[union-attr]


WRONG = """\
  - name: main
    dag:
      tasks:
      - {name: a, template: sya}
      - {name: b, template: say, depend: a}
      - {name: c, template: say, depends: x}
"""


def test_what_is_wrong_is_told_at_once_with_its_lines(file: Path) -> None:
    said = refusal(file, HEAD + WRONG + SAY)
    assert f"{file}:9: spec.templates[0].dag.tasks[0]: there is no template 'sya'" in said
    assert "did you mean say?" in said
    assert f"{file}:10: spec.templates[0].dag.tasks[1].depend: a task has no field 'depend'" in said
    assert f"{file}:11: spec.templates[0].dag.tasks[2].depends: cannot be read: there is no task 'x'" in said


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("http: {url: 'http://x'}", "a template with http cannot be run here"),
        ("resource: {action: create}", "a template with resource cannot be run here"),
        ("plugin: {x: {}}", "a template with plugin cannot be run here"),
        (
            "volumes: [{name: v, secret: {}}], container: {image: i, command: [a]}",
            "a volume with secret cannot be run here",
        ),
        (
            "container: {image: i, command: [a], volumeMounts: [{name: v, mountPath: /v}]}",
            "there is no volume 'v'",
        ),
        ("container: {image: i, command: [a]}, memoize: {key: k}", "a template with memoize cannot be run here"),
        ("container: {image: i, command: ['{{=sprig.now()}}']}", "the function sprig.now is not known here"),
        ("container: {image: i, command: ['{{workflow.uid}}']}", "{{workflow.uid}} is not known here"),
        ("container: {image: i, command: [a], env: [{name: A, valueFrom: {}}]}", "a variable with valueFrom"),
        (
            "container: {image: i, command: [a]}, outputs: {artifacts: [{name: a, path: /usr/out/a}]}",
            "an output cannot lie in this folder",
        ),
        (
            "container: {image: i, command: [a]}, inputs: {artifacts: [{name: a, path: /a, s3: {key: k}}]}",
            "an input artifact with s3 cannot be run here",
        ),
        ("script: {image: i, source: x}", "a script needs the program that runs it"),
        ("container: {command: [a]}", "names no image"),
        ("inputs: {}", "needs one kind"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(file: Path, template: str, said: str) -> None:
    told = refusal(file, HEAD + f"  - {{name: main, {template}}}\n")
    assert said in told
    assert f"{file}:6" in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is no YAML"),
        ("", "has no workflow"),
        ("kind: CronWorkflow", "has no workflow"),
        ("kind: Workflow\n---\nkind: Workflow", "which workflow is meant?"),
        ("kind: Workflow\nspec: {entrypoint: x}", "there is no template for entrypoint 'x'"),
    ],
)
def test_a_file_without_one_workflow_is_refused(file: Path, text: str, said: str) -> None:
    assert said in refusal(file, text)


def test_tasks_in_a_ring_are_told(file: Path) -> None:
    tasks = "{name: a, template: x, depends: b}, {name: b, template: x, depends: a}"
    said = refusal(file, HEAD + f"  - {{name: main, dag: {{tasks: [{tasks}]}}}}\n" + ANY)
    assert "tasks wait for one another" in said


def test_what_argo_does_not_take_together_is_refused(file: Path) -> None:
    tasks = "{name: a, template: x, continueOn: {failed: true}}, {name: b, template: x, depends: a}"
    said = refusal(file, HEAD + f"  - {{name: main, dag: {{tasks: [{tasks}]}}}}\n" + ANY)
    assert "uses what cannot be mixed" in said


def test_dependencies_are_what_a_task_comes_after(file: Path) -> None:
    tasks = "{name: a, template: x}, {name: b, template: x, dependencies: [a]}"
    spec = read(file, HEAD + f"  - {{name: main, dag: {{tasks: [{tasks}]}}}}\n" + ANY)
    assert [node.after for node in main_of(spec).nodes] == [(), ("a",)]


def test_paths_of_a_container_are_refused_where_there_is_none(file: Path) -> None:
    text = HEAD + ("  - {name: main, container: {image: i, command: [a]}, "
                   "outputs: {parameters: [{name: p, valueFrom: {path: /tmp/p}}]}}\n")  # fmt: skip
    assert "/tmp/p" in str(read(file, text).templates["main_2"])
    assert "this template reads or writes files at paths of its container" in refusal(file, text, direct=True)


def test_a_template_of_another_document_of_the_file_is_found(file: Path) -> None:
    spec = read(file, "kind: WorkflowTemplate\nmetadata: {name: lib}\nspec:\n  templates:\n" + SAY + "---\n" + HEAD +
                "  - {name: main, steps: [[{name: a, templateRef: {name: lib, template: say}, arguments: {parameters: "
                "[{name: word, value: x}]}}]]}\n")  # fmt: skip
    assert "say" in spec.templates


def test_what_means_nothing_here_is_said(file: Path) -> None:
    file.write_text(HEAD + "  - {name: main, nodeSelector: {a: b}, container: {image: i, command: [a]}}\n", "utf-8")
    (note,) = read_manifest(str(file)).notes
    assert note.startswith(f"{file}:6: spec.templates[0].nodeSelector")


def test_chains_and_layers_of_conditional_tasks_do_not_grow_without_bound(file: Path) -> None:
    tasks = ["{name: t0, template: x}", "{name: f, template: x, depends: t0.Failed || t0.Succeeded}"]
    for layer in range(1, 40):
        before = "f" if layer == 1 else f"a{layer - 1} && b{layer - 1}"
        tasks += [f"{{name: {side}{layer}, template: x, depends: {before}}}" for side in "ab"]
    spec = read(file, HEAD + f"  - {{name: main, dag: {{tasks: [{', '.join(tasks)}]}}}}\n" + ANY)
    assert len(encode_spec(spec)) < 100_000


def test_json_is_written_as_argo_writes_it() -> None:
    assert json_of({"b": 1.0, "a": ["<x>&", 1e3, 1.5, True, None, "é"]}) == (
        r'{"a":["\u003cx\u003e\u0026",1000,1.5,true,null,"é"],"b":1}'
    )
    assert json_of_texts(["1", "x"]) == '["1","x"]'
    assert json_of_texts(["[1]", '{"a": 2}']) == '[[1],{"a":2}]'
    assert json_of_results(["1", "x", '{"a": 2}']) == '[1,"x",{"a":2}]'


def test_texts_are_numbers_and_truth_values_only_where_they_spell_them() -> None:
    spelled = ["true", "True", "7", "-1.5", "1e3", "0x10", "1_000", "", "nan", "²", "07"]
    assert [scalar(text) for text in spelled] == [True, "True", 7, -1.5, 1000.0, "0x10", "1_000", "", "nan", "²", 7]


def test_anchors_and_merged_mappings_are_read_as_yaml_means_them(file: Path) -> None:
    base = "  - &x {name: x, container: &c {image: i, command: [a]}}\n"
    spec = read(file, HEAD + base + "  - {name: main, container: {<<: *c, command: [b]}}\n")
    main = spec.templates["main_2"]
    assert isinstance(main, OpTemplate)
    assert isinstance(main.code, Program)
    assert main.code.argv == (("b",),)
    assert "an alias stands in what it names" in refusal(file, "kind: Workflow\nspec: &a {arguments: *a}\n")


@pytest.mark.parametrize("name", ["plain.yaml", "files.yaml", "failing.yaml"])
def test_a_file_with_a_mistake_anywhere_is_read_or_refused_and_nothing_else(file: Path, name: str) -> None:
    import yaml

    text = (MANIFESTS / name).read_text("utf-8")
    junk = [None, True, 1, "x", "{{x}}", "{{=", "[", [], {}, [1], {"name": 1}, [[1]], "{{item}}", "a && b", "-1"]
    some = random.Random(name)
    for _ in range(80):
        made = yaml.safe_load(text)
        *way, last = some.choice(list(places(made))[1:])
        inner = made
        for step in way:
            inner = inner[step]
        inner[last] = some.choice(junk)
        file.write_text(yaml.safe_dump(made), "utf-8")
        with contextlib.suppress(InvalidWorkflow):
            read_manifest(str(file), direct=some.random() < 0.3)


def places(value: object, way: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    yield way
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from places(inner, (*way, key))
