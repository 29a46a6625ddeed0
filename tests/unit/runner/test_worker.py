# ruff: noqa: E501  lines of the small programs in here, and of tables
"""A worker, spoken to as the engine does: what an op takes and gives, and how its failures are told."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driver import Worker, WorkerEnded, wait_until

from sciflow.runner import codec
from sciflow.runner.encoder import to_base64

BASICS = """
    import enum, os, signal, subprocess, sys, time
    from dataclasses import dataclass
    from pathlib import Path
    from typing import Any, Dict, List, Literal, NamedTuple, Optional, Tuple, TypedDict, Union
    import sciflow.runner.context as place
    from sciflow.runner.failures import FatalError, TransientError
    from sciflow.runner.pickled import Pickled

    def add(x: int, y: float = 0.5) -> float:
        return x + y
"""


@pytest.fixture
def worker(start: Any, request: pytest.FixtureRequest) -> Worker:
    """A worker that knows the code in the test's docstring-like marker."""
    return start(BASICS)  # type: ignore[no-any-return]


def started(start: Any, code: str, name: str, **options: Any) -> Worker:
    worker: Worker = start(BASICS + code)
    worker.op(name, **options)
    return worker


def test_slices_of_a_request_are_answered_in_order(worker: Worker) -> None:
    worker.op("add")
    ended = worker.do([1], [2], [3], columns=("x",), fixed={"y": 0.25})
    assert [(e.number, e.phase, e.output) for e in ended] == [
        (1, "Succeeded", 1.25),
        (2, "Succeeded", 2.25),
        (3, "Succeeded", 3.25),
    ]
    assert all(0 <= e.seconds < 1 and abs(e.started - time.time()) < 60 for e in ended)
    wait_until(lambda: worker.running() == 0)
    assert worker.close() == 0


def test_an_absent_input_takes_its_default(worker: Worker) -> None:
    worker.op("add")
    assert worker.call(x=1).output == 1.5


def test_an_unknown_module_is_a_problem_of_the_place_for_every_slice(worker: Worker) -> None:
    problem = worker.load(module="nowhere", qualname="f")[3]
    assert problem["kind"] == "code"
    assert "module nowhere is not found here" in problem["message"]
    assert [e.phase for e in worker.do([], [])] == ["Error", "Error"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import nothing_like_it", "nothing_like_it"),
        ("raise SystemExit(3)", "sys.exit"),
        ("def f(:", "invalid syntax"),
        ("x = 1", "has no f"),
    ],
)
def test_a_module_that_cannot_be_loaded_says_why(start: Any, source: str, message: str) -> None:
    worker = start(source)
    problem = worker.load(module="ops", qualname="f")[3]
    assert problem["kind"] == "code"
    assert message in problem["message"] + problem["traceback"]


def test_an_annotation_that_cannot_be_resolved_is_told_when_the_op_is_loaded(start: Any) -> None:
    worker = start("def f(x: 'Missing') -> int: return 1")
    assert "annotation of f cannot be resolved: name 'Missing'" in worker.load(module="ops", qualname="f")[3]["message"]


# ---- values and types

TYPES: list[tuple[str, Any, str]] = [
    ("int", "x", "input x: expected int, found str 'x'"),
    ("int", 1.0, "input x: expected int, found float 1.0"),
    ("float", "1", "input x: expected float, found str '1'"),
    ("List[float]", [1.0, "a"], "input x[1]: expected float, found str 'a'"),
    ("List[List[int]]", [[1], [2, None]], "input x[1][1]: expected int, found None"),
    ("Dict[str, List[int]]", {"a": [1], "b": ["c"]}, "input x['b'][0]: expected int, found str 'c'"),
    ("Optional[List[int]]", ["a"], "input x[0]: expected int, found str 'a'"),
    ("Union[int, str]", 1.5, "input x: expected int | str, found float 1.5"),
    ("Literal['a', 2]", "b", "input x: expected one of 'a', 2, found str 'b'"),
    ("Tuple[int, str]", (1, "a", 2), "input x: expected tuple[int, str], found tuple of 3"),
    ("Tuple[int, ...]", (1, "a"), "input x[1]: expected int, found str 'a'"),
    ("Colour", 1, "input x: expected Colour, found int 1"),
    ("Path", "a.txt", "input x: expected Path, found str 'a.txt'; give Path(...)"),
    ("Options", {"n": "x"}, "input x['n']: expected int, found str 'x'"),
    ("Options", {}, "input x: expected ops.Options (keys n), found dict of 0"),
    ("List[float]", np.zeros(2), "input x: expected list[float], found numpy.ndarray; give .tolist()"),
    ("int", np.int64(1), "input x: expected int, found numpy.int64; give int(...)"),
    ("Tree", {"$": "record", "type": "ops:Tree", "kind": "dataclass", "v": {"kids": [{"$": "record", "type": "ops:Tree",
        "kind": "dataclass", "v": {"kids": 3}}]}}, "input x.kids[0].kids: expected list[ops.Tree], found int 3"),
]  # fmt: skip


