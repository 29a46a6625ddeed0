"""Files that a run is given: each under its own name, once, and never mixed up with what a crash has left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sciflow.engine.intake import Intake
from sciflow.engine.values import StoredValues
from sciflow.errors import RunDamaged


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "run" / "artifacts").mkdir(parents=True)
    return tmp_path / "run"


def intake_of(root: Path) -> Intake:
    return Intake(root, StoredValues(root, pack="values/0", inline_bytes=1 << 20, outputs=lambda _: ()))


def taken(intake: Intake, *sources: Path) -> list[Any]:
    trees = [{"$": "artifact", "path": str(source), "kind": "file"} for source in sources]
    trees = json.loads(intake.text(trees))
    assert isinstance(trees, list)
    return trees


def test_files_keep_their_names_and_share_a_folder_where_they_can(root: Path, tmp_path: Path) -> None:
    sources = [tmp_path / place for place in ("a/POSCAR", "b/POSCAR", "INCAR")]
    for source in sources:
        source.parent.mkdir(exist_ok=True)
        source.write_text(str(source))
    trees = taken(intake_of(root), *sources)
    assert [tree["path"] for tree in trees] == ["artifacts/1/POSCAR", "artifacts/2/POSCAR", "artifacts/1/INCAR"]
    assert [(root / tree["path"]).read_text() for tree in trees] == [str(source) for source in sources]


def test_one_name_and_content_is_stored_once(root: Path, tmp_path: Path) -> None:
    sources = [tmp_path / place / "POTCAR" for place in "abcd"]
    for source, content in zip(sources, "xxyx", strict=True):
        source.parent.mkdir()
        source.write_text(content)
    paths = [tree["path"] for tree in taken(intake_of(root), *sources)]
    assert paths[0] == paths[1] == paths[3] != paths[2]
    assert sorted(p.read_text() for p in root.glob("artifacts/*/*")) == ["x", "y"]


def test_a_folder_is_looked_at_again_and_stored_anew_once_it_has_changed(root: Path, tmp_path: Path) -> None:
    folder, intake = tmp_path / "data", intake_of(root)
    folder.mkdir()
    (folder / "f").write_text("1")
    first, same = taken(intake, folder, folder)
    (folder / "f").write_text("2")
    (changed,) = taken(intake, folder)
    assert first == same
    assert [(root / tree["path"] / "f").read_text() for tree in (first, changed)] == ["1", "2"]


def test_what_an_earlier_session_has_left_is_never_taken_for_whole(root: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("whole")
    left = root / "artifacts" / "1" / "in.txt"
    left.parent.mkdir()
    left.write_text("who")
    (tree,) = taken(intake_of(root), source)
    assert (root / tree["path"]).read_text() == "whole"
    assert left.read_text() == "who"


@pytest.mark.parametrize("ending", ["/..", "/.", "/"])
def test_a_folder_given_by_a_path_that_does_not_end_with_its_name_keeps_it(
    root: Path, tmp_path: Path, ending: str
) -> None:
    (tmp_path / "data" / "inner").mkdir(parents=True)
    (tree,) = json.loads(
        intake_of(root).text([{"$": "artifact", "path": f"{tmp_path}/data{'/inner' * (ending == '/..')}{ending}"}])
    )
    assert tree["path"] == "artifacts/1/data"
    assert (root / tree["path"] / "inner").is_dir()


def test_a_file_that_cannot_be_read_is_told_and_leaves_nothing(root: Path, tmp_path: Path) -> None:
    source = tmp_path / "data"
    source.mkdir()
    (source / "loop").symlink_to(tmp_path)
    with pytest.raises(RunDamaged, match=r"loop: .*needed for an input of the run"):
        taken(intake_of(root), source)
    assert list(root.glob("artifacts/*/*")) == []


def test_a_folder_that_holds_the_run_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text("x")
    with pytest.raises(RunDamaged, match="this folder holds the run itself"):
        taken(intake_of(root), tmp_path)
    assert not list((root / "artifacts").iterdir())
