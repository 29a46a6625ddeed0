"""Where progress is shown: a terminal's live table, plain lines elsewhere, a notebook's live table.

`open_display` chooses. A display is fed with snapshots by whoever watches the run; it draws at once and has no thread
of its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from sciflow.core.progress import Snapshot, StepProgress
from sciflow.view.folding import folded
from sciflow.view.progress import ended, for_terminal, headline, plain_line, tally

QUIET_S = 10.0  # seconds between two plain lines about one step


class Display(Protocol):
    """Something that shows how a run goes on."""

    def show(self, snapshot: Snapshot) -> None:
        """Show the run as it is now."""

    def close(self) -> None:
        """Leave the last picture where it is."""


def open_display(stream: TextIO | None = None) -> Display:
    """The display that suits the place: a notebook's live table, a terminal, or plain lines on standard error."""
    if _in_notebook():
        return NotebookDisplay()
    stream = sys.stderr if stream is None else stream
    return LiveDisplay(stream) if stream.isatty() else PlainDisplay(stream)


def _in_notebook() -> bool:
    """Whether this process is a notebook's kernel; asks IPython only if somebody else has imported it."""
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


class Beside:
    """A display beside work that matters more: when its stream is closed (`2>&1 | head`), nothing more is shown."""

    def __init__(self, display: Display) -> None:
        self._display: Display | None = display

    def show(self, snapshot: Snapshot) -> None:
        """Show the run as it is now, if that is still possible."""
        with self._while_it_lasts() as display:
            if display is not None:
                display.show(snapshot)

    def close(self) -> None:
        """Leave the last picture where it is."""
        with self._while_it_lasts() as display:
            if display is not None:
                display.close()

    @contextmanager
    def _while_it_lasts(self) -> Iterator[Display | None]:
        try:
            yield self._display
        except (OSError, ValueError):  # a pipe that nobody reads, a file object that was closed
            self._display = None


class LiveDisplay:
    """A table that is redrawn in place, by rich."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=stream, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._live.start()

    def show(self, snapshot: Snapshot) -> None:
        """Redraw."""
        from rich.console import Group
        from rich.text import Text

        head = Text(headline(snapshot), style="bold")
        self._live.update(Group(head, for_terminal(snapshot, width=self._console.width)), refresh=True)

    def close(self) -> None:
        """Stop redrawing; the last picture stays."""
        self._live.stop()


class PlainDisplay:
    """A line for each step that began, ended, or went on for ten seconds, and what is waited for."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._said: dict[str, tuple[StepProgress, float]] = {}
        self._message, self._message_since = "", -QUIET_S

    def show(self, snapshot: Snapshot) -> None:
        """Print what is worth a line."""
        for step in folded(snapshot.steps):
            if self._is_news(step):
                self._said[step.path] = (step, self._clock())
                print(plain_line(step), file=self._stream)
        if snapshot.passing and snapshot.message != self._message and self._clock() - self._message_since >= QUIET_S:
            self._message, self._message_since = snapshot.message, self._clock()
            print(snapshot.message, file=self._stream)
        self._stream.flush()

    def close(self) -> None:
        """Nothing is open."""

    def _is_news(self, step: StepProgress) -> bool:
        before, when = self._said.get(step.path, (StepProgress(path=step.path), 0.0))
        if tally(step) == tally(before):
            return False
        began_orended = step.path not in self._said or ended(step) or step.failed > before.failed == 0
        return began_orended or self._clock() - when >= QUIET_S


class NotebookDisplay:
    """An HTML table that is replaced in place under a notebook's cell."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, snapshot: Snapshot) -> None:
        """Replace the table."""
        from IPython.display import HTML, display

        from sciflow.view.progress_html import as_html

        picture = HTML(as_html(snapshot))
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)

    def close(self) -> None:
        """The table stays in the notebook."""
