"""The scheduler by itself, in a world without processes, files and clocks."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from sciflow.core.expr import Const, Input, Output
from sciflow.core.graph import Fan, Node, Policy
from sciflow.core.records import Phase, TaskError
from sciflow.runner.retrying import backoff_s
from tests.unit.engine.world import op, simulate, spec_of

BAD = TaskError(type="builtins:ValueError", message="bad")
TRANSIENT = TaskError(type="m:Passing", message="may pass", transient=True)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[set[int]], set[int]]:
    """For each node the earlier nodes that it needs, and the nodes that fail."""
    size = draw(st.integers(1, 12))
    needs = [draw(st.sets(st.integers(0, i - 1), max_size=3)) if i else set() for i in range(size)]
    return needs, draw(st.sets(st.integers(0, size - 1), max_size=3))


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_a_node_runs_once_all_that_it_needs_has_succeeded_and_is_omitted_otherwise(
    drawn: tuple[list[set[int]], set[int]],
) -> None:
    needs, failing = drawn
    nodes = [
        Node(id=f"n{i}", template="t", inputs={f"p{j}": Output(node=f"n{j}") for j in sorted(needed)})
        for i, needed in enumerate(needs)
    ]
    template = op("t", *(f"p{j}" for j in range(len(needs))))
    scheduler, notebook = simulate(
        spec_of(nodes, template), {}, lambda path, *_: BAD if int(path[1:]) in failing else None
    )

    expected: list[Phase] = []
    for i, needed in enumerate(needs):
        if any(expected[j] is not Phase.SUCCEEDED for j in needed):
            expected.append(Phase.OMITTED)
        else:
            expected.append(Phase.FAILED if i in failing else Phase.SUCCEEDED)
    assert notebook.phases == {f"n{i}": phase for i, phase in enumerate(expected)}
    assert scheduler.outcome is not None
    failed = any(phase is not Phase.SUCCEEDED for phase in expected)
    assert scheduler.outcome.phase is (Phase.FAILED if failed else Phase.SUCCEEDED)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 40), st.sets(st.integers(0, 39)), st.integers(1, 7), st.integers(0, 3))
def test_slices_that_fail_for_a_while_are_run_again_and_the_gather_keeps_their_order(
    size: int, shaky: set[int], chunk: int, retries: int
) -> None:
    policy = Policy(retries=retries)
    nodes = [
        Node(id="fan", template="t", fan=Fan(over={"x": Input(port="xs")}), policy=policy),
        Node(id="gather", template="g", inputs={"all": Output(node="fan")}),
    ]
    spec = spec_of(nodes, op("t", "x"), op("g", "all"), inputs=["xs"], result=Output(node="fan"))
    fails = lambda path, slice_, attempt: TRANSIENT if slice_ in shaky and path[0] == "f" and attempt <= 2 else None  # noqa: E731
    scheduler, notebook = simulate(spec, {"xs": json.dumps(list(range(size))).encode()}, fails, slices=chunk)

    hopeless = retries < 2 and any(i < size for i in shaky)
    assert scheduler.outcome is not None
    assert scheduler.outcome.phase is (Phase.FAILED if hopeless else Phase.SUCCEEDED)
    for i in range(size):
        attempts = min(3, retries + 1) if i in shaky else 1
        assert notebook.tasks[f"fan/{i}"][1] == attempts
    if not hopeless:
        assert json.loads(scheduler.outcome.result) == [f"fan/{i}" for i in range(size)]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 30), st.sets(st.integers(0, 29)), st.floats(0.05, 1.0))
def test_a_fan_succeeds_if_so_large_a_part_of_it_does_and_leaves_null_in_place(
    size: int, failing: set[int], ratio: float
) -> None:
    fan = Fan(over={"x": Input(port="xs")}, min_success=ratio)
    spec = spec_of([Node(id="fan", template="t", fan=fan)], op("t", "x"), inputs=["xs"], result=Output(node="fan"))
    scheduler, _ = simulate(
        spec, {"xs": json.dumps([0] * size).encode()}, lambda _, slice_, __: BAD if slice_ in failing else None
    )
    good = size - sum(i < size for i in failing)
    assert scheduler.outcome is not None
    assert (scheduler.outcome.phase is Phase.SUCCEEDED) == (good >= ratio * size - 1e-8)
    if scheduler.outcome.phase is Phase.SUCCEEDED:
        nulls = [i for i, value in enumerate(json.loads(scheduler.outcome.result)) if value is None]
        assert nulls == sorted(i for i in failing if i < size)


def test_a_chain_of_ten_thousand_nodes_costs_no_stack() -> None:
    nodes = [Node(id="n0", template="t", inputs={"x": Const(value=0)})]
    nodes += [Node(id=f"n{i}", template="t", inputs={"x": Output(node=f"n{i - 1}")}) for i in range(1, 10_000)]
    scheduler, notebook = simulate(spec_of(nodes, op("t", "x")), {}, lambda *_: None)
    assert scheduler.outcome is not None
    assert len(notebook.tasks) == 10_000


def test_the_first_failure_of_ten_thousand_nodes_is_named_by_all_that_it_omits() -> None:
    nodes = [Node(id="n0", template="t", inputs={"x": Const(value=0)})]
    nodes += [Node(id=f"n{i}", template="t", inputs={"x": Output(node=f"n{i - 1}")}) for i in range(1, 10_000)]
    scheduler, notebook = simulate(spec_of(nodes, op("t", "x")), {}, lambda path, *_: BAD if path == "n3" else None)
    assert scheduler.outcome is not None
    assert scheduler.outcome.because == "n3"
    assert notebook.phases["n9999"] is Phase.OMITTED


def test_a_thousand_retries_wait_no_longer_than_the_longest_back_off() -> None:
    def waits(attempt: int, first_s: float = 1e-3) -> float:
        return backoff_s(attempt, first_s=first_s, factor=2.0, most_s=2.0)

    assert waits(1) == 1e-3
    assert waits(12) == 2.0
    assert waits(1100) == 2.0
    assert waits(1100, first_s=0.0) == 0.0
