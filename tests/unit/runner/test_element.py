"""Elements of array jobs: `python X.zip element BATCH K`, on the oldest Python that can be had, and on this one."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from node_driver import PYTHONS, Node, ending, wait_until

from sciflow.executors.worker import death

TROUBLE = """
    import os, signal, subprocess, sys, time
    from pathlib import Path

    def f(x: str) -> str:
        print("now", x, flush=True)
        if x == "exit":
            os._exit(5)
        if x == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if x == "sleep":
            time.sleep(60)
        if x == "polite":
            def stop(*_):
                raise KeyboardInterrupt
            signal.signal(signal.SIGTERM, stop)
            time.sleep(60)
        if x == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(60)
        if x == "raise":
            raise ValueError("no")
        if x == "daemon":
            subprocess.Popen(["sleep", "61"], start_new_session=True)
            os._exit(1)
        if x.startswith("for "):
            time.sleep(float(x[4:]))
        if x == "env":
            return " ".join(os.environ.get(n, "-") for n in ("A", "TOKEN", "SCIFLOW_SECRET_0"))
        return x.upper()

    def file(x: str) -> Path:
        Path("out.txt").write_text(x)
        return Path("out.txt")
"""


@pytest.fixture(params=list(PYTHONS))
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Node:
    python = PYTHONS[request.param]
    if python is None:
        pytest.skip("no Python 3.9 or 3.10 is installed here")
    return Node(tmp_path, python)


def test_its_tasks_are_run_in_order_and_their_replies_are_a_file(node: Node) -> None:
    batch = node.batch(TROUBLE, ["a", "b"], ["c"])
    assert batch.run(0).returncode == 0
    assert batch.run(1).returncode == 0
    assert [reply[2:4] for reply in batch.ended().values()] == [["Succeeded", "A"], ["Succeeded", "B"]]
    assert list(batch.ended()) == [1, 2]
    assert batch.closing()["left"] == []
    assert batch.closing()["why"] == ""
    assert list(batch.ended(1)) == [1 << 20 | 1]
    assert batch.log() == "now a\nnow b\n"
    assert [reply[6] for reply in batch.ended().values()] == [6, 12]
    assert not list((batch.folder / "live").iterdir())
    assert not list((node.root / "work").iterdir())


def test_a_task_that_ends_its_process_takes_no_other_with_it(node: Node) -> None:
    batch = node.batch(TROUBLE, ["a", "exit", "b", "crash", "raise", "c"])
    assert batch.run().returncode == 0
    assert [reply[2] for reply in batch.ended().values()] == [
        "Succeeded", "Error", "Succeeded", "Error", "Failed", "Succeeded"
    ]  # fmt: skip
    for number, code in ((2, 5), (4, -signal.SIGSEGV)):
        expected = death(code)
        error = batch.error(number)
        assert (error["kind"], error["message"]) == ("died", expected.message)
        assert (error["exit_code"], error["signal"]) == (expected.exit_code, expected.signal)


def test_what_a_dead_task_has_left_running_is_ended(node: Node) -> None:
    batch = node.batch(TROUBLE, ["daemon", "a"])
    assert batch.run().returncode == 0
    assert [reply[2] for reply in batch.ended().values()] == ["Error", "Succeeded"]
    marks = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _reads(path) == b"sleep\x0061\x00"]
    assert not [path for path in marks if str(node.root) in str(path.with_name("cwd").readlink())]


def _reads(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("how", ["sleep", "stubborn"])
def test_a_task_that_runs_longer_than_its_limit_is_ended_and_the_next_one_runs(node: Node, how: str) -> None:
    batch = node.batch(TROUBLE, ["a", how, "b"], options={"timeout_s": 0.7})
    began = time.monotonic()
    assert batch.run().returncode == 0
    assert time.monotonic() - began < 15
    assert [reply[2] for reply in batch.ended().values()] == ["Succeeded", "Failed", "Succeeded"]
    error = batch.error(2)
    assert error["kind"] == "timeout"
    assert error["type"] == "builtins:TimeoutError"
    assert error["message"] == "it ran longer than its time limit of 0.7 s"


def test_a_module_that_kills_whoever_imports_it_costs_each_task_and_never_hangs(node: Node) -> None:
    batch = node.batch("import os\nos._exit(3)\ndef f(x: str) -> str: ...", ["a", "b"])
    assert batch.run().returncode == 0
    assert [reply[2] for reply in batch.ended().values()] == ["Error", "Error"]
    assert batch.error(1)["exit_code"] == 3


def test_an_op_that_cannot_be_loaded_is_said_of_each_task(node: Node) -> None:
    batch = node.batch("import nothing_of_that_name\ndef f(x: str) -> str: ...", ["a", "b"])
    assert batch.run().returncode == 0
    assert batch.lines()[0][0] == 2
    assert {batch.error(number)["kind"] for number in (1, 2)} == {"code"}


def test_an_element_without_tasks_only_loads_its_op(node: Node) -> None:
    batch = node.batch(TROUBLE, [])
    assert batch.run().returncode == 0
    assert [line[0] for line in batch.lines()] == [2, 3]


def test_an_element_without_tasks_whose_op_kills_says_so(node: Node) -> None:
    batch = node.batch("import os\nos._exit(3)", [])
    assert batch.run().returncode == 0
    assert batch.lines()[0][:3] == [2, 1, None]
    assert batch.lines()[0][3]["kind"] == "died"


# --- time of the allocation


def test_what_would_not_end_in_time_is_handed_back(node: Node) -> None:
    batch = node.batch(TROUBLE, ["for 0.5"] * 20, walltime_s=2.5)
    began = time.monotonic()
    assert batch.run().returncode == 0
    assert time.monotonic() - began < 8
    told = batch.closing()
    assert told["why"] == "time"
    assert sorted([*batch.ended(), *told["left"]]) == list(range(1, 21))
    assert 1 <= len(batch.ended()) <= 4


def test_a_task_that_does_not_fit_is_cut_at_the_end_and_named(node: Node) -> None:
    batch = node.batch(TROUBLE, ["a", "sleep", "b"], walltime_s=1.5)
    assert batch.run().returncode == 0
    told = batch.closing()
    assert (told["why"], told["left"]) == ("time", [2, 3])
    assert told["cut"]["number"] == 2
    assert told["cut"]["seconds"] > 0.2


def test_the_batch_system_knows_better_when_the_end_is(node: Node) -> None:
    batch = node.batch(TROUBLE, ["a", "sleep"], walltime_s=3600)
    assert batch.run(SLURM_JOB_END_TIME=str(int(time.time()) + 2)).returncode == 0
    assert batch.closing()["why"] == "time"


def test_a_limit_as_long_as_the_allocation_does_not_keep_tasks_from_running(node: Node) -> None:
    batch = node.batch(TROUBLE, ["a", "b"], walltime_s=60, options={"timeout_s": 60})
    assert batch.run().returncode == 0
    assert len(batch.ended()) == 2


@pytest.mark.parametrize(
    ("number", "how"),
    [(signal.SIGTERM, "sleep"), (signal.SIGTERM, "stubborn"), (signal.SIGTERM, "polite"), (signal.SIGUSR1, "sleep")],
)
def test_a_warning_of_the_batch_system_hands_back_what_runs_and_the_rest(node: Node, number: int, how: str) -> None:
    batch = node.batch(TROUBLE, ["a", how, "b"])
    with ending(batch.start()) as process:
        wait_until(lambda: _runs(batch.folder, how))
        process.send_signal(number)
        assert process.wait(15) == 0
    told = batch.closing()
    assert told["why"] == "signal"
    assert told["left"] == [2, 3]
    assert list(batch.ended()) == [1]


def test_a_signal_to_all_processes_of_the_job_is_no_death_of_a_task(node: Node) -> None:
    batch = node.batch(TROUBLE, ["a", "sleep", "b"])
    with ending(batch.start()) as process:
        wait_until(lambda: _runs(batch.folder, "sleep"))
        worker = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        os.kill(worker, signal.SIGTERM)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    assert batch.closing()["left"] == [2, 3]


def _runs(folder: Path, what: str) -> bool:
    log = folder.parents[1] / "logs" / f"{folder.name}-0.out"
    return log.exists() and f"now {what}\n" in log.read_text()


# --- again


def test_an_element_that_is_killed_and_requeued_runs_nothing_twice(node: Node) -> None:
    batch = node.batch(TROUBLE, ["a", "for 30", "b"])
    with ending(batch.start()) as process:
        wait_until(lambda: _runs(batch.folder, "for 30"))
        worker = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        process.kill()
        process.wait()
        wait_until(lambda: not Path(f"/proc/{worker}").exists() or b"Z" in _reads(Path(f"/proc/{worker}/stat")))
    live = batch.folder / "live" / "0"
    live.write_text(live.read_text() + '[0,2,"Succ')  # torn
    ops = node.modules / "ops1.py"
    ops.write_text(ops.read_text().replace("time.sleep(float(x[4:]))", "pass"))
    assert batch.run().returncode == 0
    assert batch.log() == "now a\nnow for 30\nnow for 30\nnow b\n"
    assert list(batch.ended()) == [1, 2, 3]


def test_an_element_that_was_stopped_and_is_started_again_before_its_last_rename_goes_on(node: Node) -> None:
    batch = node.batch(TROUBLE, ["a", "b"])
    assert batch.run().returncode == 0
    lines = (batch.folder / "done" / "0").read_text().splitlines(keepends=True)
    (batch.folder / "done" / "0").unlink()
    torn = [lines[0], lines[1], '[3,{"left":[2],"why":"signal"}]\n']
    (batch.folder / "live" / "0").write_text("".join(torn))
    assert batch.run().returncode == 0
    assert [line[0] for line in batch.lines()] == [2, 0, 2, 0, 3]


@pytest.mark.parametrize("part", ["done", "taken"])
def test_an_element_that_has_ended_is_not_run_again(node: Node, part: str) -> None:
    batch = node.batch(TROUBLE, ["a"])
    (batch.folder / part).mkdir()
    (batch.folder / part / "0").write_text("")
    assert batch.run().returncode == 0
    assert not (batch.folder / "live").exists()


def test_two_processes_do_not_run_the_same_element(node: Node) -> None:
    batch = node.batch(TROUBLE, ["for 1", "b"])
    with ending(batch.start()) as first:
        wait_until(lambda: _runs(batch.folder, "for 1"))
        second = batch.run()
        assert first.wait(20) == 0
    assert second.returncode == 0
    assert len(batch.ended()) == 2


# --- the rest


def test_variables_and_secrets_come_to_ops_and_secrets_carriers_do_not(node: Node) -> None:
    env = {"A": "1", "TOKEN": {"secret": "SCIFLOW_SECRET_0"}}
    batch = node.batch(TROUBLE, ["env"], env=env)
    assert batch.run(SCIFLOW_SECRET_0="hush").returncode == 0
    assert batch.ended()[1][3] == "1 hush -"


def test_a_secret_that_has_not_come_is_an_error_of_the_job(node: Node) -> None:
    batch = node.batch(TROUBLE, ["a"], env={"TOKEN": {"secret": "SCIFLOW_SECRET_0"}})
    done = batch.run()
    assert done.returncode == 78
    assert "SCIFLOW_SECRET_0" in done.stderr


def test_files_say_on_which_machine_they_are(node: Node) -> None:
    batch = node.batch(TROUBLE, ["a"], function="file", at="cluster")
    assert batch.run().returncode == 0
    tree = batch.ended()[1][3]
    assert (tree["at"], tree["path"]) == ("cluster", "tasks/b1/0-1/out.txt")
    assert (node.root / tree["path"]).read_text() == "a"


def test_a_folder_that_cannot_be_written_is_exit_code_74_and_words(node: Node) -> None:
    batch = node.batch(TROUBLE, ["a"])
    (node.root / "logs").write_text("in the way")
    done = batch.run()
    assert done.returncode == 74
    assert "logs" in done.stderr


def test_replies_that_find_no_room_end_the_element_with_74(node: Node) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    batch = node.batch(TROUBLE, ["a"])
    (batch.folder / "live").mkdir()
    (batch.folder / "live" / "0").symlink_to("/dev/full")
    done = batch.run()
    assert done.returncode == 74
    assert "No space" in done.stderr


def test_a_large_result_is_stored_in_the_elements_own_pack(node: Node) -> None:
    batch = node.batch("def f(x: str) -> str:\n    return x * 9000", ["a"])
    assert batch.run().returncode == 0
    tag = batch.ended()[1][3]
    assert tag["file"] == "values/b1-0"
    data = (node.root / tag["file"]).read_bytes()
    assert json.loads(data[tag["at"] : tag["at"] + tag["size"]]) == "a" * 9000
