"""`pod FOLDER`: runs the tasks of one pod, those that fail again as their policy says, and leaves a file of their ends.

FOLDER/pod.json   what the pod is for: the node's path, which of its tasks in which chunk, the policy
FOLDER/1/         a batch: what its elements run, several at once; FOLDER/2/, ... those tasks that are tried again
FOLDER/mailbox/   if programs are run in another container: the way to it, see `pod/mailbox.sh`
FOLDER/cache/     outcomes for the cache, under what identifies them
FOLDER/outcomes   how every attempt has ended; also those of earlier pods of the same tasks, which were put there before
FOLDER/told/      numbers of the output of its only task, for Argo, as far as they are asked for and can be told; and
                  `keys`, the keys of its tasks, for who looks at Argo
"""

from __future__ import annotations

import os
import sys
import threading
import time

from sciflow.runner import crew
from sciflow.runner.batch import Batch
from sciflow.runner.exit_codes import STOPPED
from sciflow.runner.placing import write_whole
from sciflow.runner.pod_ends import OUTCOMES, PodEnds
from sciflow.runner.pod_log import PodLog
from sciflow.runner.pod_message import leave, why_failed
from sciflow.runner.pod_progress import PodProgress
from sciflow.runner.replies_file import ENDED, LEFT, PROGRESS
from sciflow.runner.telling import tell
from sciflow.runner.text import dump, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    Tree = Any

ORDERS, NUMBERS = "pod.json", "told"
KEYS = "keys"  # beside the numbers: those of its tasks
LOOK_S = 0.2  # between looks at what is printed
SAVE_S = 5.0  # between savings of what has ended


