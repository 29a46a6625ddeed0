"""Ops that die, hang, print without end, leave children behind, or disturb the process that they run in."""

# They do on purpose what nobody should, and as plainly as can be.
# ruff: noqa: B003, C901, FURB122, NPY002, PTH101, PTH103, PTH106, PTH109, PTH119, PTH123, PTH208, PTH211

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np

from sciflow import TransientError, context, op, workflow
from tests.faults.programs.kills import note

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM)
CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


# --- ops that die


def perish(how: str) -> None:
    print(f"about to end by {how}", flush=True)
    match how:
        case "segmentation fault":
            ctypes.string_at(0)
        case "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        case "abort":
            os.abort()
        case "os._exit":
            os._exit(3)
        case "os._exit(0)":
            os._exit(0)
        case "closing every descriptor":
            os.closerange(3, 256)
            time.sleep(30)


@op
def mortal(x: int, how: str) -> int:
    note()
    if x == 2:
        perish(how)
    return x


@op(retries=1, backoff_s=0.01)
def risen(x: int, how: str) -> int:
    note()
    if x == 2 and context().attempt == 1:
        perish(how)
    return x


@op(isolate=True)
def apart(x: int, how: str) -> int:
    note()
    if x == 2:
        perish(how)
    return x


@op
def greedy(x: int) -> int:
    note()
    return len(bytearray(3 * 2**30)) if x == 2 else x


@workflow
def some_die(xs: list[int], how: str) -> list[int]:
    return mortal.partial(how=how).map(x=xs)


@workflow
def some_rise(xs: list[int], how: str) -> list[int]:
    return risen.partial(how=how).map(x=xs)


@workflow
def some_die_apart(xs: list[int], how: str) -> list[int]:
    return apart.partial(how=how).map(x=xs)


@workflow
def one_is_greedy(xs: list[int]) -> list[int]:
    return greedy.map(x=xs)


# --- ops that take their time


@op
def slow(x: int, seconds: float) -> int:
    note()
    print(f"began {x}", flush=True)
    time.sleep(seconds)
    return x


@workflow
def slowly(xs: list[int], seconds: float) -> list[int]:
    return slow.partial(seconds=seconds).map(x=xs)


@op
def patient(x: int) -> int:
    """Waits until the test lets it go on."""
    note()
    print(f"began {x}", flush=True)
    while not Path(os.environ["FAULTS_TALLY"]).with_name("go on").exists():
        time.sleep(0.01)
    return x


@workflow
def patiently(xs: list[int]) -> list[int]:
    return patient.map(x=xs)


@op
def name_worker(x: int, seconds: float) -> int:
    Path(os.environ["FAULTS_TALLY"]).with_name(f"worker-of-{x}").write_text(str(os.getpid()))
    time.sleep(seconds)
    return x


@workflow
def long_and_short() -> int:
    short = name_worker(0, 0.05)
    long = name_worker(1, 1.5)
    return add(long, short)


@op
def add(a: int, b: int) -> int:
    return a + b


@op
def stays_on(x: int) -> int:
    """Its process would not end by itself for a long time."""
    atexit.register(time.sleep, 600)
    threading.Thread(target=time.sleep, args=(600,)).start()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return x


@workflow
def stay_on(xs: list[int]) -> list[int]:
    return stays_on.map(x=xs)


# --- ops with children


def bomb(children: int, grandchildren: int) -> None:
    for _ in range(children):
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            for _ in range(grandchildren):
                if os.fork() == 0:
                    break
            time.sleep(600)
            os._exit(0)


@op
def parent(x: int, kind: str, then: str) -> int:
    note()
    if x % 2 == 0:
        match kind:
            case "fork bomb":
                bomb(20, 2)
            case "sessions of their own":
                for _ in range(3):
                    subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=True)
            case "daemon by a double fork":
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        os.execv(sys.executable, [sys.executable, "-c", CHILD])
                    os._exit(0)
                os.wait()
        if then == "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        if then == "die":
            os.kill(os.getpid(), signal.SIGKILL)
    return x


@workflow
def parents_without_end(xs: list[int], kind: str) -> list[int]:
    return parent.partial(kind=kind, then="hang").map(x=xs)


@op
def forsaken(x: int) -> int:
    """A child that lives on holds all that its dead parent held."""
    if x == 0:
        bomb(3, 0)
        os.kill(os.getpid(), signal.SIGSEGV)
    return x


@workflow
def forsake(xs: list[int]) -> list[int | None]:
    return forsaken.options(min_success=1).map(x=xs)


@workflow
def parents(xs: list[int], kind: str, then: str) -> list[int | None]:
    return parent.options(min_success=1, timeout_s=4).partial(kind=kind, then=then).map(x=xs)


# --- ops that print, and read


@op
def chatter(megabytes: int, newline: bool, fail: bool) -> int:
    line = ("x" * (2**20 - 1) + "\n") if newline else "x" * 2**20
    for _ in range(megabytes):
        sys.stdout.write(line)
    sys.stdout.write("the last words")
    if fail:
        raise ValueError("enough said")
    return megabytes


@op
def listen() -> list[str]:
    told = subprocess.run(["cat"], capture_output=True, text=True, check=True).stdout
    return [sys.stdin.read(), told]


@workflow
def say_much(megabytes: int, newline: bool, fail: bool) -> int:
    return chatter(megabytes, newline, fail)


