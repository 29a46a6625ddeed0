"""Pods that give their tasks to a machine by SSH: two containers one after the other, without a Kubernetes around."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sciflow.executors.argo.place.outcomes import final_ends, read_outcomes
from sciflow.executors.argo.place.parcels import package_parcel
from sciflow.executors.package import user_bundle
from tests.faults.harness import eventually
from tests.faults.programs import dispatched
from tests.services.sshd import Sshd
from tests.unit.executors.argo_facts import facts
from tests.unit.executors.bucket_stand_in import Objects, stand_in_bucket

CONFIG = "Host cluster\n    HostName 127.0.0.1\n    Port {port}\n    User {user}\n    HostKeyAlias cluster\n"
HEAD = b"# "


class Pods:
    """Pods of one run, each with a volume of its own."""

    def __init__(self, folder: Path, machine: Sshd, objects: Objects, endpoint: str) -> None:
        self._folder = folder
        self._objects = objects
        self._s3 = {"endpoint": endpoint, "bucket": "bucket"}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._package = folder / "sciflow.zip"  # as pods have it
        self._package.write_bytes(package_parcel().content())
        self.signs = folder / "signs"
        self.login = folder / "login"
        self.work_root = folder / "scratch"
        for made in (self.signs, self.login):
            made.mkdir()
        (self.login / "id").write_bytes(machine.key.read_bytes())
        (self.login / "known_hosts").write_bytes(machine.known_hosts.read_bytes())
        (self.login / "config").write_text(CONFIG.format(port=machine.port, user=machine.user))

    def begin(self, **changes: Any) -> None:
        """Writes down what the run is."""
        spec = dispatched.there.spec()
        bundle = user_bundle({dispatched.__name__}, sys.path)
        table = {
            "type": "batch",
            "system": "shell",
            "host": "cluster",
            "work_root": str(self.work_root),
            "python": sys.executable,
            "argo_secret": "login",
            "look_least_s": 0.1,
            "look_most_s": 0.5,
            "settings": {"tally": str(self.signs / "tally.txt"), "signs": str(self.signs)},
            **changes,
        }
        sha256 = hashlib.sha256(HEAD).hexdigest()
        head = {"$": "artifact", "path": "artifacts/head.txt", "kind": "file", "sha256": sha256, "size": len(HEAD)}
        inputs = {"xs": [0, 1, 2, 3], "head": head}
        told = facts(
            spec=spec,
            inputs=inputs,
            bundle=bundle.name,
            inline_bytes=4096,
            dispatchers={"cluster": table},
            start_limit_s=1.0,
        )
        self._objects.held |= {
            "runs/run/facts.json": msgspec.json.encode(told),
            "runs/run/artifacts/head.txt": HEAD,
            f"code/{bundle.name}": bundle.content,
        }

    def start(self) -> tuple[subprocess.Popen[bytes], Path]:
        """A pod of all tasks that has got so far that it dispatches, and its volume."""
        volume = self._folder / f"volume-{len(self._processes)}"
        place = {"volume": str(volume), "runner": "-", "prefix": "", "s3": self._s3, "login": str(self.login)}
        env = {**os.environ, "SCIFLOW_POD": json.dumps(place), "SCIFLOW_RUN": "run", "HOME": str(self._folder)}
        env["PYTHONPATH"] = str(self._package)
        argv = [sys.executable, "-m", "sciflow.pod"]
        subprocess.run([*argv, "bind", "drawn", "0"], env=env, cwd=self._folder, check=True)
        argv += ["dispatch", str(volume / "pod")]
        process = subprocess.Popen(argv, env=env, cwd=self._folder, stdout=subprocess.PIPE)
        self._processes.append(process)
        return process, volume

    def keep(self, volume: Path) -> None:
        """What Argo does at the end of a pod."""
        self._objects.held["runs/run/outcomes/drawn/0"] = (volume / "pod" / "outcomes").read_bytes()

    def notes(self, what: str) -> Counter[str]:
        tally = self.signs / "tally.txt"
        lines = tally.read_text().splitlines() if tally.exists() else []
        return Counter(task for said, _, task in (line.partition(" ") for line in lines) if said == what)

    def close(self) -> None:
        (self.signs / "go on").touch()
        for process in self._processes:
            process.kill()
            process.communicate()


@pytest.fixture
def pods(tmp_path: Path, plain_machine: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pods]:
    with stand_in_bucket(monkeypatch) as (bucket, objects):
        made = Pods(tmp_path, plain_machine, objects, repr(bucket).rpartition("/")[0])
        yield made
        made.close()


ONCE = Counter({f"drawn/{x} 1": 1 for x in range(4)} | {"drawn/1 2": 1})


@pytest.mark.parametrize("saved", [False, True], ids=["nothing was saved", "what had ended was saved"])
def test_a_pod_that_takes_the_place_of_another_finds_its_jobs_and_submits_nothing_twice(
    saved: bool, pods: Pods
) -> None:
    pods.begin()
    first, volume = pods.start()
    assert eventually(lambda: pods.notes("ended").total() >= 4 and pods.notes("began").total() >= 5, timeout_s=60)
    first.send_signal(signal.SIGTERM if saved else signal.SIGKILL)
    assert first.wait(30) == (143 if saved else -9)
    if saved:
        pods.keep(volume)
    second, volume = pods.start()
    (pods.signs / "go on").touch()
    printed, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert b"drawing 2" in printed
    outcomes = read_outcomes((volume / "pod" / "outcomes").read_bytes())
    replies = {slice_: end.told for slice_, end in final_ends(outcomes.ends).items()}
    assert {slice_: reply.phase for slice_, reply in replies.items()} == dict.fromkeys(range(4), "Succeeded")
    assert all(b'"at":"argo"' in bytes(reply.output) for reply in replies.values())
    assert [end.attempt for end in outcomes.ends if end.slice == 1] == [1, 2]
    assert pods.notes("began") == pods.notes("ended") == ONCE
    there = set(range(4)) if not saved else {2}
    for x in there:
        assert (volume / "run" / "tasks" / "drawn" / str(x) / f"{x}.txt").read_text() == f"# {x}"
