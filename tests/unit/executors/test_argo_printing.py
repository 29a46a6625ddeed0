"""What Argo works out by itself: conditions and counts that it is told the numbers for; the rest is for a pod."""

from __future__ import annotations

import json

import pytest

from sciflow import choose, length, not_, op, sequence, when, workflow
from sciflow.executors.argo.manifest.workflow import Plan, manifest
from sciflow.executors.argo.place.layout import Delivery
from sciflow.executors.argo.submission import layout_of, site_of
from sciflow.executors.settings import ArgoSettings
from sciflow.runner.packs import Pack
from sciflow.runner.pod import main
from sciflow.runner.telling import told
from sciflow.storage.settings import S3Settings

N = "int(tasks['given'].outputs.parameters.value)"
XS = "int(tasks['numbers'].outputs.parameters.length)"


@op
def given(n: int) -> int:
    return n


@op
def numbers(n: int) -> list[int]:
    return list(range(n))


@op
def word(n: int) -> str:
    return str(n)


@op
def table(n: int) -> dict[str, int]:
    return {"a": n}


@op
def both(a: int, b: int) -> int:
    return a + b


def templates(target, **inputs):
    """Its templates by name, and what the run is told."""
    settings = ArgoSettings(server="http://127.0.0.1:9", namespace="argo", storage="bucket", pods=4)
    store = S3Settings(endpoint="http://127.0.0.1:9", bucket="artifacts")
    plan = Plan(run="x", totals={}, pods=4, inputs=inputs)
    delivery = Delivery(runner="0", package="0")
    spec = target.spec()
    made = manifest(spec, plan, layout=layout_of(store, "x"), site=site_of(settings, store), delivery=delivery)
    told_inputs = {p["name"]: p["value"] for p in made["spec"]["arguments"]["parameters"]}
    return {template["name"]: template for template in made["spec"]["templates"]}, told_inputs


def tasks(target, template=None):
    """The tasks of one of its graphs by name."""
    found, _ = templates(target)
    return {task["name"]: task for task in found[template or target.spec().name]["dag"]["tasks"]}


def arguments(task):
    return {p["name"]: p["value"] for p in task["arguments"]["parameters"]}


def of_plan(name, found, otherwise):
    return f"{{{{=tasks['{name}-plan'].status == 'Succeeded' ? {found} : {otherwise}}}}}"


def parts(name):
    return f"int(tasks['{name}-plan'].outputs.parameters.parts)"


def test_a_condition_on_a_number_is_argos_unless_it_cannot_be_told():
    @workflow
    def some(n: int) -> int | None:
        c = given(n)
        with when((c > 3) & not_(c == 7)):
            out = both.options(name="then")(c, 1)
        return choose((c > 3) & not_(c == 7), out, c)

    made = tasks(some)
    assert made["then-plan"]["when"] == "{{=tasks['given'].outputs.parameters.value == '?'}}"
    assert made["then"]["when"] == of_plan("then", f"{parts('then')} > 0", f"(({N} > 3) && !({N} == 7))")
    assert made["then"]["depends"] == "(then-plan.Succeeded || then-plan.Skipped)"
    found, _ = templates(some)
    assert found["given"]["outputs"]["parameters"] == [
        {"name": "value", "valueFrom": {"path": "/sciflow/work/pod/told/value", "default": "?"}}
    ]
    assert found["given"]["container"]["command"][-1] == '[["value","int"]]'
    assert "parameters" not in found["both"]["outputs"]


def test_a_condition_on_text_is_for_a_pod():
    @workflow
    def some(n: int) -> int | None:
        w = word(n)
        with when(w == "{{=1}}"):
            out = given.options(name="then")(n)
        return choose(w == "{{=1}}", out, n)

    made = tasks(some)
    assert "when" not in made["then-plan"]
    assert made["then"]["depends"] == "then-plan.Succeeded"
    assert made["then"]["when"] == f"{{{{={parts('then')} > 0}}}}"


