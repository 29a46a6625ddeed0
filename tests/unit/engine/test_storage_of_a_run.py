"""A run whose files are kept in a storage: they go there while it runs, and come back when somebody asks."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import sciflow
from sciflow import op, workflow
from sciflow.engine.stored_files import read_index
from sciflow.engine.stowage import Stowage
from sciflow.storage.directory import DirectoryStorage
from tests.services.buckets import credentials_file
from tests.services.s3 import S3Server

Configure = Callable[..., None]


@op
def double(source: Path) -> Path:
    made = Path(f"double-{source.name}")
    made.write_bytes(source.read_bytes() * 2)
    return made


@op
def foldered(number: int) -> Path:
    made = Path("folder")
    (made / "empty").mkdir(parents=True)
    (made / "number.txt").write_text(str(number))
    return made


@op
def joined(files: list[Path]) -> Path:
    made = Path("joined.txt")
    made.write_bytes(b"".join(file.read_bytes() for file in files))
    return made


@workflow
def doubled(sources: list[Path]) -> Path:
    return joined(double.map(source=sources))


@op
def size_if(files: list[Path], flag: str) -> int:
    if not Path(flag).exists():
        raise ValueError(flag)
    return sum(len(file.read_bytes()) for file in files)


@workflow
def checked(sources: list[Path], flag: str) -> int:
    return size_if(double.map(source=sources), flag)


@workflow
def folders(number: int) -> Path:
    return foldered(number)


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Writes the settings of the working directory, with one storage."""
    monkeypatch.chdir(tmp_path)

    def write(**storage: object) -> None:
        lines = [f"{name} = {json.dumps(value)}" for name, value in storage.items()]
        (tmp_path / "sciflow.toml").write_text("\n".join(["progress = false", "[storages.store]", *lines]), "utf-8")

    return write


