"""What the programs of batch systems say, as it was seen or as their documents have it, and what is read from it.

A sample in `tests/golden/batch/<system>/` says where it comes from, what was asked, and what is expected: an error's
name, an id, or a line `job elements state exit-code name` for each row of elements.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sciflow import errors
from sciflow.executors.systems.lsf import LSF
from sciflow.executors.systems.pbs import PBS
from sciflow.executors.systems.sge import SGE
from sciflow.executors.systems.slurm import Slurm
from sciflow.executors.systems.system import BatchSystem, Command, JobState
from sciflow.executors.transports.transport import Output

GOLDEN = Path(__file__).parents[2] / "golden" / "batch"
SYSTEMS: dict[str, BatchSystem] = {
    "slurm": Slurm(),
    "pbs": PBS(),
    "torque": PBS(dialect="torque"),
    "lsf": LSF(),
    "sge": SGE(),
}


class Sample(NamedTuple):
    system: str
    call: str
    output: Output
    expected: str


def samples() -> list[Any]:
    paths = sorted(GOLDEN.glob("*/*.sample"))
    return [pytest.param(path, id=f"{path.parent.name}-{path.stem}") for path in paths]


def read(path: Path) -> Sample:
    head, *parts = re.split(r"^--- (\w+)\n", path.read_text("utf-8"), flags=re.MULTILINE)
    facts = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    texts = dict(zip(parts[::2], parts[1::2], strict=True))
    assert facts["source"], "every sample says where it comes from"
    output = Output(
        code=int(facts["code"]), stdout=texts.get("stdout", "").encode(), stderr=texts.get("stderr", "").encode()
    )
    return Sample(path.parent.name, facts["call"], output, texts["expected"].strip())


def asked(sample: Sample) -> Command[Any]:
    system = SYSTEMS[sample.system]
    calls = {
        "submit": lambda: system.submit("script.sh"),
        "queue": system.queue,
        "accounting": lambda: system.accounting(["1"]),
        "cancel": lambda: system.cancel(["1"]),
        "limits": system.limits,
    }
    return calls[sample.call]()


def told(states: list[JobState]) -> list[tuple[str, int | None, str, int | None, str]]:
    return sorted(
        ((s.job, s.element, s.state.value, s.exit_code, s.name) for s in states), key=lambda row: (row[0], row[1] or -1)
    )


def wanted(text: str) -> list[tuple[str, int | None, str, int | None, str]]:
    rows = []
    for line in text.splitlines():
        job, elements, state, code, name = line.split()
        places = [None] if elements == "-" else numbers(elements)
        value = None if code == "-" else int(code)
        rows += [(job, element, state.replace("-", " "), value, name) for element in places]
    return sorted(rows, key=lambda row: (row[0], row[1] or -1))


def numbers(text: str) -> list[int | None]:
    spans = [part.split("-") for part in text.split(",")]
    return [number for span in spans for number in range(int(span[0]), int(span[-1]) + 1)]


@pytest.mark.parametrize("path", samples())
def test_an_output_is_read_as_it_was_meant(path: Path) -> None:
    sample = read(path)
    command = asked(sample)
    if sample.expected.startswith("error "):
        name, _, words = sample.expected.removeprefix("error ").partition(": ")
        with pytest.raises(errors.SciflowError, match=re.escape(words)) as caught:
            command.parse(sample.output)
        assert type(caught.value).__name__ == name
        return
    found = command.parse(sample.output)
    match sample.call:
        case "submit":
            assert found == sample.expected
        case "cancel":
            assert found is None
        case "limits":
            queues = ",".join(found.queues)
            assert f"{found.version} {found.elements} {found.submitted} {queues}" == sample.expected
        case _:
            assert told(list(found)) == wanted(sample.expected)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_has_samples_of_each_call(name: str) -> None:
    calls = {read(path).call for path in (GOLDEN / name).glob("*.sample")}
    assert calls >= {"submit", "queue", "accounting", "cancel", "limits"}


@pytest.mark.parametrize(("version", "throttles"), [("19.1.3", False), ("2020.1.1", True), ("23.06.06", True)], ids=str)
def test_a_pbs_that_cannot_be_told_how_many_elements_run_at_once_is_known_by_its_version(
    version: str, *, throttles: bool
) -> None:
    said = read(GOLDEN / "pbs" / "limits.sample").output.stdout.replace(b"23.06.06", version.encode())
    assert PBS().limits().parse(Output(code=0, stdout=said, stderr=b"")).throttles is throttles
