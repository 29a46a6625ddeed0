"""Artifacts: files and folders that ops hand on, and that nobody else's edits change."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

from sciflow import op, suspend, workflow
from tests.conformance.likeness import File, Folder
from tests.conformance.table import PATIENCE_S, Case, only, story

BIG = 100 * 2**20
HOSTILE = ("with space.txt", 'it\'s "quoted".txt', "ünï-文字-🙂.txt", "two\nlines.txt", "{{item}}$(touch x)`y`;&|.txt")


@op
def write(text: str, name: str = "out.txt") -> Path:
    Path(name).write_text(text)
    return Path(name)


@op
def read(file: Path) -> str:
    return file.read_text()


@op
def renamed(file: Path, name: str) -> Path:
    return file.rename(name)


@workflow
def through_a_file(text: str) -> list[str]:
    file = write(text)
    other = renamed(file, "other.dat")
    return [read(file), read(other)]


a_file = Case("a file goes from op to op", through_a_file, inputs={"text": "hello"}, result=["hello", "hello"])


@workflow
def renaming(text: str) -> list[Path]:
    file = write(text)
    return [file, renamed(file, "other.dat")]


rename = Case(
    "a file is renamed on the way, and its producer's keeps its name",
    renaming,
    inputs={"text": "x"},
    result=[File("out.txt", b"x"), File("other.dat", b"x")],
)


def _own_file(desk: Path) -> dict[str, Any]:
    (desk / "mine.txt").write_bytes(b"mine\n")
    return {"file": desk / "mine.txt"}


@workflow
def pass_on(file: Path) -> Path:
    return file


given_back = Case("a file given to a run comes out of it", pass_on, files=_own_file, result=File("mine.txt", b"mine\n"))


class Tree(NamedTuple):
    folder: Path
    empty: Path


@op
def grow() -> Tree:
    folder = Path("tree")
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "sub" / "leaf.txt").write_text("leaf")
    (folder / ".hidden").write_text("h")
    (folder / "empty").mkdir()
    Path("nothing").mkdir()
    return Tree(folder, Path("nothing"))


@op
def listed(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


@workflow
def folders() -> tuple[Tree, list[str], list[str]]:
    tree = grow()
    return tree, listed(tree.folder), listed(tree.empty)


a_folder = Case(
    "a folder goes with all that is in it, empty folders too",
    folders,
    result=(
        Tree(
            Folder("tree", {".hidden": b"h", "empty": None, "sub": None, "sub/deep": None, "sub/leaf.txt": b"leaf"}),  # type: ignore[arg-type]
            Folder("nothing", {}),  # type: ignore[arg-type]
        ),
        [".hidden", "empty", "sub", "sub/deep", "sub/leaf.txt"],
        [],
    ),
)


@op
def many(count: int) -> list[Path]:
    files = []
    for i in range(count):
        Path(f"part{i}").mkdir()
        files.append(Path(f"part{i}") / "same.txt")
        files[-1].write_text(str(i))
    return files


@op
def by_name(names: list[str]) -> dict[str, Path]:
    return {name: write.function(name.upper(), f"{name}.txt") for name in names}


@op
def contents(files: list[Path]) -> list[str]:
    return [f"{file.name}:{file.read_text()}" for file in files]


@op
def table(files: dict[str, Path]) -> dict[str, str]:
    return {name: file.read_text() for name, file in files.items()}


@workflow
def collections(count: int, names: list[str]) -> tuple[list[str], dict[str, str], list[Path]]:
    parts = many(count)
    return contents(parts), table(by_name(names)), parts


lists_and_dicts = Case(
    "lists and dicts of files keep order, names and equal names apart",
    collections,
    inputs={"count": 3, "names": ["b", "a"]},
    result=(
        ["same.txt:0", "same.txt:1", "same.txt:2"],
        {"b": "B", "a": "A"},
        [File("same.txt", b"0"), File("same.txt", b"1"), File("same.txt", b"2")],
    ),
)


@workflow
def scattered_files(texts: list[str]) -> list[str]:
    files = write.map(text=texts)
    again = renamed.partial(name="again.txt").map(file=files)
    return contents(again)


fanned_files = Case(
    "a fan's files are gathered in order, and fanned out again",
    scattered_files,
    inputs={"texts": ["a", "b", "c"]},
    result=["again.txt:a", "again.txt:b", "again.txt:c"],
)


@workflow
def hostile_names(names: list[str]) -> list[str]:
    return contents(write.partial(text="x").map(name=names))


names_handed_on = Case(
    "names with spaces, quotes, unicode, newlines and other people's syntax are kept",
    hostile_names,
    inputs={"names": list(HOSTILE)},
    result=[f"{name}:x" for name in HOSTILE],
)


def _own_hostile(desk: Path) -> dict[str, Any]:
    folder = desk / 'o\'wn "files"\n{{x}}'
    folder.mkdir()
    for name in HOSTILE:
        (folder / name).write_text(name)
    return {"folder": folder, "files": [folder / name for name in HOSTILE]}


@workflow
def hostile_inputs(folder: Path, files: list[Path]) -> tuple[list[str], list[str]]:
    return listed(folder), contents(files)


hostile_own = Case(
    "the user's own files and folders may have hostile names",
    hostile_inputs,
    files=_own_hostile,
    result=(sorted(HOSTILE), [f"{name}:{name}" for name in HOSTILE]),
)


@op
def edited(file: Path) -> str:
    with file.open("a") as stream:
        stream.write(" edited")
    return file.read_text()


@op
def emptied(folder: Path) -> int:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    return len(list(folder.iterdir()))


@workflow
def in_place(file: Path) -> tuple[list[str], Path, int, list[str]]:
    made = write("made")
    tree = grow()
    edits = [edited(file), edited(file), edited(made), edited(made)]
    return edits, made, emptied(tree.folder), listed.options(after=emptied(tree.folder))(tree.folder)


@story("an op that edits its input in place changes neither its producer's file nor the user's")
def edit_in_place(backend: Any) -> None:
    inputs = _own_file(backend.desk)
    Case(
        "",
        in_place,
        inputs=inputs,
        result=(
            ["mine\n edited", "mine\n edited", "made edited", "made edited"],
            File("out.txt", b"made"),
            0,
            [".hidden", "empty", "sub", "sub/deep", "sub/leaf.txt"],
        ),
    ).play(backend)
    assert inputs["file"].read_bytes() == b"mine\n"


@op
def inside(folder: Path) -> list[Path]:
    (folder / "new.txt").write_text("new")
    return [folder / "new.txt", folder / "sub" / "leaf.txt", folder]


@workflow
def output_in_input() -> tuple[list[Path], list[str]]:
    tree = grow()
    found = inside(tree.folder)
    return found, listed(tree.folder)


nested_output = Case(
    "an output may lie inside an input, and be the input itself",
    output_in_input,
    result=(
        [
            File("new.txt", b"new"),
            File("leaf.txt", b"leaf"),
            Folder(
                "tree",
                {
                    ".hidden": b"h", "empty": None, "new.txt": b"new", "sub": None, "sub/deep": None,
                    "sub/leaf.txt": b"leaf",
                },
            ),
        ],
        [".hidden", "empty", "sub", "sub/deep", "sub/leaf.txt"],
    ),
)  # fmt: skip


@op
def large(size: int) -> Path:
    block = bytes(range(256)) * 4096
    with Path("large.bin").open("wb") as stream:
        stream.writelines(i.to_bytes(8, "big") + block[8:] for i in range(size // len(block)))
    return Path("large.bin")


class Measured(NamedTuple):
    size: int
    sha256: str


@op
def measured(file: Path) -> Measured:
    with file.open("rb") as stream:
        return Measured(file.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())


@workflow
def through_a_large_file(size: int) -> Measured:
    return measured(large(size))


a_large_file = Case(
    "a file of 100 MB goes from op to op",
    through_a_large_file,
    inputs={"size": BIG},
    result=Measured(BIG, "5c461c2bc7d92b624acaf1c352c34bcf537f3b4248f2433b1128d4d106f2b180"),
)


@op
def executable() -> Path:
    script = Path("run.sh")
    script.write_text("#!/bin/sh\nprintf '%s' \"$1\"\n")
    script.chmod(0o755)
    return script


@op
def is_executable(file: Path) -> bool:
    return os.access(file, os.X_OK)


@workflow
def executables() -> bool:
    return is_executable(executable())


mode = Case("a file that can be executed stays so", executables, result=True)


@op
def linked() -> Path:
    folder = Path("links")
    folder.mkdir()
    (folder / "target").write_text("t")
    (folder / "link").symlink_to("target")
    return folder


@workflow
def links() -> list[str]:
    return contents_of(linked())


@op
def contents_of(folder: Path) -> list[str]:
    return [f"{p.name}:{p.read_text()}" for p in sorted(folder.iterdir())]


symlinks = Case("links inside a folder lead where they led", links, result=["link:t", "target:t"])


@op
def maybe_file(want: bool) -> Path | None:
    return write.function("x") if want else None


@op
def size_or_zero(file: Path | None = None) -> int:
    return 0 if file is None else file.stat().st_size


@workflow
def optional_files() -> list[int]:
    return size_or_zero.map(file=maybe_file.map(want=[True, False]))


optional_artifact = Case("an optional file may be absent", optional_files, result=[1, 0])


@workflow
def asks_for_a_file() -> str:
    return read(suspend("which file?", type=Path))


@story("a file is given at the resume")
def file_at_resume(backend: Any) -> None:
    run = backend.run(asks_for_a_file, {})
    own = _own_file(backend.desk)["file"]
    run.resume(own)
    assert run.wait(PATIENCE_S).value == "Succeeded", run.report()
    own.write_text("changed")
    assert run.result == "mine\n"


@story("two slices that write the same content keep a file each")
def same_content(backend: Any) -> None:
    run = backend.run(scattered_files, {"texts": ["same", "same"]})
    assert run.result == ["again.txt:same"] * 2
    first, second = (only(run, f"write/{i}").output["path"] for i in range(2))
    assert first != second
