"""qsub, qstat, qdel, qhold, qrls, qselect of a PBS that is not there: `pbs_programs.py HOME PROGRAM ARGUMENTS`.

Texts and exit codes as OpenPBS 23 and Torque 6 have them.
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

SERVER = "head"
UNKNOWN, FINISHED, NO_SERVER = 153, 35, 255


class PBS:
    def __init__(self, queue: Queue, program: str) -> None:
        self.queue, self.program = queue, program
        self.torque = queue.config["dialect"] == "torque"
        self.code = 0

    def fail(self, text: str, code: int) -> None:
        sys.stderr.write(f"{self.program}: {text}\n")
        self.code = code

    def qsub(self, argv: list[str]) -> None:
        script = Path(argv[-1]) if argv and Path(argv[-1]).is_file() else None
        text = script.read_text() if script else sys.stdin.read()
        parser = argparse.ArgumentParser(add_help=False)
        for letter in "NJtvSjomqAPW":
            parser.add_argument(f"-{letter}", default="")
        parser.add_argument("-l", action="append", default=[])
        lines = [line[4:] for line in text.splitlines() if line.startswith("#PBS")]
        words = [word for line in lines for word in shlex.split(line)]
        given, unknown = parser.parse_known_args([*argv[: -1 if script else None], *words])
        if unknown:
            self.fail(f"invalid option -- '{unknown[0].lstrip('-')}'\nusage: qsub [-a date_time] ...", 2)
            return
        problem, elements = self._problem(given)
        if problem:
            self.fail(problem, 170 if "queue" in problem else 188)
            return
        self._take(given, text, elements)

    def _problem(self, given: argparse.Namespace) -> tuple[str, list[int]]:
        wanted = given.t if self.torque else given.J
        found = re.fullmatch(r"(\d+)-(\d+)(?::(\d+))?(%\d+)?", wanted)
        config = self.queue.config
        if (given.J if self.torque else given.t) or (wanted and not found):
            return f"illegal {'-t' if self.torque else '-J'} value", []
        if given.q and given.q not in config["queues"]:
            return ("submit error (Unknown queue MSG=cannot locate queue)" if self.torque else "Unknown queue"), []
        elements = list(range(int(found[1]), int(found[2]) + 1, int(found[3] or 1))) if found else []
        if found and len(elements) < 2 and not self.torque:
            return "illegal -J value", []
        if len(elements) > config["max_array"]:
            return "Array job exceeds server or queue size limit", []
        if config["max_jobs"] and self.queue.open_count() + max(1, len(elements)) > config["max_jobs"]:
            return "would exceed complex's per-user limit", []
        return "", elements

    def _take(self, given: argparse.Namespace, text: str, elements: list[int]) -> None:
        spool = self.queue.home / "spool" / f"{time.time_ns()}.SC"
        spool.write_text(text)
        name = given.N or "STDIN"
        limits = dict(part.split("=", 1) for item in given.l for part in item.split(",") if "=" in part)
        wall = limits.get("walltime", "")
        seconds = sum(int(part) * 60**k for k, part in enumerate(reversed(wall.split(":")))) if wall else 0
        pro = re.findall(r"(\d+):ncpus=(\d+)", limits.get("select", ""))
        cores = sum(int(a) * int(b) for a, b in pro) or int((re.findall(r"ppn=(\d+)", str(given.l)) or ["1"])[0])
        named = (pair.partition("=") for pair in given.v.split(",") if pair)
        variables = {key: value if mark else os.environ.get(key, "") for key, mark, value in named}
        index = "PBS_ARRAYID" if self.torque else "PBS_ARRAY_INDEX"
        env = {
            **{key: os.environ[key] for key in ("HOME", "USER", "LOGNAME", "LANG", "TZ") if key in os.environ},
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "SHELL": "/bin/bash", "PBS_ENVIRONMENT": "PBS_BATCH",
            "PBS_O_WORKDIR": str(Path.cwd()), "PBS_JOBNAME": name, **({index: "%K"} if elements else {}), **variables,
        }  # fmt: skip
        output = f"{given.o}{name}.o{spool.stem}" if given.o.endswith("/") else given.o
        job = {
            "name": name, "batch": variables.get("SCIFLOW_BATCH", ""), "isarray": bool(elements),
            "queue": given.q or self.queue.config["queues"][0], "user": getpass.getuser(), "script": str(spool),
            "cwd": os.environ.get("HOME", "/"), "env": json.dumps(env), "cores": cores, "walltime": seconds,
            "output": f"{output or os.devnull}.%K" if elements else output or os.devnull,
            "throttle": int((re.findall(r"%(\d+)", given.J or given.t) or ["0"])[0]),
        }  # fmt: skip
        number = self.queue.submit(job, elements or [0])
        print(f"{number}{'[]' if elements else ''}.{SERVER}")

    def qselect(self, _: list[str]) -> None:
        jobs = {(row["job"], row["isarray"]) for row in self.queue.rows("state != ?", (DONE,))}
        for job, isarray in sorted(jobs):
            print(f"{job}{'[]' if isarray else ''}.{SERVER}")

    def qstat(self, argv: list[str]) -> None:
        flags = {letter for word in argv if word.startswith("-") for letter in word[1:]}
        if "B" in flags or "Q" in flags:
            self._server("Q" in flags)
            return
        names = [word for word in argv if re.match(r"\d", word)]
        rows = self._chosen(names, ended="x" in flags or bool(names and self.torque))
        if "f" in flags:
            self._full(rows, each="t" in flags)
        elif rows:
            self._brief(rows)

    def _chosen(self, names: list[str], *, ended: bool) -> list[object]:
        if not names:
            return [row for row in self.queue.rows() if ended or self._open(row)]
        found = []
        for name in names:
            number, _, rest = name.split(".")[0].partition("[")
            rows = self.queue.rows("job = ?", (int(number),))
            rows = [row for row in rows if rest in {"", "]"} or str(row["element"]) == rest.rstrip("]")]
            alive = [row for row in rows if ended or self._open(row)]
            if not rows:
                self.fail(f"Unknown Job Id {name}", UNKNOWN)
            elif not alive:
                text = f"{name} Job has finished, use -x or -H to obtain historical job information"
                self.fail(text, FINISHED)
            # a job of which some element is open is shown with all of them
            found += rows if alive else []
        return found

    @staticmethod
    def _open(row: dict[str, object]) -> bool:
        return row["shown"] != DONE

    def _letter(self, row: dict[str, object]) -> str:
        over = "C" if self.torque else ("X" if row["isarray"] else "F")
        return {QUEUED: "Q", HELD: "H", RUNNING: "R", DONE: over}[row["shown"]]

    def _brief(self, rows: list[dict[str, object]]) -> None:
        print(f"\n{SERVER}: ")
        print(f"{'':60}Req'd  Req'd   Elap")
        print("Job ID          Username Queue    Jobname    SessID NDS TSK Memory Time  S Time")
        print("--------------- -------- -------- ---------- ------ --- --- ------ ----- - -----")
        seen = set()
        for row in rows:
            if row["isarray"] and not self.torque and row["job"] not in seen:
                seen.add(row["job"])
                self._line(row, f"{row['job']}[].{SERVER}", "B" if any(r["started"] for r in rows) else "Q")
            element = f"[{row['element']}]" if row["isarray"] else ""
            self._line(row, f"{row['job']}{element}.{SERVER}", self._letter(row))

    @staticmethod
    def _line(row: dict[str, object], identity: str, letter: str) -> None:
        print(
            f"{identity[:15]:15} {row['user'][:8]:8} {row['queue'][:8]:8} {row['name'][:10]:10} "
            f"{row['pid'] or '--':>6} {1:3} {row['cores']:3} {'--':>6} {'--':>5} {letter} {'--':>5}"
        )

    def _full(self, rows: list[dict[str, object]], *, each: bool) -> None:
        seen: set[int] = set()
        for row in rows:
            if row["isarray"] and row["job"] not in seen:
                mine = [other for other in rows if other["job"] == row["job"]]
                over = all(other["shown"] == DONE for other in mine)
                letter = ("C" if self.torque else "F") if over else "B"
                self._attributes(row, f"{row['job']}[].{SERVER}", letter, None)
            if not row["isarray"] or each:
                element = f"[{row['element']}]" if row["isarray"] else ""
                self._attributes(row, f"{row['job']}{element}.{SERVER}", self._letter(row), self._status(row))
            seen.add(row["job"])

    def _attributes(self, row: dict[str, object], identity: str, letter: str, status: int | None) -> None:
        used = (time.time() if row["shown"] == RUNNING else row["changed"]) - (row["started"] or time.time())
        clock = time.strftime("%H:%M:%S", time.gmtime(row["walltime"]))
        lines = [f"Job_Name = {row['name']}", f"Job_Owner = {row['user']}@{SERVER}"]
        lines += [f"resources_used.walltime = {time.strftime('%H:%M:%S', time.gmtime(max(0, used)))}"]
        lines += [f"job_state = {letter}", f"queue = {row['queue']}", f"server = {SERVER}"]
        lines += [f"Resource_List.walltime = {clock}"] if row["walltime"] else []
        exported = [f"{key}={value}" for key, value in json.loads(row["env"]).items() if key.startswith("SCIFLOW_")]
        values = ["PBS_O_HOME=" + row["cwd"], "PBS_O_SYSTEM=Linux", *exported, f"PBS_O_HOST={SERVER}"]
        lines += [f"Variable_List = {','.join(values)}"]
        if status is not None and letter in "FXC":
            lines += [f"{'exit_status' if self.torque else 'Exit_status'} = {status}"]
        print(f"Job Id: {identity}")
        for line in lines:
            cut = [line[:74], *(line[at : at + 71] for at in range(74, len(line), 71))]
            print("    " + "\n\t".join(cut))
        print()

    def _status(self, row: dict[str, object]) -> int | None:
        if row["reason"] == "walltime":
            return -11 if self.torque else -29
        if row["reason"] == "fail-node":
            return -1 if self.torque else -20
        if row["reason"] == "end":
            return 271 if row["started"] else None
        return None if row["code"] is None else (row["code"] if row["code"] >= 0 else 256 - row["code"])

    def _server(self, queues: bool) -> None:
        for name in self.queue.config["queues"] if queues else []:
            print(f"Queue: {name}\n    queue_type = Execution\n    enabled = True\n    started = True\n")
        if not queues:
            size = self.queue.config["max_array"]
            print(f"Server: {SERVER}\n    server_state = Active\n    max_array_size = {size}")
            print("    pbs_version = 23.06.06\n")

    def wish(self, argv: list[str], wish: str) -> None:
        for name in (word for word in argv if not word.startswith("-")):
            number, _, rest = name.split(".")[0].partition("[")
            span = [int(part) for part in re.findall(r"\d+", rest)]
            elements = list(range(span[0], span[-1] + 1)) if span else None
            known = self.queue.rows("job = ?", (int(number),)) if number.isdigit() else []
            if not known:
                self.fail(f"Unknown Job Id {name}", UNKNOWN)
            elif not self.queue.wish(int(number), elements, wish):
                self.fail(f"Job has finished {name}", FINISHED)


def main() -> int:
    home, program, *argv = sys.argv[1:]
    queue = Queue(Path(home))
    if argv == ["--version"]:
        print("pbs_version = 23.06.06")
        return 0
    pbs = PBS(queue, program)
    if queue.down:
        sys.stderr.write(f"Connection refused\n{program}: cannot connect to server {SERVER} (errno=15010)\n")
        return NO_SERVER
    wishes = {"qdel": "end", "qhold": "hold", "qrls": "release", "qrerun": "requeue"}
    if program in wishes:
        pbs.wish(argv, wishes[program])
    else:
        getattr(pbs, program)(argv)
    return pbs.code


if __name__ == "__main__":
    sys.exit(main())
