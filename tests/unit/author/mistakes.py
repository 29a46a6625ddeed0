"""Mistakes, each under the name of what is wrong; `tests/golden/mistakes.txt` has what is said of them."""


# ruff: noqa: B006, F821, PLW0108, PLW0177, PTH123, RET504, RUF013, SIM115, UP031  these are mistakes

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np

from sciflow import choose, command, op, suspend, text, when, workflow

CASES: list[Callable[[], Any]] = []


def case(function: Callable[[], Any]) -> Callable[[], Any]:
    CASES.append(function)
    return function


T = TypeVar("T")


class Fit(NamedTuple):
    v0: float
    b0: float


@op
def energy(atoms: float, calculator: str = "emt") -> float:
    return atoms


@op
def fit(structures: list[float], energies: list[float]) -> Fit:
    return Fit(1.0, 2.0)


@op
def words() -> list[str]:
    return []


@op
def one() -> float:
    return 1.0


@op
def maybe(x: float | None) -> float:
    return 0.0


@op
def read(path: Path) -> float:
    return 0.0


@case
def arguments_misspelt_missing_or_too_many() -> None:
    @workflow
    def w() -> float:
        energy(atom=1.0)
        fit([1.0])
        energy(1.0, "emt", 3)
        energy(1.0, atoms=2.0)
        return energy(1.0, calculater="x")

    w.spec()


@case
def types_that_do_not_fit() -> None:
    @workflow
    def w(scales: list[float], name: str, point: Fit) -> Fit:
        energy("x")
        energy(name)
        energy(calculator=3, atoms=1.0)
        fit(words(), [1.0, "a", 2])
        fit(energy(1.0), scales)
        maybe(name)
        energy(point)
        read("cu.cif")
        return Fit(v0=1.0, b0=name)

    w.spec()


@case
def a_list_where_one_is_expected_and_the_other_way_round() -> None:
    @workflow
    def w(scales: list[float], name: str) -> Fit:
        energy(scales)
        energy.map(atoms=name)
        energy.map(atoms=3.0)
        energy.map(atoms=[[1.0], [2.0]])
        energy.map(atoms=[scales])
        energy.map(atoms={"a": 1.0})
        energy.map(atoms=words())
        energy.map()
        energy.map(atoms=[1.0, 2.0], calculator=["a"])
        some = energy.options(min_success=0.5).map(atoms=scales)
        return fit(scales, some)

    w.spec()


@case
def a_result_of_another_type() -> None:
    @workflow
    def w() -> str:
        return one()

    w.spec()


@case
def a_condition_of_python() -> None:
    @workflow
    def w() -> float:
        energy(1.0, bogus=2)
        if one() > 1:
            return 2.0
        return one()

    w.spec()


@case
def iterating_a_reference() -> None:
    @workflow
    def w(xs: list[float]) -> list[float]:
        return [energy(x) for x in xs]

    w.spec()


def misuse(name: str, use: Callable[[Any], Any]) -> None:
    def wrong() -> None:
        @workflow
        def w(xs: list[int]) -> int:
            use(xs)
            return 1

        w.spec()

    wrong.__name__ = name
    case(wrong)


misuse("f_string", lambda xs: f"{xs}")
misuse("text_of", lambda xs: str(xs))
misuse("percent", lambda xs: "%s" % xs)
misuse("int_of", lambda xs: int(xs[0]))
misuse("math_of", lambda xs: math.sqrt(xs[0]))
misuse("numpy_of", lambda xs: np.sqrt(xs[0]))
misuse("numpy_reduction_of", lambda xs: np.add.reduce(xs[0]))
misuse("array_of", lambda xs: np.asarray(xs[0]))
misuse("length_of", lambda xs: len(xs))
misuse("range_of", lambda xs: range(xs[0]))
misuse("in_", lambda xs: 1 in xs)
misuse("chained", lambda xs: 1 < xs[0] < 3)
misuse("and_", lambda xs: xs and 1)
misuse("sum_of", lambda xs: sum(xs))
misuse("method", lambda xs: xs.index(1))
misuse("slicing", lambda xs: xs[1:])
misuse("assigning", lambda xs: xs.__setitem__(0, 1))
misuse("open_of", lambda xs: open(xs))
misuse("hole_without_value", lambda xs: text("{a}-{b}", a=xs[0]))
misuse("value_without_hole", lambda xs: text("{a}", a=xs[0], b=1))
misuse("format_in_a_hole", lambda xs: text("{a:.3f}", a=xs[0]))


@case
def fields_and_elements_that_are_not_there() -> None:
    @workflow
    def w(p: Path, d: Fit, xs: list[float]) -> float:
        energy(fit(xs, xs).b1)
        energy(d[2])
        energy(d.v)
        energy(p.stem)
        energy(xs["a"])
        energy(1.0, text("{x}", x=xs))
        return d.bo

    w.spec()


