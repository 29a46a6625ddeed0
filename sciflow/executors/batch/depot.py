"""Our folder on a host, and what the runner does there for us: one call is one round trip, whatever it is about."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TypeVar

import msgspec

from sciflow.errors import HostRefused, HostUnfit, HostUnreachable, RunDamaged
from sciflow.executors.batch.porters import carry
from sciflow.executors.batch.stream import Member, Stream
from sciflow.executors.batch.supply import Supply
from sciflow.executors.package import runner_zip
from sciflow.executors.transports.transport import Output, Transport
from sciflow.runner.exit_codes import REFUSED
from sciflow.runner.hashing import file_hash
from sciflow.runner.node import started

T = TypeVar("T")

CALL_S = 60.0  # for what touches a few files
TRANSFER_S = 3600.0
SLOW = 1 << 18  # bytes per second; that much more time is given to what is large
AT_ONCE = 4  # large files
LARGE = 64 << 20  # bytes from which a file is sent by itself, so that a break does not send it anew

# Constant program text: makes the folder, says whether the runner is there, and takes it from standard input if not.
# A Python that is too old says so before it comes to what it does not understand.
_BOOT = """
import errno, hashlib, json, os, sys
told = {"root": "", "runner": False, "python": list(sys.version_info[:3]), "away": False, "problem": "", "code": ""}
def boot(root, name, expected):
    told["root"] = root
    told["away"] = expected and not os.path.isdir(os.path.join(root, "runs"))
    if not told["away"]:
        os.makedirs(os.path.join(root, "code"), exist_ok=True)
        os.chmod(root, 0o700)
    place = os.path.join(root, "code", name + ".zip")
    data = sys.stdin.buffer.read()
    if data and not told["away"] and hashlib.sha256(data).hexdigest() == name:
        with open(place + ".%d" % os.getpid(), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, place)
    told["runner"] = os.path.exists(place)
if sys.version_info >= (3, 9):
    try:
        boot(os.path.abspath(os.path.expanduser(sys.argv[1])), sys.argv[2], sys.argv[3] == "expected")
    except OSError as error:
        told["problem"] = "%s: %s" % (error.filename or sys.argv[1], error.strerror)
        told["code"] = errno.errorcode.get(error.errno, "")
