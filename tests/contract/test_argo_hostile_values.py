"""What looks like somebody's syntax, is strange or large, arrives on Argo as it does here: as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.likeness import alike, seen
from tests.contract.argo_place import settle_at_argo
from tests.contract.hostile_flow import NAMES, TEXTS, TOOL, files, values
from tests.services.kubernetes.service import Kubernetes

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]
NAME = "Größe_文字.--x" * 9  # Argo's own name for it has less


@pytest.fixture(autouse=True)
def argo(kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs at the executor `argo`."""
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix="{{hostile}} 'prefix'", parallelism=6)


def test_texts_names_and_sizes_arrive_as_they_are() -> None:
    given = (TEXTS, "{{=1}}\n" * 2**20, bytes(range(256)) * 40_960)
    here, there = values.run(*given), values.options(name=NAME).run(*given, on="argo")
    alike(here.result["fan"], TEXTS)
    alike(there.result, here.result)
    assert there.name == NAME


def test_names_of_files_and_arguments_of_programs_arrive_as_they_are(tmp_path: Path) -> None:
    own = tmp_path / "own {{folder}}"
    for name in NAMES:
        (own / f"{name}.d").mkdir(parents=True)
        (own / f"{name}.d" / name).write_text(name)
    given = (NAMES, own / f"{NAMES[3]}.d" / NAMES[3], own)
    here, there = files(None).run(*given), files(TOOL).run(*given, on="argo")
    found, expected = there.result, here.result
    assert found["own"] == f"{NAMES[3]}:{NAMES[3]}"
    alike(seen(found), seen(expected))