@case
def operators_between_other_types() -> None:
    @workflow
    def w(n: int, s: str, f: float, xs: list[int]) -> float:
        energy(n - s)
        energy(f + xs)
        with when(s < f):
            one()
        with when(n):
            one()
        with when(xs):
            one()
        with when(f > math.nan):
            one()
        energy(choose(s, 1.0, 2.0))
        energy(choose(n > 1, "a", 2.0))
        return one()

    w.spec()


class Metal(Enum):
    CU = "cu"
    NI = "ni"


@dataclass
class Box(Generic[T]):
    content: T


@op
def mode(speed: Literal["fast", "slow"] | None, metal: Literal[Metal.CU] = Metal.CU) -> float:
    return 1.0


@op
def count(n: int) -> int:
    return n


@op
def opened(box: Box[int]) -> Box[str]:
    return Box("")


@case
def words_that_were_probably_meant() -> None:
    @workflow
    def w() -> float:
        mode("slwo")
        mode("walk")
        return mode("fast", Metal.NI)

    w.spec()


@case
def a_word_that_was_probably_meant_in_a_run() -> None:
    mode.run("fsat")


@case
def numbers_of_numpy() -> None:
    @workflow
    def w() -> int:
        energy(np.float64(1.0))  # right
        energy(np.float32(1.0))
        count.map(n=np.array([1, 2]))
        return count(np.int64(1))

    w.spec()


@case
def a_number_of_numpy_in_a_run() -> None:
    count.run(np.int64(1))


@case
def parameters_of_generic_classes() -> None:
    @workflow
    def w(box: Box[str]) -> None:
        opened(Box(1))  # right
        opened(Box("a"))
        opened(box)
        opened(opened(Box(True)))

    w.spec()


@case
def options_of_runs() -> None:
    wrong = {"parallelism": 0, "timeout_s": -1, "workers": "2", "runs": 3, "reuse": ["a"], "durable": 1, "gpus": -1}
    for_ever.options(name=3, executor=3, memory_mb=0, progress="no", **wrong).run(1)


@case
def options_of_calls_at_a_run() -> None:
    countdown.options(key="a", after=[], priority=2, min_success=0.5, name="", timeout_s=math.inf).run(1)


@case
def seconds_without_end() -> None:
    @workflow(timeout_s=math.inf)
    def w() -> float:
        return energy.options(timeout_s=math.inf, backoff_s=math.nan, backoff_max_s=10**400)(1.0)

    w.spec()


@case
def options_of_a_run_of_one_op() -> None:
    energy.options(workers=0, runs=3, progress=0, reuse=1).run(1.0)


@case
def what_is_reused() -> None:
    countdown.options(reuse={"a": object()}).run(1)


@case
def variables_that_no_process_can_have() -> None:
    @workflow
    def w() -> list[float]:
        named = energy.options(env={"A=B": "1"})(1.0)
        nameless = energy.options(env={"": "1"})(1.0)
        return [named, nameless, energy.options(env={"A": "\0"})(1.0)]

    w.spec()


@case
def what_runs_at_the_end() -> None:
    def plain(phase: str) -> None: ...

    @workflow(on_exit=3)  # type: ignore[call-overload]
    def w() -> float:
        return one()

    @workflow(on_exit=plain)  # type: ignore[call-overload]
    def v() -> float:
        w()
        return one()

    v.spec()


@case
def settings_of_a_workflow() -> None:
    @workflow(timeout_s=0, parallelism=-1)
    def w() -> float:
        return one()

    w.spec()


@workflow
def forever(n: int) -> int:
    return forever(n - 1)


@workflow
def for_ever(n: int) -> int:
    with when(True):
        m = for_ever(n - 1)
    return m


@workflow
def ping(n: int) -> int:
    with when(n > 0):
        m = pong(n - 1)
    return choose(n > 0, m, 0)


@workflow
def pong(n: int) -> int:
    with when(n > 0):
        m = ping(n - 1)
    return choose(n > 0, m, 0)


@case
def recursion_without_end() -> None:
    forever.spec()


@case
def recursion_under_a_constant() -> None:
    for_ever.spec()


@case
def recursion_in_a_ring() -> None:
    ping.spec()


@case
def keys() -> None:
    @workflow
    def w(xs: list[float], p: Path) -> None:
        energy.options(key="a b")(1.0)
        energy.options(key="same")(1.0)
        energy.options(key="same")(1.0)
        energy.options(key="fan").map(atoms=xs)
        energy.options(key="x-{atom}").map(atoms=xs)
        energy.options(key="x-{item}")(1.0)
        energy.options(key="{atoms}/é").map(atoms=xs)
        read.options(key="{path}").map(path=[p])
        energy.options(key="")(1.0)
        energy.options(key=3)(1.0)
        energy.options(name="a b")(1.0)

    w.spec()


