"""Workflows of which some tasks run at another place than others; their module needs nothing but what ops need."""

from __future__ import annotations

import os
from pathlib import Path

from sciflow import context, op, workflow


def note() -> None:
    """Writes down that a task has begun."""
    with Path(context().host["signs"], "tally").open("a") as tally:
        tally.write(f"{context().path}\n")


@op
def square(x: int) -> int:
    return x * x


@workflow
def squares(xs: list[int]) -> list[int]:
    return square.map(x=xs)


@op
def torn(x: int) -> int:
    """What it comes to is written behind half a line, unless that is mended."""
    note()
    if x == 1 and not Path(context().host["signs"], "mended").exists():
        root = next(folder for folder in Path.cwd().parents if (folder / "batches").is_dir())
        (live,) = root.glob("batches/*/live/0")
        with live.open("ab") as replies:
            replies.write(b'[0,["half')
    return x * x


@workflow
def torn_squares(xs: list[int]) -> list[int]:
    return torn.map(x=xs)


@op
def leave(x: int) -> Path:
    made = Path("made.txt")
    made.write_text("x" * x)
    return made


@op
def lose(files: list[Path]) -> int:
    """What the second task has left is removed from the machine."""
    root = next(folder for folder in Path.cwd().parents if (folder / "batches").is_dir())
    (lost,) = (root / "tasks" / "leave" / "1").rglob("made.txt")
    lost.unlink()
    return len(files)


@op
def measure(file: Path, after: int) -> int:
    return len(file.read_text()) + after


@workflow
def measured(xs: list[int]) -> list[int]:
    files = leave.map(x=xs)
    return measure.options(executor="local", chunk=3).partial(after=lose(files)).map(file=files)


@workflow
def measured_once(x: int) -> int:
    return measure(leave(x), 0)


@op
def count(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@workflow
def counted(folder: Path) -> int:
    return count(folder)


@op
def make() -> Path:
    folder = Path("folder")
    folder.mkdir()
    (folder / "file.txt").write_text("x")
    return folder


@op
def clog(folder: Path, sign: str) -> int:
    """Puts a pipe into the folder that another op has left: who reads it waits."""
    root = next(above for above in Path.cwd().parents if (above / "run.db").is_file())
    (left,) = (root / "tasks" / "make").rglob("folder")
    os.mkfifo(left / "pipe")
    Path(sign).write_text(str(left / "pipe"))
    return 0


@op
def tick(after: int) -> int:
    return after + 1


@op
def count_after(folder: Path, after: int) -> int:
    return len(list(folder.iterdir())) + after


@workflow
def clogged(sign: str) -> tuple[int, int]:
    folder = make.options(executor="local")()
    after = clog.options(executor="local")(folder, sign)
    return count_after(folder, after), tick.options(executor="local")(tick.options(executor="local")(after))
