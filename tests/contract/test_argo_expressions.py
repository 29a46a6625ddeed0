"""What is printed for Argo's own language comes to there what it comes to here: every operator, by Argo itself."""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sciflow.core.evaluation import condition, evaluate
from sciflow.core.expr import OPERATORS, Argo, Call, Const, Expr, Input, Output, Tree
from sciflow.core.known_scope import KnownScope
from sciflow.executors.argo.manifest.expr import Printed, Printer, leaf
from tests.contract.argo_place import argo_server
from tests.services.kubernetes.service import Kubernetes

MOST = 2**53 - 1
INTS = {f"n{k}": value for k, value in enumerate((-7, 0, 1, 5, MOST, -MOST))}
BOOLS = {"t": True, "f": False}
LISTS = {"l0": [], "l3": ["", "'\"{{=1}}", "ü\u2028"]}
CONSTANTS = (-3, 0, 2, 2**53, 2**60, -(2**53) - 1, True, 2.5, -0.5, 7.0)
VALUES: dict[str, Tree] = {**INTS, **BOOLS, **LISTS}
ENDED = ("Succeeded", "Failed", "Error")
AT_ONCE = 250  # expressions of one task


class There:
    """Leaves as Argo's parameters: see `argo.expr.Leaves`."""

    def told(self, expr: Input | Output, path: tuple[str, ...], *, length: bool) -> Printed | None:
        assert isinstance(expr, Input)
        assert not path
        value = VALUES[expr.port]
        if isinstance(value, list) is not length:
            return None
        return leaf(f"inputs.parameters.{expr.port}", "length" if length else "bool" if expr.port in BOOLS else "int")

    def slices(self, node: str) -> Printed | None:
        raise NotImplementedError(node)


def operands() -> list[Expr]:
    lengths = [Call(function="len", args=(Input(port=name),)) for name in LISTS]
    return [*(Input(port=name) for name in (*INTS, *BOOLS)), *lengths, *(Const(value=value) for value in CONSTANTS)]


def calls() -> Iterator[tuple[str, Expr]]:
    """Every operator that is printed, on all operands; `choose` on some, and some within others."""
    some = operands()
    few = [Input(port="n0"), Input(port="t"), Const(value=2.5), Call(function="len", args=(Input(port="l0"),))]
    for name, row in OPERATORS.items():
        if row.argo is Argo.RUNNER or name == "range":
            continue
        if name == "len":
            yield from (("len", Call(function="len", args=(Input(port=port),))) for port in LISTS)
            yield from (("len", Call(function="len", args=(Call(function="range", args=(of,)),))) for of in some[:3])
        else:
            sets = [some] * row.arity if row.arity in (1, 2) else [some, few, few]  # type: ignore[list-item]
            yield from ((name, Call(function=name, args=args)) for args in itertools.product(*sets))
    positive = Call(function="gt", args=(Input(port="n3"), Const(value=0)))
    few_of = Call(function="lt", args=(Call(function="mod", args=(Input(port="n0"), Const(value=3))), Input(port="t")))
    for which in ("and", "or"):
        within = Call(function=which, args=(positive, Call(function="not", args=(few_of,))))
        yield which, Call(function="not", args=(within,))


def printed() -> list[tuple[str, str, str]]:
    """The operator, an expression, and the text that Argo must make of it."""
    printer, found = Printer(There()), []
    for name, call in calls():
        text = printer.value(call)
        if text is not None and text.rests_on and text.kind != "float":
            value = condition(call, KnownScope(VALUES)) if text.kind == "bool" else evaluate(call, KnownScope(VALUES))
            found.append((name, text.text, json.dumps(int(value) if text.kind == "int" else value)))
    return found


def test_every_operator_comes_to_the_same_here_and_in_argo(kubernetes: Kubernetes) -> None:
    cases = printed()
    assert {name for name, _, _ in cases} == {
        name for name, row in OPERATORS.items() if row.argo is not Argo.RUNNER and name != "range"
    }
    texts = {name: json.dumps(value) for name, value in {**INTS, **BOOLS}.items()}
    parameters = [{"name": name, "value": texts.get(name, str(len(LISTS.get(name, ()))))} for name in VALUES]
    parts = [range(at, min(at + AT_ONCE, len(cases))) for at in range(0, len(cases), AT_ONCE)]
    tasks = [
        {
            "name": f"part-{k}",
            "template": f"part-{k}",
            "arguments": {"parameters": [{"name": f"r{i}", "value": f"{{{{={cases[i][1]}}}}}"} for i in part]},
        }
        for k, part in enumerate(parts)
    ]
    seen = [
        {"name": f"part-{k}", "inputs": {"parameters": [{"name": f"r{i}"} for i in part]}, "suspend": {"duration": "0"}}
        for k, part in enumerate(parts)
    ]
    main = {"name": "main", "inputs": {"parameters": parameters}, "dag": {"tasks": tasks}}
    status = run(kubernetes, {"entrypoint": "main", "templates": [main, *seen]})
    assert status["phase"] == "Succeeded", status.get("message")
    nodes = [node for node in status["nodes"].values() if node["type"] == "Suspend"]
    found = {p["name"]: p["value"] for node in nodes for p in node["inputs"]["parameters"]}
    wrong = [(*case, found[f"r{i}"]) for i, case in enumerate(cases) if found[f"r{i}"] != case[2]]
    assert wrong == []
    assert len(cases) > 1000


def run(kubernetes: Kubernetes, spec: dict[str, Any]) -> dict[str, Any]:
    """The status of a workflow that has ended."""
    server = argo_server(kubernetes)
    name, inside = f"operators-{secrets.token_hex(4)}", ("-n", kubernetes.namespace)
    made = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": name}, "spec": spec}
    try:
        assert server.create({**made, "metadata": {"name": name, "namespace": kubernetes.namespace}})
        while True:
            got = kubernetes.run("kubectl", "get", "workflow", name, *inside, "-o", "json")
            status: dict[str, Any] = json.loads(got).get("status", {})
            if status.get("phase") in ENDED:
                return status
            time.sleep(0.3)
    finally:
        server.delete(name)
        server.close()


pytestmark = pytest.mark.kubernetes
