"""A machine that has the runner's zip and a Python, and nothing else of ours; spoken to as the engine does."""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sciflow.executors.package import runner_zip
from sciflow.runner.node import started

OLDEST = ("3.9", "3.10")


def oldest_python() -> str | None:
    """The oldest Python here that the runner is promised for."""
    for version in OLDEST:
        beside = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
        found = shutil.which(f"python{version}", path=os.defpath + os.pathsep + "/usr/local/bin")
        for python in [*map(str, beside), *([found] if found else [])]:
            if subprocess.run([python, "-c", "import ssl"], capture_output=True, check=False).returncode in (0, 1):
                return python
    return None


@cache
def runner_of(python: str) -> Path:
    """The runner's zip, and beside it what this Python makes of it once: compiling it costs more than most tests."""
    depot = Path(tempfile.mkdtemp(prefix="sciflow-runner-"))
    atexit.register(shutil.rmtree, depot, ignore_errors=True)
    (depot / "code").mkdir()
    name, content = runner_zip()
    made = depot / "code" / f"{name}.zip"
    made.write_bytes(content)
    asked = json.dumps({"root": str(depot / "runs" / "r")}).encode()
    subprocess.run([python, str(made), "host", "missing", str(depot)], input=asked, capture_output=True, check=True)
    return made


def frame(message: Any) -> bytes:
    text = json.dumps(message).encode()
    return struct.pack(">I", len(text)) + text


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tar(members: Mapping[str, bytes], *, kinds: Mapping[str, bytes] | None = None) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            if kinds and name in kinds:
                member.type, member.linkname, member.size = kinds[name], "/etc/passwd", 0
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


@dataclass
class Batch:
    """A batch's folder, and what its elements have said."""

    node: Node
    folder: Path

    def argv(self, element: int = 0) -> list[str]:
        return [*started(*self.node.argv, "element", str(self.folder), str(element))]

    def run(self, element: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, **env}
        return subprocess.run(
            self.argv(element), env=environ, capture_output=True, text=True, timeout=60, check=False, cwd="/"
        )

    def start(self, element: int = 0) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.argv(element), stderr=subprocess.PIPE, cwd="/", start_new_session=True)

    def lines(self, element: int = 0, part: str = "done") -> list[list[Any]]:
        text = (self.folder / part / str(element)).read_text()
        return [json.loads(line) for line in text.splitlines()]

    def ended(self, element: int = 0, part: str = "done") -> dict[int, list[Any]]:
        """The replies about tasks that have ended; each must have one."""
        replies = [line for line in self.lines(element, part) if line[0] == 0]
        found = {reply[1]: reply for reply in replies}
        assert len(found) == len(replies), "a task has two replies"
        return found

    def error(self, number: int, element: int = 0) -> dict[str, Any]:
        error: dict[str, Any] = self.ended(element)[number][8]["error"]
        return error

    def closing(self, element: int = 0) -> dict[str, Any]:
        last = self.lines(element)[-1]
        assert last[0] == 3
        told: dict[str, Any] = last[1]
        return told

    def log(self, element: int = 0, kind: str = "out") -> str:
        return (self.node.root / "logs" / f"{self.folder.name}-{element}.{kind}").read_text()


@dataclass
class Survey:
    """The answer to a survey, taken apart."""

    head: dict[str, Any]
    sections: dict[tuple[int, int], tuple[int, bytes]] = field(default_factory=dict)  # (element, kind) -> at, bytes

    def __post_init__(self) -> None:
        (self.batch,) = self.head["batches"] if len(self.head["batches"]) == 1 else (None,)

    def data(self, element: int, kind: int) -> bytes:
        return self.sections.get((element, kind), (0, b""))[1]


