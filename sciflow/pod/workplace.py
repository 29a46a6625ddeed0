"""Where a pod works: the volume that its containers share, and the part of the bucket that is the run's."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec

from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.layout import Layout
from sciflow.runner.mailbox import prepare
from sciflow.runner.pod import ORDERS

ROOT, POD, CODE, MAILBOX = "run", "pod", "code", "mailbox"  # folders in the volume; the last one is in POD
SERVANT = "mailbox.sh"  # beside this module, and in POD


class PodSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod is told of itself."""

    volume: Path
    runner: str  # the runner's zip
    python: str = "python3"
    uid: str = ""  # the pod's own
    exit_phase: str = ""  # what the run came to as Argo has it, for a pod of the exit handler
    image: str = ""  # that of another container, which runs the programs


class Workplace:
    """What all that is done before the runner is done with."""

    def __init__(self, bucket: Bucket, layout: Layout, setup: PodSetup) -> None:
        """`layout`: of the pod's run."""
        self.bucket = bucket
        self.layout = layout
        self.setup = setup
        self.root = setup.volume / ROOT  # as a run folder
        self.pod = setup.volume / POD  # what the runner is given, and leaves
        self.code = setup.volume / CODE
        for folder in (self.root / "logs", self.root / "tasks", self.root / "values", self.pod):
            folder.mkdir(parents=True, exist_ok=True)
        if setup.image:
            prepare(str(self.pod / MAILBOX))
            (self.pod / SERVANT).write_bytes(files(__package__).joinpath(SERVANT).read_bytes())

    @property
    def mailbox(self) -> dict[str, object]:
        """What is said of the container that runs programs, if there is one."""
        if not self.setup.image:
            return {}
        return {"mailbox": {"folder": str(self.pod / MAILBOX), "image": self.setup.image}}

    def order(self, **orders: object) -> None:
        """Leaves what the runner is to do: see `runner.pod`; with `code` it ends so, and with a `message`."""
        told = {"root": str(self.root), **self.mailbox, **orders}
        (self.pod / ORDERS).write_bytes(msgspec.json.encode(told))