def test_the_parts_of_fans_are_those_of_the_list():
    @workflow
    def some(n: int) -> list[int]:
        xs = numbers(n)
        a = given.options(name="a").map(n=xs)
        b = given.options(name="b", chunk=3).map(n=a)
        return given.options(name="c", chunk=1).map(n=b)

    made = tasks(some)
    counts = {name: task["withSequence"]["count"] for name, task in made.items() if "withSequence" in task}
    assert counts["a"] == of_plan("a", parts("a"), f"int(ceil({XS} / max(ceil({XS} / 4), 1)))")
    assert counts["b"] == of_plan("b", parts("b"), f"int(ceil({XS} / 3))")
    assert counts["c"] == of_plan("c", parts("c"), XS)


def test_a_fan_over_a_fan_of_constants_is_known():
    @workflow
    def some() -> list[int]:
        return given.options(name="b").map(n=given.options(name="a").map(n=[1, 2, 3, 4, 5]))

    made = tasks(some)
    assert [made[name]["withSequence"] for name in ("a", "b")] == [{"count": "3"}, {"count": "3"}]
    assert "b-plan" not in made


def test_lists_that_differ_in_length_are_for_a_pod_which_says_so():
    @workflow
    def some(n: int) -> list[int]:
        return both.options(chunk=1).map(a=numbers(n), b=sequence(given(n)))

    made = tasks(some)
    assert made["both-plan"]["when"].endswith(f" || {XS} != max({N}, 0)}}}}")
    assert made["both"]["withSequence"]["count"] == of_plan("both", parts("both"), XS)


def test_a_conditional_fan_over_all_pairs():
    @workflow
    def some(n: int) -> list[int]:
        xs = numbers(n)
        with when(length(xs) > 2):
            out = both.options(chunk=10).product(a=xs, b=[1, 2])
        return choose(length(xs) > 2, out, [])

    count_ = tasks(some)["both"]["withSequence"]["count"]
    assert count_ == of_plan("both", parts("both"), f"(({XS} > 2) ? int(ceil({XS} * 2 / 10)) : 0)")


@workflow
def down(n: int) -> int:
    with when(n > 0):
        rest = down(n - 1)
    return choose(n > 0, rest, n)


def test_a_number_is_handed_down_to_a_graph_that_calls_itself():
    n = "inputs.parameters['value-n']"
    task = tasks(down)["down"]
    assert task["when"] == of_plan("down", f"{parts('down')} > 0", f"(int({n}) > 0)")
    too_large = f"{n} == '?' || abs((int({n}) - 1)) >= 9007199254740992"
    assert arguments(task)["value-n"] == f"{{{{=({too_large}) ? '?' : (int({n}) - 1)}}}}"
    found, told_inputs = templates(down, n=7)
    assert {"name": "value-n", "value": "?"} in found["down"]["inputs"]["parameters"]
    assert told_inputs["value-n"] == "7"
    assert "value-n" not in templates(down, n=2**53)[1]


def test_what_a_graph_gives_back_is_told_by_it():
    @workflow
    def inner(n: int) -> int:
        return given(n)

    @workflow
    def some(n: int) -> int | None:
        i = inner(n)
        with when(i > 0):
            out = given.options(name="then")(i)
        return choose(i > 0, out, i)

    found, _ = templates(some)
    text = f"(tasks['given'].outputs.parameters.value == '?') ? '?' : {N}"
    assert found["inner"]["outputs"]["parameters"] == [
        {"name": "value", "valueFrom": {"expression": text, "default": "?"}}
    ]
    then = tasks(some)["then"]["when"]
    assert then.endswith(" : (int(tasks['inner'].outputs.parameters.value) > 0)}}")


@pytest.mark.parametrize("key", ["{{workflow.name}}", "it's", "ü", "a-b", ""])
def test_words_of_users_are_in_no_expression(key):
    @workflow
    def some(n: int) -> int | None:
        with when(table(n)[key] > 0):
            out = given(n)
        return out  # noqa: RET504

    made = tasks(some)
    assert "when" not in made["given-plan"]


# --- what a pod tells