def test_a_wrong_input_is_named_with_its_place(start: Any) -> None:
    code = (
        BASICS
        + """
    class Colour(enum.Enum):
        RED = 1
    class Options(TypedDict):
        n: int
    @dataclass
    class Tree:
        kids: "List[Tree]"
    """
    )
    for number, (annotation, _, _) in enumerate(TYPES):
        code += f"\n    def f{number}(x: {annotation}) -> None: pass\n"
    worker = start(code)
    for number, (_, value, message) in enumerate(TYPES):
        worker.op(f"f{number}")
        tree = value if isinstance(value, dict) and "$" in value else codec.encode(value)
        ended = worker.do(fixed={"x": tree})[0]
        assert (ended.phase, ended.error["kind"], ended.error["message"]) == ("Failed", "contract", message)


def test_what_fits_its_annotation_passes(start: Any) -> None:
    good = [
        ("float", 1), ("complex", 1.5), ("Any", [1]), ("Optional[int]", None), ("List[Any]", [1, "a"]), ("int", True),
        ("Dict[str, float]", {}), ("Tuple[()]", ()), ("object", "x"), ("'List[int]'", [1]), ("list", [1]), ("int", 10**5000),
        ("Union[Dict[str, int], List[int]]", [1]), ("Literal[1]", 1), ("Pickled[Any]", {"a": 1}), ("List['int']", [2]),
    ]  # fmt: skip
    worker = start(BASICS + "".join(f"\n    def f{n}(x: {a}) -> {a}: return x\n" for n, (a, _) in enumerate(good)))
    for number, (_, value) in enumerate(good):
        worker.op(f"f{number}")
        assert worker.value(worker.call(x=value)) == value


def test_an_input_that_the_function_does_not_have_is_told(worker: Worker) -> None:
    worker.op("add")
    assert "input z: the function here has no such parameter, only x, y" in worker.call(z=1).error["message"]


RESULTS = [
    ("-> int: return 'a'", "contract", "the result: expected int, found str 'a'"),
    ("-> Tuple[int, int]: return (1,)", "contract", "the result: expected tuple[int, int], found tuple of 1"),
    ("-> Any: return object()", "codec", "the result: a value of type object has no form"),
    ("-> Any: return {'a': ['\\udc00']}", "codec", "the result: at ['a'][0]: the text has a lone surrogate"),
    (
        "-> Path: return Path('no.txt')",
        "contract",
        "output file 'no.txt' does not exist; found in the working folder: nothing",
    ),
    ("-> Path: return Path('/etc/passwd')", "contract", "lies outside the op's working folder"),
    ("-> Path: return Path('../../run.db')", "contract", "does not exist"),
    ("-> Path: return Path('.')", "contract", "whole working folder"),
    ("-> List[int]: return (i for i in range(3))", "contract", "expected list[int], found generator; give list(...)"),
]


def test_a_wrong_result_is_told(start: Any) -> None:
    worker = start(BASICS + "".join(f"\n    def f{n}() {body}\n" for n, (body, _, _) in enumerate(RESULTS)))
    for number, (_, kind, message) in enumerate(RESULTS):
        worker.op(f"f{number}")
        error = worker.call().error
        assert error["kind"] == kind
        assert message in error["message"]
        assert f"in f{number}" in error["traceback"]


