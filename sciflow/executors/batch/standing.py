"""What a queue says of a run's jobs, in a line. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from sciflow.executors.systems.system import JobState, State

NO_REASONS = frozenset({"", "None", "PENDING", "PEND"})


def standing(name: str, jobs: Collection[str], states: Sequence[JobState]) -> str:
    """How many elements wait, and for what; nothing where none waits. `name` is the executor's."""
    own = [state for state in states if state.job in jobs]
    waiting = [state for state in own if state.state in {State.QUEUED, State.HELD}]
    if not waiting:
        return ""
    counts = Counter(state.state for state in own)
    words = ((State.QUEUED, "queued"), (State.HELD, "held"), (State.RUNNING, "running"))
    told = ", ".join(f"{counts[state]:,} {word}" for state, word in words if counts[state])
    known = Counter(state.reason for state in waiting if state.reason not in NO_REASONS)
    reasons = [reason for reason, _ in known.most_common(2)]
    return f"{name}: {told}" + (f" ({', '.join(reasons)})" if reasons else "")
