"""What the tasks of a run have left in its bucket, as one of its pods reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sciflow.core.records import Phase
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.facts import GivenValue
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.place.outcomes import HEAD_BYTES, TaskEnd, final_ends, read_head, read_outcomes
from sciflow.executors.argo.place.run_files import RunFiles
from sciflow.pod.earlier_pods import EarlierPods, read_earlier


class BucketSource:
    """See `recollection.Source`. What folders hold that values speak of is learnt with their ends."""

    def __init__(self, bucket: Bucket, layout: Layout, files: RunFiles) -> None:
        self._bucket = bucket
        self._layout = layout
        self._files = files

    def ends(self, path: str, chunks: Iterable[int]) -> Mapping[int, TaskEnd]:
        """See `Source`."""
        found: dict[int, TaskEnd] = {}
        for key, text in self._bucket.get_all(self._layout.outcomes(path, chunk) for chunk in chunks).items():
            outcomes = self._bucket.read(key, text, read_outcomes)
            self._files.learn(outcomes.rest)
            found.update(final_ends(outcomes.ends))
        return found

    def outputs(self, path: str, chunks: Iterable[int]) -> Mapping[int, bytes]:
        """See `Source`."""
        replies = ((slice_, end.told) for slice_, end in self.ends(path, chunks).items())
        return {i: bytes(reply.output) for i, reply in replies if reply.phase == Phase.SUCCEEDED.value}

    def successes(self, path: str, chunks: Iterable[int]) -> int:
        """See `Source`."""
        keys = [self._layout.outcomes(path, chunk) for chunk in chunks]
        texts = self._bucket.get_all(keys, most=HEAD_BYTES)
        return sum(self._bucket.read(key, text, read_head).succeeded for key, text in texts.items())

    def earlier(self, path: str, chunk: int) -> EarlierPods:
        """What earlier pods of the same tasks have left."""
        key = self._layout.outcomes(path, chunk)
        text = self._bucket.get(key)
        return EarlierPods() if text is None else self._bucket.read(key, text, read_earlier)

    def answer(self, path: str) -> bytes | None:
        """See `Source`."""
        given = self._bucket.decoded(self._layout.answer(path), GivenValue)
        if given is None:
            return None
        self._files.learn(given)
        return bytes(given.output)
