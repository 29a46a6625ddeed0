"""What is known of a pod's tasks before anything is run: what earlier pods have left of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sciflow.core.records import Phase
from sciflow.executors.argo.place.outcomes import Rest, TaskEnd, final_ends, read_outcomes
from sciflow.executors.argo.place.shapes import Shapes
from sciflow.pod.cached import Taken


class KnownEnds(Shapes, frozen=True, kw_only=True):
    """Ends as lines of the file of outcomes, with the shapes of what they speak of; the runner begins its file so."""

    lines: Sequence[str]
    succeeded: int
    failed: int  # tasks, of those that are not tried here


class EarlierPods(msgspec.Struct, frozen=True, kw_only=True):
    """What those have left that worked on the same tasks."""

    count: int = 0
    last: Mapping[int, TaskEnd] = {}  # the last attempt of each slice
    lines: Sequence[str] = ()
    rest: Rest = Rest()

    @property
    def failed(self) -> set[int]:
        """The slices that have."""
        return {i for i, end in self.last.items() if not _has_succeeded(end)}

    def and_also(self, known: Taken, *, tried: Sequence[int]) -> KnownEnds:
        """Their ends, and others that are known; `tried`: the slices that are tried now."""
        lines = [*self.lines, *(msgspec.json.encode(line).decode() for line in known.lines.values())]
        last = final_ends(msgspec.json.decode(f"[{','.join(lines)}]", type=list[TaskEnd]))
        succeeded = {i for i, end in last.items() if _has_succeeded(end)}
        return KnownEnds(
            lines=lines,
            succeeded=len(succeeded),
            failed=len(last.keys() - succeeded - set(tried)),
            folders={**self.rest.folders, **known.folders},
            executable=[*self.rest.executable, *known.executable],
            contents={**self.rest.contents, **known.contents},
        )


def _has_succeeded(end: TaskEnd) -> bool:
    return end.told.phase == Phase.SUCCEEDED.value


def read_earlier(text: bytes) -> EarlierPods:
    """What the file of outcomes says.

    Raises:
        ValueError: it is none.
    """
    found = read_outcomes(text)
    return EarlierPods(
        count=found.head.generation + 1,
        last=final_ends(found.ends),
        lines=text.decode().rstrip("\n").split("\n")[2:],
        rest=found.rest,
    )
