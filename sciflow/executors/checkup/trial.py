"""A job that is really submitted: does it start, does its node see our folder, does the runner run there?"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sciflow.core.graph import Resources
from sciflow.errors import ConfigError, HostError, QueueUnavailable, SubmissionRefused
from sciflow.executors.batch.handover import Submitted
from sciflow.executors.checkup.finding import Finding, bad, note, ok
from sciflow.executors.checkup.visit import Visit
from sciflow.executors.containers.box import Box, Mount
from sciflow.executors.containers.launch import argv_of
from sciflow.executors.systems.system import JobState, State, Submission
from sciflow.executors.transports.transport import Output

ASK_S = 60.0
FIRST_PAUSE_S, LAST_PAUSE_S = 0.3, 5.0
GONE_S = 15.0  # after which a job that no queue lists and that wrote nothing is given up
WALLTIME_S = 300.0
TAIL = 1500  # characters of what a job said

# Constant program text, run on a node: reads what was sent, loads the runner, and tells where it is.
PROBE = """
import json, os, sys
folder, runner, element = sys.argv[1:4]
word = open(os.path.join(folder, "word")).read()
sys.path.insert(0, runner)
import sciflow.runner.element
host, cores = os.uname().nodename, len(os.sched_getaffinity(0))
told = {"word": word, "host": host, "python": sys.version.split()[0], "cores": cores}
with open(os.path.join(folder, "told.new"), "w") as file:
    json.dump(told, file)
