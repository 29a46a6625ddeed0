"""The queue behind the stand-ins: jobs in SQLite, and a scheduler that really runs their elements on this machine.

The scheduler is a process in the background, started by a submission and gone when there has been nothing to do for
some seconds. Standard library only, since the programs are started often and by shells with a bare environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

IDLE_S = 600.0
GRACE_S = 1.0  # between the request to end and the end
SCHEMA = """
create table if not exists jobs (id integer primary key, name text, batch text, isarray int, queue text, user text,
  script text, cwd text, output text, env text, cores int, throttle int, walltime real, submitted real);
create table if not exists tasks (job int, element int, state text, before text, changed real, started real, pid int,
  code int, reason text, wish text, primary key (job, element));
create index if not exists open_tasks on tasks (state);
"""
QUEUED, HELD, RUNNING, DONE = "queued", "held", "running", "done"


class Queue:
    """The queue that lies in a folder. `config.json`: slots, delay_s, max_array, max_jobs, queues."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.config = json.loads((home / "config.json").read_text())
        self.db = sqlite3.connect(home / "queue.db", timeout=60, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.execute("pragma journal_mode = wal")
        self.db.execute("pragma synchronous = off")

    @property
    def down(self) -> bool:
        """Whether its server shall not answer."""
        return (self.home / "down").exists()

    def submit(self, job: dict[str, object], elements: list[int]) -> int:
        """Takes a job; its elements wait."""
        held = HELD if (self.home / "hold-next").exists() else QUEUED
        (self.home / "hold-next").unlink(missing_ok=True)
        job = {**job, "submitted": time.time()}
        with self._all_or_nothing():
            columns = ", ".join(job)
            marks = ", ".join("?" * len(job))
            number = self.db.execute(f"insert into jobs ({columns}) values ({marks})", [*job.values()]).lastrowid
            if not (self.home / "lose-next").exists():
                rows = [(number, element, held, held, 0.0) for element in elements]
                self.db.executemany(
                    "insert into tasks (job, element, state, before, changed) values (?, ?, ?, ?, ?)", rows
                )
        (self.home / "lose-next").unlink(missing_ok=True)
        self._wake()
        return int(number or 0)

    def open_count(self) -> int:
        """Elements that wait or run."""
        return self.db.execute("select count(*) from tasks where state != ?", [DONE]).fetchone()[0]

    def rows(self, where: str = "1", values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """Elements with their jobs; `shown` is the state that the system tells, late as it is."""
        late = time.time() - self.config["delay_s"]
        return self.db.execute(
            "select *, case when changed > ? then before else state end as shown from tasks join jobs on id = job "
            f"where {where} order by job, element",
            [late, *values],
        ).fetchall()

    def wish(self, job: int, elements: list[int] | None, wish: str) -> int:
        """Asks the scheduler for something: `end`, `hold`, `release`, `lose`, `fail-node`; how many it may reach."""
        where, values = ("job = ?", [job]) if elements is None else ("job = ? and element = ?", [job])
        reached = 0
        with self._all_or_nothing():
            for element in [None] if elements is None else elements:
                more = [] if element is None else [element]
                command = f"update tasks set wish = ? where state != ? and {where}"
                reached += self.db.execute(command, [wish, DONE, *values, *more]).rowcount
        self._wake()
        return reached

    def _all_or_nothing(self) -> _Transaction:
        return _Transaction(self.db)

    def _wake(self) -> None:
        argv = [sys.executable, "-S", "-E", __file__, str(self.home)]
        log = (self.home / "scheduler.log").open("ab")
        subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/", env=os.environ
        )


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def __enter__(self) -> None:
        self.db.execute("begin immediate")

    def __exit__(self, kind: object, *_: object) -> None:
        self.db.execute("rollback" if kind else "commit")


class Scheduler:
    """Runs what waits; one for each queue."""

    def __init__(self, queue: Queue) -> None:
        self.queue, self.db = queue, queue.db
        self.running: dict[tuple[int, int], tuple[subprocess.Popen[bytes], sqlite3.Row]] = {}
        self.killed: dict[tuple[int, int], tuple[str, float]] = {}  # why, and when it gets SIGKILL

    def run(self) -> None:
        last = time.monotonic()
        while time.monotonic() - last < IDLE_S and (self.queue.home / "config.json").exists():
            with self.queue._all_or_nothing():
                busy = self._step()
            if busy or self.running:
                last = time.monotonic()
            time.sleep(0.01 if busy else 0.05)

    def _step(self) -> bool:
        ended = [self._ended(key) for key, (process, _) in list(self.running.items()) if process.poll() is not None]
        for row in self.db.execute("select * from tasks where wish is not null").fetchall():
            self._obey(row)
        now = time.time()
        for key, (_, row) in self.running.items():
            if row["walltime"] and now > row["started_now"] + row["walltime"]:
                self._kill(key, "walltime")
        for key, (_, at) in list(self.killed.items()):
            if now > at and key in self.running:
                self._signal(key, signal.SIGKILL)
        return bool(self._start_some() or ended)

    def _start_some(self) -> int:
        free = self.queue.config["slots"] - sum(row["cores"] for _, row in self.running.values())
        at_once: dict[int, int] = {}
        for job, _ in self.running:
            at_once[job] = at_once.get(job, 0) + 1
        waiting = self.db.execute(
            "select *, ? as started_now from tasks join jobs on id = job where state = ? "
            "order by job, element limit 400",
            [time.time(), QUEUED],
        )
        started = 0
        for row in waiting.fetchall():
            cores = min(row["cores"], self.queue.config["slots"])
            if cores > free:
                break
            if row["throttle"] and at_once.get(row["job"], 0) >= row["throttle"]:
                continue
            self._start(row)
            free -= cores
            at_once[row["job"]] = at_once.get(row["job"], 0) + 1
            started += 1
        return started

    def _start(self, row: sqlite3.Row) -> None:
        element = row["element"]
        env = {key: value.replace("%K", str(element)) for key, value in json.loads(row["env"]).items()}
        path = row["output"].replace("%K", str(element))
        folder_is_there = Path(path).parent.is_dir()
        with Path(path if folder_is_there else os.devnull).open("ab") as output:
            process = subprocess.Popen(
                ["/bin/bash", row["script"]], cwd=row["cwd"], env=env, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self.running[row["job"], element] = (process, row)
        self._write(row["job"], element, RUNNING, before=QUEUED, started=row["started_now"], pid=process.pid)

    def _ended(self, key: tuple[int, int]) -> bool:
        process, _ = self.running.pop(key)
        why, _ = self.killed.pop(key, ("", 0.0))
        self._signal_group(process.pid, signal.SIGKILL)  # a batch system leaves nothing behind
        if why == "lose":
            self.db.execute("delete from tasks where job = ? and element = ?", key)
        elif why == "requeue":
            self._write(*key, QUEUED, before=RUNNING)
        else:
            self._write(*key, DONE, before=RUNNING, code=process.returncode, reason=why)
        return True

    def _obey(self, row: sqlite3.Row) -> None:
        key, wish, state = (row["job"], row["element"]), row["wish"], row["state"]
        self.db.execute("update tasks set wish = null where job = ? and element = ?", key)
        if wish == "hold" and state == QUEUED:
            self._write(*key, HELD, before=state)
        elif wish == "release" and state == HELD:
            self._write(*key, QUEUED, before=state)
        elif wish in {"end", "lose", "fail-node", "requeue"} and key in self.running:
            self._kill(key, wish)
        elif wish == "lose" and state != DONE:
            self.db.execute("delete from tasks where job = ? and element = ?", key)
        elif wish == "end" and state != DONE:
            self._write(*key, DONE, before=state, reason="end")

    def _kill(self, key: tuple[int, int], why: str) -> None:
        if key in self.killed:
            return
        hard = why in {"fail-node", "requeue", "lose"}
        self.killed[key] = (why, time.time() + (0.0 if hard else GRACE_S))
        self._signal(key, signal.SIGKILL if hard else signal.SIGTERM)

    def _signal(self, key: tuple[int, int], number: int) -> None:
        self._signal_group(self.running[key][0].pid, number)

    @staticmethod
    def _signal_group(pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)

    def _write(self, job: int, element: int, state: str, *, before: str, **facts: object) -> None:
        names = "".join(f", {name} = ?" for name in facts)
        self.db.execute(
            f"update tasks set state = ?, before = ?, changed = ?{names} where job = ? and element = ?",
            [state, before, time.time(), *facts.values(), job, element],
        )


def make(home: Path, **config: object) -> None:
    """An empty queue in a folder."""
    defaults = {
        "slots": 4, "delay_s": 0.0, "max_array": 10_000, "max_jobs": 0, "queues": ["workq", "short"], "dialect": "pro",
    }  # fmt: skip
    home.mkdir(parents=True, exist_ok=True)
    (home / "spool").mkdir(exist_ok=True)
    (home / "config.json").write_text(json.dumps({**defaults, **config}))
    with sqlite3.connect(home / "queue.db") as db:
        db.execute("pragma journal_mode = wal")
        db.executescript(SCHEMA)


def main() -> None:
    """The scheduler of the queue in this folder, if it has none yet."""
    home = Path(sys.argv[1])
    with (home / "scheduler.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        (home / "scheduler.pid").write_text(f"{os.getpid()}\n")
        Scheduler(Queue(home)).run()


if __name__ == "__main__":
    main()
