"""What the scheduler asks of the world: a place to write down what ended, what ended earlier, and stored values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.records import Extra, Phase
from sciflow.engine.activation import NodeRun


class Ending(msgspec.Struct, frozen=True):
    """How one attempt of a task ended, and where its log lies."""

    phase: Phase
    output: bytes | None = None
    started: float = 0.0
    seconds: float = 0.0
    worker: str = ""
    stdout: tuple[int, int] = (0, 0)
    stderr: tuple[int, int] = (0, 0)
    extra: Extra | None = None
    cached: str = ""  # the run and task that it was taken from
    followed: bool = False  # by another attempt, which is known to have begun


class Journal(Protocol):
    """Where a run is written down; also tells what was written by an earlier session."""

    def number(self, path: str, template: str) -> int:
        """The node's number in this run, a new one if it has none."""

    def node(self, run: NodeRun) -> None:
        """Writes down a node's phase."""

    def task(self, run: NodeRun, slice_: int, attempt: int, key: str | None, ending: Ending) -> None:
        """Writes down a task's end."""

    def attempt(self, run: NodeRun, slice_: int, attempt: int, ending: Ending) -> None:
        """Writes down an attempt that will be followed by another."""

    def ended(self, number: int) -> Sequence[tuple[int, Phase, bool, bool]]:
        """(slice, phase, whether cached, whether flagged) of the node's tasks that ended in an earlier session."""

    def output(self, number: int, slice_: int) -> bytes | None:
        """The output text of a task that ended."""

    def attempts(self, number: int) -> Sequence[tuple[int, int, int]]:
        """(slice, attempts so far, those before the last retry of the run) of the node's tasks that have not ended."""


class Values(Protocol):
    """Texts of values, some of which are stored in files."""

    def fold(self, text: bytes) -> bytes:
        """`text`, or if it is long the text that says where it is stored now."""

    def unfold(self, tree: Tree) -> Tree:
        """The tree itself, where `tree` only says where it is stored."""

    def elements(self, text: bytes) -> Sequence[bytes]:
        """The texts of a list's elements.

        Raises:
            TypeError: not a list.
        """

    def gather(self, number: int, total: int) -> bytes:
        """The text of the list of all outputs of a node's slices, null where one is missing."""
