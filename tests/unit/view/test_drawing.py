"""Workflows drawn: Mermaid and graphviz."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from sciflow.core.graph import WorkflowSpec
from sciflow.errors import SciflowError
from sciflow.view.graphviz import dot, svg
from sciflow.view.mermaid import mermaid
from tests.unit.view.examples import op, workflow

Golden = Callable[[str, str], None]


def test_mermaid_shows_steps_fans_sub_workflows_conditions_and_flow(golden: Golden) -> None:
    golden("eos.mmd", mermaid(workflow()))


def test_dot_shows_the_same(golden: Golden) -> None:
    golden("eos.dot", dot(workflow()))


def test_an_op_alone_is_one_box() -> None:
    spec = WorkflowSpec(name="energy", entry="energy", templates={"energy": op("energy")})
    assert mermaid(spec) == 'flowchart TD\n    n_energy["energy"]\n'


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
def test_graphviz_draws_it() -> None:
    picture = svg(workflow())
    assert "</svg>" in picture
    assert "refine" in picture


def test_without_graphviz_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SciflowError, match="install graphviz"):
        svg(workflow())
