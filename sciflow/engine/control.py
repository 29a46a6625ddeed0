"""Requests to the engine at work, as files in `control/`: they survive until what came of them is written down.

NAME.json      what is asked; whoever asks waits for it to vanish
NAME.kept      the same, taken, and not settled yet
NAME.refused   why it was not done; for whoever asked, who removes it
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Collection, Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from sciflow.core.expr import Tree
from sciflow.errors import RunDamaged

POSTED, KEPT, REFUSED = ".json", ".kept", ".refused"  # suffixes


class Verb(StrEnum):
    """What can be asked of an engine."""

    STOP = "stop"  # nothing new; what runs may end; the exit handler runs
    TERMINATE = "terminate"  # kill what runs; no exit handler
    SUSPEND = "suspend"  # nothing new until resumed
    RESUME = "resume"  # go on; with a node: that one, with a value

    @property
    def halts(self) -> bool:
        """Whether it keeps the run from going on."""
        return self is not Verb.RESUME


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    verb: Verb
    node: str = ""
    value: Tree = None


def post(folder: Path, request: Request) -> Path:
    """Leaves a request for the engine, which looks about every quarter of a second and removes what it has obeyed.

    Raises:
        RunDamaged: the folder is gone or cannot be written.
    """
    name = f"{time.time_ns():020d}-{os.getpid()}{POSTED}"
    text = json.dumps({"verb": request.verb.value, "node": request.node, "value": request.value})
    beside = folder / f".{name}"
    try:
        folder.mkdir(exist_ok=True)  # a copy of a run may have lost its empty folders
        beside.write_text(text)
        return beside.rename(folder / name)
    except OSError as error:
        raise RunDamaged(f"{folder}: {error.strerror}: the run's folder must exist and be writable") from error


def is_kept(posted: Path) -> bool:
    """Whether what was asked is taken, and nothing has come of it yet."""
    return posted.with_suffix(KEPT).exists()


def refusal(posted: Path) -> str:
    """Why what was asked was not done; empty if that is not said. It is said once."""
    answer = posted.with_suffix(REFUSED)
    try:
        why = answer.read_text()
        answer.unlink()
    except FileNotFoundError:
        return ""
    return why


class Inbox:
    """What is asked of one engine. A request's file stays until the engine has written down what came of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: dict[str, Request] = {}  # by file name

    def drop_orders(self, before_ns: int) -> None:
        """Removes what was asked of an engine that has died; answers to nodes are kept."""
        for refused in self._folder.glob(f"*{REFUSED}"):
            refused.unlink(missing_ok=True)
        for name, request in list(self._requests()):
            if name < f"{before_ns:020d}" and not request.node:
                (self._folder / name).unlink(missing_ok=True)

    def collect(self) -> list[Request]:
        """The requests that have come since the last look, the oldest first."""
        new = dict(self._requests())
        self._taken |= new
        return list(new.values())

    def settle(self, unsettled: Collection[str], *, halted: bool = True) -> None:
        """Removes what was collected; what is for a node with one of these paths is kept under another name.

        So is, unless `halted`, what is to keep the run from going on.
        """
        for name, request in list(self._taken.items()):
            path = self._folder / name
            if request.node not in unsettled and (halted or not request.verb.halts):
                path.unlink(missing_ok=True)
                del self._taken[name]
            elif path.suffix == POSTED:
                with contextlib.suppress(FileNotFoundError):  # whoever asked has withdrawn it
                    self._taken[path.rename(path.with_suffix(KEPT)).name] = self._taken.pop(name)

    def refuse(self, why: str) -> None:
        """Tells those who have asked for the run not to go on that it does."""
        for name, request in self._taken.items():
            if request.verb.halts:
                beside = self._folder / f".{name}"
                beside.write_text(why)
                beside.rename((self._folder / name).with_suffix(REFUSED))

    def answered(self) -> bool:
        """Whether an answer to a node lies here."""
        return any(request.node for _, request in self._requests())

    def _requests(self) -> Iterator[tuple[str, Request]]:
        for name in sorted(os.listdir(self._folder)):
            if name.endswith((POSTED, KEPT)) and not name.startswith(".") and name not in self._taken:
                with contextlib.suppress(FileNotFoundError):
                    facts = json.loads((self._folder / name).read_text())
                    yield name, Request(verb=Verb(facts["verb"]), node=facts["node"], value=facts["value"])
