"""`kill -9` while jobs are queued and running: they go on, are found again, and nothing is submitted or run twice.

SCIFLOW_TEST_KILLS sets how many kills there are in all; SCIFLOW_TEST_SEED repeats a sequence of moments.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest

import sciflow
from tests.faults.cluster import PATIENCE_S, Cluster, ends, engine_log, is_over, kill_engines, says
from tests.faults.harness import NEEDS_LINUX, eventually
from tests.faults.programs import jobs

KILLS = int(os.environ.get("SCIFLOW_TEST_KILLS", "12"))
SEED = os.environ.get("SCIFLOW_TEST_SEED", "")
SETTLED_S = 10.0

pytestmark = [pytest.mark.faults, NEEDS_LINUX, pytest.mark.timeout(300 + 15 * KILLS)]


@dataclass(frozen=True)
class Case:
    """A workflow to be killed, and what it comes to."""

    workflow: sciflow.Workflow[..., Any]
    inputs: dict[str, Any]


CASES = {
    "fan": Case(jobs.fan, {"xs": list(range(30))}),
    "fan of a workflow that fans": Case(jobs.fan_of_fans, {"xs": list(range(4))}),
    "retries": Case(jobs.retries, {"xs": list(range(12))}),
    "files": Case(jobs.files, {"xs": list(range(12))}),
    "large values": Case(jobs.large_values, {"xs": list(range(8))}),
}


@dataclass
class Ordeal:
    """One workflow's runs under fire."""

    case: Case
    cluster: Cluster
    dice: random.Random
    wanted: int
    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0

    def go(self) -> None:
        expected = self._undisturbed()
        while self.kills.total() < self.wanted:
            self.cluster.tally.unlink(missing_ok=True)
            run = self.case.workflow.submit(**self.case.inputs)
            while self.kills.total() < self.wanted and not is_over(run):
                self._disturb(run)
                if not self.cluster.bench.processes.engines() and not is_over(run):
                    run.detach()
            self.runs += 1
            if not self.cluster.bench.processes.engines() and not is_over(run):
                run.resume()
            assert ends(run) == "Succeeded", run.report() + engine_log(run)
            assert run.result == expected
            self._count(run)

    def _undisturbed(self) -> Any:
        return self.case.workflow.options(executor="local").run(**self.case.inputs).result

    def _disturb(self, run: sciflow.Run[Any]) -> None:
        """Waits for a random moment and kills something, if there is something."""
        dice, bench = self.dice, self.cluster.bench
        event = dice.choice(("submission", "task", "any"))
        seen = self._marks(event)
        eventually(lambda: self._marks(event) > seen or is_over(run), timeout_s=dice.uniform(1, 5), pause_s=0.002)
        time.sleep(dice.choice((0.0, dice.uniform(0, 0.1), dice.uniform(0, 2))))
        targets = dice.choice(
            (("engine",), ("helpers",), ("connection",), ("engine", "helpers"), ("engine", "connection"))
        )
        killed = "helpers" in targets and self._kill_helpers()
        for process in self.cluster.connections() if "connection" in targets else ():
            process.kill()
            killed = True
        if "engine" in targets and bench.processes.engines():
            kill_engines(bench)
            killed = True
        self.kills[" and ".join(targets)] += bool(killed)
        if dice.random() < 0.5 and not self.cluster.connections():
            self.cluster.connect()  # as a user would; else each run makes a connection of its own

    def _kill_helpers(self) -> bool:
        found = self.cluster.helpers()
        for helper in self.dice.sample(found, len(found)):
            with contextlib.suppress(psutil.NoSuchProcess):
                helper.kill()
        return bool(found)

    def _marks(self, event: str) -> int:
        if event == "submission":  # handed to the batch system, and not yet recorded
            return len(list(self.cluster.work_root.glob("runs/*/batches/*/submitting")))
        return self.cluster.tally.stat().st_size if event == "task" and self.cluster.tally.exists() else 0

    def _count(self, run: sciflow.Run[Any]) -> None:
        began, ended = self.cluster.notes("began"), self.cluster.notes("ended")
        assert set(began.values()) == {1}, f"ran twice: {[task for task, n in began.items() if n > 1]}"
        assert began == ended
        submitted = self.cluster.submissions(run)
        eventually(lambda: self._ended_of(submitted) == submitted, timeout_s=SETTLED_S, pause_s=0.2)
        assert self._ended_of(submitted) == submitted, "elements by submission, that ended and that were wanted"

    def _ended_of(self, submitted: dict[str, int]) -> dict[str, int]:
        finished = self.cluster.finished()
        return {name: finished[name] for name in submitted}


