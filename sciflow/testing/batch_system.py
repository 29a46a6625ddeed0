"""What every batch system must do: as text, and, where its programs are there, in truth."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest

from sciflow.core.graph import Resources
from sciflow.errors import ConfigError, HostRefused, QueueUnavailable, SubmissionRefused
from sciflow.executors.systems.system import BatchSystem, Command, JobState, Part, Site, State, Submission
from sciflow.executors.transports.transport import Output

T = TypeVar("T")
Run: TypeAlias = Callable[[Sequence[str], Path], Output]
PATIENCE_S = 60.0


def submission(
    folder: Path, program: str, *, elements: int = 3, site: Site | None = None, **more: object
) -> Submission:
    """One that calls a bash program with the element's number as `$1`; it says that it is done by `touch done/$1`."""
    for name in ("out", "done", "live"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Submission(
        name=f"b-{folder.name}",
        folder=str(folder),
        elements=elements,
        resources=Resources(),
        site=site or Site(),
        command=("bash", "-c", program, "element"),
        **more,  # type: ignore[arg-type]
    )


class BatchSystemContract:
    """Asks for the fixture `system`, and for what tells an element its number."""

    def environment(self, element: int) -> Mapping[str, str]:
        """The variables by which the system tells a script which element (from 0) it is."""
        raise NotImplementedError

    def start(self, system: BatchSystem, wanted: Submission, element: int) -> subprocess.Popen[bytes]:
        """Runs the script here as the system would."""
        path = Path(wanted.folder) / "script.sh"
        path.write_text(system.script(wanted))
        env = {"PATH": os.environ["PATH"], **self.environment(element)}
        return subprocess.Popen(["/bin/bash", str(path)], env=env, stdin=subprocess.DEVNULL)

    @pytest.mark.parametrize("element", [0, 1, 41])
    def test_a_script_runs_the_element_that_its_number_names(
        self, system: BatchSystem, tmp_path: Path, element: int
    ) -> None:
        wanted = submission(tmp_path, 'touch "done/$1"', elements=50)
        assert self.start(system, wanted, element).wait() == 0
        assert [path.name for path in (tmp_path / "done").iterdir()] == [str(element)]
        assert not (tmp_path / "died").exists()

    @pytest.mark.parametrize(("program", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("no-such-program", 127)])
    def test_an_element_that_ends_without_being_done_leaves_its_exit_code(
        self, system: BatchSystem, tmp_path: Path, program: str, code: int
    ) -> None:
        assert self.start(system, submission(tmp_path, program), 2).wait() == code
        assert (tmp_path / "died" / "2").read_text() == f"{code}\n"

    def test_a_prologue_that_ends_the_script_leaves_its_exit_code(self, system: BatchSystem, tmp_path: Path) -> None:
        wanted = submission(tmp_path, "true", site=Site(prologue=("set -e", "false")))
        assert self.start(system, wanted, 0).wait() == 1
        assert (tmp_path / "died" / "0").read_text() == "1\n"

    def test_an_element_that_is_started_again_has_not_died(self, system: BatchSystem, tmp_path: Path) -> None:
        self.start(system, submission(tmp_path, "exit 3"), 0).wait()
        self.start(system, submission(tmp_path, 'touch "done/$1"'), 0).wait()
        assert list((tmp_path / "died").iterdir()) == []

    @pytest.mark.parametrize(("sent", "told"), [("TERM", "TERM"), ("USR1", "USR1"), ("USR2", "USR1")])
    def test_a_warning_reaches_the_runner(self, system: BatchSystem, tmp_path: Path, sent: str, told: str) -> None:
        program = f"trap 'touch \"done/$1\"; exit 0' {told}; touch live/$1; while :; do sleep 0.05; done"
        process = self.start(system, submission(tmp_path, program), 0)
        wait_for((tmp_path / "live" / "0").exists)
        subprocess.run(["kill", "-s", sent, str(process.pid)], check=True)
        assert process.wait(PATIENCE_S) == 0
        assert (tmp_path / "done" / "0").exists()

    @pytest.mark.parametrize("field", ["queue", "account"])
    @pytest.mark.parametrize("value", ["a\nb", "a\rb", "$(touch x)", "a b", "`x`", "a;b", "a\u2028b"])
    def test_text_that_would_be_more_than_a_directive_is_refused(
        self, system: BatchSystem, tmp_path: Path, field: str, value: str
    ) -> None:
        with pytest.raises(ConfigError):
            system.script(submission(tmp_path, "true", site=Site(**{field: value})))  # type: ignore[arg-type]

    def test_a_further_directive_of_two_lines_is_refused(self, system: BatchSystem, tmp_path: Path) -> None:
        with pytest.raises(ConfigError):
            system.script(submission(tmp_path, "true", site=Site(extra=("--x\nrm -r y",))))

    def test_a_program_that_is_not_there_is_told_to_the_user(self, system: BatchSystem) -> None:
        absent = Output(code=127, stderr=b"sh: 1: exec: program: not found")
        for command in commands(system):
            with pytest.raises(HostRefused):
                command.parse(absent)

    def test_a_failure_is_never_taken_for_an_empty_queue(self, system: BatchSystem) -> None:
        for words in (b"", b"something that nobody has seen before"):
            for command in (system.queue(), system.accounting(["1"])):
                with pytest.raises(QueueUnavailable):
                    command.parse(Output(code=1, stderr=words + b"\nConnection refused"))


class LiveBatchSystemContract(BatchSystemContract):
    """Asks for the fixtures `system` and `run`, which runs an argv in a folder where the system's programs are."""

    tells_exit_codes = True

    def test_elements_of_a_job_run_once_each(self, system: BatchSystem, run: Run, tmp_path: Path) -> None:
        job = self.submit(system, run, submission(tmp_path, 'echo "$1" >> log; touch "done/$1"', elements=12))
        wait_for(lambda: len(list((tmp_path / "done").iterdir())) == 12)
        wait_for(lambda: not self.seen(system, run, job))
        assert sorted(map(int, (tmp_path / "log").read_text().split())) == list(range(12))

    def test_a_job_has_the_secrets_of_its_submission_and_the_queue_does_not_tell_them(
        self, system: BatchSystem, run: Run, tmp_path: Path
    ) -> None:
        program = 'echo "$SCIFLOW_SECRET_0" > seen; while [ ! -e enough ]; do sleep 0.1; done; touch "done/$1"'
        wanted = submission(tmp_path, program, elements=1, secrets=("SCIFLOW_SECRET_0",))
        (tmp_path / "script.sh").write_text(system.script(wanted))
        command = system.submit("script.sh")
        job = command.parse(run(("env", "SCIFLOW_SECRET_0=a hidden/word", *command.argv), tmp_path))
        wait_for((tmp_path / "seen").exists)
        said = run(system.queue().argv, tmp_path)
        (tmp_path / "enough").touch()
        wait_for((tmp_path / "done" / "0").exists)
        assert (tmp_path / "seen").read_text() == "a hidden/word\n"
        assert job in said.stdout.decode()
        assert b"hidden" not in said.stdout
        assert not any("hidden" in path.read_text() for path in tmp_path.iterdir() if path.name == "script.sh")

    def test_a_queue_names_each_element_and_the_submission(self, system: BatchSystem, run: Run, tmp_path: Path) -> None:
        job = self.submit(system, run, submission(tmp_path, "sleep 60", elements=5, throttle=1))
        wait_for(lambda: any(state.state is State.RUNNING for state in self.seen(system, run, job).values()))
        found = self.seen(system, run, job)
        self.call(run, system.cancel([job]))
        assert [element for element in range(5) if element not in found and None not in found] == []
        assert sum(state.state is State.RUNNING for state in found.values()) == 1
        assert {state.name for state in found.values()} == {f"b-{tmp_path.name}"}
        wait_for(lambda: not self.seen(system, run, job))

    def test_accounting_tells_how_elements_ended(self, system: BatchSystem, run: Run, tmp_path: Path) -> None:
        job = self.submit(system, run, submission(tmp_path, 'exit "$1"', elements=3))
        wait_for(lambda: not self.seen(system, run, job))
        wait_for(lambda: len(self.ended(system, run, job)) == 3)
        found = self.ended(system, run, job)
        assert [found[k].state for k in range(3)] == [State.SUCCEEDED, State.FAILED, State.FAILED]
        if self.tells_exit_codes:
            assert [found[k].exit_code for k in range(3)] == [0, 1, 2]

    def test_one_element_is_cancelled_and_its_neighbours_go_on(
        self, system: BatchSystem, run: Run, tmp_path: Path
    ) -> None:
        program = '[ "$1" = 1 ] && { touch live/1; sleep 60; }; touch "done/$1"'
        job = self.submit(system, run, submission(tmp_path, program, elements=3))
        wait_for((tmp_path / "live" / "1").exists)
        self.call(run, system.cancel([Part(job, [1])]))
        wait_for(lambda: not self.seen(system, run, job))
        assert sorted(path.name for path in (tmp_path / "done").iterdir()) == ["0", "2"]

    def test_to_cancel_what_has_ended_or_never_was_is_no_error(
        self, system: BatchSystem, run: Run, tmp_path: Path
    ) -> None:
        job = self.submit(system, run, submission(tmp_path, 'touch "done/$1"', elements=2))
        wait_for(lambda: not self.seen(system, run, job))
        self.call(run, system.cancel([job]))

    def test_a_queue_that_is_not_there_is_refused_in_the_systems_words(
        self, system: BatchSystem, run: Run, tmp_path: Path
    ) -> None:
        try:
            wanted = system.script(submission(tmp_path, "true", site=Site(queue="no-such")))
        except ConfigError:
            return  # it has none at all
        (tmp_path / "script.sh").write_text(wanted)
        with pytest.raises(SubmissionRefused):
            self.call(run, system.submit("script.sh"), tmp_path)

    def test_limits_are_told(self, system: BatchSystem, run: Run) -> None:
        assert self.call(run, system.limits()).version

    def submit(self, system: BatchSystem, run: Run, wanted: Submission) -> str:
        """The id of a job that was submitted."""
        folder = Path(wanted.folder)
        (folder / "script.sh").write_text(system.script(wanted))
        return self.call(run, system.submit("script.sh"), folder)

    def call(self, run: Run, command: Command[T], folder: Path = Path("/")) -> T:
        """What a command of the system says."""
        return command.parse(run(command.argv, folder))

    def seen(self, system: BatchSystem, run: Run, job: str) -> dict[int | None, JobState]:
        """What the queue says of a job's elements that have not ended."""
        states = self.call(run, system.queue())
        return {state.element: state for state in states if state.job == job and not state.state.ended}

    def ended(self, system: BatchSystem, run: Run, job: str) -> dict[int | None, JobState]:
        """What the accounting says of a job's elements that have ended."""
        states = self.call(run, system.accounting([job]))
        return {state.element: state for state in states if state.job == job and state.state.ended}


def commands(system: BatchSystem) -> Sequence[Command[Any]]:
    """All that a system can be asked."""
    return [system.submit("s"), system.queue(), system.accounting(["1"]), system.cancel(["1"]), system.limits()]


def wait_for(happened: Callable[[], object]) -> None:
    """Waits for something, and fails when it does not come."""
    until = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.1)
