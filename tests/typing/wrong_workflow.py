"""Mistakes that mypy and pyright find; a comment names the error that each of them gives to the line."""

from pathlib import Path
from typing import NamedTuple

from sciflow import choose, command, op, suspend, workflow


class Fit(NamedTuple):
    v0: float
    b0: float


@op
def energy(atoms: float, calculator: str = "emt") -> float:
    return atoms


@op
def fit(structures: list[float], energies: list[float]) -> Fit:
    return Fit(1.0, 2.0)


@op(retires=2)  # mypy: call-overload, untyped-decorator; pyright: reportCallIssue, reportUntypedFunctionDecorator
def misspelt_option(x: int) -> int:
    return x


@op(retries="two")  # mypy: call-overload, untyped-decorator; pyright: reportArgumentType
def wrong_option(x: int) -> int:
    return x


@command("prog", "{x}", output="out")  # mypy: call-overload, untyped-decorator; pyright: reportCallIssue, reportUntypedFunctionDecorator
def misspelt_command(x: int) -> Path:
    raise NotImplementedError


@workflow
def wrong(structure: Path, scales: list[float]) -> Fit:
    energy("one")  # mypy: arg-type; pyright: reportArgumentType
    energy(scales)  # mypy: arg-type; pyright: reportArgumentType
    energy(atom=1.0)  # mypy: call-arg; pyright: reportCallIssue
    energy()  # mypy: call-arg; pyright: reportCallIssue
    energy(1.0, "emt", 3)  # mypy: call-arg; pyright: reportCallIssue
    energy.options(min_succes=0.5)  # mypy: call-overload; pyright: reportCallIssue
    some = energy.options(min_success=0.5).map(atoms=scales)
    fit(scales, some)  # mypy: arg-type; pyright: reportArgumentType
    fitted = fit(scales, energy.map(atoms=scales))
    print(fitted.b1)  # mypy: attr-defined; pyright: reportAttributeAccessIssue
    fit(energy(1.0), scales)  # mypy: arg-type; pyright: reportArgumentType
    count: str = suspend("how many?", type=int)  # mypy: assignment; pyright: reportAssignmentType
    energy(choose(True, 1.0, count))  # mypy: arg-type; pyright: reportArgumentType
    return scales  # mypy: return-value; pyright: reportReturnType


wrong.run(Path("x"))  # mypy: call-overload; pyright: reportCallIssue
wrong.run("x", [1.0])  # mypy: call-overload; pyright: reportArgumentType
print(wrong.run(Path("x"), [1.0]).result.b1)  # mypy: attr-defined; pyright: reportAttributeAccessIssue
wrong.options(workrs=2)  # mypy: call-overload; pyright: reportCallIssue
number: int = energy.run(1.0).result  # mypy: assignment; pyright: reportAssignmentType
