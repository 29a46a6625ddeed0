"""Ops and a workflow whose files go from place to place, in a module that imports nothing else: it travels too."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sciflow import context, op, workflow


def stamp(text: str) -> str:
    """What was there, and where it has been now."""
    return f"{text}>{context().host.get('here', 'local')}"


@op
def written(text: str) -> Path:
    made = Path(f"{text}.txt")
    made.write_text(stamp(text))
    return made


@op
def stamped(file: Path) -> Path:
    made = Path("stamped.txt")
    made.write_text(stamp(file.read_text()))
    return made


@op
def gathered(files: list[Path], own: Path) -> Path:
    folder = Path("all")
    folder.mkdir()
    for number, file in enumerate([*files, own]):
        (folder / f"{number}.txt").write_text(stamp(file.read_text()))
    return folder


@op
def read(folder: Path) -> list[str]:
    return [stamp(file.read_text()) for file in sorted(folder.iterdir())]


@op
def places_of(count: int) -> list[str]:
    return ["local", "cluster", "machine"][:count]


class Seen(NamedTuple):
    """What the files say, and the last of them."""

    texts: list[list[str]]
    folder: Path


@workflow
def visit(place: str, files: list[Path], own: Path) -> list[str]:
    return read.options(executor=place)(gathered.options(executor="cluster")(files, own))


@workflow
def round_trip(texts: list[str], own: Path) -> Seen:
    at_cluster = written.options(executor="cluster").map(text=texts)
    at_machine = stamped.options(executor="machine", name="at_machine").map(file=at_cluster)
    at_home = stamped.options(executor="local", name="at_home").map(file=at_machine)
    back = stamped.options(executor="cluster", name="back").map(file=at_home)
    everywhere = visit.partial(files=back, own=own).map(place=places_of(3))
    return Seen(everywhere, gathered.options(executor="machine", name="last")(files=at_cluster, own=own))
