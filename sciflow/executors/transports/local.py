"""This machine as a way to reach a machine: also where a cluster's file system and its commands are at hand here."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from sciflow.errors import CommandTimedOut, HostRefused
from sciflow.executors.transports.transport import Output
from sciflow.runner.packs import write_all

BLOCK_BYTES = 1 << 22


class LocalTransport:
    """Programs and files of this machine.

    A program writes to files that have no name, so that one that leaves a child behind with its output still open has
    ended when it has ended. What it left behind goes on; only the time limit ends the whole process group.
    """

    name = "local"

    def run(self, argv: Sequence[str], *, stdin: bytes | Iterable[bytes] = b"", timeout_s: float) -> Output:
        feeding = _Feeding()
        with feeding.open(stdin) as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen(argv, stdin=source, stdout=out, stderr=err, start_new_session=True)
            except OSError as error:  # what a shell makes of it
                code = 127 if isinstance(error, FileNotFoundError) else 126
                return Output(code=code, stderr=f"{argv[0]}: {error.strerror}\n".encode(errors="surrogateescape"))
            source.close()  # it is the program's: who writes there hears of its end
            try:
                code = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                raise CommandTimedOut(f"local: {argv[0]} took longer than {timeout_s:g} s and was ended") from None
            finally:
                _end(process)
            feeding.check()
            return Output(code=code if code >= 0 else 128 - code, stdout=_content(out), stderr=_content(err))

    def put(self, source: Path, target: str, *, timeout_s: float) -> None:
        with source.open("rb") as file:
            self._copy(file, Path(target), timeout_s)

    def get(self, source: str, target: Path, *, timeout_s: float) -> None:
        try:
            file = open(source, "rb")  # noqa: SIM115
        except OSError as error:
            raise HostRefused(f"local: cannot read {source}: {error.strerror}") from error
        with file:
            self._copy(file, target, timeout_s)

    def close(self) -> None:
        """Nothing is held."""

    def _copy(self, file: IO[bytes], target: Path, timeout_s: float) -> None:
        end = time.monotonic() + timeout_s
        part = ""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
            with open(descriptor, "wb") as copy:
                os.fchmod(descriptor, 0o666 & ~_umask())
                while block := file.read(BLOCK_BYTES):
                    copy.write(block)
                    if time.monotonic() > end:
                        raise CommandTimedOut(f"local: copying to {target} took longer than {timeout_s:g} s")
            os.replace(part, target)
        except OSError as error:
            raise HostRefused(f"local: cannot write {target}: {error.strerror}") from error
        finally:
            if part:
                Path(part).unlink(missing_ok=True)


class _Feeding:
    """Fills what a program reads: a file without a name, or a pipe for what is made while it is read."""

    def __init__(self) -> None:
        self._failure: OSError | None = None

    def open(self, stdin: bytes | Iterable[bytes]) -> IO[bytes]:
        """What the program is to read."""
        if isinstance(stdin, bytes):
            return _readable(stdin)
        reader, writer = os.pipe()
        threading.Thread(target=self._fill, args=(writer, iter(stdin)), daemon=True).start()
        return open(reader, "rb", buffering=0)

    def _fill(self, writer: int, blocks: Iterator[bytes]) -> None:
        try:
            while block := self._next(blocks):
                write_all(writer, block)
        except OSError:  # the program has ended without reading all of it
            return
        finally:
            os.close(writer)

    def _next(self, blocks: Iterator[bytes]) -> bytes:
        try:
            return next(blocks, b"")
        except OSError as error:
            self._failure = error
            return b""

    def check(self) -> None:
        """Raises what kept the program from having all of its input; of one that has ended."""
        if self._failure is not None:
            raise self._failure


def _readable(stdin: bytes) -> IO[bytes]:
    if not stdin:
        return open(os.devnull, "rb")
    file = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(stdin)
    file.seek(0)
    return file


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the whole group of one that still runs."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _umask() -> int:
    """The mask for new files: read from /proc, since asking the system for it sets it for all threads."""
    with suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("\nUmask:")[2].split()[0], 8)
    return 0o077