@case
def options() -> None:
    @workflow
    def w(xs: list[float]) -> None:
        energy.options(retires=3)(1.0)
        energy.options(retries="3", timeout_s=-1, cpus=0, cache=1, retry_on=["x"], env={"A": 3})(1.0)
        energy.options(min_success=2.5).map(atoms=xs)
        energy.options(min_success=5).map(atoms=[1.0])
        energy.options(min_success=5).product(atoms=[1.0, 2.0], calculator=["a", "b"])
        energy.options(min_success=1)(1.0)
        energy.options(after=3)(1.0)
        energy.options(executor=3)(1.0)
        energy.options(image=xs)(1.0)
        countdown.options(runs="here")(1)

    w.spec()


@workflow
def countdown(n: int) -> int:
    return n


@case
def an_option_outside_a_workflow() -> None:
    energy.options(retires=3)


@case
def an_option_of_the_decorator() -> None:
    op(retry=3)


@case
def outputs_that_may_be_absent() -> None:
    @workflow
    def w(n: int) -> float:
        with when(n > 1):
            a = one()
        with when(n > 1):
            energy(a)  # right: under the same condition
            with when(n > 3):
                energy(a)  # right: under a stricter one
        maybe(a)  # right: takes None
        energy(1.0, text("{x}", x=a))  # right: has a default
        energy(choose(n > 1, a, 2.0))  # right: only where it is there
        energy(a)
        with when(n > 2):
            energy(a)
        with when(a > 1.0):
            one()
        energy(choose(n > 5, a, 2.0))
        maybe.map(x=[a])
        return a

    w.spec()


@case
def functions_that_cannot_be_ops() -> None:
    @op
    def star(*args: int, **kw: int) -> int:
        return 1

    @op
    def bare(x, y: int):
        return 1

    @op
    def generator(x: int) -> list[int]:
        yield 1

    @op
    async def asynchronous(x: int) -> int:
        return 1

    @op
    def thread(x: threading.Thread) -> int:
        return 1

    @op
    def unknown(x: Undefined) -> int:
        return 1

    @op
    def defaults(x: int = "a", y: int = None) -> int:
        return 1

    square_root = op(math.sqrt)

    @workflow
    def w(*xs: float) -> None:
        star()
        bare(1, 2)
        generator(1)
        asynchronous(1)
        thread(1)
        unknown(1)
        defaults()
        square_root(2.0)

    w.spec()


@case
def a_closure_over_what_cannot_be_pickled() -> None:
    lock = threading.Lock()

    @op
    def locked(x: int) -> int:
        with lock:
            return x

    @workflow
    def w() -> int:
        return locked(1)

    w.spec()


@case
def constants_that_cannot_be_written_down() -> None:
    @workflow
    def w() -> None:
        energy(1.0, "\ud800")
        read(Path("/no/where.cif"))
        energy(1.0, threading.Lock())
        fit([1.0, object()], [])

    w.spec()


@case
def an_exit_handler_that_takes_something_else() -> None:
    @op
    def handler(x: int) -> None: ...

    @workflow(on_exit=handler)
    def w() -> None: ...

    w.spec()


@case
def a_reference_of_another_workflow() -> None:
    box = []

    @workflow
    def inner(x: float) -> float:
        return energy(box[0])

    @workflow
    def w(y: float) -> float:
        box.append(y)
        return inner(y)

    w.spec()


@workflow
def eos(structure: Annotated[Path, "file"], scales: list[float], n: int = 3, more: dict[str, Path] = {}) -> Fit:
    return fit(scales, scales)


@case
def arguments_of_a_run_misspelt() -> None:
    eos.run(Path("/no/where.cif"), scale=[1.0], m=3)


@case
def arguments_of_a_run_missing() -> None:
    eos.run()


@case
def arguments_of_a_run_twice() -> None:
    eos.run(Path(__file__), [1.0], 2, {}, 5, scales=[])


@case
def arguments_of_a_run_of_other_types() -> None:
    eos.run("cu.cif", scales=[1.0, "a"], n=2.5, more={"a": Path("/no/a"), "b": Path("/no/b")})


@case
def arguments_of_a_run_a_folder_and_a_surrogate() -> None:
    eos.run(Path("/"), scales=["\udc80"])


@case
def suspend_outside_a_workflow() -> None:
    suspend("go on?")


@case
def commands() -> None:
    @command("prog", "{x}", "{y:3}", "--a={z}", "{q}", stdin="inp", outputs={"v0": "/abs", "c0": "c"}, files={"f": "x"})
    def prog(x: int, z: list[int], q: dict[str, int]) -> Fit:
        raise NotImplementedError

    @workflow
    def w() -> None:
        prog(1, [1], {})

    w.spec()
