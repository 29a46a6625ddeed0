"""The conformance suite: what every back end must do, one table of small workflows.

The cases stand in `cases/`, a module a subject; a case's name is the sentence that it checks.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.backends import BACKENDS, Backend, Elsewhere
from tests.conformance.cases import (
    arrays,
    artifacts,
    conditions,
    control,
    exits,
    failures,
    fans,
    graphs,
    limits,
    outputs,
    place,
    retries,
    reuse,
    structures,
    values,
)
from tests.conformance.table import AnyCase, table_of

SUBJECTS = (
    graphs,
    fans,
    conditions,
    failures,
    retries,
    exits,
    control,
    artifacts,
    outputs,
    values,
    arrays,
    structures,
    reuse,
    limits,
    place,
)
TABLE = [(subject, case) for subject in SUBJECTS for case in table_of(subject)]


def subject_of(module: object) -> str:
    return module.__name__.rpartition(".")[2]  # type: ignore[attr-defined]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    kind = BACKENDS[request.param]
    if issubclass(kind, Elsewhere):
        service = request.getfixturevalue(kind.service) if kind.service else None
        return kind(tmp_path, monkeypatch, service)
    return kind(tmp_path, monkeypatch)


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{subject_of(s)}: {case.name}") for s, case in TABLE])
def test_a_back_end_keeps_the_contract(backend: Backend, case: AnyCase) -> None:
    case.play(backend)


def test_no_two_cases_have_the_same_name() -> None:
    names = [case.name for _, case in TABLE]
    assert sorted(names) == sorted(set(names))