class Pod:
    """The tasks of one pod."""

    def __init__(self, folder: str) -> None:
        with open(f"{folder}/{ORDERS}", encoding="utf-8") as file:
            self._told = parse(file.read())
        self._folder = folder
        self._known: dict[str, int] = {}  # bytes of each file of replies that were read
        self._tails: dict[str, list[int]] = {}  # where the text of the next task begins, by worker
        self._ends = PodEnds(folder, self._told)
        self._round = 1
        self._stopped = False
        self._progress = PodProgress(len(self._told["tasks"]))
        self._lock = threading.Lock()
        self._over = threading.Event()

    def run(self) -> int:
        """Run all; the exit code."""
        self._listen()
        teller = threading.Thread(target=self._tell, daemon=True)
        teller.start()
        batch: str | None = f"{self._folder}/1"
        while batch is not None:
            lost = self._play(batch)
            if lost:
                break
            batch = None if self._stopped else self._again(batch)
        self._over.set()
        teller.join()
        self._collect()
        self._ends.save()
        self._progress.write(self._ends.succeeded)
        self._ends.remember()
        return STOPPED if self._stopped or lost else self._ends.code

    def _play(self, batch: str) -> bool:
        """Run a batch; whether a program of ours did not come to its end in order, twice."""
        for _ in range(2):
            code = crew.main(batch, 0)
            self._listen()  # the crew has listened itself
            self._collect()
            if code == 0 or self._stopped:
                return False
            sys.stderr.write(f"sciflow: an element has ended with exit code {code}\n")
        return True

    # --- what has ended

    def _collect(self) -> None:
        """Read what the elements of this round have said since the last look."""
        with self._lock:
            batch = Batch(f"{self._folder}/{self._round}")
            for element in batch.crew_of(0):
                for part in ("live", "done"):
                    self._read(batch, element, batch.place(part, element))

    def _read(self, batch: Batch, element: int, path: str) -> None:
        worker = batch.worker(element)
        try:
            with open(path, "rb") as file:
                file.seek(self._known.get(worker, 0))
                whole = file.read().rpartition(b"\n")[0]
        except FileNotFoundError:
            return
        if whole:
            self._known[worker] = self._known.get(worker, 0) + len(whole) + 1
        for line in whole.split(b"\n") if whole else ():
            self._hear(worker, parse(line.decode()))

    def _hear(self, worker: str, said: Tree) -> None:
        if said[0] == ENDED:
            self._ends.hear(worker, self._tails.get(worker, [0, 0]), said)
            self._tails[worker] = said[6:8]
        elif said[0] == PROGRESS:
            self._progress.hear(said)
        elif said[0] == LEFT and said[1]["left"] and said[1]["why"] in ("signal", "stopped", "time"):
            self._stopped = True

    # --- once more

    def _again(self, batch: str) -> str | None:
        """Another batch of the tasks that have failed and are to be tried again, after their back-off; None: none."""
        waits = self._ends.waits()
        if not waits or self._pause(max(waits.values())):
            return None
        again = f"{self._folder}/{self._round + 1}"
        _write_again(Batch(batch), again, self._round + 1, waits)
        self._round += 1  # now that it is there: who looks on reads it
        return again

    def _pause(self, seconds: float) -> bool:
        """Wait; whether this pod is to end meanwhile."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._stopped:
            time.sleep(min(0.1, seconds))
        return self._stopped

    def _listen(self) -> None:
        import signal

        def stop(_number: int, _frame: object) -> None:
            self._stopped = True

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)

    # --- to those who look on

    def _tell(self) -> None:
        """Print what tasks print, keep what has ended safe, and say how far it is."""
        log = PodLog(f"{self._told['root']}/logs")
        saved = time.monotonic()
        over, wrong = False, ""
        while not over:
            over = self._over.wait(LOOK_S)
            try:
                log.print()
                if time.monotonic() - saved > SAVE_S:
                    saved = time.monotonic()
                    self._collect()
                    self._ends.save()
                    self._progress.write(self._ends.succeeded)
            except OSError as error:  # a full volume: the tasks may get on all the same, and make room
                if wrong != str(error):
                    wrong = str(error)
                    sys.stderr.write(f"sciflow: what tasks print and how they end is not kept for now: {wrong}\n")


def _write_again(batch: Batch, again: str, number: int, wanted: Any) -> None:
    """A batch like another one, of some of its tasks alone, each with the next attempt."""
    os.makedirs(again)
    with open(f"{batch.folder}/index.json", encoding="utf-8") as file:
        index = parse(file.read())
    frames: list[bytes] = []
    at = 0

    def put(frame: Tree) -> tuple[int, int]:
        nonlocal at
        text = dump(frame).encode()
        frames.append(len(text).to_bytes(4, "big") + text)
        at += len(frames[-1])
        return at - len(frames[-1]), len(frames[-1])

    places = []
    ops, _ = batch.requests(0)
    common = [put(op) for op in ops.values()]
    for element in range(len(index["elements"])):
        _, requests = batch.requests(element)
        own = []
        for request in requests:
            tasks = [[task[0], task[1], task[2] + 1, *task[3:]] for task in request["tasks"] if task[0] in wanted]
            own.append(put({**request, "tasks": tasks}))
        places.append([own[0][0] if own else at, sum(size for _, size in own)])
    index["common"] = [common[0][0], sum(size for _, size in common)]
    index["elements"] = places
    index["name"] = f"{index['name'].rpartition('.')[0]}.{number}"
    index["crew"]["command"] = [again if part == batch.folder else part for part in index["crew"]["command"]]
    write_whole(f"{again}/requests", b"".join(frames))
    write_whole(f"{again}/index.json", dump(index).encode())


def main(folder: str, asked: str = "[]") -> int:
    """Run the pod; its exit code. `asked`: the numbers of its task's output that are to be told, see `telling`."""
    with open(f"{folder}/{ORDERS}", encoding="utf-8") as file:
        told = parse(file.read())

    def run() -> int:
        return Pod(folder).run()

    if "mailbox" not in told:
        return carry_out(folder, told, asked, run)
    from sciflow.runner.mailbox import Doorway

    doorway, code = Doorway(told["mailbox"]["folder"]), 1
    try:
        code = carry_out(folder, told, asked, run)
    finally:
        doorway.end(code)
    return 0  # it is the other container's exit code that counts


def carry_out(folder: str, told: Tree, asked: str, run: Callable[[], int]) -> int:
    """Run the tasks of a pod by `run`, if there are any, and tell Argo what it is to know; the exit code."""
    if told.get("message"):
        sys.stderr.write(f"sciflow: {told['message']}\n")
    code = int(told["code"]) if "code" in told else run()
    if code:
        leave(told.get("message") or why_failed(f"{folder}/{OUTCOMES}"), told.get("mailbox", {}).get("folder", ""))
    if asked != "[]" and os.path.exists(f"{folder}/{OUTCOMES}"):
        with open(f"{folder}/{OUTCOMES}", encoding="utf-8") as file:
            last = parse(file.read().rstrip("\n").rpartition("\n")[2])
        if isinstance(last, list) and last[5][2] == "Succeeded":
            tell(f"{folder}/{NUMBERS}", told["root"], last[5][3], parse(asked))
    return code