@workflow
def hear() -> list[str]:
    return listen()


# --- ops that disturb their process


def surroundings() -> dict[str, object]:
    """What an op may take for granted."""
    umask = os.umask(0)
    os.umask(umask)
    return {
        "cwd is empty": not os.listdir("."),
        "cwd": os.path.basename(os.getcwd()),
        "environ": {k: v for k, v in os.environ.items() if k.startswith(("FAULTS_", "PATH", "HOME", "LANG"))},
        "handlers": [str(signal.getsignal(number)) for number in HANDLED],
        "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
        "numpy": np.random.random(3).tolist(),
        "random": [random.random() for _ in range(3)],
        "numpy errors": np.geterr(),
        "print options": np.get_printoptions()["precision"],
        "logging": [logging.root.level, len(logging.root.handlers), logging.root.manager.disable],
        "sys.path": list(sys.path),
        "sys.argv": list(sys.argv),
        "umask": umask,
        "stdout": [type(sys.stdout).__name__, sys.stdout.fileno()],
        "stderr": [type(sys.stderr).__name__, sys.stderr.fileno()],
        "recursion limit": sys.getrecursionlimit(),
        "warnings": len(warnings.filters),
        "open files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "trace": str(sys.gettrace()),
    }  # fmt: skip


def disturb(what: str) -> None:
    match what:
        case "cwd":
            os.makedirs("a/b")
            os.chdir("a/b")
        case "cwd gone":
            here = os.getcwd()
            os.chdir("/")
            os.rmdir(here)
        case "cwd locked":
            Path("kept.txt").write_text("kept")
            os.chmod(".", 0)
        case "environ":
            os.environ["FAULTS_NEW"] = "1"
            os.environ.pop("PATH", None)
            os.putenv("FAULTS_UNSEEN", "1")
        case "environ replaced":
            os.environ = {"FAULTS_OTHER": "1"}  # type: ignore[assignment]
        case "signal handlers":
            for number in HANDLED:
                signal.signal(number, signal.SIG_IGN)
        case "timer":
            signal.signal(signal.SIGALRM, lambda *_: os._exit(9))
            signal.setitimer(signal.ITIMER_REAL, 0.05)
        case "blocked signals":
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])
        case "random numbers":
            np.random.seed(0)
            random.seed(0)
        case "numpy settings":
            np.seterr(all="raise")
            np.set_printoptions(precision=2)
        case "logging":
            logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
            logging.disable(logging.CRITICAL)
        case "sys.path":
            sys.path.insert(0, "/nowhere")
        case "sys.argv":
            sys.argv[:] = ["other"]
        case "umask":
            os.umask(0o777)
        case "closed descriptors":
            os.close(1)
            os.close(2)
        case "closed streams":
            sys.stdout.close()
            sys.stderr.close()
        case "streams turned elsewhere":
            elsewhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(elsewhere, 1)
            os.dup2(elsewhere, 2)
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        case "limits":
            sys.setrecursionlimit(200)
            warnings.simplefilter("error")
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        case "trace":
            sys.settrace(lambda *_: None)
        case "sys.exit":
            sys.exit(0)
        case "keyboard interrupt":
            raise KeyboardInterrupt


@op
def guest(what: str) -> dict[str, object]:
    found = surroundings()
    print(f"guest {context().path} is here")
    disturb(what)
    return found


@workflow
def guests(whats: list[str]) -> list[dict[str, object] | None]:
    return guest.options(min_success=1).map(what=whats)


@workflow
def isolated_guests(whats: list[str]) -> list[dict[str, object] | None]:
    return guest.options(min_success=1, isolate=True).map(what=whats)


# --- ops that leave files, and that fill the disk


@op
def litter(x: int) -> int:
    Path("deep/er").mkdir(parents=True)
    Path("deep/er/left.txt").write_text(str(x))
    Path(".hidden").write_text("h")
    Path("name with space\n.txt").write_text("odd")
    os.mkfifo("pipe")
    os.symlink("/nowhere", "dangling")
    Path("locked").mkdir()
    Path("locked/in.txt").write_text("in")
    os.chmod("locked", 0)
    if x == 1:
        raise ValueError("one leaves, too")
    return x


@workflow
def litterers(xs: list[int]) -> list[int | None]:
    return litter.options(min_success=1).map(x=xs)


@op
def big_file(x: int, megabytes: int) -> Path:
    note()
    with open("big.bin", "wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(2**20))
    return Path("big.bin")


@op
def size(file: Path) -> int:
    return file.stat().st_size


@workflow
def big_files(xs: list[int], megabytes: int) -> list[int]:
    return size.map(file=big_file.partial(megabytes=megabytes).map(x=xs))


@op
def row(x: int, text: str) -> str:
    note()
    time.sleep(0.005)
    return f"{x} {text}"


@op
def length(xs: list[str]) -> int:
    return len(xs)


@workflow
def many_rows(xs: list[int], text: str) -> int:
    return length(row.partial(text=text).map(x=xs))


# --- ops that wait between attempts


@op(retries=3, backoff_s=0.7, backoff_factor=1)
def wait_and_see(x: int) -> int:
    note()
    print(f"attempt {context().attempt}")
    if context().attempt < 3:
        raise TransientError("not yet")
    return x


@workflow
def waits(xs: list[int]) -> list[int]:
    return wait_and_see.map(x=xs)
