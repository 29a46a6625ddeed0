"""Outcomes of the bucket's cache, with all that they speak of, in the run that takes them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sciflow.executors.argo.place.outcomes import read_outcomes
from sciflow.executors.argo.place.shapes import Inside
from tests.unit.executors.argo_facts import facts
from tests.unit.executors.bucket_stand_in import Objects
from tests.unit.pod import recollection_flow as flow
from tests.unit.pod.pods import Pods, save, told

OLD = "runs/old/tasks/make/out"


def artifact(name: str, kind: str = "file") -> dict[str, str]:
    return {"$": "artifact", "path": f"tasks/make/out/{name}", "kind": kind, "at": "argo"}


class Earlier:
    """An earlier run of the same op, which has left its outcome in the cache."""

    def __init__(self, objects: Objects, pods: Pods) -> None:
        self._objects = objects
        objects.held["runs/run/facts.json"] = msgspec.json.encode(facts(spec=flow.read_again.spec(), inputs={"n": 60}))
        (self.key,) = told(pods.run("bind", "several", "0")[1])["cache"].values()
        self._pack = b"what other tasks have given"

    def stored(self, tree: Any) -> dict[str, Any]:
        """A long value in the pack of a worker."""
        text, at = json.dumps(tree).encode(), len(self._pack)
        self._pack += text
        sha256 = hashlib.sha256(text).hexdigest()
        return {"$": "value", "file": "values/several.0-0", "at": at, "size": len(text), "sha256": sha256}

    def leave(self, output: Any, *, folders: dict[str, Inside] | None = None, executable: tuple[str, ...] = ()) -> None:
        """Its output, in the cache."""
        entry = {"run": "old", "output": output, "folders": folders or {}, "executable": executable, "extra": None}
        self._objects.held["runs/old/values/several.0-0"] = self._pack
        self._objects.held[f"cache/{self.key}"] = msgspec.json.encode(entry)


@pytest.fixture
def earlier(place: tuple[Objects, Pods]) -> Earlier:
    return Earlier(*place)


def test_files_that_a_long_value_speaks_of_are_in_the_run_that_takes_it(
    earlier: Earlier, place: tuple[Objects, Pods]
) -> None:
    objects, pods = place
    names = [f"{i:03d}.xyz" for i in range(60)]
    for name in names:
        objects.held[f"{OLD}/{name}"] = name.encode()
    program = "tasks/make/out/000.xyz"
    files = [earlier.stored([artifact(name)]) for name in names]  # one in the other, as the runner stores them
    earlier.leave(earlier.stored([files[0], *map(artifact, names[1:])]), executable=(program,))
    code, folder = pods.run("bind", "several", "0")
    assert (code, told(folder)["code"]) == (0, 0)
    save(objects, "several", folder)
    for key in [key for key in objects.held if key.startswith("runs/old/")]:
        del objects.held[key]  # nothing in this run goes by what the other one has
    code, folder = pods.run("bind", "names", "0")
    assert code == 0
    brought = [path for path in (folder.parent / "run/in/tasks").rglob("*") if path.is_file()]
    assert sorted(path.read_text() for path in brought) == names
    assert [path.name for path in brought if path.stat().st_mode & 0o100] == ["000.xyz"]


def test_a_folder_out_of_the_cache_has_its_links_and_empty_folders(
    earlier: Earlier, place: tuple[Objects, Pods]
) -> None:
    objects, pods = place
    objects.held[f"{OLD}/all/a"] = b"a"
    inside = [["a", "program", ""], ["empty", "folder", ""], ["l", "link", "a"]]
    earlier.leave([artifact("all", "folder")], folders={"tasks/make/out/all": inside})
    save(objects, "several", pods.run("bind", "several", "0")[1])
    code, folder = pods.run("bind", "names", "0")
    assert code == 0
    (here,) = (folder.parent / "run/in/tasks").rglob("all")
    assert (here / "empty").is_dir()
    assert (here / "l").is_symlink()
    assert (here / "a").stat().st_mode & 0o100


@pytest.mark.parametrize("lacks", ["values/several.0-0", "tasks/make/out/a"])
def test_an_outcome_of_which_something_was_removed_is_none(
    lacks: str, earlier: Earlier, place: tuple[Objects, Pods]
) -> None:
    objects, pods = place
    objects.held[f"{OLD}/a"] = b"a"
    earlier.leave(earlier.stored([artifact("a")]))
    del objects.held[f"runs/old/{lacks}"]
    assert told(pods.run("bind", "several", "0")[1])["cache"] == {"-1": earlier.key}


def test_what_another_version_left_in_the_cache_is_none(earlier: Earlier, place: tuple[Objects, Pods]) -> None:
    objects, pods = place
    for text in (b"no json", b'{"run": 1}'):
        objects.held[f"cache/{earlier.key}"] = text
        code, folder = pods.run("bind", "several", "0")
        assert code == 0
        assert told(folder)["cache"] == {"-1": earlier.key}


def test_what_is_taken_twice_is_the_same(earlier: Earlier, place: tuple[Objects, Pods]) -> None:
    objects, pods = place
    earlier.leave(earlier.stored("long"))

    def taken(folder: Path) -> bytes:
        return bytes(read_outcomes((folder / "outcomes").read_bytes()).ends[0].told.output)

    first, second = (taken(pods.run("bind", "several", "0")[1]) for _ in range(2))
    assert first == second
    assert len([key for key in objects.held if key.startswith("runs/run/values/")]) == 1
