"""A pod of two containers: a shell that runs programs, and beside it `python X.zip pod FOLDER`, which asks for them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from node_driver import Node, ending, oldest_python, wait_until

import sciflow.pod
from sciflow.runner.mailbox import prepare

SCRIPT = Path(sciflow.pod.__file__).with_name("mailbox.sh")
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}
HOSTILE = ["", "a b", "$(touch x)`id`", "'\"\\", "two\nlines\n\n", "*", "-n", "Ё€", "{{x}}", "%s\r\t\x01\x81"]
ENV = {"SET": "by\nthe 'op'\n", "sciflow_value": "1"}
NOTHING_BEFORE: dict[str, Any] = {
    "run": "r1",
    "head": {"path": "op", "succeeded": 0},
    "memory_mb": 0,
    "spent": {},
    "policy": {"retries": 0, "retry_on": [], "backoff_s": 0.0, "backoff_factor": 1.0, "backoff_max_s": 0.0},
    "earlier": {"folders": {}, "executable": [], "contents": {}, "lines": [], "failed": 0},
    "cache": {},
}


class Pod:
    """Both containers; what they share is FOLDER."""

    def __init__(self, node: Node, folder: Path, shell: list[str], stack: ExitStack) -> None:
        self.node = node
        self.folder = folder
        self._stack = stack
        self._shell = [shutil.which(shell[0]) or "", *shell[1:]]
        self.env = {"PATH": os.environ["PATH"], "ONLY_HERE": "of the image"}

    def prepare(
        self, *values: Any, argv: list[Any], timeout_s: float | None = None, env: Any = ENV, **code: Any
    ) -> None:
        """One element, with a task for each value of the input `x`."""
        parts = [[part] if isinstance(part, str) else part for part in argv]
        op = {"type": "program", "argv": parts, **code}
        told = {"folder": str(self.folder / "mailbox"), "image": "tools:1"}
        crew = {"workers": 1, "command": [*self.node.argv, "element", f"{self.folder}/1"], "gpus": 0, "whole": False}
        more = {"crew": crew, "mailbox": told, "env": env}
        batch = self.node.batch("", values, code=op, options={"timeout_s": timeout_s}, **more)
        self.folder.mkdir()
        batch.folder.rename(self.folder / "1")
        tasks = {str(number): [number - 1, 1] for number in range(1, len(values) + 1)}
        pod = {"root": str(self.node.root), "mailbox": told, "tasks": tasks, **NOTHING_BEFORE}
        (self.folder / "pod.json").write_text(json.dumps(pod))
        prepare(told["folder"])

    def start(self) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
        """The container of programs and that of the runner."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": "/", "start_new_session": True}
        main = [*self._shell, str(SCRIPT), f"{self.folder}/mailbox"]
        runner = [*self.node.argv, "pod", str(self.folder)]
        programs = self._stack.enter_context(ending(subprocess.Popen(main, env=self.env, **pipes)))
        return programs, self._stack.enter_context(ending(subprocess.Popen(runner, **pipes)))

    def run(self) -> tuple[int, str, str]:
        """How the container of programs has ended, and its log."""
        programs, runner = self.start()
        out, err = programs.communicate(timeout=40)
        assert runner.wait(20) == 0
        assert not list(self.folder.glob("1/calls/*/*")), "something is left of a call"
        return programs.returncode, out.decode(), err.decode()

    def ends(self) -> dict[int, Any]:
        """The replies, by task."""
        lines = (self.folder / "outcomes").read_text().splitlines()[2:]
        return {end[0]: end[5] for end in map(json.loads, lines)}

    def error(self, task: int = 0) -> tuple[Any, ...]:
        error = self.ends()[task][8]["error"]
        return error["kind"], error["exit_code"], error["signal"], error["message"]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Pod]]:
    """`make()`: a pod; `make(shell="busybox")`: with another shell."""
    with ExitStack() as stack:

        def made(*, shell: str = "dash", python: str | None = sys.executable) -> Pod:
            if python is None or shutil.which(SHELLS[shell][0]) is None:
                pytest.skip("it is not installed here")
            return Pod(Node(tmp_path, python), tmp_path / "pod", SHELLS[shell], stack)

        yield made


