"""What the elements of a pool read, put down in the run folder: a submission of a batch system without its script."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from sciflow.core.job import Need
from sciflow.executors.batch.depot import Depot
from sciflow.executors.batch.names import submission_name, task_names
from sciflow.executors.batch.record import BatchRecord, Stage, write_record
from sciflow.executors.batch.supply import Supply
from sciflow.executors.futures.elements import Flight, folder_of
from sciflow.executors.request import (
    Element,
    Payload,
    Surroundings,
    environment,
    payload,
)
from sciflow.executors.secrets import resolve_secret
from sciflow.runner.node import started


class Submissions:
    """Makes those of one executor in one run."""

    def __init__(
        self,
        name: str,
        depot: Depot,
        *,
        root: Path,
        around: Surroundings,
        code: Mapping[str, bytes],
        walltime_s: float | None,
    ) -> None:
        """`name` is the executor's, `root` the run folder."""
        self._name = name
        self._depot = depot
        self._root = root
        self._around = around
        self._code = code
        self._walltime_s = walltime_s

    def prepare(self) -> None:
        """Brings runner and code to where the pool's workers find them."""
        if not self._depot.root:
            self._depot.prepare()
            self._depot.supply(f"{self._depot.root}/runs/{self._root.name}", Supply(), self._code, {})

    def make(self, need: Need, elements: Sequence[Element]) -> tuple[BatchRecord, Sequence[Flight]]:
        """The record of elements that need this, and what is to be started of them; `prepare` was called.

        Raises:
            OSError: there is no room: nothing is left of it.
        """
        name = submission_name(self._name)
        walltime_s = need.resources.walltime_s or self._walltime_s
        env, secrets = environment(need)
        gpus = need.resources.gpus
        made = payload(name, elements, around=self._around, env=env, gpus=gpus, walltime_s=walltime_s)
        record = BatchRecord(
            name=name, executor=self._name, stage=Stage.SENT, elements=task_names(elements), walltime_s=walltime_s
        )
        folder = folder_of(self._root, name)
        try:
            self._write(folder, made, record)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)  # the next attempt has another name
            raise
        told = msgspec.json.encode({carrier: resolve_secret(secret) for carrier, secret in secrets.items()})
        return record, [Flight(batch=name, element=k, folder=folder, told=told) for k in range(len(elements))]

    def _write(self, folder: Path, made: Payload, record: BatchRecord) -> None:
        for part in ("out", "live", "done", "cancelled"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "requests").write_bytes(made.requests)
        place = {"root": str(self._root), "depot": self._depot.root}
        (folder / "index.json").write_bytes(msgspec.json.encode({**made.index, **place}))
        write_record(self._root, record)

    def argv(self, flight: Flight) -> tuple[str, ...]:
        """The program that is an element's supervisor."""
        return started(self._depot.python, self._depot.runner, "pooled", str(flight.folder), str(flight.element))