def sources(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    made = [folder / f"{number}.txt" for number in range(count)]
    for number, file in enumerate(made):
        file.write_text(f"{number}\n")
    return made


def test_all_files_of_a_run_lie_in_its_storage_at_the_end(configure: Configure, tmp_path: Path) -> None:
    configure(type="directory", path=str(tmp_path / "store"))
    run = doubled.options(storage="store").run(sources(tmp_path / "in", 20))
    expected = run.result.read_bytes()
    index = read_index(run.folder)
    assert len(index) == 20 + 20 + 1
    assert run.release() == 41
    assert [path for path in (run.folder / "tasks").rglob("*") if path.is_file()] == []
    assert run.result.read_bytes() == expected == b"".join(b"%d\n%d\n" % (n, n) for n in range(20))
    assert [path.read_text() for path in run.output("double")] == [f"{n}\n{n}\n" for n in range(20)]


def test_small_files_are_stored_together(configure: Configure, tmp_path: Path) -> None:
    configure(type="directory", path=str(tmp_path / "store"))
    run = doubled.options(storage="store").run(sources(tmp_path / "in", 200))
    assert run.phase == "Succeeded"
    assert len({placed.stored.key for placed in read_index(run.folder).values()}) < 100


def test_a_run_can_be_made_again_of_inputs_that_only_its_storage_has(configure: Configure, tmp_path: Path) -> None:
    configure(type="directory", path=str(tmp_path / "store"))
    run = doubled.options(storage="store").run(sources(tmp_path / "in", 3))
    expected = run.result.read_bytes()
    run.release()
    assert run.resubmit(detach=False).result.read_bytes() == expected


def test_a_retried_task_gets_inputs_that_only_the_storage_has(configure: Configure, tmp_path: Path) -> None:
    configure(type="directory", path=str(tmp_path / "store"))
    run = checked.options(storage="store").run(sources(tmp_path / "in", 3), flag=str(tmp_path / "flag"))
    assert run.phase == "Failed"
    run.release()
    (tmp_path / "flag").touch()
    assert run.retry(detach=False) == "Succeeded"
    assert run.result == 12


@op
def size_of(file: Path, flag: str) -> int:
    if not Path(flag).exists():
        raise ValueError(flag)
    return len(file.read_bytes())


@workflow
def sizes(sources: list[Path], flag: str) -> list[int]:
    return size_of.options(chunk=3).partial(flag=flag).map(file=double.map(source=sources))


def test_a_file_that_the_storage_has_lost_fails_the_task_that_needs_it_and_no_other(
    configure: Configure, tmp_path: Path
) -> None:
    configure(type="directory", path=str(tmp_path / "store"))
    given = sources(tmp_path / "in", 3)
    for file in given:
        file.write_text(file.name * 20_000)
    run = sizes.options(storage="store").run(given, flag=str(tmp_path / "flag"))
    run.release()
    (lost,) = [placed for path, placed in read_index(run.folder).items() if path.startswith("tasks/double/1/")]
    (tmp_path / "store" / lost.stored.key).unlink()
    (tmp_path / "flag").touch()
    assert run.retry(detach=False) == "Failed"
    assert [task.phase for task in run.tasks("size_of")] == ["Succeeded", "Error", "Succeeded"]
    (failed,) = run.failed_tasks()
    assert failed.error is not None
    assert f"size_of/1 needs {lost.path}" in failed.error.message
    assert f"sciflow resubmit {run.id}" in failed.error.message


def test_a_file_that_vanishes_on_its_way_to_the_storage_keeps_no_other_from_it(tmp_path: Path) -> None:
    root, warned = tmp_path / "run", list[str]()
    (root / "work").mkdir(parents=True)
    (tmp_path / "store").mkdir()
    for name in "abc":
        (root / name).write_text(name)
    stowage = Stowage("store", root, lambda: DirectoryStorage(tmp_path / "store"), warned.append)
    stowage.store(["a", "b", "c"])
    (root / "b").unlink()
    until = time.monotonic() + 30
    while not stowage.idle and time.monotonic() < until:
        stowage.poll()
        time.sleep(0.01)
    stowage.close()
    assert sorted(read_index(root)) == ["a", "c"]
    assert len(warned) == 1
    assert "not stored: b: " in warned[0]


@pytest.mark.parametrize("server", ["s3", "rclone_s3"])
def test_a_run_that_was_moved_is_read_from_its_bucket(
    server: str, configure: Configure, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    bucket: S3Server = request.getfixturevalue(server)
    keys = str(credentials_file(bucket, tmp_path))
    configure(type="s3", endpoint=bucket.url, bucket=bucket.bucket, prefix="runs", credentials_file=keys)
    run = folders.options(storage="store").run(7)
    run.release()
    moved = tmp_path / "elsewhere" / run.id
    moved.parent.mkdir()
    shutil.move(run.folder, moved)
    there: sciflow.Run[Path] = sciflow.open_run(moved)
    assert (there.result / "number.txt").read_text() == "7"
    assert (there.result / "empty").is_dir()
    assert there.result.is_relative_to(moved)


def test_a_storage_that_is_not_in_the_settings_is_refused_before_anything_runs(
    configure: Configure, tmp_path: Path
) -> None:
    configure(type="directory", path=str(tmp_path / "store"))
    with pytest.raises(sciflow.ConfigError, match="unknown storage 'stor'"):
        folders.options(storage="stor").run(1)
    assert sciflow.list_runs() == []


def test_a_run_without_a_storage_makes_no_index(configure: Configure, tmp_path: Path) -> None:
    configure(type="directory", path=str(tmp_path / "store"))
    run = folders.run(1)
    assert run.phase == "Succeeded"
    assert not (run.folder / "stored").exists()


@op(cache=True)
def remembered(number: int) -> Path:
    made = Path("number.txt")
    made.write_text(str(number))
    return made


@workflow
def all_remembered(numbers: list[int]) -> list[Path]:
    return remembered.map(number=numbers)


def test_files_that_come_from_the_cache_are_stored_too(configure: Configure, tmp_path: Path) -> None:
    configure(type="directory", path=str(tmp_path / "store"))
    all_remembered.run([1, 2])
    run = all_remembered.options(storage="store").run([1, 2, 3])
    assert [task.cached for task in run.tasks("remembered")] == [True, True, False]
    assert run.release() == 3
    assert [path.read_text() for path in run.result] == ["1", "2", "3"]
    run.release()
    again = all_remembered.options(storage="store").run([1, 2, 3])
    assert [path.read_text() for path in again.result] == ["1", "2", "3"]


def test_a_run_that_is_told_to_end_does_not_wait_for_its_storage(configure: Configure, tmp_path: Path) -> None:
    store = tmp_path / "store"
    configure(type="directory", path=str(store))
    run = slow.options(storage="store").submit(flag=str(tmp_path / "flag"))
    run.cancel()
    assert run.wait(20) == "Failed"


@op
def wait_for(flag: str) -> Path:
    while not Path(flag).exists():
        time.sleep(0.05)
    return Path(flag)


@workflow
def slow(flag: str) -> Path:
    return wait_for(flag)


SCRIPT = """
from pathlib import Path
from sciflow import op

@op
def write(text: str) -> Path:
    Path("text.txt").write_text(text)
    return Path("text.txt")
"""


def test_the_command_line_names_a_storage(configure: Configure, tmp_path: Path) -> None:
    configure(type="directory", path=str(tmp_path / "store"))
    (tmp_path / "script.py").write_text(SCRIPT, "utf-8")
    argv = [sys.executable, "-m", "sciflow", "run", "script.py:write", "--text", "x", "--storage", "store"]
    subprocess.run(argv, check=True, capture_output=True)
    assert len(read_index(sciflow.open_run("last").folder)) == 1


MODULE = """
from pathlib import Path
from sciflow import op, workflow

@op
def write(number: int) -> Path:
    Path("number.txt").write_text(str(number))
    return Path("number.txt")

@op
def joined(files: list[Path], before: Path) -> Path:
    Path("joined.txt").write_text(before.read_text() + "".join(file.read_text() for file in files))
    return Path("joined.txt")

@workflow
def written(numbers: list[int], before: Path) -> Path:
    return joined(write.map(number=numbers), before)
"""


def test_what_comes_home_from_another_machine_is_stored_too(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(type="directory", path=str(tmp_path / "store"))
    there = f'type = "batch"\nsystem = "shell"\nwork_root = "{tmp_path / "there"}"\npython = "{sys.executable}"'
    with (tmp_path / "sciflow.toml").open("a") as settings:
        settings.write(f"\n[executors.box]\n{there}\nlook_least_s = 0.1\n")
    (tmp_path / "stored_elsewhere.py").write_text(MODULE, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "before.txt").write_text("before ")
    written = importlib.import_module("stored_elsewhere").written
    run = written.options(storage="store", executor="box").run([1, 2, 3], tmp_path / "before.txt")
    expected = run.result.read_text()
    assert run.release() == 2  # what was given, and the result
    shutil.rmtree(tmp_path / "there")
    assert run.result.read_text() == expected == "before 123"