os.rename(os.path.join(folder, "told.new"), os.path.join(folder, "told"))
"""


def test_job(visit: Visit) -> Iterator[Finding]:
    """Submits a job of one core, waits for it, and removes all of it."""
    folder = visit.folder
    try:
        job = _submit(visit, folder)
        yield from _wait(visit, folder, job)
    except ConfigError as error:
        yield bad("test job", str(error), f"correct {visit.table}")
    except SubmissionRefused as error:
        fix = f"the batch system's own words say what it wants: queue, account, qos, walltime_s, extra in {visit.table}"
        yield bad("test job", str(error), fix)
    except HostError as error:
        yield bad("test job", str(error), "try again later")
    finally:
        _remove(visit, folder)


test_job.__test__ = False  # type: ignore[attr-defined]  # no test of pytest's


def _submit(visit: Visit, folder: str) -> str:
    depot, settings = visit.depot, visit.settings
    submission = Submission(
        name=f"sciflow-{visit.mark}",
        folder=folder,
        elements=1,
        resources=Resources(),
        walltime_s=min(settings.walltime_s or WALLTIME_S, WALLTIME_S),
        site=settings.site,
        command=_command(visit, folder),
    )
    script = visit.system.script(submission)
    depot.run(("mkdir", "-p", f"{folder}/out"))
    _put(visit, script, f"{folder}/script.sh")
    _put(visit, visit.mark, f"{folder}/word")
    command = visit.system.submit(f"{folder}/script.sh")
    request = {
        "dir": folder,
        "name": submission.name,
        "argv": command.argv,
        "find": {"argv": visit.system.queue().argv},
        "timeout_s": ASK_S,
        "secrets": {},
    }
    said = depot.ask("submit", request, Submitted, timeout_s=ASK_S + 30)
    return command.parse(Output(code=said.code, stdout=said.stdout.encode(), stderr=said.stderr.encode()))


def _command(visit: Visit, folder: str) -> tuple[str, ...]:
    probe = ("-c", PROBE, folder, visit.depot.runner)
    box = _box(visit)
    if box is None:
        return (visit.depot.python, *probe)
    return argv_of(
        box, (box.python, *probe), mounts=[Mount(source=folder, write=True), Mount(source=visit.depot.runner)]
    )


def _box(visit: Visit) -> Box | None:
    """The container in which the job is tried; engines that are told a user must be called there."""
    box = visit.settings.box
    return box if box is not None and box.image and (box.engine == "apptainer" or not visit.settings.host) else None


def _put(visit: Visit, text: str, target: str) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="sciflow-") as file:
        file.write(text)
        file.flush()
        visit.depot.transport.put(Path(file.name), target, timeout_s=ASK_S)


def _wait(visit: Visit, folder: str, job: str) -> Iterator[Finding]:
    begin = time.monotonic()
    pause, listed, state = FIRST_PAUSE_S, begin, None
    while True:
        told = _told(visit, folder)
        now = time.monotonic()
        if told is not None:
            yield _success(visit, told, job, now - begin)
            yield from _words(visit, folder)
            return
        died = _text(visit, f"{folder}/died/0")
        if died and _told(visit, folder) is not None:  # written before, seen after
            continue
        found = None if died else _state(visit, job)
        state, listed = (found, now) if found is not None else (state, listed)
        if died or now - listed > GONE_S:
            yield _failure(visit, folder, job, died.strip())
            return
        if now - begin > visit.wait_s:
            _cancel(visit, job)
            yield _late(visit, job, state)
            return
        time.sleep(pause)
        pause = min(1.5 * pause, LAST_PAUSE_S)


def _told(visit: Visit, folder: str) -> Mapping[str, Any] | None:
    text = _text(visit, f"{folder}/told")
    return json.loads(text) if text else None


def _text(visit: Visit, path: str) -> str:
    said = visit.depot.run(("tail", "-c", "4000", path))
    return said.stdout.decode(errors="replace") if said.code == 0 else ""


def _state(visit: Visit, job: str) -> JobState | None:
    command = visit.system.queue()
    try:
        states = command.parse(visit.depot.run(command.argv, timeout_s=ASK_S))
    except QueueUnavailable:
        return JobState(job=job, state=State.UNKNOWN)  # it has not said that the job is gone
    return next((state for state in states if state.job == job and not state.state.ended), None)


def _success(visit: Visit, told: Mapping[str, Any], job: str, seconds: float) -> Finding:
    if told["word"] != visit.mark:
        return bad(
            "test job", f"job {job} read something else than was sent", "is work_root one file system everywhere?"
        )
    facts = f"Python {told['python']}, {told['cores']} core{'s' * (told['cores'] > 1)}"
    box = _box(visit)
    place = f"in a container of {box.image}" if box is not None else f"on {told['host']}"
    return ok("test job", f"job {job} ran {place} ({facts}) and was heard of after {seconds:.1f} s")


def _words(visit: Visit, folder: str) -> Iterator[Finding]:
    """What the job printed although it ended well: a prologue that does not do what it should."""
    said = _text(visit, f"{folder}/out/0").strip()[-TAIL:]
    if said:
        yield note("test job printed", said, f"if this is not as it should be: `prologue` in {visit.table}")


def _failure(visit: Visit, folder: str, job: str, code: str) -> Finding:
    said = _text(visit, f"{folder}/out/0").strip()[-TAIL:]
    accounted = _accounted(visit, job)
    known = [f"exit code {code}"] if code else []
    known += [_words_of(state) for state in accounted[:1]]
    found = f"job {job} ended without success: {', '.join(known) or 'it left the queue and wrote nothing'}"
    if said:
        return bad("test job", f"{found}\n{said}", _mend(visit, said, code))
    fix = (
        f"do the nodes see {folder}? work_root must lie on a file system that they share with {visit.where}; "
        "a login shell there can tell: run `df` in a job"
    )
    return bad("test job", found, fix)


def _mend(visit: Visit, said: str, code: str) -> str:
    box = _box(visit)
    if box is not None and (code == "127" or "not found" in said):
        return f"has the image a Python 3.9 or newer, called {box.python}? Ops of `command(...)` need none"
    if box is not None:
        return f"the words of {box.engine} are above: correct `image`, `mounts` or `arguments` in {visit.table}"
    if "word" in said and "No such file" in said:
        return "the node does not see work_root: choose a folder on a file system that the nodes share"
    if code == "127" or "not found" in said:
        where = f"`python` in {visit.table}"
        return f"the node has no such program: set {where} to a path that the nodes have, or load it in `prologue`"
    return f"the job's own words are above: correct `python`, `prologue` or `extra` in {visit.table}"


def _accounted(visit: Visit, job: str) -> Sequence[JobState]:
    command = visit.system.accounting([job])
    try:
        return [state for state in command.parse(visit.depot.run(command.argv, timeout_s=ASK_S)) if state.job == job]
    except HostError:
        return []


def _words_of(state: JobState) -> str:
    return f"{state.state.value} ({state.reason})" if state.reason else state.state.value


def _late(visit: Visit, job: str, state: JobState | None) -> Finding:
    known = _words_of(state) if state is not None else "not listed"
    found = f"job {job} did not end within {visit.wait_s:.0f} s and was cancelled; it was {known}"
    fix = "a busy queue is no fault: try again with more time, --wait-s 3600, or with a queue for tests"
    return note("test job", found, fix)


def _cancel(visit: Visit, job: str) -> None:
    command = visit.system.cancel([job])
    command.parse(visit.depot.run(command.argv, timeout_s=ASK_S))


def _remove(visit: Visit, folder: str) -> None:
    try:
        visit.depot.run(("rm", "-rf", folder))
    except HostError:
        return  # what is left is small, and said to be a doctor's
