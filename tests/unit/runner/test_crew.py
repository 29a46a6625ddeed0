"""Several elements in one job: `python X.zip crew BATCH A`, on the oldest Python that can be had, and on this one."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from node_driver import PYTHONS, Batch, Node, ending, wait_until

WORK = """
    import os, signal, sys, time
    from pathlib import Path

    def f(x: str) -> str:
        print("now", x, flush=True)
        what, _, rest = x.partition(" ")
        if what == "meet":  # the others, which run at the same time
            folder, own, *others = rest.split()
            Path(folder, own).touch()
            while not all(Path(folder, other).exists() for other in others):
                time.sleep(0.01)
        if what == "sleep":
            time.sleep(60)
        if what == "for":
            time.sleep(float(rest))
        if what == "kill":  # who looks after this task
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        if what == "gpus":
            from sciflow import context
            return f"{os.environ['CUDA_VISIBLE_DEVICES']} {','.join(map(str, context().gpus))}"
        if what == "cores":
            return ",".join(map(str, sorted(os.sched_getaffinity(0))))
        return x
"""


@pytest.fixture(params=list(PYTHONS))
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Node:
    python = PYTHONS[request.param]
    if python is None:
        pytest.skip("no Python 3.9 or 3.10 is installed here")
    return Node(tmp_path, python)


def crew(node: Node, *elements: list[str], workers: int, gpus: int = 0, whole: bool = False, **index: Any) -> Batch:
    """A batch whose elements are run by so many at once."""
    folder = node.root / "batches" / f"b{node.batches + 1}"
    told = {"workers": workers, "command": [*node.argv, "element", str(folder)], "gpus": gpus, "whole": whole}
    return node.batch(WORK, *elements, crew=told, gpus=gpus, **index)


def argv(batch: Batch, number: int = 0) -> list[str]:
    return [*batch.node.argv, "crew", str(batch.folder), str(number)]


def run(batch: Batch, number: int = 0, **env: str) -> int:
    return subprocess.run(argv(batch, number), env={**os.environ, **env}, timeout=60, check=False, cwd="/").returncode


def start(batch: Batch) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv(batch), cwd="/", start_new_session=True)


def values(batch: Batch, element: int) -> list[str]:
    return [reply[3] for reply in batch.ended(element).values()]


def began(batch: Batch, *elements: int) -> bool:
    logs = [batch.node.root / "logs" / f"{batch.folder.name}-{k}.out" for k in elements]
    return all(log.exists() and "now" in log.read_text() for log in logs)


def test_elements_of_a_crew_run_at_once_each_with_its_own_logs(node: Node, tmp_path: Path) -> None:
    tasks = [[f"meet {tmp_path} a b c", "x"], [f"meet {tmp_path} b a c"], [f"meet {tmp_path} c a b"], ["later"]]
    batch = crew(node, *tasks, workers=3)
    assert run(batch) == 0
    assert [values(batch, k) for k in range(3)] == tasks[:3]
    assert [batch.log(k) for k in range(3)] == ["".join(f"now {x}\n" for x in task) for task in tasks[:3]]
    assert not (batch.folder / "done" / "3").exists()
    assert run(batch, 1) == 0  # the last one is not complete
    assert values(batch, 3) == ["later"]


def test_an_element_that_is_killed_takes_no_other_with_it_and_says_how(node: Node) -> None:
    batch = crew(node, ["kill"], ["for 0.5", "x"], workers=2)
    assert run(batch) == 137
    assert (batch.folder / "died" / "0").read_text() == "137\n"
    assert values(batch, 1) == ["for 0.5", "x"]
    assert not (batch.folder / "died" / "1").exists()


def test_an_end_that_cannot_be_written_down_takes_no_other_with_it(node: Node) -> None:
    batch = crew(node, ["kill"], ["for 0.5", "x"], workers=2)
    (batch.folder / "died").touch()  # no folder can be made
    assert run(batch) == 137
    assert values(batch, 1) == ["for 0.5", "x"]


def test_time_that_is_over_ends_each_element_of_a_crew_with_what_it_has(node: Node) -> None:
    batch = crew(node, ["x", "sleep"], ["y", "sleep", "z"], workers=2, walltime_s=2.0)
    assert run(batch) == 0
    assert [len(batch.closing(k)["left"]) for k in (0, 1)] == [1, 2]
    assert {batch.closing(k)["why"] for k in (0, 1)} == {"time"}


def test_a_warning_reaches_every_element_of_a_crew(node: Node) -> None:
    batch = crew(node, ["sleep"], ["sleep", "x"], workers=2)
    with ending(start(batch)) as process:
        wait_until(lambda: began(batch, 0, 1))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert [batch.closing(k)["why"] for k in (0, 1)] == ["signal", "signal"]
    assert [len(batch.closing(k)["left"]) for k in (0, 1)] == [1, 2]


def test_nothing_of_a_crew_outlives_what_looks_after_it(node: Node) -> None:
    batch = crew(node, ["sleep"], ["sleep"], workers=2)
    with ending(start(batch)) as process:
        wait_until(lambda: began(batch, 0, 1))
        process.kill()
        process.wait()
    found = ["-f", f"element {batch.folder}"]
    wait_until(lambda: subprocess.run(["pgrep", *found], capture_output=True, check=False).returncode == 1)


def test_an_element_that_nobody_wants_is_ended_and_the_others_go_on(node: Node) -> None:
    batch = crew(node, ["sleep"], ["for 3"], ["x"], workers=3)
    (batch.folder / "cancelled").mkdir()
    (batch.folder / "cancelled" / "2").touch()
    with ending(start(batch)) as process:
        wait_until(lambda: began(batch, 0, 1))
        (batch.folder / "cancelled" / "0").touch()
        assert process.wait(30) == 0
    assert (batch.closing(0)["why"], values(batch, 1)) == ("signal", ["for 3"])
    assert not (batch.folder / "live" / "2").exists()  # it was not begun


@pytest.mark.parametrize("names", ["4,5,6,7", "GPU-a,GPU-b,GPU-c,GPU-d"])
def test_gpus_of_a_job_are_divided_among_its_elements(node: Node, names: str) -> None:
    batch = crew(node, ["gpus"], ["gpus"], workers=2, gpus=2)
    assert run(batch, CUDA_VISIBLE_DEVICES=names) == 0
    own = [",".join(names.split(",")[:2]), ",".join(names.split(",")[2:])]
    numbers = own if names[0].isdigit() else ["0,1", "0,1"]  # devices whose names are no numbers are counted
    assert [values(batch, k) for k in (0, 1)] == [[f"{a} {b}"] for a, b in zip(own, numbers, strict=True)]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores are given by number on Linux only")
def test_cores_of_a_node_that_is_given_whole_are_divided_among_its_elements(node: Node) -> None:
    granted = sorted(os.sched_getaffinity(0))
    if len(granted) < 2:
        pytest.skip("there is one core")
    batch = crew(node, ["cores"], ["cores"], workers=2, whole=True)
    assert run(batch) == 0
    each = len(granted) // 2
    told = [list(map(int, values(batch, k)[0].split(","))) for k in (0, 1)]
    assert told == [granted[:each], granted[each : 2 * each]]
