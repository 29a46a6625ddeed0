"""A run as one of its pods sees it: what it was given, and what others have left of it in the bucket."""

from __future__ import annotations

from typing import TypeVar

from sciflow.core.records import Phase
from sciflow.errors import RunDamaged
from sciflow.executors.argo.manifest.tolerance import tolerant_graphs
from sciflow.executors.argo.place.given import read_facts
from sciflow.executors.argo.place.run_files import RunFiles
from sciflow.pod.brought_values import BroughtValues
from sciflow.pod.bucket_source import BucketSource
from sciflow.pod.node_output import NodeOutput
from sciflow.pod.recollection import Recollection
from sciflow.pod.whole_run import WholeRun
from sciflow.pod.workplace import Workplace

R = TypeVar("R", bound=Recollection)


class RunView:
    """See above."""

    def __init__(self, work: Workplace) -> None:
        """Raises RunDamaged: the run is not there any more."""
        facts = read_facts(work.bucket, work.layout)
        if facts is None:
            raise RunDamaged(f"{work.bucket!r}: {work.layout.part('')}: what the run is given is not there any more")
        self._work = work
        self.facts = facts
        self.files = RunFiles(work.bucket, work.layout)
        self.files.learn(facts)
        self.source = BucketSource(work.bucket, work.layout, self.files)

    def recall(self, kind: type[R], *, exit_phase: str = "") -> tuple[R, BroughtValues]:
        """The run from its beginning on, and its values; `exit_phase`: what it came to, for its exit handler."""

        def told(number: int) -> NodeOutput:
            return run.told(number)

        facts, work = self.facts, self._work
        values = BroughtValues(
            work.root, work.bucket, work.layout, self.files, inline_bytes=facts.inline_bytes, told=told
        )
        pods, dispatchers = facts.pods, facts.dispatchers
        run = kind(
            facts.spec, facts.inputs, self.source, values, pods=pods, dispatchers=dispatchers, exit_phase=exit_phase
        )
        return run, values

    def exit_phase(self) -> str:
        """What the run came to: Argo knows neither of failures that are put up with nor of results without a value."""
        spec, there = self.facts.spec, self._work.setup.exit_phase
        if not there:
            return ""
        if there != Phase.SUCCEEDED.value and spec.entry not in tolerant_graphs(spec.templates):
            return Phase.FAILED.value
        run, _ = self.recall(WholeRun)
        return (Phase.FAILED if run.conclude()[0] is None else Phase.SUCCEEDED).value
