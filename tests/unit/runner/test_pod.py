"""The tasks of one pod: `python X.zip pod FOLDER`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from node_driver import Node, ending, wait_until

SOURCE = """
    import time
    from pathlib import Path

    def f(x: str) -> str:
        print("task one", flush=True)
        while not Path(x).exists():
            time.sleep(0.01)
        return x
"""
NOTHING_BEFORE = {
    "run": "r1",
    "head": {"succeeded": 0},
    "tasks": {"1": [0, 1]},
    "memory_mb": None,
    "spent": {},
    "policy": {"retries": 0, "retry_on": [], "backoff_s": 0.0, "backoff_factor": 1.0, "backoff_max_s": 0.0},
    "earlier": {"folders": {}, "executable": [], "contents": {}, "lines": [], "failed": 0},
    "cache": {},
}


def test_what_cannot_be_read_or_kept_for_a_while_is_said_and_does_not_silence_the_pod(tmp_path: Path) -> None:
    node, folder, go_on = Node(tmp_path, sys.executable), tmp_path / "pod", tmp_path / "go-on"
    crew = {"workers": 1, "command": [*node.argv, "element", f"{folder}/1"], "gpus": 0, "whole": False}
    batch = node.batch(SOURCE, [str(go_on)], crew=crew)
    folder.mkdir()
    batch.folder.rename(folder / "1")
    (folder / "pod.json").write_text(json.dumps({"root": str(node.root), **NOTHING_BEFORE}))
    in_the_way = node.root / "logs" / "a.out"
    in_the_way.mkdir(parents=True)
    said, told = tmp_path / "out", tmp_path / "err"
    with said.open("wb") as out, told.open("wb") as err:
        process = subprocess.Popen(
            [*node.argv, "pod", str(folder)], stdout=out, stderr=err, cwd="/", start_new_session=True
        )
        with ending(process):
            wait_until(lambda: "is not kept for now: " in told.read_text())
            in_the_way.rmdir()
            wait_until(lambda: said.read_text() == "task one\n")  # while the task runs
            go_on.touch()
            assert process.wait(20) == 0
    assert told.read_text().count("is not kept for now") == 1
    assert len((folder / "outcomes").read_text().splitlines()) == 3


def test_a_pod_of_which_earlier_tasks_have_failed_ends_so_although_its_own_succeed(tmp_path: Path) -> None:
    node, folder = Node(tmp_path, sys.executable), tmp_path / "pod"
    crew = {"workers": 1, "command": [*node.argv, "element", f"{folder}/1"], "gpus": 0, "whole": False}
    batch = node.batch(SOURCE, ["/"], crew=crew)
    folder.mkdir()
    batch.folder.rename(folder / "1")
    earlier = {"folders": {}, "executable": [], "contents": {}, "lines": [], "failed": 1}
    (folder / "pod.json").write_text(json.dumps({"root": str(node.root), **NOTHING_BEFORE, "earlier": earlier}))
    assert subprocess.run([*node.argv, "pod", str(folder)], capture_output=True, check=False).returncode == 10