def test_large_results_go_to_the_pack_by_their_parts(start: Any) -> None:
    worker = started(
        start,
        """
    class Both(NamedTuple):
        n: int
        text: str
    def f(n: int) -> Both: return Both(n, "x" * n)
    def g(n: int) -> List[int]: return list(range(n))
    def h(n: int) -> int: return n
    """,
        "f",
    )
    small, large = worker.do([10], [10_000], columns=("n",))
    assert small.output["v"] == {"n": 10, "text": "x" * 10}
    assert large.output["v"]["n"] == 10_000
    stored = large.output["v"]["text"]
    assert (stored["$"], stored["file"], worker.stored(stored)) == ("value", "values/1-0", "x" * 10_000)
    worker.op("g")
    whole = worker.do([5000], columns=("n",))[0]
    assert whole.output["$"] == "value"
    assert worker.value(whole) == list(range(5000))
    worker.op("h")
    again = worker.do(fixed={"n": {**stored, "sha256": "0" * 64}})[0]
    assert (again.phase, again.error["kind"]) == ("Error", "place")
    assert "incomplete or was changed" in again.error["message"]


def test_each_slice_gets_a_fixed_input_of_its_own(start: Any) -> None:
    worker = started(start, "\n    def f(x: List[int], i: int) -> int:\n        x.append(i); return len(x)\n", "f")
    assert [e.output for e in worker.do([1], [2], columns=("i",), fixed={"x": [0]})] == [2, 2]


# ---- failures

FAILURES = [
    ("raise TransientError('busy')", "user", {"transient": True}, "busy"),
    ("raise FatalError('no')", "user", {"fatal": True}, "no"),
    ("sys.exit(3)", "user", {"exit_code": 3}, "sys.exit(3)"),
    ("sys.exit('text')", "user", {"exit_code": 1}, "'text'"),
    ("raise KeyboardInterrupt", "user", {}, ""),
    ("subprocess.run(['false'], check=True)", "user", {"exit_code": 1}, "false"),
    ("subprocess.run(['sh', '-c', 'kill -9 $$'], check=True)", "user", {"signal": "SIGKILL"}, ""),
    ("open('/dev/full', 'w', buffering=1).write('x\\n')", "place", {}, "No space left"),
    ("raise Unshowable", "user", {}, "its message cannot be shown: str() raised ValueError"),
    ("raise ValueError('\\ud800\\0')", "user", {}, "\\ud800\0"),
    ("raise ValueError('x' * 10**6)", "user", {}, "(1000000 characters)"),
    ("return f()", "user", {}, "recursion"),
    ("raise type('Odd', (Exception,), {'__module__': None})('odd')", "user", {}, "odd"),
]


def test_a_failure_is_told_whatever_was_raised(start: Any) -> None:
    code = """
    class Unshowable(Exception):
        def __str__(self): raise ValueError
    def f() -> int: return f()
    """
    worker = start(
        BASICS + code + "".join(f"\n    def f{n}() -> int: {body}\n" for n, (body, *_) in enumerate(FAILURES))
    )
    for number, (body, kind, facts, message) in enumerate(FAILURES):
        worker.op(f"f{number}")
        ended = worker.call()
        assert ended.phase == ("Error" if kind == "place" else "Failed"), body
        assert (ended.error["kind"], {k: ended.error[k] for k in facts}) == (kind, facts)
        assert message in ended.error["message"], body


def test_a_traceback_shows_the_users_lines_and_the_causes_only(start: Any) -> None:
    worker = started(
        start,
        """
    def inner(x):
        return {}["a" * x]
    def f(x: int) -> int:
        try:
            return inner(x)
        except KeyError as error:
            raise RuntimeError("no such key") from error
    """,
        "f",
    )
    error = worker.call(x=1).error
    assert (error["type"], error["message"]) == ("builtins:RuntimeError", "no such key")
    assert error["bases"] == ["builtins:Exception", "builtins:BaseException"]
    lines = error["traceback"].splitlines()
    assert [line.strip() for line in lines if line.startswith("    ")] == [
        "return inner(x)", 'return {}["a" * x]', 'raise RuntimeError("no such key") from error',
    ]  # fmt: skip
    assert "which was the cause of" in error["traceback"]
    assert "sciflow/runner" not in error["traceback"]


