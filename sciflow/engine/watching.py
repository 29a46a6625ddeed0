"""A run looked at again and again: an iterator for scripts, a live table where a notebook shows it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from sciflow.core.progress import Snapshot
from sciflow.runner.duration import check_seconds


class Watching(Iterator[Snapshot]):
    """Snapshots of a run until it has ended or waits for somebody."""

    def __init__(self, look: Callable[[], Snapshot], *, interval_s: float) -> None:
        check_seconds(interval_s, name="interval_s", fix="0.25 is usual")
        self._look = look
        self._interval_s = interval_s
        self._last: Snapshot | None = None

    def __next__(self) -> Snapshot:
        if self._last is not None:
            if self._last.phase.at_rest:
                raise StopIteration
            time.sleep(self._interval_s)
        self._last = self._look()
        return self._last

    def _ipython_display_(self) -> None:
        """What a cell shows that ends with `run.watch()`; interrupting the kernel ends the watching, not the run."""
        from sciflow.view.display import open_display

        display = open_display()
        try:
            with contextlib.suppress(KeyboardInterrupt):
                for snapshot in self:
                    display.show(snapshot)
        finally:
            display.close()