@pytest.mark.parametrize(
    ("tree", "kind", "path", "text"),
    [
        (0, "int", [], "0"),
        (-(2**53) + 1, "int", [], "-9007199254740991"),
        (2**53, "int", [], None),
        (True, "int", [], "1"),
        (True, "bool", [], "true"),
        (False, "bool", [], "false"),
        (1, "bool", [], None),
        (1.0, "int", [], None),
        (None, "int", [], None),
        ("7", "int", [], None),
        ({"$": "float", "v": "nan"}, "int", [], None),
        ([], "length", [], "0"),
        (["ü\u2028", "'", {"$": "value"}], "length", [], "3"),
        ({"a": 1, "ü": 2}, "length", [], "2"),
        ({"$": "dict", "v": [[1, 2]]}, "length", [], None),
        ("text", "length", [], None),
        ({"$": "record", "type": "m:T", "kind": "namedtuple", "v": {"a": 1, "b": [5, 6]}}, "int", ["b", "1"], "6"),
        ({"$": "record", "type": "m:T", "kind": "namedtuple", "v": {"a": 1, "b": [5, 6]}}, "int", ["0"], "1"),
        ({"$": "record", "type": "m:T", "kind": "dataclass", "v": {"a": 1}}, "int", ["0"], None),
        ({"$": "tuple", "v": [3, True]}, "bool", ["1"], "true"),
        ([1], "int", ["1"], None),
        ({"a": 1}, "int", ["b"], None),
        ({"$": "value", "file": "values/gone", "at": 0, "size": 2, "sha256": ""}, "length", [], None),
    ],
)
def test_what_is_not_surely_right_is_not_told(tree, kind, path, text, tmp_path):
    assert told(str(tmp_path), tree, kind, path) == text


def test_the_length_of_a_list_that_is_stored_in_a_file(tmp_path):
    stored = Pack(str(tmp_path), "values/w", inline_bytes=8).put(json.dumps(list(range(1000))))
    assert told(str(tmp_path), stored, "length", []) == "1000"
    assert told(str(tmp_path), {"a": stored}, "int", ["a", "999"]) == "999"


def test_a_pod_that_finds_its_task_done_tells_of_it_too(tmp_path):
    (tmp_path / "pod.json").write_text(json.dumps({"root": str(tmp_path), "code": 0}))
    end = [-1, 1, "w", 0, 0, [0, 1, "Succeeded", "a\u2028b", 0.0, 0.0, 0, 0, None]]
    last = [-1, 2, "w", 0, 0, [0, 1, "Succeeded", [1, 2], 0.0, 0.0, 0, 0, None]]
    lines = [json.dumps(line, ensure_ascii=False) for line in ({"path": "x", "chunk": 0}, end, last)]
    (tmp_path / "outcomes").write_text("\n".join(lines) + "\n", "utf-8")
    assert main(str(tmp_path), '[["length","length"],["value","int"]]') == 0
    assert {file.name: file.read_text() for file in (tmp_path / "told").iterdir()} == {"length": "2"}


def test_fans_in_graphs_that_are_at_work_side_by_side_share_the_pods():
    @workflow
    def inner(n: int) -> int:
        return length(given.map(n=numbers(n)))

    @workflow
    def outer(n: int) -> tuple[list[int], list[int], int]:
        return inner.map(n=[1, 2]), inner.options(name="later").map(n=numbers(n)), inner(n)

    called = tasks(outer)
    assert arguments(called["inner"])["pods"] == "2"
    assert "pods" not in arguments(called["inner-2"])
    told = "int(tasks['numbers'].outputs.parameters.length)"
    later = of_plan("later", parts("later"), told).removeprefix("{{=").removesuffix("}}")
    assert arguments(called["later"])["pods"] == f"{{{{=max(int(4 / max({later}, 1)), 1)}}}}"
    assert called["later"]["withSequence"]["count"] == of_plan("later", parts("later"), told)
    chunks = f"int(ceil({told} / max(ceil({told} / int(inputs.parameters.pods)), 1)))"
    assert tasks(outer, "inner")["given"]["withSequence"]["count"] == of_plan("given", parts("given"), chunks)