def test_a_worker_that_dies_in_a_slice_has_told_of_the_ones_before(start: Any) -> None:
    worker = started(
        start, "\n    def f(i: int) -> int:\n        print(i, flush=True); return os._exit(3) if i == 2 else i\n", "f"
    )
    with pytest.raises(WorkerEnded):
        worker.do([1], [2], columns=("i",))
    assert worker.process.wait(5) == 3
    assert worker.running() == 2


def test_a_worker_and_its_children_die_with_the_engine(start: Any) -> None:
    code = "\n    def f() -> int:\n        print(subprocess.Popen(['sleep', '100']).pid, flush=True); time.sleep(100); return 1\n"
    worker = started(start, code, "f")
    worker.send({"do": 1, "fixed": {}, "columns": [], "tasks": [[1, "tasks/a", 1, 1, None, None, []]]})
    wait_until(lambda: worker.stdout.read_text().endswith("\n"))
    child = int(worker.stdout.read_text())
    os.close(worker.life)
    worker.life = -1
    assert worker.process.wait(5) == -signal.SIGKILL
    wait_until(lambda: not running(child))


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---- the place


def test_an_op_asks_its_place_and_tells_it(start: Any) -> None:
    worker = started(
        start,
        """
    def f() -> Dict[str, Any]:
        c = place.context()
        c.progress(1, 10, "a step")
        c.progress(2, 10)
        c.record(version="1.2", path=None)
        c.needs(sha=b"x")
        c.flag("not converged")
        return dict(cpus=c.cpus, mem=c.memory_mb, gpus=c.gpus, key=c.key, attempt=c.attempt, seed=c.seed, path=c.path,
                    left=c.seconds_left, host=dict(c.host), same=c is place.context(), cuda=os.environ.get("CUDA_VISIBLE_DEVICES"))
    """,
        "f",
        cpus=2, memory_mb=100, gpus=[1, 3], timeout_s=50,
    )  # fmt: skip
    ended = worker.do(key="k", seed=7, left=20.0, path="tasks/f/3")[0]
    value = worker.value(ended)
    assert 19 < value.pop("left") <= 20
    assert value == {
        "cpus": 2, "mem": 100, "gpus": (1, 3), "key": "k", "attempt": 1, "seed": 7, "path": "f/3", "host": {}, "same": True,
        "cuda": "1,3",
    }  # fmt: skip
    assert worker.progress == [[1, 1, 1.0, 10.0, "a step"]]
    assert ended.extra == {
        "facts": {"version": "1.2", "path": None}, "needs": {"sha": {"$": "bytes", "v": "eA=="}}, "flag": "not converged",
    }  # fmt: skip


def test_outside_a_run_the_place_answers_with_defaults() -> None:
    from sciflow.runner.context import context

    place = context()
    place.progress(1)
    place.record(a=1)
    assert (place.cpus, place.attempt, place.key, place.seconds_left, dict(place.host)) == (1, 1, None, None, {})


# ---- code


def test_an_op_of_a_script_runs_without_its_main_block(start: Any, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from typing import NamedTuple\nimport pickle\nclass Fit(NamedTuple):\n    v: int\n"
        "def f(x: int) -> Fit: return pickle.loads(pickle.dumps(Fit(x)))\nif __name__ == '__main__':\n    raise SystemExit\n"
    )
    worker = start()
    code = {"type": "function", "module": "__main__", "qualname": "f", "script": str(script)}
    assert worker.load(code)[3] is None
    assert worker.call(x=3).output == {"$": "record", "type": "__main__:Fit", "kind": "namedtuple", "v": {"v": 3}}


