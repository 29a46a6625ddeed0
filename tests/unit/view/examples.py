"""Records as an engine would make them, for the tests of views."""

from __future__ import annotations

from pathlib import Path

from sciflow.core.expr import Attr, Call, Const, Input, Output
from sciflow.core.graph import Fan, Function, Graph, Node, OpTemplate, Suspend, WorkflowSpec
from sciflow.core.ports import Port, Type, list_of
from sciflow.core.progress import Snapshot, StepProgress, Task
from sciflow.core.records import Phase, TaskError
from sciflow.view.report import Failure, Troubles

FLOAT = Type(name="float")
ATOMS = Type(name="object", of="ase.atoms:Atoms", kind="class")
RUN = "eos-20251122-055712-a1b2"


def op(name: str, **inputs: Type) -> OpTemplate:
    ports = tuple(Port(name=port, type=type_) for port, type_ in inputs.items())
    return OpTemplate(name=name, inputs=ports, output=FLOAT, code=Function(module="eos", qualname=name))


def workflow() -> WorkflowSpec:
    """A fan, a sub-workflow that calls itself, a product, a suspension, a condition, an `after`."""
    deeper = Call(function="gt", args=(Output(node="energy"), Const(value=0.1)))
    refine = Graph(
        name="refine",
        inputs=(Port(name="atoms", type=ATOMS),),
        nodes=(
            Node(id="energy", template="energy", inputs={"atoms": Input(port="atoms")}),
            Node(id="refine", template="refine", inputs={"atoms": Output(node="energy")}, when=deeper),
        ),
        result=Output(node="energy"),
        output=FLOAT,
    )
    agreed = Call(function="lt", args=(Attr(of=Output(node="ask"), name="error"), Const(value=3)))
    eos = Graph(
        name="eos",
        inputs=(Port(name="structure", type=Type(name="path")), Port(name="scales", type=list_of(FLOAT))),
        nodes=(
            Node(
                id="strain",
                template="strain",
                inputs={"structure": Input(port="structure"), "scales": Input(port="scales")},
            ),
            Node(id="energy", template="energy", fan=Fan(over={"atoms": Output(node="strain")})),
            Node(id="ask", template="ask", after=("energy",)),
            Node(
                id="refine-2",
                template="refine",
                fan=Fan(over={"atoms": Output(node="strain"), "scale": Input(port="scales")}, mode="product"),
            ),
            Node(
                id="fit",
                template="fit",
                inputs={"energies": Output(node="energy"), "more": Output(node="refine-2")},
                when=agreed,
            ),
        ),
        result=Attr(of=Output(node="fit"), name="b0"),
        output=FLOAT,
    )
    templates = {
        "eos": eos,
        "refine": refine,
        "strain": op("strain", structure=Type(name="path"), scales=list_of(FLOAT)),
        "energy": op("energy", atoms=ATOMS),
        "fit": op("fit", energies=list_of(FLOAT), more=list_of(FLOAT)),
        "ask": Suspend(name="ask", message='is "it" <good> `enough`?', output=FLOAT),
    }
    return WorkflowSpec(name="eos", entry="eos", templates=templates)


SCF = TaskError(
    type="ase.calculators:SCFError",
    message="no convergence in 100 steps\nlast change: 0.3 eV",
    traceback='  File "eos.py", line 12, in energy\n    return atoms.get_potential_energy()\n'
    "SCFError: no convergence in 100 steps\nlast change: 0.3 eV",
)
DIED = TaskError(message="the process that ran it died", kind="died", signal="SIGSEGV")
EXIT = TaskError(type="sciflow.runner.failures:OpError", message="pw.x ended with exit code 3", exit_code=3)
CELL = {"$": "ndarray", "dtype": "<f8", "shape": [3, 3], "order": "C", "v": "A" * 96}


def failed(number: int, error: TaskError = SCF, **more: object) -> Task:
    facts: dict[str, object] = {
        "path": f"energy/{number}",
        "node": "energy",
        "slice": number,
        "phase": Phase.FAILED,
        "attempt": 2,
        "inputs": {"scale": 0.9 + number / 1000, "calculator": "emt", "cell": CELL},
        "error": error,
        "seconds": 1.5,
        "folder": Path("runs") / RUN / "tasks" / "energy" / str(number),
    }
    return Task(**(facts | more))  # type: ignore[arg-type]


def omitted(path: str) -> Task:
    error = TaskError(kind="omitted", message="energy/3")
    return Task(path=path, node=path, phase=Phase.OMITTED, error=error, folder=Path(path))


def troubles() -> Troubles:
    """Three kinds of failure, one of them twenty times, and two omitted steps."""
    log = "\n".join(f"step {n:>3}  dE = {1 / n:.4f} eV" for n in range(1, 101))
    failures = [Failure(task=failed(3), log=log), *(Failure(task=failed(n)) for n in range(10, 29))]
    failures += [Failure(task=failed(40, DIED)), Failure(task=failed(50, EXIT), log="\x1b[31mcannot read UPF\x1b[0m\n")]
    return Troubles(
        run_id=RUN,
        name="eos",
        phase=Phase.FAILED,
        seconds=75.2,
        folder=Path("runs") / RUN,
        failures=failures,
        omitted=[omitted("fit"), omitted("plot")],
    )


def snapshot(done: int = 400) -> Snapshot:
    """A run in the middle of its second step."""
    steps = (
        StepProgress(path="strain", phase=Phase.SUCCEEDED, total=1, done=1, elapsed_s=0.12),
        StepProgress(
            path="energy",
            phase=Phase.RUNNING,
            total=1000,
            done=done,
            running=2,
            cached=12,
            failed=3,
            elapsed_s=62.0,
            remaining_s=93.0,
            message="SCF 12 of about 30",
        ),
        StepProgress(path="fit"),
    )
    return Snapshot(run_id=RUN, name="eos", phase=Phase.RUNNING, started=0.0, seconds=62.5, steps=steps)
