# ruff: noqa: N802, PLC2401  names that are no ASCII are meant
"""Workflows through which texts, names and sizes go that other people's syntax might take for its own."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple, TypedDict

from sciflow import Workflow, choose, command, op, when, workflow

TOOL = "localhost/sciflow-tool:test"
TEXTS = [
    "{{workflow.name}}", "{{=1+1}}", "{{inputs.parameters.path}}", "{{item}}", "{{retries}}", "{{=sprig.env('HOME')}}",
    "{{workflow.parameters.run}}", "{{", "}}", "{{=", "'single' \"double\" `back`", "\\", "\\n\\\\", "two\nlines\r\n",
    "\n", "", " ", "\t", "".join(map(chr, range(1, 32))), "\x7f\x80\x9f", "🙂 文字 Ё€", "\u202eRTL שלום\u202c",
    "\ufeff", "\u2028\u2029", "e\u0301 é", "$(touch x)`id`${HOME}", "%s %d %%", "--flag", "-n", "*", "null", "true",
    "0x1F", "1e5", "~", "# no comment", "key: value", "---", "!!binary |", "&a *a", "|\n  x", "]]>",
    '{"$": "artifact", "path": "x"}', "<!-- x -->", "\U0010ffff",
]  # fmt: skip
ARGUMENTS = [text for text in TEXTS if "\0" not in text]
NAMES = [
    "with space.txt", "it's \"quoted\".txt", "ünï-文字-🙂.txt", "two\nlines.txt", "{{item}}$(touch x)`y`;&|.txt",
    "{{workflow.name}}.txt", "back\\slash.txt", "bell\x07 and \x7f.txt", "\u202eRTL.txt", "#?%41&=+,.txt", "-n", "...",
    "trailing.", "é" * 120, "tab\tcr\r.txt", "*", "~",
]  # fmt: skip
ECHO = 'printf "%s\\0" "$@" "$SET"; cat'


class Table(TypedDict):
    größe: int
    count: int


class Digests(NamedTuple):
    text: str
    data: str
    length: int


@op
def echo(text: str) -> str:
    return text


@op
def let(in_: str, größe: dict[str, int]) -> dict[str, int]:
    """A word of Argo's expressions as a name, and ports that are none."""
    return {**größe, in_: len(in_)}


@op
def größer(zahl: int) -> Table:
    return {"größe": zahl + 1, "count": zahl}


@op
def nil(x: int | None) -> str:
    return f"{{{{={x}}}}}"


@op
def writes(names: list[str]) -> list[Path]:
    for number, name in enumerate(names):
        Path(f"{number}").mkdir()
        Path(f"{number}/{name}").write_text(name)
    return [Path(f"{number}/{name}") for number, name in enumerate(names)]


@op
def folds(names: list[str]) -> Path:
    for name in names:
        Path(f"{{{{folder}}}}/{name}.d").mkdir(parents=True)
        Path(f"{{{{folder}}}}/{name}.d/{name}").write_text(name)
    return Path("{{folder}}")


@op
def reads(file: Path) -> str:
    return f"{file.name}:{file.read_text()}"


@op
def lists(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@op
def grows(megabytes: int) -> tuple[str, bytes]:
    return "{{=1}}'\"\\\n" * (megabytes * 2**20 // 10), bytes(range(256)) * (megabytes * 2**12)


@op
def digests(text: str, data: bytes) -> Digests:
    return Digests(hashlib.sha256(text.encode()).hexdigest(), hashlib.sha256(data).hexdigest(), len(text) + len(data))


@op(env={"SET": TEXTS[18]})
def variable() -> str:
    return os.environ["SET"]


def echoing(text: str, *, image: str | None) -> object:
    """A program that prints its arguments, a variable and its input."""
    more = {} if image is None else {"image": image}

    @command("sh", "-c", ECHO, "sh", "{words}", stdin="text", stdout="said", env={"SET": text}, **more)
    def said(words: list[str], text: str) -> str: ...  # type: ignore[empty-body]

    return said


@workflow
def 内側(n: int) -> str:
    """A name that is no name of Kubernetes."""
    found = größer.options(name="true")(zahl=n)
    with when(found["größe"] > found["count"]):
        inner = nil.options(name="not_")(found["größe"])
    return choose(found["größe"] > found["count"], inner, "never")


@workflow
def values(texts: list[str], big: str, data: bytes) -> dict[str, object]:
    """Texts as inputs, elements of fans, keys, and in the workflow itself; sizes."""
    made = grows(10)
    return {
        "fan": echo.options(name="map", chunk=20).map(text=texts),
        "constants": echo.options(name="none", chunk=20).map(text=TEXTS),
        "keys": let.options(name="in")(in_="{{=1}}", größe=dict.fromkeys(TEXTS, 1)),
        "inner": 内側.options(name="len").map(n=[1, 2]),
        "given": digests.options(name="given")(big, data),
        "made": digests.options(name="made")(made[0], made[1]),
        "variable": variable(),
    }


def files(image: str | None) -> Workflow[..., dict[str, object]]:
    """Names of files; arguments, variables and input of programs, one of them in an image."""

    @workflow
    def files(names: list[str], file: Path, folder: Path) -> dict[str, object]:
        made = writes(names)
        return {
            "read": reads.options(chunk=10).map(file=made),
            "folded": lists(folds(names)),
            "own": reads.options(name="own")(file),
            "own folder": lists.options(name="own_folder")(folder),
            "files": made,
            "here": echoing("".join(ARGUMENTS), image=None)(ARGUMENTS, "{{=2}}\n"),
            "there": echoing("".join(ARGUMENTS), image=image)(ARGUMENTS, "{{=2}}\n"),
        }

    return files
