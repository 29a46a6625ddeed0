"""Files and folders of a run that are brought from its bucket: whole, as they were left, and each once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sciflow.errors import HostUnreachable, RunDamaged
from sciflow.executors.argo.follow.harvest import Harvest
from sciflow.executors.argo.place.bucket import THREADS, Bucket
from sciflow.executors.argo.place.run_files import COMING, RunFiles
from sciflow.executors.argo.place.sending import Sender
from sciflow.pod.brought_values import BroughtValues
from sciflow.runner.shapes import Shapes
from tests.unit.executors.argo_facts import facts
from tests.unit.executors.argo_left import LAYOUT, artifact, ended, folder, followed
from tests.unit.executors.bucket_stand_in import Objects


@pytest.fixture
def left(bucket: Bucket, objects: Objects, tmp_path: Path) -> Path:
    """What a task has left in the bucket: a file, and a folder with a file, a program, a link and an empty folder."""
    root = folder(tmp_path / "there")
    place = root / "tasks/node"
    (place / "many/none").mkdir(parents=True)
    (place / "one").write_text("x" * 1000)
    (place / "many/tool").write_text("true")
    (place / "many/data").write_text("data")
    (place / "many/tool").chmod(0o755)
    (place / "many/link").symlink_to("tool")
    shapes = Shapes(str(root))
    tags = {name: artifact(root, f"tasks/node/{name}") for name in ("one", "many")}
    shapes.add(tags)
    told = {"folders": shapes.folders, "executable": shapes.executable, "contents": shapes.contents}
    bucket.put(*ended(tags, worker="", shapes=told))
    for path in ("one", "many/tool", "many/data"):
        objects.held[LAYOUT.part(f"tasks/node/{path}")] = (place / path).read_bytes()
    return place


PAGE = b"<html>login</html>"


def wholes(root: Path) -> dict[str, str]:
    """All that is below a folder: what it is, and a file's text."""
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink()
        else f"{path.stat().st_mode & 0o100}{path.read_text()}" if path.is_file() else ""
        for path in root.rglob("*")
    }  # fmt: skip


@pytest.mark.parametrize("asked", [["tasks/node"], ["tasks/node/one", "tasks/node/many"]], ids=["all", "outputs"])
def test_files_that_come_damaged_once_are_brought_again(
    asked: list[str], bucket: Bucket, objects: Objects, left: Path, tmp_path: Path
) -> None:
    here = folder(tmp_path / "here")
    harvest = Harvest(followed(bucket, here))
    list(harvest.news(None))
    objects.instead = [PAGE]
    assert not harvest.fetch(asked).lost
    assert wholes(here / "tasks/node") == wholes(left)


@pytest.mark.parametrize("name", ["one", "many"])
@pytest.mark.parametrize("damage", [b"x" * 500, PAGE, b""], ids=["half", "a page", "nothing"])
def test_a_file_that_is_not_what_was_left_is_refused_with_what_was_expected_and_found(
    damage: bytes, name: str, bucket: Bucket, objects: Objects, left: Path, tmp_path: Path
) -> None:
    here = folder(tmp_path / "here")
    harvest = Harvest(followed(bucket, here))
    list(harvest.news(None))
    objects.held[LAYOUT.part(f"tasks/node/{'one' if name == 'one' else 'many/tool'}")] = damage
    path = f"tasks/node/{name}"
    why = harvest.fetch([path]).lost[path]
    size, rest = (1000, 0) if name == "one" else (len("truedata"), len("data"))
    assert f"expected: {size:,} bytes, SHA-256 " in why
    assert f"found:    {len(damage) + rest:,} bytes, SHA-256 " in why
    assert "`sciflow fetch here`" in why
    assert not [one for one in (here / "tasks").rglob("*") if one.name != "node"]
    assert left.exists()


def test_a_pod_takes_no_file_that_is_not_what_was_left(
    bucket: Bucket, objects: Objects, left: Path, tmp_path: Path
) -> None:
    root = tmp_path / "pod"
    values = BroughtValues(
        root, bucket, LAYOUT, RunFiles(bucket, LAYOUT), inline_bytes=8, told=lambda _: b""
    )  # fmt: skip
    tag = artifact(left.parents[1], "tasks/node/one")
    objects.held[LAYOUT.part("tasks/node/one")] = PAGE
    with pytest.raises(RunDamaged, match=r"tasks/node/one: not what was left there\n    expected: 1,000 bytes"):
        values.localised([json.dumps(tag, separators=(",", ":")).encode()])


def come(harvest: Harvest, path: str) -> None:
    """All that tasks have left of a path."""
    list(harvest.news(None))
    assert not harvest.fetch([path]).lost


def many(bucket: Bucket, objects: Objects, root: Path, **files: bytes) -> list[str]:
    """A task has left a folder of these in the bucket; the keys of the files."""
    shapes, place = Shapes(str(root)), root / "tasks/node/many"
    place.mkdir(parents=True)
    for name, content in files.items():
        (place / name).write_bytes(content)
        objects.held[LAYOUT.part(f"tasks/node/many/{name}")] = content
    tag = artifact(root, "tasks/node/many")
    shapes.add(tag)
    bucket.put(*ended(tag, worker="", shapes={"folders": shapes.folders, "contents": shapes.contents}))
    return [LAYOUT.part(f"tasks/node/many/{name}") for name in files]


