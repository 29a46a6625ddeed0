"""Outside a workflow an op is its function, and a workflow plain Python."""

import pickle
import subprocess
import sys
from typing import NamedTuple

import cloudpickle
import pytest

from sciflow import InvalidWorkflow, choose, contains, length, not_, op, sequence, suspend, text, when, workflow
from sciflow.author.op import Op


class Fit(NamedTuple):
    v0: float


@op(retries=2)
def energy(atoms: float, factor: float = 2.0) -> float:
    """Energy of something, eV."""
    return factor * atoms


@workflow
def countdown(n: int) -> int:
    with when(n > 0):
        rest = countdown(n - 1)
    return choose(n > 0, rest, 0)


@workflow
def eos(scales: list[float]) -> Fit:
    return Fit(sum(energy.map(atoms=scales)))


def test_an_op_is_its_function() -> None:
    assert energy(2.0) == 4.0
    assert energy.partial(factor=3.0)(2.0) == 6.0
    assert energy.options(cpus=2)(atoms=1.0) == 2.0
    assert energy.__doc__ == "Energy of something, eV."
    assert energy.__name__ == "energy"


def test_map_and_product_are_loops() -> None:
    assert energy.map([1.0, 2.0]) == [2.0, 4.0]
    assert energy.map(atoms=[1.0, 2.0], factor=[1.0, 3.0]) == [1.0, 6.0]
    assert energy.product(atoms=[1.0, 2.0], factor=[1.0, 3.0]) == [1.0, 3.0, 2.0, 6.0]
    assert energy.map(atoms=[]) == []


def test_a_map_over_lists_of_unequal_length_names_them() -> None:
    with pytest.raises(ValueError, match="atoms has 1, factor has 2"):
        energy.map(atoms=[1.0], factor=[1.0, 2.0])


def test_a_workflow_is_plain_python() -> None:
    assert eos([1.0, 2.0]) == Fit(6.0)
    assert eos.map(scales=[[1.0], [2.0]]) == [Fit(2.0), Fit(4.0)]
    assert countdown(5) == 0


def test_functions_of_values_work_on_plain_values() -> None:
    assert (length([1, 2]), not_(True), contains([1], 1), sequence(1, 3)) == (2, False, True, [1, 2])
    assert text("{{{x}}}-{y}", x=1.5, y="a") == "{1.5}-a"


def test_nobody_can_be_waited_for() -> None:
    with pytest.raises(InvalidWorkflow, match="suspend"):
        suspend("go on?")


def test_ops_and_workflows_pickle_by_name_or_by_value() -> None:
    assert pickle.loads(pickle.dumps(energy)) is energy
    assert pickle.loads(pickle.dumps(eos)) is eos
    changed = pickle.loads(cloudpickle.dumps(energy.partial(factor=3.0).options(cpus=2)))
    assert isinstance(changed, Op)
    assert (changed(1.0), changed.fixed, changed.settings) == (3.0, {"factor": 3.0}, {"retries": 2, "cpus": 2})


def test_importing_the_names_of_a_users_module_loads_nothing_else() -> None:
    script = """
import sys
before = set(sys.modules)
from sciflow import op, workflow, command, secret, Pickled, TransientError
@op(retries=2, env={"A": secret(env="A")})
def f(x: int) -> int: return x
f(1), f.map([1])
print(sorted(m for m in sys.modules if m not in before and m.partition(".")[0] in
    {"msgspec", "inspect", "dataclasses", "asyncio", "pathlib", "click", "rich", "numpy"}))
"""
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
