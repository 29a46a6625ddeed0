"""What of this machine goes with a run to where its tasks are."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sciflow import config
from sciflow.core.graph import Function
from sciflow.engine.errand import errand_of, whole_of
from sciflow.engine.origin import origin_of
from sciflow.engine.run_folder import RunFolder
from tests.unit.engine.flow_of_files import measured


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_run_that_was_begun_elsewhere_names_no_file_of_this_machine_that_goes_with_it(
    elsewhere: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    key = tmp_path / "key.py"
    key.write_text("SECRET = 'of mine'")
    origin = origin_of(RunFolder(measured.options(progress=False).run(5, str(tmp_path / "switch")).folder))
    write = msgspec.structs.replace(
        origin.spec.templates["write"], code=Function(module="__main__", qualname="write", script=str(key))
    )
    spec = msgspec.structs.replace(origin.spec, templates={**origin.spec.templates, "write": write})
    origin = msgspec.structs.replace(origin, spec=spec)
    settings = config.load()
    errand = errand_of(
        origin, whole_of(origin, settings), root=tmp_path, script=None, settings=settings, begun_elsewhere=elsewhere
    )
    assert any(b"of mine" in content for content in errand.code.values()) is not elsewhere
