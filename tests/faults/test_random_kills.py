"""`kill -9` at random moments, over and over: nothing is lost, and nothing that was recorded runs again.

SCIFLOW_TEST_KILLS sets how many kills there are in all; SCIFLOW_TEST_SEED repeats a sequence of moments.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

import sciflow
from tests.faults.harness import NEEDS_LINUX, Bench, Record, eventually, integrity
from tests.faults.programs import kills

KILLS = int(os.environ.get("SCIFLOW_TEST_KILLS", "100"))
SEED = os.environ.get("SCIFLOW_TEST_SEED", "")
ANSWER = 7
SUCCEEDED = 2
PER_WORKER = 4  # tasks of 12 ms: one runs, another has just ended, two have ended since ends were last written down
MOST_SESSIONS = 400

pytestmark = [pytest.mark.faults, NEEDS_LINUX, pytest.mark.timeout(60 + 2 * KILLS)]


@dataclass(frozen=True)
class Case:
    """A workflow to be killed; `in_flight` bounds how many tasks two workers may have begun and not recorded."""

    workflow: sciflow.Workflow[..., Any]
    inputs: dict[str, Any]
    in_flight: int = 2 * PER_WORKER


CASES = {
    "chain": Case(kills.chain, {"x": 5}, in_flight=PER_WORKER),
    "fan": Case(kills.fan, {"xs": list(range(120))}),
    "fan without retries": Case(kills.fan_without_retries, {"xs": list(range(100))}),
    "fan of quick slices": Case(kills.fan_of_quick_slices, {"xs": list(range(3000))}, in_flight=160),
    "fan of a workflow that fans": Case(kills.fan_of_fans, {"xs": list(range(14))}),
    "retries": Case(kills.retries, {"xs": list(range(60))}, in_flight=2 * 6),  # of 5 ms each
    "files": Case(kills.files, {"xs": list(range(40))}),
    "large values": Case(kills.large_values, {"xs": list(range(40))}),
    "cache": Case(kills.cached, {"xs": list(range(100))}),
    "suspension": Case(kills.suspension, {"xs": list(range(60))}),
}


@dataclass
class Ordeal:
    """One workflow's runs under fire."""

    case: Case
    bench: Bench
    dice: random.Random
    wanted: int
    kills: Counter[str] = field(default_factory=Counter)
    twice: int = 0  # tasks that ran again, in all
    runs: int = 0

    def undisturbed(self) -> Any:
        result = self.case.workflow.options(runs=self.bench.folder / "calm").run(**self.case.inputs)
        if result.phase == "Suspended":
            result.resume(ANSWER)
        return result.result

    def go(self) -> None:
        expected = self.undisturbed()
        os.environ["FAULTS_SLOW"] = "1"
        while self.kills.total() < self.wanted:
            self.bench.tally.path.unlink(missing_ok=True)
            runs = self.bench.folder / f"runs-{self.runs}"  # a cache of its own
            run = self.case.workflow.options(runs=runs).submit(**self.case.inputs)
            self._torment(run)
            self.runs += 1
            assert run.result == expected
            assert (run.folder / "work").exists()
            assert not list((run.folder / "work").iterdir())
            for database in (run.folder / "run.db", *runs.glob("cache.db")):
                assert integrity(database) == "ok"

    def _torment(self, run: sciflow.Run[Any]) -> None:
        """Kills and goes on until the run has succeeded."""
        before, begun, deaths = Record({}, 0), Counter[str](), 0
        for _ in range(MOST_SESSIONS):
            killed = self._disturb(run)
            deaths += killed == "worker"
            if killed == "worker":
                continue
            record, tally = Record.of(run.folder), self.bench.tally.read()
            self._compare(before, begun, record, tally, in_flight=self.case.in_flight + deaths)
            before, begun, deaths = record, tally, 0
            if killed == "" and run.phase == "Succeeded":
                return
            _go_on(run)
        raise AssertionError(f"{run.id} did not come to its end in {MOST_SESSIONS} sessions: {run.report()}")

    def _compare(
        self, before: Record, begun: Counter[str], record: Record, tally: Counter[str], *, in_flight: int
    ) -> None:
        kept = {path: end for path, end in before.tasks.items() if end.phase == SUCCEEDED}
        assert {path: record.tasks.get(path) for path in kept} == kept, "a recorded end has changed"
        assert {path: tally[path] for path in kept} == {path: begun[path] for path in kept}, "a recorded task ran again"
        ends = sum(end != before.tasks.get(path) for path, end in record.tasks.items())
        ends += record.attempts - before.attempts
        unrecorded = (tally - begun).total() - ends
        assert unrecorded <= in_flight, f"{unrecorded} tasks had begun and were not recorded"
        self.twice += max(0, unrecorded)

    def _disturb(self, run: sciflow.Run[Any]) -> str:
        """Waits for a random moment and kills something; what it was, nothing if the engine had ended before."""
        processes = self.bench.processes
        if self.kills.total() >= self.wanted:  # enough: let it come to its end
            assert eventually(lambda: run.phase.ended or run.phase == "Suspended")
            assert processes.gone(), processes.all()
            return ""
        if self.dice.random() < 0.7:
            size = _size(self.bench)
            eventually(lambda: _size(self.bench) > size or not processes.engines(), pause_s=0.004)
        time.sleep(self.dice.uniform(0, 0.12))
        engines = processes.engines()
        target = self.dice.choices(("engine", "worker", "everything"), (4, 3, 3))[0]
        if not engines:
            assert processes.gone(), processes.all()
            return ""
        if target == "worker":
            workers = processes.workers()
            if not workers:
                return "worker"
            self.dice.choice(workers).kill(group=self.dice.random() < 0.5)
            self.kills[target] += 1
            return target
        victims = engines if target == "engine" else self.dice.sample(found := processes.all(), len(found))
        for victim in victims:
            victim.kill()
        self.kills[target] += 1
        assert processes.gone(), f"left after the engine was killed: {processes.all()}"
        return target


def _size(bench: Bench) -> int:
    return bench.tally.path.stat().st_size if bench.tally.path.exists() else 0


def _go_on(run: sciflow.Run[Any]) -> None:
    """Starts an engine and does not wait for it, so that it may be killed in its first moments."""
    match run.phase:
        case "Suspended":
            run.resume(ANSWER)
        case "Failed":
            run.detach(reopen=True)
        case _:
            run.detach()


@pytest.mark.parametrize("name", CASES)
def test_a_run_that_is_killed_again_and_again_comes_to_the_same_end(
    name: str, bench: Bench, record_property: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTS_SLOW", "")
    wanted = -(-KILLS // len(CASES))
    ordeal = Ordeal(CASES[name], bench, random.Random(SEED or f"{name}{time.time_ns()}"), wanted)
    ordeal.go()
    told = f"{dict(ordeal.kills)} kills in {ordeal.runs} runs; {ordeal.twice} tasks ran twice"
    record_property("kills", told)
    print(f"{name}: {told}")
