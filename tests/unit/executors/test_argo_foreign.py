"""What is brought of a run that somebody else may have written: nothing of it gets, or reads, where it has no place."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sciflow.errors import RunDamaged
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.given import bring_given
from sciflow.executors.argo.place.layout import FACTS, Layout
from sciflow.executors.argo.place.run_files import RunFiles
from sciflow.executors.argo.place.shapes import Inside, Shapes
from sciflow.executors.argo.run_list import find_at_argo
from sciflow.executors.settings import ArgoSettings
from tests.unit.executors.argo_facts import facts
from tests.unit.executors.bucket_stand_in import Objects

LAYOUT = Layout("", "run")
OUT = "tasks/a/out"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder that is no part of the run."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "runs/run").mkdir(parents=True)
    return tmp_path / "runs/run"


def run_files(place: tuple[Bucket, Objects], *paths: str, **folders: Inside) -> RunFiles:
    """Of a run that has left these, and says so of its folders."""
    place[1].held.update({LAYOUT.part(path): b"theirs" for path in paths})
    files = RunFiles(place[0], LAYOUT)
    files.learn(Shapes(folders={f"{OUT}/{name}": inside for name, inside in folders.items()}))
    return files


def test_links_may_point_anywhere(place: tuple[Bucket, Objects], root: Path) -> None:
    files = run_files(place, f"{OUT}/all/a", all=[["a", "file", ""], ["b", "link", "a"], ["c/d", "link", "/etc"]])
    for _ in range(2):
        assert files.bring_all([f"{OUT}/all"], root) == {}
        assert (root / OUT / "all/b").read_text() == "theirs"
        assert (root / OUT / "all/c/d").readlink() == Path("/etc")


def test_a_file_of_a_folder_is_not_written_through_its_link(
    place: tuple[Bucket, Objects], root: Path, home: Path
) -> None:
    files = run_files(place, f"{OUT}/all/l/keys", all=[["l", "link", str(home)], ["l/keys", "file", ""]])
    files.bring_all([f"{OUT}/all"], root)
    assert not list(home.iterdir())


@pytest.mark.parametrize("path", [f"{OUT}/all/l/keys", f"{OUT}/all/l/folder"])
def test_nothing_is_written_through_the_link_of_another_value(
    path: str, place: tuple[Bucket, Objects], root: Path, home: Path
) -> None:
    link: Inside = [["l", "link", str(home)]]
    files = run_files(place, f"{OUT}/all/l/keys", **{"all": link, "all/l/folder": [["deep", "folder", ""]]})
    files.bring_all([f"{OUT}/all"], root)
    with pytest.raises(RunDamaged, match="all/l is a link"):
        files.bring_all([path], root)
    assert not list(home.iterdir())


def test_a_link_within_a_folder_is_brought_as_a_link(place: tuple[Bucket, Objects], root: Path, home: Path) -> None:
    files = run_files(place, f"{OUT}/all/l/keys", all=[["l", "link", str(home)]])
    for _ in range(2):
        assert files.bring_all([f"{OUT}/all/l"], root) == {}
        assert (root / OUT / "all/l").readlink() == home
    assert not list(home.iterdir())


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_nothing_is_written_outside_of_the_run(
    kind: str, place: tuple[Bucket, Objects], root: Path, tmp_path: Path
) -> None:
    files = run_files(place, all=[["../../../../../x", kind, "/etc"]])
    for path in (f"{OUT}/all", "../../x"):
        with pytest.raises(RunDamaged, match="is no path of a run's file"):
            files.bring_all([path], root)
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


@pytest.mark.parametrize("main", ["/home/me/.ssh/id_rsa", "code/../../../x", "modules/x", "code/other.py"])
def test_no_other_file_is_taken_for_the_script_of_a_run(main: str, place: tuple[Bucket, Objects]) -> None:
    bucket, objects = place
    objects.held[LAYOUT.part(FACTS)] = msgspec.json.encode(facts(main=main, code=("flow.py",)))
    settings = ArgoSettings(server="http://127.0.0.1:9", namespace="argo", storage="bucket")
    storages: dict[str, dict[str, Any]] = {
        "bucket": {"type": "s3", "endpoint": repr(bucket).rpartition("/")[0], "bucket": "bucket"}
    }
    with pytest.raises(RunDamaged, match="is none of the run's scripts"):
        find_at_argo("argo", settings, storages, "run")


def test_modules_with_links_are_none_of_ours(place: tuple[Bucket, Objects], root: Path, home: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        link = tarfile.TarInfo("module.py")
        link.type, link.linkname = tarfile.SYMTYPE, str(home / "key")
        archive.addfile(link)
    place[1].held[LAYOUT.code("bundle")] = made.getvalue()
    with pytest.raises(RunDamaged, match=r"'module\.py' is none of what it should hold"):
        bring_given(place[0], LAYOUT, root, facts(bundle="bundle"))
