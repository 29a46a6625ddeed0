"""How long ops take, and from that how many slices a worker is handed at once."""

from __future__ import annotations

import msgspec

JOB_S = 0.005  # work in one job: long beside a message's cost, short beside a person's or a neighbour's patience
WINDOW_S = 0.004  # a worker with less work than this before it takes another job
OVERHEAD_S = 15e-6  # a worker's own time for a slice
MOST_SLICES = 512
WEIGHT = 0.3  # of the newest job in the running mean


class Pace(msgspec.Struct, eq=False):
    """The running mean of each op's seconds."""

    _mean: dict[str, float] = msgspec.field(default_factory=dict)

    def note(self, template: str, seconds: float) -> None:
        """A task took so long. A long one counts at once, so that nothing waits behind its like."""
        mean = self._mean.get(template)
        if mean is None or seconds > 10 * mean + JOB_S:
            self._mean[template] = seconds
        else:
            self._mean[template] = mean + (seconds - mean) * WEIGHT

    def expected(self, template: str, slices: int) -> float:
        """The seconds that so many slices will take; unlimited for an op that was never seen."""
        mean = self._mean.get(template)
        return float("inf") if mean is None else slices * (mean + OVERHEAD_S)

    def slices(self, template: str, *, remaining: int, workers: int) -> int:
        """How many slices make a job: about `JOB_S` of work, and enough jobs to keep all workers busy to the end."""
        one = self.expected(template, 1)
        if one >= JOB_S:
            return 1
        share = -(-remaining // (2 * workers))
        return max(1, min(int(JOB_S / one), share, MOST_SLICES))
