"""Containers on the executing machine: the argv that runs a program in one, and a list of those that may be there.

What is the same for all containers of a batch comes with it, `container` in `index.json`:

engine     its name, for messages
begin      the engine's program and its options
named      the option that gives a container its name; "" if the engine has none: its processes are ours
workdir    the option that sets the working folder
user       the option that sets user and group; "" if the engine runs everything as who calls it
rootless   options for a user who is not root
attached   options for a program that reads standard input
variable   the option that sets a variable; "" if the engine takes those of its own environment that begin so: VARIABLE
bare       options that take the image's entry point away
init       a program whose presence allows `--init`: a first process that passes signals on
image      what is run
remove     argv that kills and removes the containers whose names follow
inside     whether the element itself is run in the container, with `python` of the image
"""

from __future__ import annotations

import os

from sciflow.runner.failures import CodeError, PlaceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Optional, Sequence

    from sciflow.runner.inside import Outfit

    Tree = Any

REMOVAL_S = 60.0  # for the engine to kill and remove containers
NOT_RUN, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127  # exit codes of engines: the first is about the engine itself
SIGNALLED = 128
VARIABLE = "APPTAINERENV_"


def mount(path: str, *, to: str = "", writable: bool = False) -> tuple[str, str]:
    """The option that makes a file or folder visible in a container, at the same path unless `to` is given.

    It is a line of CSV to all engines; the path may have any character but a line's end.
    """
    fields = ["type=bind", f"source={path}", f"target={to or path}", *([] if writable else ["readonly"])]
    return "--mount", ",".join(map(_quoted, fields))


def _quoted(field: str) -> str:
    if not {",", '"', "\n"} & set(field):
        return field
    return '"' + field.replace('"', '""') + '"'


class Containers:
    """The containers of one element: how they are made, and the names of those that may be there.

    A name is written down before its container is started, so that whoever is left can remove it.
    """

    def __init__(self, told: Mapping[str, Tree], folder: str, worker: str) -> None:
        """`folder` holds the names, in files of no content; `worker` is the element's name."""
        self._told = told
        self._folder = folder
        self._stem = "sciflow-" + "".join(c if c.isalnum() and c.isascii() else "-" for c in worker)
        self._count = 0

    @property
    def inside(self) -> bool:
        """Whether the element itself is run in a container."""
        return bool(self._told["inside"])

    def register(self) -> str:
        """A name for a container that is to be started; "" for an engine without names."""
        if not self._told["named"]:
            return ""
        self._count += 1
        name = f"{self._stem}-{os.getpid()}-{self._count}"
        os.makedirs(self._folder, exist_ok=True)
        with open(f"{self._folder}/{name}", "wb"):
            return name

    def forget(self, name: str) -> None:
        """The container of that name has ended, and the engine has removed it."""
        if name:
            _unlink(f"{self._folder}/{name}")

    def call(
        self,
        argv: Sequence[str],
        stdin: Any,
        stdout: Any,
        env: Optional[Mapping[str, str]] = None,
        outfit: Optional[Outfit] = None,
    ) -> int:
        """Run a program in the working folder, or as `outfit` says; the exit code of the engine."""
        from sciflow.runner.calling import call

        env = env or {}
        if outfit is None:
            workdir, more = os.getcwd(), []
        else:
            workdir, more = "", self._outfitted(argv, outfit)
        option = self._told["variable"]
        if option:
            more += [word for name, value in env.items() for word in (option, f"{name}={value}")]
        own = None if option or not env else {**os.environ, **{VARIABLE + name: value for name, value in env.items()}}
        name = self.register()
        line = self.argv(argv, name=name, workdir=workdir, attached=True, more=more)
        code = call(line, stdin, stdout, own)
        self.forget(name)
        return code

    def _outfitted(self, argv: Sequence[str], outfit: Outfit) -> list[str]:
        """The options that give a container what the program looks for in it."""
        if not self._told["named"] and (outfit.entrypoint or not argv):
            raise CodeError(f"{self._told['engine']} runs no entry point of an image: say what `command` is to be run")
        options = [word for here, inside in outfit.mounts for word in mount(here, to=inside, writable=True)]
        options += [self._told["workdir"], outfit.cwd] if outfit.cwd else []
        return options if outfit.entrypoint else options + list(self._told["bare"])

    def argv(
        self,
        command: Sequence[str],
        *,
        name: str,
        workdir: str = "",
        attached: bool = False,
        more: Sequence[str] = (),
    ) -> list[str]:
        """What runs a command in a new container; the folder above its working folder is the container's, too."""
        told = self._told
        argv = list(told["begin"])
        if name:
            argv += [told["named"], name]
        if told["user"]:
            argv += [told["user"], f"{os.getuid()}:{os.getgid()}"]
        if os.geteuid() != 0:
            argv += told["rootless"]
        if workdir:
            argv += [*mount(os.path.dirname(workdir), writable=True), told["workdir"], workdir]
        if attached:
            argv += told["attached"]
            if told["init"] and os.path.exists(told["init"]):
                argv.append("--init")
        return [*argv, *more, told["image"], *command]

    def element(self, runner: str, folder: str, number: int, *, name: str) -> list[str]:
        """What runs the element itself in a container."""
        return self.argv([self._told["python"], runner, "element", folder, str(number)], name=name)

    def check(self, code: int, command: Sequence[str]) -> int:
        """The exit code of a command, from that of the engine that ran it; negative: a signal's number.

        Raises:
            PlaceError: the engine could not run a container.
            CodeError: the image has no such program.
        """
        engine, image = self._told["engine"], self._told["image"]
        if code == NOT_RUN:
            raise PlaceError(f"{engine} could not run a container of {image}; what it says is in the task's log")
        if code in (NOT_EXECUTABLE, NOT_FOUND):
            how = "is not found" if code == NOT_FOUND else "cannot be started"
            program = command[0] if command else "of the image itself"
            raise CodeError(f"program {program!r} {how} in the image {image}")
        return SIGNALLED - code if SIGNALLED < code <= SIGNALLED + 64 else code

    def end(self) -> None:
        """Kill and remove what is left."""
        try:
            names = sorted(os.listdir(self._folder))
        except FileNotFoundError:
            return
        if names:
            _remove([*self._told["remove"], *names])
        for name in names:
            _unlink(f"{self._folder}/{name}")


def _unlink(path: str) -> None:
    try:  # noqa: SIM105  contextlib is slow to import
        os.unlink(path)
    except FileNotFoundError:
        pass


def _remove(argv: Sequence[str]) -> None:
    """Run it, once more if that does not work: the engine may be busy with what it is to remove."""
    import subprocess

    for _ in range(2):
        try:
            said = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=REMOVAL_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if said.returncode == 0:
            return
