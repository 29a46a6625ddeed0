"""bsub, bjobs, bkill, bstop, bresume, bqueues, bparams of an LSF that is not there: `lsf_programs.py HOME PROGRAM ...`.

Texts and exit codes as LSF 10.1 has them.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import re
import shlex
import sys
import time
from pathlib import Path

from queue_engine import DONE, HELD, QUEUED, RUNNING, Queue

FAILED = 255
STATES = {QUEUED: "PEND", HELD: "PSUSP", RUNNING: "RUN"}
REASONS = {
    "walltime": ("140", "TERM_RUNLIMIT: job killed after reaching LSF run time limit"),
    "end": ("130", "TERM_OWNER: job killed by owner"),
    "fail-node": ("-", "TERM_ZOMBIE: Job exited while LSF is not available"),
}
OPTIONS = ("-J", "-o", "-e", "-cwd", "-L", "-n", "-M", "-W", "-wa", "-wt", "-sla", "-q", "-P", "-G", "-gpu", "-env")


class LSF:
    def __init__(self, queue: Queue, program: str) -> None:
        self.queue, self.program = queue, program
        self.code = 0

    def fail(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")
        self.code = FAILED

    def bsub(self, argv: list[str]) -> None:
        text = sys.stdin.read()
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        for option in OPTIONS:
            parser.add_argument(option, default="")
        parser.add_argument("-R", action="append", default=[])
        parser.add_argument("-x", action="store_true")
        lines = [line[5:] for line in text.splitlines() if line.startswith("#BSUB")]
        words = [word for line in lines for word in shlex.split(line)]
        given, unknown = parser.parse_known_args([*argv, *words])
        name, span, throttle = re.fullmatch(r"([^\[]*)(?:\[([^\]]*)\])?(?:%(\d+))?", given.J).groups()
        ends = [int(part) for part in re.findall(r"\d+", span or "")]
        elements = list(range(ends[0], ends[-1] + 1)) if ends else []
        problem = f"{unknown[0]}: Illegal option" if unknown else self._problem(given, elements)
        if problem:
            self.fail(f"{problem}. Job not submitted.")
            return
        self._take(given, text, name, elements, int(throttle or 0))

    def _problem(self, given: argparse.Namespace, elements: list[int]) -> str:
        config = self.queue.config
        if given.q and given.q not in config["queues"]:
            return f"{given.q}: No such queue"
        if len(elements) > config["max_array"]:
            return f"{given.J}: Bad job name. Job array index out of range"
        if config["max_jobs"] and self.queue.open_count() + max(1, len(elements)) > config["max_jobs"]:
            return "Pending job threshold reached"
        return ""

    def _take(self, given: argparse.Namespace, text: str, name: str, elements: list[int], throttle: int) -> None:
        spool = self.queue.home / "spool" / f"{time.time_ns()}.lsf"
        spool.write_text(text)
        hours, _, minutes = given.W.rpartition(":")
        queue = given.q or self.queue.config["queues"][0]
        number = self.queue.db.execute("select coalesce(max(id), 0) + 1 from jobs").fetchone()[0]
        env = {**os.environ, "LSB_JOBNAME": name, "LSB_QUEUE": queue, "LSB_JOBINDEX": "%K" if elements else "0"}
        job = {
            "name": given.J, "batch": name, "isarray": bool(elements), "queue": queue, "user": getpass.getuser(),
            "script": str(spool), "cwd": given.cwd or str(Path.cwd()), "env": json.dumps(env), "throttle": throttle,
            "output": given.o.replace("%J", str(number)).replace("%I", "%K") or os.devnull,
            "cores": int(given.n or 1), "walltime": (int(hours or 0) * 60 + int(minutes or 0)) * 60,
        }  # fmt: skip
        number = self.queue.submit(job, elements or [0])
        default = "" if given.q else "default "
        print(f"Job <{number}> is submitted to {default}queue <{queue}>.")

    def bjobs(self, argv: list[str]) -> None:
        if "-V" in argv:
            sys.stderr.write("IBM Spectrum LSF Standard 10.1.0.13, Apr 15 2022\n")
            return
        wanted, form, everything = self._arguments(argv)
        fields, _, delimiter = form.partition("delimiter=")
        mark = delimiter.strip("'\" ") or " "
        rows = [row for row in self.queue.rows() if not wanted] if not wanted else []
        for name in wanted:
            rows += self._found(name)
        rows = [row for row in rows if everything or wanted or row["shown"] != DONE]
        if not rows and not wanted:
            sys.stderr.write("No unfinished job found\n" if not everything else "No job found\n")
        for row in rows:
            print(mark.join(self._field(row, field) for field in fields.split()))

    def _arguments(self, argv: list[str]) -> tuple[list[str], str, bool]:
        form = argv[argv.index("-o") + 1] if "-o" in argv else "jobid stat job_name"
        wanted = [word for word in argv if re.fullmatch(r"\d+(\[.*\])?", word)]
        return wanted, form, "-a" in argv

    def _found(self, name: str) -> list[object]:
        number, elements = _numbers(name)
        rows = [row for row in self.queue.rows("job = ?", (number,)) if elements is None or row["element"] in elements]
        if not rows:
            self.fail(f"Job <{name}> is not found")
        return rows

    def _field(self, row: dict[str, object], field: str) -> str:
        over = row["shown"] == DONE
        good = over and row["code"] == 0 and not row["reason"]
        code, reason = (
            REASONS.get(row["reason"] or "", (str(_shell(row["code"])), "-")) if over and not good else ("-", "-")
        )
        waits = "New job is waiting for scheduling" if row["shown"] == QUEUED else "-"
        texts = {
            "jobid": str(row["job"]), "jobindex": str(row["element"] if row["isarray"] else 0),
            "stat": ("DONE" if good else "EXIT") if over else STATES[row["shown"]], "exit_code": code,
            "exit_reason": reason, "pend_reason": waits,
            "job_name": f"{row['batch']}[{row['element']}]" if row["isarray"] else row["batch"],
        }  # fmt: skip
        return texts.get(field, "-")

    def wish(self, argv: list[str], wish: str, done: str) -> None:
        for name in (word for word in argv if not word.startswith("-")):
            number, elements = _numbers(name)
            if not self.queue.rows("job = ?", (number,)):
                self.fail(f"Job <{name}>: No matching job found")
            elif self.queue.wish(number, elements, wish):
                print(f"Job <{name}> is being {done}")
            else:
                self.fail(f"Job <{name}>: Job has already finished")

    def bqueues(self, _: list[str]) -> None:
        print("QUEUE_NAME      PRIO STATUS          MAX JL/U JL/P JL/H NJOBS  PEND   RUN  SUSP")
        for name in self.queue.config["queues"]:
            print(f"{name:15}  30  Open:Active       -    -    -    -     0     0     0     0")

    def bparams(self, _: list[str]) -> None:
        print(f"\tDEFAULT_QUEUE = normal\n\tMAX_JOB_ARRAY_SIZE = {self.queue.config['max_array']}")


def _numbers(name: str) -> tuple[int, list[int] | None]:
    number, _, rest = name.partition("[")
    spans = [part.split("-") for part in rest.rstrip("]").split(",") if part]
    listed = [k for span in spans for k in range(int(span[0]), int(span[-1]) + 1)]
    return int(number), listed if rest else None


def _shell(code: int | None) -> int:
    return (128 - code) if code is not None and code < 0 else code or 0


def main() -> int:
    home, program, *argv = sys.argv[1:]
    queue = Queue(Path(home))
    lsf = LSF(queue, program)
    if queue.down:
        sys.stderr.write("Failed in an LSF library call: LIM is down; try later. Job not submitted.\n")
        return FAILED
    wishes = {"bkill": ("end", "terminated"), "bstop": ("hold", "stopped"), "bresume": ("release", "resumed")}
    wishes["brequeue"] = ("requeue", "requeued")
    if program in wishes:
        lsf.wish(argv, *wishes[program])
    else:
        getattr(lsf, program)(argv)
    return lsf.code


if __name__ == "__main__":
    sys.exit(main())
