"""Takes large files of outcomes that are known already into the run, in a thread of its own: the engine goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.trees import parts_of
from sciflow.engine.activation import NodeRun
from sciflow.engine.bringing import bring_values
from sciflow.engine.cache import Hit
from sciflow.engine.elsewhere import AT
from sciflow.engine.intake import absolute
from sciflow.errors import SciflowError

LARGE = 64 << 20  # bytes, from which the engine does not wait for them


class Taker(Protocol):
    """Brings what a tree refers to into the run; see `engine.intake.Intake`."""

    def text(self, tree: Tree) -> bytes:
        """The tree's text."""

    def take_ahead(self, tree: Tree) -> None:
        """Copies its files, so that `text` need not."""


class Found(msgspec.Struct, kw_only=True, eq=False):
    """What is known of a node's tasks."""

    run: NodeRun
    keys: Mapping[int, str]
    reused: Mapping[int, Tree]  # what the caller gave, by slice
    hits: Mapping[int, Hit]  # by slice
    brought: bool = False  # nothing of it need be fetched any more
    problems: list[str] = msgspec.field(default_factory=list)  # for people

    @property
    def is_large(self) -> bool:
        """Whether it takes time to have its files here."""
        if any(AT in hit.output for hit in self.hits.values()):
            return True
        outputs = (json.loads(hit.output) for hit in self.hits.values() if b'"artifact"' in hit.output)
        return sum(map(_size, (*self.reused.values(), *outputs))) >= LARGE

    def bring(self) -> None:
        """Has files of hits brought home that lie where they were made; a hit without its files is none."""
        by_run: dict[str, list[bytes]] = {}
        for hit in self.hits.values():
            if AT in hit.output or b'"$":"value"' in hit.output:
                by_run.setdefault(hit.run, []).append(hit.output)
        self.brought = True
        for run, texts in by_run.items():
            try:
                bring_values(Path(run), texts)
            except SciflowError as error:
                problem = f"results in the cache are not used, since their files are not to be had: {error}"
                self.problems.append(problem)


class Carrying:
    """What is being carried, one node after the other."""

    def __init__(self, intake: Taker) -> None:
        self._intake = intake
        self._turn = threading.Lock()
        self._under_way: list[tuple[Found, threading.Thread]] = []

    def __bool__(self) -> bool:
        return bool(self._under_way)

    def begin(self, found: Found) -> None:
        """Takes what is found on its way."""
        thread = threading.Thread(target=self._carry, args=(found,), name="sciflow-intake", daemon=True)
        self._under_way.append((found, thread))
        thread.start()

    def _carry(self, found: Found) -> None:
        with self._turn:
            found.bring()
            hits = (absolute(json.loads(hit.output), Path(hit.run)) for hit in found.hits.values())
            trees: Iterable[Tree] = (*found.reused.values(), *hits)
            for tree in trees:
                self._intake.take_ahead(tree)

    def arrived(self) -> list[Found]:
        """What is here; of what a thread has died of, the engine hears when it looks itself."""
        over = [found for found, thread in self._under_way if not thread.is_alive()]
        self._under_way = [(found, thread) for found, thread in self._under_way if found not in over]
        return over

    def forget(self) -> None:
        """Nobody waits for it any more."""
        self._under_way.clear()


def _size(tree: Tree) -> int:
    """Bytes of the files that a tree speaks of, as far as they are recorded there."""
    return sum(int(part.get("size", 0)) for part in parts_of(tree) if part["$"] == "artifact")