def test_an_op_of_a_notebook_travels_by_value(start: Any) -> None:
    source = (
        "import sys, base64; from dataclasses import dataclass; from sciflow.runner.loader import pickle_function\n"
        "@dataclass\nclass P:\n    x: int\n"
        "def f(p: P) -> P: return P(p.x + 1)\n"
        "print(base64.b64encode(pickle_function(f)).decode())"
    )
    root = Path(__file__).parents[3]
    pickled = subprocess.run(
        [sys.executable, "-c", source], cwd=root, capture_output=True, text=True, check=True
    ).stdout.strip()
    worker = start()
    assert worker.load({"type": "function", "module": "__main__", "qualname": "f", "pickled": pickled})[3] is None
    tree = {"$": "record", "type": "__main__:P", "kind": "dataclass", "v": {"x": 1}}
    assert worker.do(fixed={"p": tree})[0].output["v"] == {"x": 2}


def test_an_op_of_a_cell_brings_the_classes_of_its_types_and_the_source_of_its_lines(start: Any) -> None:
    cells = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass Atom:\n    z: int\n",
        "@dataclass\nclass Pair:\n    first: 'Atom'\n    others: 'list[Atom]'\n",
        "def inverse(z):\n    return 1 / z\n",
        "token = 'correct horse'\n\ndef f(p: 'Pair') -> float:\n    return inverse(p.first.z) + len(p.others)\n",
    )
    source = (
        "import base64, linecache, sys, typing; from sciflow.runner.loader import pickle_function\n"
        f"for n, text in enumerate({cells!r}):\n"
        "    name = f'/tmp/ipykernel_1/{n}.py'\n"
        "    linecache.cache[name] = (len(text), None, text.splitlines(True), name)\n"
        "    exec(compile(text, name, 'exec', dont_inherit=True), globals())\n"
        "f.__annotations__ = typing.get_type_hints(f)\n"
        "print(base64.b64encode(pickle_function(f)).decode())"
    )
    root = Path(__file__).parents[3]
    pickled = subprocess.run(
        [sys.executable, "-c", source], cwd=root, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert b"correct horse" not in base64.b64decode(pickled)
    worker = start()
    assert worker.load({"type": "function", "module": "__main__", "qualname": "f", "pickled": pickled})[3] is None

    def pair(z: object) -> Any:
        atom = {"$": "record", "type": "__main__:Atom", "kind": "dataclass", "v": {"z": z}}
        return {"$": "record", "type": "__main__:Pair", "kind": "dataclass", "v": {"first": atom, "others": [atom]}}

    assert worker.do(fixed={"p": pair(2)})[0].output == 1.5
    assert worker.do(fixed={"p": pair("2")})[0].error["message"] == "input p.first.z: expected int, found str '2'"
    assert worker.do(fixed={"p": pair(0)})[0].error["traceback"].endswith("in inverse\n    return 1 / z")


def test_a_notebook_of_another_python_is_told_in_so_many_words(start: Any) -> None:
    pickled = to_base64(b"sciflow-pickle 3.6\nxxxx")
    problem = start().load({"type": "function", "module": "__main__", "qualname": "f", "pickled": pickled})[3]
    assert "comes from a notebook of Python 3.6 and cannot run in Python" in problem["message"]


@pytest.mark.parametrize("version", ["3.9.18"])
def test_a_worker_runs_on_an_old_python_without_anything_installed(tmp_path: Path, version: str) -> None:
    python = Path.home() / ".pyenv" / "versions" / version / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no Python {version} here")
    (tmp_path / "ops.py").write_text("from __future__ import annotations\nfrom pathlib import Path\n"
        "def f(p: Path) -> tuple[list[Path], dict[str, float]]:\n    Path('o').write_text('1')\n    return [p, Path('o')], {'a': 1.0}\n")  # fmt: skip
    (tmp_path / "in.txt").write_text("x")
    worker = Worker(tmp_path / "run", python=str(python), sys_path=(str(tmp_path),))
    try:
        worker.op("f")
        assert worker.call(p=tmp_path / "in.txt").phase == "Succeeded"
        assert worker.close() == 0
    finally:
        worker.end()
