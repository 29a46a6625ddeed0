"""What the pods of one run have left in the bucket, brought here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sciflow.executors.argo.follow.followed import Followed
from sciflow.executors.argo.follow.news import Ends, Fetched
from sciflow.executors.argo.place.given import bring_packs, learn_given
from sciflow.executors.argo.place.inside import place_in
from sciflow.executors.argo.place.layout import OUTCOMES
from sciflow.executors.argo.place.outcomes import Outcomes, read_outcomes
from sciflow.executors.argo.place.run_files import RunFiles, bring_files
from sciflow.executors.argo.server.objects import WorkflowStatus, ended_pods


class Harvest:
    """Knows what it has told."""

    def __init__(self, followed: Followed) -> None:
        self._bucket, self._layout, self._here = followed.bucket, followed.layout, followed.here
        self._files = RunFiles(followed.bucket, followed.layout)
        self._seen: dict[str, str] = {}

    def news(self, begun: WorkflowStatus | None) -> Iterator[Ends]:
        """How tasks have ended of which it was not told yet; their logs and values are here then.

        `begun`: how far a workflow is that goes on, and is seen for the first time.
        """
        found = self._bucket.list(self._layout.part(f"{OUTCOMES}/"))
        fresh = [key for key, mark in found.items() if self._seen.get(key) != mark]
        told = {key: self._bucket.read(key, text, read_outcomes) for key, text in self._bucket.get_all(fresh).items()}
        self._bring(told.values())
        ended = ended_pods(begun) if begun is not None else set()
        for key, outcomes in told.items():
            head = outcomes.head
            again = begun is not None and (head.path, str(head.chunk)) not in ended
            yield Ends(path=head.path, ends=outcomes.ends, left=outcomes.rest.left, again=again)
            self._seen[key] = found[key]

    def fetch(self, paths: Sequence[str]) -> Fetched:
        """Brings files and folders that tasks have left, or that the run was given."""
        learn_given(self._bucket, self._layout, self._files)
        place = f"{self._bucket!r}: {self._layout.part('')}"
        return Fetched(paths=paths, lost=bring_files(self._files, self._here, paths, place=place))

    def _bring(self, told: Collection[Outcomes]) -> None:
        """Logs and values, before anybody hears of what they belong to."""
        ends = [end for outcomes in told for end in outcomes.ends]
        workers = {end.worker for end in ends if end.worker}  # nothing was run for what comes out of the cache
        logs = [f"logs/{worker}.{kind}" for worker in sorted(workers) for kind in ("out", "err")]
        missing = {path: here for path in logs if not (here := place_in(self._here, path)).exists()}
        self._bucket.at_once(lambda path: self._bucket.fetch(self._layout.part(path), missing[path]), list(missing))
        bring_packs(self._bucket, self._layout, self._here, (bytes(end.told.output) for end in ends))
        for outcomes in told:
            self._files.learn(outcomes.rest)
