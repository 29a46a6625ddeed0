"""Where an op runs: its folder, environment, secrets, logs, progress, and what it may ask and tell."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from sciflow import SciflowError, context, op, secret, workflow
from tests.conformance.table import Case, Refusal, only, raised, story

SECRET = "".join(reversed("'detouq' }}x{{ 3-&-rod4bu0rt"))  # as it is it shall not lie in this file, which travels


@op
def talk(x: int) -> int:
    print(f"out of {x}")
    print(f"err of {x}", file=sys.stderr)
    print(f"no newline {x}", end="", flush=True)
    os.write(1, b"|raw\n")
    return x


@workflow
def talking(numbers: list[int]) -> list[int]:
    return talk.options(chunk=4).map(x=numbers)


def _logs(run: Any) -> None:
    for i in range(8):
        assert run.logs(f"talk/{i}", stream="out") == f"out of {i}\nno newline {i}|raw\n"
        assert run.logs(f"talk/{i}", stream="err") == f"err of {i}\n"
        assert run.logs(f"talk/{i}") == f"out of {i}\nno newline {i}|raw\nerr of {i}\n"
    assert run.logs("talk/3", stream="out", tail=1) == "no newline 3|raw\n"
    assert run.logs("talk").count("out of") == 8


logs = Case(
    "standard output and standard error are kept apart, of every slice",
    talking,
    inputs={"numbers": list(range(8))},
    result=list(range(8)),
    check=_logs,
)


@op
def stdin_is_empty() -> str:
    return sys.stdin.read()


no_stdin = Case("standard input is empty", stdin_is_empty, result="")


@op
def where_am_i(i: int) -> list[str]:
    found = sorted(p.name for p in Path.cwd().iterdir())
    Path(f"left-{i}").write_text("x")
    return found


@workflow
def everywhere(numbers: list[int]) -> list[list[str]]:
    return where_am_i.options(chunk=3).map(i=numbers)


def _left(run: Any) -> None:
    run.fetch()
    assert [[p.name for p in task.folder.iterdir()] for task in run.tasks("where_am_i")] == [
        ["left-0"], ["left-1"], ["left-2"],
    ]  # fmt: skip


own_folder = Case(
    "every slice has an empty folder of its own, and what it leaves there is kept with it",
    everywhere,
    inputs={"numbers": [0, 1, 2]},
    result=[[], [], []],
    check=_left,
)


@op
def disturbs(i: int) -> list[str]:
    found = [
        Path.cwd().name, os.environ.get("DISTURBED", ""), str(logging.getLogger().level),
        str(signal.getsignal(signal.SIGUSR1)), str(len(sys.path)), str(os.umask(0o022)), f"{random.random():.3f}",
        str(len(warnings.filters)),
    ]  # fmt: skip
    os.chdir("/")
    os.environ["DISTURBED"] = "yes"
    logging.getLogger().setLevel(logging.DEBUG)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    sys.path.insert(0, "/nowhere")
    os.umask(0o077)
    random.seed(5)
    warnings.simplefilter("ignore")
    return found


@workflow
def disturbing(numbers: list[int]) -> list[list[str]]:
    return disturbs.options(chunk=3).map(i=numbers)


@story("an op that changes its process does not disturb the next slice")
def undisturbed(backend: Any) -> None:
    first, second, third = backend.run(disturbing, {"numbers": [0, 1, 2]}, workers=1).result
    assert first[:6] + first[7:] == second[:6] + second[7:] == third[:6] + third[7:]
    assert len({first[6], second[6], third[6]}) == 3, "random numbers repeat"


_CALLS: list[int] = []


@op
def calls(i: int) -> int:
    _CALLS.append(i)
    return len(_CALLS)


@workflow
def isolated(numbers: list[int]) -> list[int]:
    return calls.options(isolate=True).map(i=numbers)


@story("a slice has a fresh process on request")
def fresh_process(backend: Any) -> None:
    run = backend.run(isolated, {"numbers": [0, 1, 2, 3]})
    assert run.result == [1, 1, 1, 1]


@op
def seeds(i: int) -> tuple[int, float]:
    return context().seed, random.random()


@workflow
def seeded(numbers: list[int]) -> list[tuple[int, float]]:
    return seeds.map(i=numbers)


@story("a slice's seed is its own, and the same in every run")
def stable_seeds(backend: Any) -> None:
    one, two = (backend.run(seeded, {"numbers": [0, 1, 2, 3]}).result for _ in range(2))
    assert one == two
    assert len({seed for seed, _ in one}) == 4
    assert len({number for _, number in one}) == 4


@op(retries=1, backoff_s=0.0, retry_on=[ValueError], timeout_s=50)
def asks(i: int) -> list[object]:
    here = context()
    if i == 1 and here.attempt == 1:
        raise ValueError("once")
    assert here.seconds_left is not None
    return [here.path, here.key, here.attempt, 0 < here.seconds_left <= 50]


@workflow
def asking(numbers: list[int]) -> list[list[object]]:
    return asks.options(key="ask-{item}").map(i=numbers)


asked = Case(
    "an op is told its path, key, attempt and the seconds left",
    asking,
    inputs={"numbers": [0, 1]},
    result=[["asks/0", "ask-0", 1, True], ["asks/1", "ask-1", 2, True]],
)


@op
def tells(converged: bool) -> int:
    context().record(version="7.1", residual=0.25)
    if not converged:
        context().flag("not converged")
    return 1


@workflow
def telling(converged: list[bool]) -> list[int]:
    return tells.map(converged=converged)


def _told(run: Any) -> None:
    first, second = run.tasks("tells")
    assert first.facts == {"version": "7.1", "residual": 0.25}
    assert (first.flag, second.flag) == ("", "not converged")
    (step,) = run.snapshot().steps
    assert (step.flagged, step.failed, step.done) == (1, 0, 2)


facts = Case(
    "facts and a flag are recorded with the task, and a flagged one has not failed",
    telling,
    inputs={"converged": [True, False]},
    result=[1, 1],
    check=_told,
)


# --- where


@workflow
def placed(where: str) -> int:
    return reads_context.options(executor=where)()


by_value = Case("where a node runs may depend on an input", placed, inputs={"where": "local"}, result=1)


@workflow
def misplaced() -> int:
    return reads_context.options(executor="clutser")()


nowhere = Refusal("an executor that does not exist is refused before anything runs", misplaced, says=("clutser",))


# --- environment and secrets


@op(env={"MODE": "from the op", "HOSTILE": "a'b\"c $(touch x) {{y}}\nd"})
def environment(name: str) -> str:
    return os.environ.get(name, "unset")


@workflow
def environments() -> list[str]:
    other = environment.options(env={"MODE": "from the call"})
    return [environment("MODE"), environment("HOSTILE"), other("MODE"), plain_environment("MODE")]


@op
def plain_environment(name: str) -> str:
    return os.environ.get(name, "unset")


variables = Case(
    "an op has the environment that it or its call asks for, and no other has it",
    environments,
    result=["from the op", "a'b\"c $(touch x) {{y}}\nd", "from the call", "unset"],
)


@op
def uses_secret(fail: bool) -> int:
    if fail:
        raise RuntimeError("the secret is not told here")
    return len(os.environ["TOKEN"]) + len(os.environ["FROM_FILE"])


@story("a secret by reference reaches the op, and its value appears in no file, log or database")
def secrets(backend: Any) -> None:
    file = backend.desk.parent / "token.txt"
    file.write_text(SECRET + "\n")
    backend.dial(SECRET)
    env = {"TOKEN": secret(env="CONFORMANCE_DIAL"), "FROM_FILE": secret(file=str(file))}

    @workflow
    def secretive(fail: bool) -> int:
        return uses_secret.options(env=env)(fail)

    good = backend.run(secretive, {"fail": False})
    assert good.result == 2 * len(SECRET)
    bad = backend.run(secretive, {"fail": True})
    assert bad.phase.value == "Failed"
    for run in (good, bad):
        assert SECRET[:10] not in run.report()
        assert SECRET[:10] not in repr(run.tasks())
        assert SECRET[:10] not in repr(run.graph())
    folders = (backend.desk, Path(f"{backend.desk}-scratch"))  # what a place works in, should it be another one
    places = [p for folder in folders for p in folder.rglob("*") if p.is_file()]
    assert places
    assert not [p for p in places if SECRET[:10].encode() in p.read_bytes()]


@story("a secret that is not there fails the task and names the secret")
def missing_secret(backend: Any) -> None:
    @workflow
    def secretive() -> str:
        return plain_environment.options(env={"TOKEN": secret(env="NEVER_SET_ANYWHERE")})("TOKEN")

    error = raised(SciflowError, lambda: backend.run(secretive, {}).wait(check=True))
    assert "NEVER_SET_ANYWHERE" in str(error)


# --- progress


@op
def slow_counter(steps: int) -> int:
    for i in range(steps):
        context().progress(i, steps, f"step {i}")
        time.sleep(0.03)
    return steps


@workflow
def counting(steps: int) -> int:
    return slow_counter(steps)


@story("what an op says with its progress is seen, too")
def progress_text(backend: Any) -> None:
    steps = 40 + 1200 // backend.long
    run = backend.start(counting, {"steps": steps})
    said = {step.message for picture in run.watch(interval_s=0.03) for step in picture.steps if step.message}
    assert any(f"/{steps} step" in message for message in said), said


@story("progress is seen from inside an op while it runs, and the run's counts with it")
def progress(backend: Any) -> None:
    steps = 40 + 3600 // backend.long  # a place is not looked at all the time
    run = backend.start(counting, {"steps": steps})
    said = {step.message for picture in run.watch(interval_s=0.03) for step in picture.steps if step.message}
    assert any(f"/{steps}" in message for message in said), said
    (step,) = run.snapshot().steps
    assert (step.path, step.total, step.done, step.running) == ("slow_counter", 1, 1, 0)
    assert run.result == steps


@op
def leaves_child(i: int) -> int:
    import subprocess

    return subprocess.Popen(["sleep", "300"], stdout=subprocess.DEVNULL).pid


@op
def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "sleep\n"
    except FileNotFoundError:
        return False


@workflow
def leaving(i: int) -> bool:
    return is_alive(leaves_child(i))


children = Case("a process that an op leaves behind is ended with it", leaving, inputs={"i": 1}, result=False)


@op
def reads_context() -> int:
    return context().attempt


@story("an op is a plain function outside a run, and its context answers with defaults")
def outside(backend: Any) -> None:
    assert reads_context() == 1
    assert talk.map(x=[1, 2]) == [1, 2]
    assert only(backend.run(reads_context, {}), "reads_context").output == 1