@pytest.mark.parametrize("asked", ["tasks/node/many", "tasks/node"])
def test_a_folder_whose_transfer_was_broken_off_is_brought_to_its_end_without_what_has_come(
    asked: str, bucket: Bucket, objects: Objects, tmp_path: Path
) -> None:
    here = folder(tmp_path / "here")
    *short, long = many(bucket, objects, tmp_path / "there", **{str(i): b"x" for i in range(9)}, long=b"x" * 100_000)
    objects.breaks_at = 50_000
    harvest = Harvest(followed(bucket, here))
    list(harvest.news(None))
    with pytest.raises(HostUnreachable):
        harvest.fetch([asked])
    assert not wholes(here / "tasks/node")  # what has come is no part of the run yet
    objects.breaks_at = None
    objects.asked.clear()
    come(Harvest(followed(bucket, here)), asked)
    assert wholes(here / "tasks/node/many") == wholes(tmp_path / "there/tasks/node/many")
    assert f"GET {long}" in objects.asked
    assert not [key for key in short if f"GET {key}" in objects.asked]
    assert not list((here / COMING).iterdir())


def test_a_folder_is_right_on_a_file_system_without_modes(
    bucket: Bucket, left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chmod = Path.chmod
    monkeypatch.setattr(Path, "chmod", lambda path, _mode: chmod(path, 0o777))
    here = folder(tmp_path / "here")
    come(Harvest(followed(bucket, here)), "tasks/node/many")
    assert (here / "tasks/node/many/tool").read_bytes() == (left / "many/tool").read_bytes()
    assert os.access(here / "tasks/node/many/data", os.X_OK)


def test_a_program_is_one_also_where_nothing_may_be_executed(
    bucket: Bucket, objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder(tmp_path / "there") / "artifacts/1/tools"
    place.mkdir(parents=True)
    for one in (place / "tool", place.with_name("alone")):
        one.write_text("true")
        one.chmod(0o755)
    tags = [artifact(tmp_path / "there", f"artifacts/1/{name}") for name in ("tools", "alone")]
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.X_OK and may(path, mode))
    Sender(bucket, LAYOUT, tmp_path / "there", facts(), {}).send_answer("gate", json.dumps(tags).encode())
    monkeypatch.undo()
    here = folder(tmp_path / "here")
    assert not Harvest(followed(bucket, here)).fetch(["artifacts/1/tools", "artifacts/1/alone"]).lost
    assert wholes(here / "artifacts/1") == wholes(place.parent)


def test_no_more_files_are_brought_at_a_time_than_are_meant_to_be(
    bucket: Bucket, objects: Objects, tmp_path: Path
) -> None:
    root = folder(tmp_path / "there")
    paths = [f"tasks/{node}" for node in "abcd"]
    for path in paths:
        shapes, tags = Shapes(str(root)), []
        for name in "12345678":
            (root / path / name).mkdir(parents=True)
            for file in "12345678":
                (root / path / name / file).write_text(file)
                objects.held[LAYOUT.part(f"{path}/{name}/{file}")] = file.encode()
            tags.append(artifact(root, f"{path}/{name}"))
        shapes.add(tags)
        told = {"folders": shapes.folders, "contents": shapes.contents}
        bucket.put(LAYOUT.outcomes(path, 0), ended(tags, worker="", shapes=told)[1])
    here = folder(tmp_path / "here")
    harvest = Harvest(followed(bucket, here))
    list(harvest.news(None))
    assert not harvest.fetch(paths).lost
    assert wholes(here / "tasks") == wholes(root / "tasks")
    assert objects.most <= THREADS


class Meanwhile(dict[str, bytes]):
    """Objects; when the first of them is asked for, something else happens first."""

    def __init__(self, held: dict[str, bytes], key: str, call: Callable[[], object]) -> None:
        super().__init__(held)
        self._key, self._calls = key, [call]

    def get(self, key: str, default: bytes | None = None) -> bytes | None:  # type: ignore[override]
        if key == self._key and self._calls:
            self._calls.pop()()
        return super().get(key, default)


def test_a_folder_that_somebody_else_brings_meanwhile_is_there(
    bucket: Bucket, objects: Objects, left: Path, tmp_path: Path
) -> None:
    here = folder(tmp_path / "here")
    other = Harvest(followed(bucket, here))
    key = LAYOUT.part("tasks/node/many/tool")
    objects.held = Meanwhile(objects.held, key, lambda: come(other, "tasks/node/many"))
    come(Harvest(followed(bucket, here)), "tasks/node/many")
    assert wholes(here / "tasks/node/many") == wholes(left / "many")
    assert not list((here / COMING).iterdir())


def test_a_folder_and_a_file_in_it_are_both_brought(bucket: Bucket, left: Path, tmp_path: Path) -> None:
    here = folder(tmp_path / "here")
    shapes, names = Shapes(str(tmp_path / "there")), ("many/tool", "many")
    tags = [artifact(tmp_path / "there", f"tasks/node/{name}") for name in names]
    shapes.add(tags)
    told = {"folders": shapes.folders, "executable": shapes.executable, "contents": shapes.contents}
    bucket.put(*ended(tags, worker="", shapes=told))
    harvest = Harvest(followed(bucket, here))
    list(harvest.news(None))
    assert not harvest.fetch([f"tasks/node/{name}" for name in names]).lost
    assert wholes(here / "tasks/node/many") == wholes(left / "many")