print(json.dumps(told))
"""
# What a folder that cannot be made or written is told by; others, such as ENOSPC and ESTALE, may be over soon.
_HOPELESS = frozenset({"EACCES", "EPERM", "EROFS", "ENOENT", "ENOTDIR", "EEXIST", "ELOOP", "ENAMETOOLONG"})
OLDEST = (3, 9)
NO_PROGRAM = frozenset({126, 127})  # exit codes of shells
NO_RUNNER = NO_PROGRAM | {1, 2}  # and of Python; the runner's own begin at 64


class Booted(msgspec.Struct, frozen=True):
    """What a host says of our folder there."""

    root: str
    runner: bool
    python: tuple[int, ...]
    away: bool  # runs are expected in it, and it is not there
    problem: str = ""  # why it cannot be used
    code: str = ""  # the name of that error


class Absent(msgspec.Struct, frozen=True):
    """Contents and bundles of code that a host does not have."""

    blobs: tuple[str, ...] = ()
    code: tuple[str, ...] = ()


class Packed(msgspec.Struct, frozen=True):
    """Where files and folders are in one archive, and why some are not in it."""

    archive: str
    missing: dict[str, str]


class Depot:
    """The folder `work_root` on a host. Every method is one round trip and may be repeated after a break.

    Raises:
        HostUnreachable, HostRefused: see `Transport`.
    """

    def __init__(self, transport: Transport, *, work_root: str, python: str) -> None:
        self.transport = transport
        self.python = python
        self.root = ""  # absolute, once `prepare` was called
        self._given = work_root
        self._runner = ""
        self._known: set[str] = set()  # contents and code that were brought there by now

    @property
    def runner(self) -> str:
        """The runner's place there."""
        return self._runner

    def prepare(self, *, expected: bool = False) -> None:
        """Makes the folder and brings the runner there; of use once per connection.

        Args:
            expected: there are runs in it: it is not made anew where its file system is not mounted.

        Raises:
            HostUnfit: Python or folder will not do.
        """
        if self.root:
            return
        name, content = runner_zip()
        told = self._boot(name, b"", expected=expected)
        if not told.runner:
            told = self._boot(name, content, expected=expected)
        self._runner = f"{told.root}/code/{name}.zip"
        self.root = told.root

    def away(self, runs: str) -> HostRefused:
        """What is to be said where the folder of all runs is not there."""
        return HostRefused(
            f"{self.transport.name}: {runs} is not there: is its file system mounted?\n"
            f"    fix:      mount it; or, if it was removed for good, `mkdir -p {shlex.quote(runs)}` there:\n"
            "              then what was in it is taken for lost, and what is still needed of it is made again"
        )

    def _boot(self, name: str, content: bytes, *, expected: bool) -> Booted:
        argv = (self.python, "-c", _BOOT, self._given, name, "expected" if expected else "")
        said = self._run(argv, stdin=content, timeout_s=CALL_S)
        if said.code != 0:
            words = said.said.splitlines()[-1:] or [f"exit code {said.code}"]  # of a traceback, what it comes to
            kind = HostUnfit if said.code in NO_PROGRAM else HostRefused
            raise kind(
                f"{self.transport.name}: {self.python} could not make {self._given} ready: {words[0]}\n"
                "    fix:      are `python` and `work_root` of the executor right? see `sciflow doctor`"
            )
        try:
            told = msgspec.json.decode(said.stdout, type=Booted)
        except ValueError as error:
            raise HostRefused(
                f"{self.transport.name}: {_unreadable(self.python, said.stdout, error)}\n"
                "    fix:      `python` of the executor must print nothing of its own"
            ) from error
        self._check(told)
        return told

    def _check(self, told: Booted) -> None:
        """Whether what is there will do."""
        if told.python < OLDEST:
            found = ".".join(map(str, told.python))
            raise HostUnfit(
                f"{self.transport.name}: {self.python} is Python {found}; sciflow's runner needs 3.9 or newer: "
                "set `python` of the executor"
            )
        if told.problem:
            what = f"{self.transport.name}: work_root {told.root} cannot be used: {told.problem}"
            if told.code not in _HOPELESS:
                raise HostRefused(what)
            raise HostUnfit(
                f"{what}\n    fix:      set `work_root` of the executor to a folder that you may write there"
            )
        if told.away:
            raise self.away(f"{told.root}/runs")

    def element(self, folder: str, command: str = "element") -> tuple[str, ...]:
        """The argv, but for the number, that runs an element of a submission, or a "crew"."""
        return started(self.python, self._runner, command, folder)

    def call(self, verb: str, request: Mapping[str, object], *, timeout_s: float = CALL_S) -> Output:
        """Has the runner do something there.

        Raises:
            HostUnreachable: it did not end well; the message has its words.
        """
        text = json.dumps({"work_root": self.root, **request}).encode() + b"\n"
        return self._checked(verb, self._run(self._argv(verb), stdin=text, timeout_s=timeout_s))

    def ask(self, verb: str, request: Mapping[str, object], answer: type[T], *, timeout_s: float = CALL_S) -> T:
        """What the runner answers there; the errors of `call`, also where that makes no sense."""
        return self.read(verb, self.call(verb, request, timeout_s=timeout_s).stdout, answer)

    def read(self, verb: str, said: bytes, answer: type[T]) -> T:
        """What an answer says.

        Raises:
            HostUnreachable: it is torn, or something else is in it.
        """
        try:
            return msgspec.json.decode(said, type=answer)
        except ValueError as error:
            raise HostUnreachable(f"{self.transport.name}: {_unreadable(verb, said, error)}") from error

    def run(self, argv: Sequence[str], *, timeout_s: float = CALL_S) -> Output:
        """Runs a program there."""
        return self._run(argv, stdin=b"", timeout_s=timeout_s)

    def supply(self, root: str, supply: Supply, code: Mapping[str, bytes], batch: Mapping[str, bytes]) -> None:
        """Brings what is missing there under a run's root; contents that any run has brought are not sent again.

        Args:
            root: of the run, there.
            supply: contents and where they belong.
            code: bundles of modules by name, unpacked beside the runner.
            batch: files of the submission by their path under `root`.

        Raises:
            RunDamaged: a file was changed since its hash was recorded.
        """
        links = {sha256: sorted(paths) for sha256, paths in supply.links.items()}
        executable = sorted(supply.executable)
        absent = self._absent(root, links, sorted(code), executable)
        apart = self._put_large(absent, supply)
        header = {
            "root": root,
            "work_root": self.root,
            "links": links,
            "folders": sorted(supply.folders),
            "executable": executable,
            "symlinks": supply.symlinks,
        }
        members: list[Member] = [(f"blobs/{sha}", supply.files[sha]) for sha in absent.blobs if sha not in apart]
        members += [(f"code/{name}.tar", code[name]) for name in absent.code]
        stream = Stream(json.dumps(header).encode(), [*members, *batch.items()])
        patience_s = _patience_s(content for _, content in members)
        said = self._run(self._argv("unpack"), stdin=stream, timeout_s=patience_s)
        if said.code == REFUSED:
            for sha256 in absent.blobs:
                _check_unchanged(sha256, supply.files[sha256])
        self._checked("unpack", said)
        self._known |= links.keys() | code.keys()

    def _put_large(self, absent: Absent, supply: Supply) -> AbstractSet[str]:
        """Brings large files, several at once: of each what has come across stays there when the connection breaks."""
        sources = ((sha256, supply.files[sha256]) for sha256 in absent.blobs)
        apart = {sha: file for sha, file in sources if isinstance(file, Path) and file.stat().st_size >= LARGE}
        carry(self._put_blob, list(apart.items()), porters=AT_ONCE)
        return apart.keys()

    def _put_blob(self, blob: tuple[str, Path]) -> None:
        sha256, source = blob
        _check_unchanged(sha256, source)  # others would take it for what its name says
        self.transport.put(source, f"{self.root}/blobs/{sha256}", timeout_s=_patience_s([source]))

    def _absent(
        self, root: str, links: Mapping[str, Sequence[str]], code: Sequence[str], executable: Sequence[str]
    ) -> Absent:
        """What the host does not have; what was brought in this session need not be asked for."""
        if self._known >= links.keys() | set(code):
            return Absent()
        wanted = {"root": root, "blobs": links, "code": code, "executable": executable}
        return self.ask("missing", wanted, Absent)

    def pack(self, root: str, paths: Sequence[str], target: Path) -> Mapping[str, str]:
        """Brings files and folders under `root` home in one archive; of those that are not to be had, why."""
        packed = self.ask("pack", {"root": root, "paths": paths}, Packed, timeout_s=TRANSFER_S)
        if len(packed.missing) < len(paths):
            self.transport.get(packed.archive, target, timeout_s=TRANSFER_S)
        return packed.missing

    def _argv(self, verb: str) -> tuple[str, ...]:
        return (self.python, self._runner, "host", verb)

    def _run(self, argv: Sequence[str], *, stdin: bytes | Iterable[bytes], timeout_s: float) -> Output:
        return self.transport.run(argv, stdin=stdin, timeout_s=timeout_s)

    def _checked(self, verb: str, said: Output) -> Output:
        if said.code == 0:
            return said
        self._known.clear()  # something that was brought may be gone
        if said.code in NO_RUNNER:
            self.root = ""  # somebody has removed it: it is brought again
        raise HostUnreachable(f"{self.transport.name}: {verb} ended with exit code {said.code}: {said.said[-2000:]}")


def _unreadable(what: str, said: bytes, error: ValueError) -> str:
    return f"what {what} answers cannot be read: {error}: {said[:200].decode(errors='replace')!r}"


def _check_unchanged(sha256: str, source: Path | bytes) -> None:
    if isinstance(source, Path) and file_hash(str(source))[0] != sha256:
        raise RunDamaged(f"{source} was changed after its content was recorded: a job needs it, and it is not sent")


def _patience_s(contents: Iterable[Path | bytes]) -> float:
    """For how long contents may be on their way."""
    size = sum(len(content) if isinstance(content, bytes) else content.stat().st_size for content in contents)
    return TRANSFER_S + size / SLOW
