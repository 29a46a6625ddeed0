"""A node of a run on Argo is run by a batch system: its pod logs in there, and another one finds its jobs again."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from sciflow import Run
from tests.faults.cluster import PATIENCE_S
from tests.faults.harness import eventually
from tests.faults.pods import Pods, ends
from tests.faults.programs import dispatched
from tests.services.sshd import Sshd

pytestmark = [pytest.mark.faults, pytest.mark.kubernetes, pytest.mark.timeout(900, func_only=True)]
CONFIG = "Host cluster\n    HostName 127.0.0.1\n    Port {port}\n    User {user}\n    HostKeyAlias cluster\n"


@pytest.fixture
def scratch(pods: Pods, plain_machine: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The folder of runs on a machine to which pods may give tasks, as the executor `cluster`."""
    signs, secret = pods.bench.folder / "signs", f"login-{pods.bench.folder.name.replace('_', '-')}"
    work_root = pods.bench.folder / "scratch"
    table = {
        "type": "batch",
        "system": "shell",
        "host": plain_machine.host,
        "ssh_config": str(plain_machine.config),
        "work_root": str(work_root),
        "python": sys.executable,
        "argo_secret": secret,
        "look_least_s": 0.1,
        "look_most_s": 0.5,
        "settings": {"tally": str(signs / "tally.txt"), "signs": str(signs)},
    }
    executors = {**json.loads(os.environ["SCIFLOW_EXECUTORS"]), "cluster": table}
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps(executors))
    config = CONFIG.format(port=plain_machine.port, user=plain_machine.user)
    entries = [f"--from-file=id={plain_machine.key}", f"--from-file=known_hosts={plain_machine.known_hosts}"]
    of_namespace = ("-n", pods.kubernetes.namespace)
    made = ("kubectl", "create", "secret", "generic", secret, *of_namespace)
    pods.kubernetes.run(*made, *entries, f"--from-literal=config={config}")
    yield str(work_root / "runs")
    pods.kubernetes.run("kubectl", "delete", "secret", secret, *of_namespace, check=False)


def test_a_pod_that_takes_the_place_of_one_that_dispatched_finds_its_jobs_and_submits_nothing_twice(
    pods: Pods, scratch: str
) -> None:
    run = dispatched.there_and_back.submit(list(range(4)))
    assert pods.ended(4)
    assert pods.began(5)
    first = uid_of(pods, run)
    pod, namespace = pods.pod(run, "drawn"), pods.kubernetes.namespace
    pods.kubernetes.run("kubectl", "delete", "pod", pod, "-n", namespace, "--grace-period=0", "--force")
    assert eventually(lambda: uid_of(pods, run) not in {"", first}, timeout_s=PATIENCE_S, pause_s=0.3)
    pods.sign("go on")
    assert ends(run) == "Succeeded", run.report()
    assert run.result == [f"# {x} 10000" for x in range(4)]
    once = {f"drawn/{x} 1": 1 for x in range(4)} | {"drawn/1 2": 1}
    assert pods.notes("began") == pods.notes("ended") == Counter(once)
    assert "drawing 2" in run.logs("drawn/2")


def uid_of(pods: Pods, run: Run[Any]) -> str:
    """Of the pod that dispatches; empty if there is none: another one may have its name."""
    asked = ("kubectl", "get", "pod", pods.pod(run, "drawn"), "-n", pods.kubernetes.namespace)
    return pods.kubernetes.run(*asked, "-o", "jsonpath={.metadata.uid}", check=False)
