"""One run at three places: this machine's workers, Slurm over SSH, and processes that go on without the engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance.backends import ShellHere, SlurmOverSsh
from tests.conformance.likeness import Folder, alike, seen
from tests.conformance.mixed import Seen, round_trip
from tests.services.sshd import Sshd

TRIP = "cluster>machine>local>cluster>cluster"


@pytest.mark.parametrize("home", ["local", "machine"])
def test_files_go_from_place_to_place_in_one_run_and_a_place_may_be_chosen_by_a_value(
    home: str, slurm_over_ssh: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = SlurmOverSsh(tmp_path, monkeypatch, slurm_over_ssh)
    quick = {"look_least_s": 0.1, "look_most_s": 0.5}
    shell = ShellHere(tmp_path, monkeypatch, None).table(tmp_path, None)
    tables = {"cluster": cluster.table(tmp_path, slurm_over_ssh), "machine": shell}
    told = {name: {**table, **quick, "settings": {"here": name}} for name, table in tables.items()}
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps(told))
    monkeypatch.setenv("SCIFLOW_EXECUTOR", home)
    own = tmp_path / "own.txt"
    own.write_text("own")
    run = cluster.run(round_trip, {"texts": ["a", "b"], "own": own})
    assert run.phase.value == "Succeeded", run.report()
    first = [f"{text}>{TRIP}" for text in ("a", "b")] + ["own>cluster"]
    texts = [[f"{text}>{place}" for text in first] for place in ("local", "cluster", "machine")]
    last = {"0.txt": b"a>cluster>machine", "1.txt": b"b>cluster>machine", "2.txt": b"own>machine"}
    alike(seen(run.result), Seen(texts, Folder("all", last)))  # type: ignore[arg-type]