class Node:
    """WORK_ROOT on a machine, one run in it, and the runner."""

    def __init__(self, folder: Path, python: str) -> None:
        self.work_root = folder / "depot"
        self.root = self.work_root / "runs" / "r1"
        self.root.mkdir(parents=True)
        (self.work_root / "code").mkdir()
        self.modules = folder / "modules"
        self.modules.mkdir()
        made = runner_of(python)
        for path in made.parent.iterdir():
            os.link(path, self.work_root / "code" / path.name)
        self.zip = self.work_root / "code" / made.name
        self.argv = [python, str(self.zip)]
        self.batches = 0

    def batch(
        self,
        source: str,
        *elements: Sequence[Any],
        function: str = "f",
        options: Mapping[str, Any] | None = None,
        code: Mapping[str, Any] | None = None,
        **index: Any,
    ) -> Batch:
        """A batch of one op, of the source or of other code; an element has a task for each of its values."""
        self.batches += 1
        name = f"b{self.batches}"
        (self.modules / f"ops{self.batches}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        code = code or {"type": "function", "module": f"ops{self.batches}", "qualname": function}
        data = common = frame({"op": 1, "name": function, "code": code, "options": options or {}, "identity": False})
        extents = []
        for number, values in enumerate(elements):
            tasks = [
                [number << 20 | i, f"tasks/{name}/{number}-{i}", 1, i, None, None, [value]]
                for i, value in enumerate(values, 1)
            ]
            do = frame({"do": 1, "fixed": {}, "columns": ["x"], "tasks": tasks})
            extents.append([len(data), len(do)])
            data += do
        told = {
            "root": str(self.root),
            "name": name,
            "common": [0, len(common)],
            "elements": extents,
            "walltime_s": None,
            "at": None,
            "hello": {
                "sys_path": [str(self.modules)],
                "argv": ["script.py"],
                "main": None,
                "host": {},
                "inline_bytes": 4096,
            },
            **index,
        }
        folder = self.root / "batches" / name
        folder.mkdir(parents=True)
        (folder / "requests").write_bytes(data)
        (folder / "index.json").write_text(json.dumps(told))
        return Batch(self, folder)

    def host(self, verb: str, request: Any, body: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        argv = [*self.argv, "host", verb, str(self.work_root)]
        line = json.dumps(request).encode() + b"\n"
        return subprocess.run(argv, input=line + body, capture_output=True, timeout=60, check=False, cwd="/")

    def ask(self, verb: str, request: Any, body: bytes = b"") -> Any:
        said = self.host(verb, request, body)
        assert said.returncode == 0, said.stderr.decode()
        return json.loads(said.stdout)

    def survey(self, batch: Batch, **asked: Any) -> Survey:
        general = {name: asked.pop(name) for name in ("limit", "mirror", "queue") if name in asked}
        batches = [{"dir": str(batch.folder), "offsets": {}, "taken": [], **asked}]
        said = self.host("survey", {"queue": None, "mirror": True, **general, "batches": batches})
        assert said.returncode == 0, said.stderr.decode()
        head, _, body = said.stdout.partition(b"\n")
        survey = Survey(json.loads(head))
        for name, element in survey.head["batches"][0]["elements"].items():
            for kind, at, size in element["sections"]:
                survey.sections[int(name), kind] = (at, body[:size])
                body = body[size:]
        assert not body
        return survey

    def shell(self, verb: str, *rest: str) -> str:
        argv = [*self.argv, "host", "shell", verb, str(self.work_root), *rest]
        said = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd="/")
        assert said.returncode == 0, said.stderr
        return said.stdout

    def listed(self, *ids: str) -> dict[tuple[str, int], str]:
        lines = map(json.loads, self.shell("list", *ids).splitlines())
        return {(line["id"], line["element"]): line["state"] for line in lines}


@contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The process, and its group, end with the block."""
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_until(condition: Any, timeout_s: float = 20.0) -> None:
    limit = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < limit, "in vain"
        time.sleep(0.01)


PYTHONS = {"oldest": oldest_python(), "own": sys.executable}
