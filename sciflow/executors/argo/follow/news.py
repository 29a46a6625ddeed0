"""What passes between the executor and the thread that follows a workflow: orders one way, news the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from sciflow.executors.argo.follow.halting import Halted
from sciflow.executors.argo.follow.waiting import Waits
from sciflow.executors.argo.place.outcomes import TaskEnd
from sciflow.executors.argo.server.objects import WorkflowStatus

# --- orders


class Begin(msgspec.Struct, kw_only=True, eq=False):
    """Submit the workflow, unless that was done; `totals`: tasks of its own nodes, as far as they are known."""

    totals: Mapping[str, int]


class Revive(msgspec.Struct, kw_only=True, eq=False):
    """Run again what has failed of a workflow that has ended, with the code as it is now.

    `paths`: of nodes whose ends are waited for; a pod of those that has succeeded and left nothing runs again, too.
    """

    paths: Sequence[str] = ()


class Answer(msgspec.Struct, kw_only=True, eq=False):
    """Let a suspended node go on with what was given for it."""

    path: str
    text: bytes


class Pause(msgspec.Struct, eq=False):
    """Begin no more pods."""


class Resume(msgspec.Struct, eq=False):
    """Go on after a pause."""


class End(msgspec.Struct, kw_only=True, eq=False):
    """End all pods; then the exit handler runs, or not."""

    halt: Halted


class Fetch(msgspec.Struct, kw_only=True, eq=False):
    """Bring files and folders from the bucket."""

    paths: Sequence[str]


Order: TypeAlias = Begin | Revive | Answer | Pause | Resume | End | Fetch


# --- news


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod has left."""

    path: str
    ends: Sequence[TaskEnd]
    left: Sequence[int]  # slices that it has not brought to an end
    again: bool = False  # it is at work again on those that have failed


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What was given for a suspended node, here or elsewhere; None: what was given here came to nothing."""

    path: str
    text: bytes | None


class CaughtUp(msgspec.Struct, frozen=True, kw_only=True):
    """All that the bucket has is told; how the workflow is.

    `over`: nothing more will come of it; `found`: it was there before this engine; `halted`: somebody has ended it.
    """

    status: WorkflowStatus
    over: bool
    found: bool
    halted: Halted | None = None


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """Files are here; of the others why not."""

    paths: Sequence[str]
    lost: Mapping[str, str]


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The workflow came to nothing: there is none."""

    why: str


class Unreached(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing can be done about the workflow from here: it is what it is, and goes on if it goes on."""

    why: str


class Obeyed(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An order is done, or came to nothing because somebody refuses it."""

    order: Order
    refusal: str = ""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What pods wait for."""

    waits: Waits


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What is waited for; empty: nothing any more."""

    text: str


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """The thread has come to an end that is nobody's fault but ours."""

    error: BaseException


News: TypeAlias = Ends | Told | CaughtUp | Fetched | Refused | Unreached | Obeyed | Waiting | Notice | Broken
