"""What an op leaves: outputs that break its contract, files that are kept, programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from sciflow import command, op, workflow
from tests.conformance.cases.artifacts import read, write
from tests.conformance.likeness import File
from tests.conformance.table import Case, Refusal


@op
def no_file() -> Path:
    return Path("never-written.txt")


@op
def outside() -> Path:
    return Path("/etc/hostname")


@op
def climbs() -> Path:
    return Path("../../escaped.txt")


@op
def needs_folder(folder: Path) -> int:
    return len(list(folder.iterdir()))


def _bad_output(name: str, workflow: Any, *said: str) -> Case:
    failed = (workflow.__name__,)
    return Case(name, workflow, phase="Failed", failed=failed, report=said)


CASES = [
    _bad_output("an output that was not written fails its op", no_file, "never-written.txt"),
    _bad_output("an output outside the op's folder fails its op", outside, "/etc/hostname"),
    _bad_output("an output above the op's folder fails its op", climbs, "escaped.txt"),
    Refusal(
        "an input file that does not exist is refused before anything runs",
        read,
        inputs={"file": Path("/nowhere/to/be/found.cif")},
        says=("file of read", "/nowhere/to/be/found.cif"),
    ),
]


@op
def leaves_files(x: int) -> int:
    print("leaving files")
    Path("trace.log").write_text("trace")
    Path("licence.key").write_text("licensed")
    Path("wave.tmp").write_text("big")
    if x < 0:
        raise ValueError("negative")
    return x


def _kept(*names: str) -> Any:
    def check(run: Any) -> None:
        run.fetch()
        folder = run.tasks()[0].folder
        assert sorted(p.name for p in folder.iterdir()) == sorted(names)

    return check


@workflow
def keeping(x: int) -> int:
    return leaves_files.options(keep=["*.log", "*.key"], never_keep="*.key")(x)


@workflow
def keeping_all(x: int) -> int:
    return leaves_files.options(never_keep="*.key")(x)


kept = Case(
    "of the files that an op leaves those are kept that its patterns name, and never those that must not be",
    keeping,
    inputs={"x": 1},
    result=1,
    check=_kept("trace.log"),
)
kept_on_failure = Case(
    "what a failed op leaves is kept with its task",
    keeping_all,
    inputs={"x": -1},
    phase="Failed",
    failed=("leaves_files",),
    check=_kept("trace.log", "wave.tmp"),
)


@command("sh", "-c", 'cat "$1" - > joined.txt; printf %s "$2"', "sh", "{file}", "{label}", stdin="text", stdout="said",
         outputs={"file": "joined.txt"})  # fmt: skip
def shell_joined(file: Path, text: str, label: str) -> Said:  # type: ignore[empty-body]
    ...


class Said(NamedTuple):
    said: str
    file: Path


@workflow
def program(text: str, label: str) -> Said:
    return shell_joined(write("first\n"), text, label)


a_program = Case(
    "a program takes files, text on its standard input and hostile arguments, and gives files and its output",
    program,
    inputs={"text": "second\n", "label": '\'; touch x; echo "{{y}}" $(z) `w` %s \\n'},
    result=Said('\'; touch x; echo "{{y}}" $(z) `w` %s \\n', File("joined.txt", b"first\nsecond\n")),  # type: ignore[arg-type]
)


@command("sh", "-c", "echo trouble >&2; exit 3")
def failing_program() -> None: ...


a_failing_program = Case(
    "a program's exit code fails its task, and its output is told",
    failing_program,
    phase="Failed",
    failed=("failing_program",),
    report=("3", "trouble"),
)
