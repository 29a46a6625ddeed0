"""A worker started as the engine starts it, and spoken to in its protocol."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import select
import signal
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sciflow.runner import codec


@dataclass
class Ended:
    """The reply about one task."""

    number: int
    phase: str
    output: Any
    started: float
    seconds: float
    stdout_end: int
    stderr_end: int
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def error(self) -> dict[str, Any]:
        return self.extra.get("error", {})


class WorkerEnded(Exception):
    """The worker closed its replies."""


class Worker:
    """The engine's side of one worker process."""

    def __init__(
        self, root: Path, *, python: str = sys.executable, sys_path: tuple[str, ...] = (), **hello: Any
    ) -> None:
        self.root = root
        for folder in ("tasks", "values", "logs", "work"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        requests_read, self.requests = os.pipe()
        self.replies, replies_write = os.pipe()
        life_read, self.life = os.pipe()
        self.board_file = (root / "board").open("w+b")
        self.board_file.truncate(16)
        self.board = mmap.mmap(self.board_file.fileno(), 16)
        fds = {
            "requests": requests_read,
            "replies": replies_write,
            "life": life_read,
            "board": self.board_file.fileno(),
        }
        self.stdout = root / "logs" / "1.out"
        self.stderr = root / "logs" / "1.err"
        with self.stdout.open("ab") as out, self.stderr.open("ab") as err:
            self.process = subprocess.Popen(
                [python, "-m", "sciflow.runner", "serve", *(x for n, fd in fds.items() for x in (f"--{n}", str(fd)))],
                pass_fds=list(fds.values()),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                cwd=Path(__file__).parents[3],
            )
        for fd in (requests_read, replies_write, life_read):
            os.close(fd)
        self.rest = b""
        self.tasks = 0
        self.ops = 0
        self.progress: list[list[Any]] = []
        greeting = {
            "root": str(root),
            "sys_path": list(sys_path),
            "argv": ["script.py"],
            "scratch": str(root / "work"),
            "pack": "values/1-0",
            "inline_bytes": 4096,
            "host": {},
            "main": None,
        }
        self.send({"hello": {**greeting, **hello}})

    def send(self, message: Any) -> None:
        text = json.dumps(message).encode()
        data = memoryview(struct.pack(">I", len(text)) + text)
        while data:
            data = data[os.write(self.requests, data) :]

    def next(self, timeout_s: float = 20.0) -> list[Any]:
        """The next reply."""
        while b"\n" not in self.rest:
            if not select.select([self.replies], [], [], timeout_s)[0]:
                raise TimeoutError(f"no reply in {timeout_s} s; log: {self.stderr.read_text()}")
            data = os.read(self.replies, 1 << 20)
            if not data:
                raise WorkerEnded(self.stderr.read_text(errors="replace"))
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        reply: list[Any] = json.loads(line)
        return reply

    def load(
        self, code: Any = None, *, module: str = "", qualname: str = "", request: Any = None, **options: Any
    ) -> list[Any]:
        """Send an op; the reply about it."""
        self.ops += 1
        code = code or {"type": "function", "module": module, "qualname": qualname}
        self.send({"op": self.ops, "name": qualname, "code": code, "options": options, **(request or {})})
        return self.next()

    def do(
        self,
        *rows: list[Any],
        columns: tuple[str, ...] = (),
        fixed: Any = None,
        op: int = 0,
        attempt: int = 1,
        **more: Any,
    ) -> list[Ended]:
        """Run slices of an op, the last one loaded if not named; one reply each."""
        numbers = range(self.tasks + 1, self.tasks + 1 + max(1, len(rows)))
        self.tasks = numbers[-1]
        tasks = [
            [
                n,
                more.get("path", f"tasks/step/{n}"),
                attempt,
                more.get("seed", n),
                more.get("key"),
                more.get("left"),
                row,
            ]
            for n, row in zip(numbers, rows or ([],), strict=True)
        ]
        self.send({"do": op or self.ops, "fixed": fixed or {}, "columns": list(columns), "tasks": tasks})
        ended = []
        while len(ended) < len(tasks):
            reply = self.next()
            if reply[0] == 1:
                self.progress.append(reply)
            else:
                ended.append(Ended(*reply[1:8], extra=reply[8] or {}))
        return ended

    def call(self, **values: Any) -> Ended:
        """Run one slice with these values."""
        trees = {name: codec.encode(value) for name, value in values.items()}
        return self.do(fixed=trees)[0]

    def call_tree(self, **trees: Any) -> Ended:
        """Run one slice with these trees."""
        return self.do(fixed=trees)[0]

    def value(self, ended: Ended) -> Any:
        """The decoded output of a task that succeeded."""
        assert ended.phase == "Succeeded", ended.error
        return codec.decode(ended.output, types=codec.import_type, store=self.stored)

    def stored(self, tag: Any) -> Any:
        data = (self.root / tag["file"]).read_bytes()[tag["at"] : tag["at"] + tag["size"]]
        return json.loads(data)

    def running(self) -> int:
        """The task number on the board."""
        number: int = struct.unpack_from("<Qd", self.board)[0]
        return number

    def op(self, qualname: str, **options: Any) -> None:
        """Load a function of module `ops`; its slices are asked for next."""
        reply = self.load(module="ops", qualname=qualname, **options)
        assert reply[3] is None, reply

    def close(self) -> int:
        """End the requests and wait; the exit code."""
        os.close(self.requests)
        self.requests = -1
        return self.process.wait(10)

    def end(self) -> None:
        """Whatever state it is in."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for fd in (self.requests, self.replies, self.life):
            if fd >= 0:
                os.close(fd)
        self.board.close()
        self.board_file.close()


def wait_until(condition: Any, timeout_s: float = 5.0) -> None:
    """Wait until the condition holds."""
    limit = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < limit, "in vain"
        time.sleep(0.005)