@pytest.mark.parametrize("name", CASES)
def test_a_run_on_a_cluster_whose_engine_is_killed_again_and_again_runs_and_submits_everything_once(
    name: str, cluster: Cluster, record_property: Any
) -> None:
    cluster.settings(elements=12, throttle=6)
    seed = SEED or f"{name}{time.time_ns()}"
    print(f"SCIFLOW_TEST_SEED={seed}")
    ordeal = Ordeal(CASES[name], cluster, random.Random(seed), -(-KILLS // len(CASES)))
    ordeal.go()
    told = f"{dict(ordeal.kills)} kills in {ordeal.runs} runs"
    record_property("kills", told)
    print(f"{name}: {told}")


SBATCH = """#!/bin/sh
touch {signs}/submitting
while [ ! -e {signs}/submit ]; do sleep 0.05; done
{real} "$@" || exit
touch {signs}/submitted
while [ ! -e {signs}/answer ]; do sleep 0.05; done
"""


@pytest.fixture
def slow_sbatch(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster, on this machine, whose `sbatch` waits before it submits, and before it says what it has done."""
    real = shutil.which("sbatch")
    place = cluster.bench.folder / "bin"
    place.mkdir()
    program = place / "sbatch"
    program.write_text(SBATCH.format(signs=cluster.signs, real=real))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_CONF", str(cluster.slurm.conf))
    cluster.settings(host="", ssh_config="")
    cluster.sign("go on")
    return cluster


def kill_helpers_and_engines(cluster: Cluster) -> None:
    for process in (*cluster.bench.processes.engines(), *cluster.helpers()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def unrecorded(cluster: Cluster) -> sciflow.Run[Any]:
    """A run whose jobs were submitted and have ended, of which nobody has recorded anything: all were killed."""
    cluster.sign("submit")
    run = jobs.patiently.submit(xs=[0, 1])
    assert eventually((cluster.signs / "submitted").exists, timeout_s=PATIENCE_S)
    kill_helpers_and_engines(cluster)
    for process in cluster.bench.processes.all():  # the program, too
        process.kill()
    assert cluster.is_empty()
    cluster.sign("answer")
    return run


def test_a_submission_that_goes_on_when_all_that_began_it_were_killed_is_not_made_again(slow_sbatch: Cluster) -> None:
    cluster = slow_sbatch
    run = jobs.patiently.submit(xs=[0, 1])
    assert eventually((cluster.signs / "submitting").exists, timeout_s=PATIENCE_S)
    kill_helpers_and_engines(cluster)
    run.detach()
    assert eventually(cluster.helpers, timeout_s=PATIENCE_S)  # it looks for the submission
    cluster.sign("answer")
    time.sleep(1.0)
    cluster.sign("submit")
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101]
    assert set(cluster.notes("began").values()) == {1}
    names = [path.name for path in run.folder.glob("batches/*")]
    assert sum(cluster.finished()[name] for name in names) == 2


def test_a_submission_that_nobody_has_recorded_is_not_made_again_while_its_folder_is_out_of_sight(
    slow_sbatch: Cluster,
) -> None:
    cluster = slow_sbatch
    cluster.settings(host="", ssh_config="", marks_patience_s=60.0)
    run = unrecorded(cluster)
    folder = cluster.work_root / "runs" / run.id
    hidden = folder.rename(cluster.bench.folder / "hidden")
    run.detach()
    assert says(run, "is not there"), run.snapshot().message + engine_log(run)
    hidden.rename(folder)
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101]
    assert set(cluster.notes("began").values()) == {1}


def test_jobs_of_a_submission_that_nobody_has_recorded_before_they_ended_are_collected(slow_sbatch: Cluster) -> None:
    cluster = slow_sbatch
    run = unrecorded(cluster)
    assert run.resume(detach=False) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101]
    assert set(cluster.notes("began").values()) == {1}


def test_a_run_can_be_cancelled_whose_submission_has_outlived_all_that_began_it(
    slow_sbatch: Cluster,
) -> None:
    cluster = slow_sbatch
    (cluster.signs / "go on").unlink()
    run = jobs.patiently.submit(xs=[0, 1])
    assert eventually((cluster.signs / "submitting").exists, timeout_s=PATIENCE_S)
    kill_helpers_and_engines(cluster)
    cluster.sign("submit")
    cluster.sign("answer")
    run.cancel()
    assert run.phase == "Failed"
    assert cluster.is_empty(), cluster.queue()
    assert sum(cluster.finished()[path.name] for path in run.folder.glob("batches/*")) == 2
    cluster.sign("go on")
    run.retry(detach=False)
    assert run.phase == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101]