@pytest.fixture(params=list(SHELLS))
def pod(make: Callable[..., Pod], request: pytest.FixtureRequest) -> Pod:
    return make(shell=request.param)


def of_process(path: Path) -> int:
    """The process whose number is written there; it runs."""
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_arguments_arrive_as_they_are(pod: Pod) -> None:
    pod.prepare(HOSTILE, argv=["printf", "%s|", [{"port": "x"}]], stdout="said")
    assert pod.run() == (0, "", "")
    assert pod.ends()[0][3] == "|".join([*HOSTILE, ""])


def test_the_runner_may_have_the_oldest_python(make: Callable[..., Pod]) -> None:
    pod = make(python=oldest_python())
    pod.prepare("text\r\n", argv=["cat"], stdin="x", stdout="said")
    assert pod.run()[0] == 0
    assert pod.ends()[0][3] == "text\r\n"


def test_a_program_has_the_variables_of_its_op_and_of_its_image(pod: Pod) -> None:
    pod.prepare("", argv=["sh", "-c", 'printf "$ONLY_HERE|$SET|$sciflow_value"; env >&2'], stdout="said")
    assert pod.run()[0] == 0
    assert pod.ends()[0][3] == "of the image|by\nthe 'op'\n|1"
    log = next(pod.node.root.glob("logs/*.err")).read_text()
    assert "sciflow_call" not in log
    assert "PYTHON" not in log


def test_no_value_of_a_variable_lies_about_while_a_program_runs(pod: Pod, tmp_path: Path) -> None:
    look = f"cat {tmp_path}/pod/1/calls/0/*/env/*; ls {tmp_path}/pod/1/calls/0/*/env; echo $SET"
    pod.prepare("", argv=["sh", "-c", look], stdout="said", env={"SET": "secret"})
    assert pod.run()[0] == 0
    assert pod.ends()[0][3] == "SET\nsecret\n"


def test_a_program_works_with_files_in_its_folder(pod: Pod) -> None:
    pod.prepare("some text", argv=["sh", "-c", "cat in.txt in.txt; pwd >&2"], files={"x": "in.txt"},
                stdout="twice", outputs={"twice": "out.txt"})  # fmt: skip
    assert pod.run()[0] == 0
    assert (pod.node.root / pod.ends()[0][3]["path"]).read_text() == "some text" * 2
    assert next(pod.node.root.glob("logs/*.err")).read_text().startswith(f"{pod.node.root}/work/")


