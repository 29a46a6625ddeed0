"""The conformance suite: what every back end must do, one table of small workflows.

The cases stand in `cases/`, a module a subject; a case's name is the sentence that it checks. All of them are run on
this machine, a selection of them elsewhere, all of them everywhere with `pytest --whole-table`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import selection
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" not in metafunc.fixturenames:
        return
    whole = metafunc.config.getoption("--whole-table")
    asked = [
        pytest.param(name, case, id=f"{name}-{subject_of(subject)}: {case.name}", marks=marks(case, name))
        for name in BACKENDS
        for subject, case in TABLE
        if whole or selection.is_chosen(case.name, name)
    ]
    metafunc.parametrize(("backend", "case"), asked, indirect=["backend"])


def marks(case: AnyCase, name: str) -> list[pytest.MarkDecorator]:
    why = selection.EXCEPTIONS.get(case.name, {}).get(name)
    late = [pytest.mark.kubernetes] if name == "argo" else []
    return [*late, pytest.mark.skip(reason=why)] if why else late


@pytest.fixture
def backend(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    kind = BACKENDS[request.param]
    if issubclass(kind, Elsewhere):
        service = request.getfixturevalue(kind.service) if kind.service else None
        return kind(tmp_path, monkeypatch, service)
    return kind(tmp_path, monkeypatch)


def test_a_back_end_keeps_the_contract(backend: Backend, case: AnyCase) -> None:
    case.play(backend)


def test_no_two_cases_have_the_same_name() -> None:
    names = [case.name for _, case in TABLE]
    assert sorted(names) == sorted(set(names))


def test_what_is_chosen_or_excepted_stands_in_the_table() -> None:
    names = {case.name for _, case in TABLE}
    assert {*selection.EVERYWHERE, *selection.NEAR, *selection.FAR, *selection.EXCEPTIONS, *selection.SHOWN} <= names
    assert {*selection.WHOLE, *selection.MORE, *selection.LESS} <= set(BACKENDS)
    assert {name for reasons in selection.EXCEPTIONS.values() for name in reasons} <= set(BACKENDS)
    root = Path(__file__).parents[2]
    assert all((root / test).is_file() for shown in selection.SHOWN.values() for test in shown.values())
