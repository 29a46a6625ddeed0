"""How a workflow was last seen, or left by what was ordered since. Pure."""

from __future__ import annotations

from sciflow.executors.argo.server.objects import WorkflowStatus


class Sight:
    """What looks and orders know of one workflow, and tell each other."""

    def __init__(self) -> None:
        self._found = False
        self._paused = False  # by this engine
        self._suspended = False
        self._ended_since: float | None = None  # when it was first seen to have ended

    @property
    def found(self) -> bool:
        """Whether it was there before this engine."""
        return self._found

    @property
    def suspended(self) -> bool:
        """Whether it was last seen to be suspended."""
        return self._suspended

    @property
    def halts(self) -> bool:
        """Whether it is suspended, as far as is known, or is about to be."""
        return self._paused or self._suspended

    # --- orders

    def begin(self, *, found: bool, suspended: bool = False) -> None:
        """It was found, or submitted."""
        self._found, self._suspended = found, suspended

    def pause(self) -> None:
        """It was told to begin no more pods."""
        self._paused = True

    def go_on(self) -> None:
        """It was told to go on, or to end."""
        self._paused = self._suspended = False

    def renew(self) -> None:
        """It goes on after it had ended, or a new one in its place."""
        self._ended_since = None

    # --- looks

    def see(self, status: WorkflowStatus) -> None:
        """Learns how it is: others may have it go on after our pause."""
        self._suspended = status.suspended
        if not status.partial:
            self._paused = self._paused and status.suspended

    def see_end(self, now: float, *, ago_s: float) -> float:
        """For how long it has ended; `ago_s`: by its own word, at the first look."""
        if self._ended_since is None:
            self._ended_since = now - ago_s
        return now - self._ended_since