def test_what_programs_print_is_in_the_logs_of_tasks_and_of_the_pod(pod: Pod) -> None:
    pod.prepare("one", "two", argv=["sh", "-c", 'echo $0; echo "$0 too" >&2', [{"port": "x"}]], shape="none")
    assert pod.run() == (0, "one\ntwo\n", "one too\ntwo too\n")
    assert next(pod.node.root.glob("logs/*.out")).read_text() == "one\ntwo\n"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["sh", "-c", "exit 3"], ("user", 3, None, "sh -c 'exit 3' ended with exit code 3")),
        (["sh", "-c", "kill -11 $$"], ("user", None, "SIGSEGV", "ended with signal 11")),
        (["sh", "-c", "exit 127"], ("user", 127, None, "ended with exit code 127")),
        (["no-such"], ("code", None, None, "program 'no-such' is not found in the image tools:1")),
        (["/no/such"], ("code", None, None, "program '/no/such' is not found in the image tools:1")),
        (["/etc/passwd"], ("code", None, None, "program '/etc/passwd' cannot be started in the image tools:1")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_failing_program_says_how(pod: Pod, argv: list[str], told: tuple[Any, ...]) -> None:
    pod.prepare("", argv=argv)
    assert pod.run()[0] == 10
    assert pod.error()[:3] == told[:3]
    assert told[3] in pod.error()[3]


def test_a_program_is_ended_at_its_time_limit_with_all_that_it_has_started(pod: Pod, tmp_path: Path) -> None:
    stubborn = f'trap "" TERM; sleep 60 & echo $! > {tmp_path}/pid; wait; sleep 60'
    pod.prepare(stubborn, "echo next", argv=["sh", "-c", [{"port": "x"}]], stdout="said", timeout_s=1)
    assert pod.run()[0] == 10
    assert pod.error()[0] == "timeout"
    assert pod.ends()[1][3] == "next\n"
    assert not runs(of_process(tmp_path / "pid"))


@pytest.mark.parametrize("who", ["runner", "programs"])
def test_a_pod_that_is_to_end_ends_its_programs_and_keeps_what_is_done(pod: Pod, who: str, tmp_path: Path) -> None:
    long = f"echo $$ > {tmp_path}/pid; exec sleep 60"
    pod.prepare("echo done", long, argv=["sh", "-c", [{"port": "x"}]], stdout="said")
    programs, runner = pod.start()
    pid = of_process(tmp_path / "pid")
    (programs if who == "programs" else runner).send_signal(signal.SIGTERM)
    assert programs.wait(20) == 143
    assert runner.wait(20) == 0
    assert [end[3] for end in pod.ends().values()] == ["done\n"]
    assert not runs(pid)


def test_a_runner_whose_programs_are_gone_ends_without_a_word_on_their_tasks(pod: Pod, tmp_path: Path) -> None:
    long = f"echo $$ > {tmp_path}/pid; exec sleep 60"
    pod.prepare("echo done", long, argv=["sh", "-c", [{"port": "x"}]], stdout="said")
    programs, runner = pod.start()
    pid = of_process(tmp_path / "pid")
    programs.kill()
    assert runner.wait(20) == 0
    assert [end[3] for end in pod.ends().values()] == ["done\n"]
    os.kill(pid, signal.SIGKILL)  # in a pod it goes with its container


def test_programs_whose_runner_is_gone_end_as_those_of_a_pod_that_was_lost(pod: Pod, tmp_path: Path) -> None:
    pod.prepare(f"echo $$ > {tmp_path}/pid; exec sleep 60", argv=["sh", "-c", [{"port": "x"}]])
    programs, runner = pod.start()
    pid = of_process(tmp_path / "pid")
    runner.kill()
    assert programs.wait(20) == 143
    os.kill(pid, signal.SIGKILL)


def test_an_image_needs_nothing_but_a_shell_and_the_program(make: Callable[..., Pod], tmp_path: Path) -> None:
    pod = make()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/say").symlink_to(shutil.which("echo") or "")
    pod.env["PATH"] = f"{tmp_path}/bin"
    pod.prepare("a\nb", argv=["say", [{"port": "x"}]], shape="none")
    assert pod.run() == (0, "a\nb\n", "")


def test_a_pod_that_has_nothing_to_run_ends_with_the_exit_code_that_it_was_told(make: Callable[..., Pod]) -> None:
    pod = make()
    pod.prepare(argv=["true"])
    told = json.loads((pod.folder / "pod.json").read_text())
    (pod.folder / "pod.json").write_text(json.dumps({**told, "code": 11, "message": "what it needs has failed"}))
    assert pod.run() == (11, "", "sciflow: what it needs has failed\n")


def test_a_variable_that_no_shell_can_set_is_refused(make: Callable[..., Pod]) -> None:
    pod = make()
    pod.prepare("", argv=["true"], env={"a.b": "1"})
    assert pod.run()[0] == 10
    assert "variable 'a.b'" in pod.error()[3]
