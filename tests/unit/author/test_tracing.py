"""What a workflow's function becomes: nodes, where their inputs come from, and the graph's result."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import numpy as np
import pytest

from sciflow import (
    InvalidWorkflow,
    Pickled,
    choose,
    contains,
    length,
    not_,
    op,
    secret,
    sequence,
    suspend,
    text,
    when,
    workflow,
)
from sciflow.core.expr import Attr, Build, Call, Const, Element, Index, Input, Item, Output, Text
from sciflow.core.graph import Function, Graph, OpTemplate, Secret, Suspend, WorkflowSpec, decode_spec, encode_spec


class Fit(NamedTuple):
    v0: float
    b0: float


class Row(TypedDict, total=False):
    name: str


@dataclass(frozen=True)
class Cell:
    a: float
    rows: list[Row]


class Kind(Enum):
    FAST = "fast"


@op(retries=1, locks="disk", env={"TOKEN": secret(env="TOKEN")})
def energy(atoms: float, calculator: str = "emt") -> float:
    return 2 * atoms


@op
def fit(structures: list[float], energies: list[float]) -> Fit:
    return Fit(sum(structures), sum(energies))


@op
def anything(
    a: Cell,
    b: Kind,
    c: tuple[int, ...],
    d: dict[str, Path] | None,
    e: Literal["x", 1],
    f: Annotated[Path, "file"],
    g: Pickled[Any],
    *,
    h: set[complex] | None = None,
) -> Row:
    return {}


@op
def maybe(x: float | None) -> float:
    return 0.0


@op
def tell(phase: str) -> None: ...


def graph(spec: WorkflowSpec) -> Graph:
    found = spec.templates[spec.entry]
    assert isinstance(found, Graph)
    return found


def test_a_call_makes_a_node_and_a_map_a_fan() -> None:
    @workflow
    def eos(scales: list[float]) -> Fit:
        energies = energy.partial(calculator="lj").map(atoms=scales)
        return fit(scales, energies)

    made = graph(eos.spec())
    first, second = made.nodes
    assert (first.id, first.template) == ("energy", "energy")
    assert first.fan is not None
    assert first.fan.over == {"atoms": Input(port="scales")}
    assert first.inputs == {"calculator": Const(value="lj")}
    assert second.inputs == {"structures": Input(port="scales"), "energies": Output(node="energy")}
    assert made.result == Output(node="fit")
    assert first.where.endswith(f"test_tracing.py:{eos.function.__code__.co_firstlineno + 2}")


def test_a_spec_is_json_and_back_unchanged() -> None:
    @workflow
    def eos(scales: list[float]) -> Fit:
        return fit(scales, energy.product(atoms=scales, calculator=["a", "b"]))

    spec = eos.spec()
    assert decode_spec(encode_spec(spec)) == spec


def test_nodes_of_one_op_are_numbered_and_can_be_named() -> None:
    @workflow
    def w() -> float:
        energy(1.0)
        energy.options(name="special")(2.0)
        energy.options(name="special")(2.0)
        return energy(3.0)

    assert [n.id for n in graph(w.spec()).nodes] == ["energy", "special", "special-2", "energy-2"]


def test_options_of_a_call_go_before_those_of_the_op() -> None:
    @workflow
    def w(place: str) -> float:
        first = energy(1.0)
        changed = energy.options(retries=3, cpus=2, retry_on=[OSError], executor=place, after=first, keep="*.log")
        return changed(1.0)

    first, second = graph(w.spec()).nodes
    assert (first.policy.retries, first.policy.locks) == (1, {"disk": 1})
    assert first.policy.env == {"TOKEN": Secret(env="TOKEN")}
    assert (second.policy.retries, second.policy.locks, second.resources.cpus) == (3, {"disk": 1}, 2)
    assert second.policy.retry_on == ("builtins:OSError",)
    assert second.policy.keep == ("*.log",)
    assert second.executor == Input(port="place")
    assert second.after == ("energy",)


def test_a_keys_holes_are_inputs_and_the_slices_number() -> None:
    @workflow
    def w(xs: list[float], name: str) -> list[float]:
        return energy.partial(calculator=name).options(key="{calculator}-{atoms}-{item}").map(atoms=xs)

    key = graph(w.spec()).nodes[0].key
    assert key == Text(parts=(Input(port="name"), "-", Item(port="atoms"), "-", Index()))


def test_values_and_references_mix_in_containers() -> None:
    @workflow
    def w(x: float) -> Fit:
        fit([1.0, x, energy(x)], [2.0])
        return Fit(v0=x, b0=energy(x) + 1)

    made = graph(w.spec())
    assert made.nodes[1].inputs["structures"] == Build(
        kind="list", parts=(Const(value=1.0), Input(port="x"), Output(node="energy"))
    )
    assert isinstance(made.result, Build)
    assert (made.result.kind, made.result.keys) == ("namedtuple", ("v0", "b0"))


def test_references_answer_attributes_elements_and_operators() -> None:
    @workflow
    def w(fits: list[Fit], n: int) -> float:
        v0, b0 = fits[0]
        return (b0 - v0) * fits[n - 1].b0

    first = Element(of=Input(port="fits"), index=Const(value=0))
    last = Call(function="sub", args=(Input(port="n"), Const(value=1)))
    assert graph(w.spec()).result == Call(
        function="mul",
        args=(
            Call(
                function="sub",
                args=(Element(of=first, index=Const(value=1)), Element(of=first, index=Const(value=0))),
            ),
            Attr(of=Element(of=Input(port="fits"), index=last), name="b0"),
        ),
    )


def test_functions_of_references_are_calls_in_the_graph() -> None:
    @workflow
    def w(xs: list[float], n: int) -> str:
        with when(not_(contains(xs, 1.0)) & (length(xs) > 2)):
            energy.map(atoms=xs)
        maybe.map(x=sequence(0, n, 2))
        return text("{{{n}}} of {total}", n=n, total=10)

    made = graph(w.spec())
    assert made.nodes[1].fan is not None
    assert made.nodes[1].fan.over == {
        "x": Call(function="range", args=(Const(value=0), Input(port="n"), Const(value=2)))
    }
    assert made.result == Text(parts=("{", Input(port="n"), "}", " of ", "10"))


def test_conditions_nest() -> None:
    @workflow
    def w(n: int) -> float:
        with when(n > 1):
            energy(1.0)
            with when(n > 2):
                energy(1.0)
        return energy(2.0)

    one, two = (Call(function="gt", args=(Input(port="n"), Const(value=k))) for k in (1, 2))
    assert [node.when for node in graph(w.spec()).nodes] == [one, Call(function="and", args=(one, two)), None]


def test_a_workflow_may_call_itself_under_a_condition() -> None:
    spec = countdown.spec()
    assert list(spec.templates) == ["countdown"]
    assert graph(spec).nodes[0].template == "countdown"


@workflow
def countdown(n: int) -> int:
    with when(n > 0):
        rest = countdown(n - 1)
    return choose(n > 0, rest, 0)


def test_a_workflow_is_a_node_and_the_body_of_a_fan() -> None:
    calls = []

    @workflow
    def inner(x: float, factor: float = 2.0) -> float:
        calls.append(x)
        return energy(x * factor)

    @workflow
    def outer(xs: list[float]) -> list[float]:
        inner(1.0)
        return inner.partial(factor=3.0).map(x=xs)

    spec = outer.spec()
    assert [n.template for n in graph(spec).nodes] == ["inner", "inner"]
    assert set(spec.templates) == {"outer", "inner", "energy"}
    assert len(calls) == 1


def test_two_functions_of_one_name_are_two_templates() -> None:
    def make(factor: float) -> Any:
        @op
        def scaled(x: float) -> float:
            return factor * x

        return scaled

    @workflow
    def w() -> float:
        return make(1.0)(make(2.0)(1.0))

    spec = w.spec()
    assert {"scaled", "scaled-2"} <= spec.templates.keys()


def test_an_op_alone_is_a_workflow_of_one_node() -> None:
    from sciflow.author.launch import spec_of

    spec = spec_of(energy.partial(calculator="lj"))
    made = graph(spec)
    assert [p.name for p in made.inputs] == ["atoms"]
    assert made.nodes[0].inputs == {"calculator": Const(value="lj"), "atoms": Input(port="atoms")}


def test_a_suspension_is_a_node_with_the_type_of_its_answer() -> None:
    @workflow
    def w() -> float:
        suspend("look at the plot")
        return energy(suspend("how far?", type=float, name="ask"))

    spec = w.spec()
    asked = spec.templates["ask"]
    assert isinstance(asked, Suspend)
    assert (asked.message, str(asked.output)) == ("how far?", "float")


def test_an_exit_handler_is_a_template() -> None:
    @workflow(on_exit=tell, timeout_s=60, parallelism=2)
    def w() -> None: ...

    made = graph(w.spec())
    assert (made.on_exit, made.timeout_s, made.parallelism) == ("tell", 60, 2)


def test_annotations_become_types_by_structure() -> None:
    @workflow
    def w(cell: Cell, file: Annotated[Path, "file"]) -> Row:
        return anything(cell, Kind.FAST, (1, 2), None, "x", file, print)

    template = w.spec().templates["anything"]
    assert isinstance(template, OpTemplate)
    assert [str(p.type) for p in template.inputs] == [
        "Cell",
        "Kind",
        "tuple[int, ...]",
        "dict[str, Path] | None",
        "Literal['x', 1]",
        "Path of a file",
        "Any",
        "set[complex] | None",
    ]
    assert template.inputs[6].type.pickled
    assert str(template.inputs[0].type.fields["rows"]) == "list[Row]"


def test_an_op_of_a_module_is_reached_by_name_and_one_made_in_a_function_by_value() -> None:
    @op
    def local(x: float) -> float:
        return x

    @workflow
    def w() -> float:
        return local(energy(1.0))

    templates = w.spec().templates
    by_name, by_value = templates["energy"], templates["local"]
    assert isinstance(by_name, OpTemplate)
    assert isinstance(by_value, OpTemplate)
    assert by_name.code == Function(module=__name__, qualname="energy")
    assert isinstance(by_value.code, Function)
    assert by_value.code.pickled


@pytest.mark.parametrize("steps", [1_000])
def test_a_long_chain_is_traced_without_recursion(steps: int) -> None:
    @workflow
    def chain(x: float) -> float:
        for _ in range(steps):
            x = energy(x)
        return x

    assert len(graph(chain.spec()).nodes) == steps


def test_an_expression_that_grows_in_a_loop_is_refused() -> None:
    @workflow
    def total(x: float) -> float:
        return sum((energy(x) for _ in range(1_000)), 0.0)

    with pytest.raises(InvalidWorkflow, match="more than 200 operations"):
        total.spec()


@pytest.mark.parametrize(
    ("compute", "function"),
    [
        (lambda x: np.float64(2) * x, "mul"),
        (lambda x: np.float64(2) / x, "truediv"),
        (lambda x: np.int64(2) < x, "lt"),
        (lambda x: np.array([1.0, 2.0]) - x, "sub"),
        (np.abs, "abs"),
    ],
)
def test_operators_of_numpy_with_a_reference_are_arithmetic(compute: Any, function: str) -> None:
    @workflow
    def w(x: float) -> Any:
        return compute(x)

    result = graph(w.spec()).result
    assert isinstance(result, Call)
    assert result.function == function
    assert Input(port="x") in result.args
