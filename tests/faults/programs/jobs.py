"""Workflows for a cluster: each task notes on the node when it begins and when it ends, so that both can be counted.

Where the notes go, and what tasks wait for, is among the settings of the executing machine.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

from sciflow import TransientError, context, op, workflow


def note(what: str) -> None:
    """Appends a line to the tally, in one write."""
    place = context()
    fd = os.open(place.host.get("tally", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, f"{what} {place.path} {place.attempt}\n".encode())
    os.close(fd)


def work(pause_s: float = 0.2) -> None:
    note("began")
    time.sleep(pause_s)
    note("ended")


def wait(name: str) -> None:
    """Notes its beginning, and waits until the test makes a file of that name."""
    note("began")
    sign = Path(context().host["signs"], name)
    while not sign.exists():
        time.sleep(0.05)
    note("ended")


@op
def square(x: int) -> int:
    work()
    return x * x


@op
def total(xs: list[int]) -> int:
    work(0.05)
    return sum(xs)


@op(retries=3, backoff_s=0.05)
def flaky(x: int) -> int:
    work(0.1)
    if context().attempt < 1 + x % 3:
        raise TransientError("not yet")
    return x * 7


@op
def write(x: int) -> Path:
    place = Path(f"number {x}.txt")
    place.write_text(f"{x}\n" * 2000)
    work(0.1)
    return place


@op
def edit(file: Path) -> Path:
    with file.open("a") as end:
        end.write("edited\n")
    work(0.1)
    return file


@workflow
def edited(file: Path) -> Path:
    return edit(file=file)


@op
def digest(files: list[Path]) -> str:
    work(0.05)
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@op
def spread(x: int) -> list[int]:
    work(0.1)
    return [x * 1000 + i for i in range(1500)]  # too long for a row of the database


@workflow
def fan(xs: list[int]) -> int:
    return total(square.map(x=xs))


@workflow
def fan_of_fans(xs: list[int]) -> int:
    return total(branch.map(x=xs))


@workflow
def branch(x: int) -> int:
    return total(square.map(x=[x, x, x]))


@workflow
def retries(xs: list[int]) -> int:
    return total(flaky.map(x=xs))


@workflow
def files(xs: list[int]) -> str:
    return digest(edit.map(file=write.map(x=xs)))


@workflow
def large_values(xs: list[int]) -> int:
    return total(total.map(xs=spread.map(x=xs)))


@op
def patient(x: int) -> int:
    wait("go on")
    return x + 100


@op(retries=2, backoff_s=0.05)
def steadfast(x: int) -> int:
    """Patient at the first attempt, quick at the next."""
    if context().attempt == 1:
        wait("go on")
    else:
        work(0.05)
    return x + 100


@op(retries=2, backoff_s=0.05)
def vanishing(x: int) -> int:
    """Takes its whole job with it at the first attempt: script, runner and all, and leaves no mark."""
    work(0.05)
    if context().attempt == 1:
        Path(context().host["signs"], "job").write_text(os.environ["SLURM_JOB_ID"])
        mine = f"SLURM_JOB_ID={os.environ['SLURM_JOB_ID']}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                own = mine in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if own and int(entry.name) != os.getpid():
                os.kill(int(entry.name), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    return x + 100


@op(retries=2, backoff_s=0.05)
def warned(x: int) -> int:
    """Has its job warned of its end by the batch system, as at a preemption, at the first attempt."""
    sign = Path(context().host["signs"], "warned")
    if not sign.exists():
        sign.touch()
        note("began")
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
        subprocess.run(["scancel", "--signal=USR1", "--batch", job], check=True)
        time.sleep(60)
    work(0.05)
    return x + 100


@op
def long(seconds: float) -> float:
    work(seconds)
    return seconds


@workflow
def patiently(xs: list[int]) -> list[int]:
    return patient.map(x=xs)


@workflow
def steadfastly(xs: list[int]) -> list[int]:
    return steadfast.map(x=xs)


@workflow
def vanishingly(x: int) -> int:
    return vanishing(x=x)


@workflow
def with_warning(x: int) -> int:
    return warned(x=x)


@workflow
def longer(seconds: list[float]) -> list[float]:
    return long.map(seconds=seconds)


@op(retries=3, backoff_s=0.05, memory_mb=100, memory_growth=2, walltime_s=6, walltime_growth=4)
def demanding(seconds: float) -> float:
    work(seconds)
    return seconds


@workflow
def growing(seconds: float) -> float:
    return demanding(seconds=seconds)


@op
def heavy(x: int) -> Path:
    wait("go on")
    place = Path(f"heavy {x}")
    place.write_bytes(b"x" * 2_000_000)
    return place


@workflow
def heavily(xs: list[int]) -> list[Path]:
    return heavy.map(x=xs)


@op(retries=2, backoff_s=0.05)
def awaited(name: str) -> str:
    """Ends when its own sign has come."""
    wait(name)
    return name


@workflow
def awaiting(names: list[str]) -> list[str]:
    return awaited.map(name=names)


@op
def talkative(name: str) -> str:
    """Ends when its own sign has come, after having said a lot."""
    wait(name)
    print("and so on " * 2_000_000)
    return name


@workflow
def talking(names: list[str]) -> list[str]:
    return talkative.options(chunk=1).map(name=names)


@workflow
def crowding(names: list[str], xs: list[int]) -> tuple[list[str], list[int]]:
    return awaited.map(name=names), patient.map(x=xs)


@workflow
def in_two_submissions(names: list[str], xs: list[int]) -> tuple[list[str], list[int]]:
    return awaited.map(name=names), patient.options(walltime_s=3000).map(x=xs)


@workflow
def awaiting_with_gpu(names: list[str]) -> list[str]:
    return awaited.options(gpus=1).map(name=names)


@op
def sometimes_killing(x: int) -> int:
    """One of them kills its process."""
    print("this is", x, flush=True)
    if x == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    work(0.1)
    return x


@workflow
def sometimes_killed(xs: list[int]) -> list[int]:
    return sometimes_killing.options(chunk=7).map(x=xs)


@op(retries=2, backoff_s=0.01)
def crowded(x: int) -> int:
    """Fails at the first attempt if `x` is odd."""
    work(0.5)
    if x % 2 and context().attempt == 1:
        raise TransientError("not yet")
    return x


@workflow
def few_at_once(xs: list[int]) -> list[int]:
    return crowded.options(parallelism=2, chunk=1).map(x=xs)


@workflow
def beside(xs: list[int]) -> int:
    return total(patient.options(parallelism=1).map(x=xs)) + total(square.map(x=xs))
