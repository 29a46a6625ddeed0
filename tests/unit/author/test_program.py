"""A program as an op: what of its declaration goes into the record."""

from pathlib import Path
from typing import NamedTuple

from sciflow import command, op, workflow
from sciflow.author.launch import spec_of
from sciflow.author.op import Op
from sciflow.core.expr import Const
from sciflow.core.graph import Graph, OpTemplate, Program


class Md(NamedTuple):
    trajectory: list[Path]
    restart: Path
    log: str


@command(
    "lmp", "-in", "{script}", "-var", "T={temperature}", "{flags}", "{{x}}",
    stdin="{data}",
    stdout="log",
    files={"script": "in.lammps"},
    outputs={"trajectory": "*.dump", "restart": "final.restart"},
    exit_codes=(0, 3),
    cpus=4,
)  # fmt: skip
def lammps(script: Path, data: str, flags: list[str], temperature: float = 300.0) -> Md:
    raise NotImplementedError


@command("packmol", stdin="recipe", outputs="packed.pdb")
def packmol(recipe: Path) -> Path:
    raise NotImplementedError


@command("date", "+%s")
def now() -> str:
    raise NotImplementedError


@op
def count(files: list[Path]) -> int:
    return len(files)


def template(target: Op[..., object]) -> tuple[OpTemplate, Program]:
    found = spec_of(target).templates[target.__name__]
    assert isinstance(found, OpTemplate)
    assert isinstance(found.code, Program)
    return found, found.code


def test_holes_are_whole_arguments_or_parts_of_one_and_braces_stay() -> None:
    _, program = template(lammps)
    assert program.argv == (
        ("lmp",),
        ("-in",),
        ({"port": "script"},),
        ("-var",),
        ("T=", {"port": "temperature"}),
        ({"port": "flags"},),
        ("{", "x}"),
    )
    assert (program.stdin, program.stdout, program.exit_codes) == ("data", "log", (0, 3))
    assert program.files == {"script": "in.lammps"}
    assert program.outputs == {"trajectory": "*.dump", "restart": "final.restart"}


def test_one_file_is_the_whole_result_and_so_is_what_is_printed() -> None:
    assert template(packmol)[1].outputs == {"result": "packed.pdb"}
    assert template(now)[1].stdout == "result"


def test_without_a_function_types_come_from_the_declaration() -> None:
    relax = command(
        "relax",
        "{steps}",
        inputs={"structure": Path, "steps": int},
        outputs={"out": "o.cif", "all": "*.xyz"},
        stdout="log",
    )
    found, _ = template(relax)
    assert [f"{p.name}: {p.type}" for p in found.inputs] == ["structure: Path", "steps: int"]
    assert {name: str(t) for name, t in found.output.fields.items()} == {
        "out": "Path",
        "all": "list[Path]",
        "log": "str",
    }
    assert found.where.partition(":")[0].endswith("test_program.py")


def test_defaults_are_handed_over_since_a_program_has_none() -> None:
    @workflow
    def w(script: Path, data: str) -> Md:
        return lammps(script, data, [])

    entry = w.spec().templates["w"]
    assert isinstance(entry, Graph)
    assert entry.nodes[0].inputs["temperature"] == Const(value=300.0)


def test_its_outputs_are_fields_in_a_workflow() -> None:
    @workflow
    def w(script: Path, data: str) -> int:
        return count(lammps(script, data, ["-e", "screen"]).trajectory)

    assert w.spec().templates["lammps"]
