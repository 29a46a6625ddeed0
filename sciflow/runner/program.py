"""An op that is a program: argv with holes filled, run without a shell, its files taken as outputs."""

from __future__ import annotations

import glob
import os
import sys
import tempfile
from pathlib import Path

from sciflow.runner.calling import call
from sciflow.runner.failures import OpError
from sciflow.runner.neutral import EnumValue, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Optional, Protocol, Sequence, Union

    from sciflow.runner.inside import Inside, Outfit

    Tree = Any
    Parts = Sequence[Union[str, Mapping[str, str]]]

    class Elsewhere(Protocol):
        """Where programs of an element are run, if not beside it."""

        def call(
            self,
            argv: Sequence[str],
            stdin: Any,
            stdout: Any,
            env: Optional[Mapping[str, str]] = None,
            outfit: Optional[Outfit] = None,
        ) -> int:
            """Run a program in the working folder, or as `outfit` says; the exit code of what has run it."""

        def check(self, code: int, command: Sequence[str]) -> int:
            """The program's own exit code, or minus the number of the signal that ended it."""

        def end(self) -> None:
            """End what is left."""


GLOB_CHARACTERS = frozenset("*?[")


class ProgramError(Exception):
    """A program ended with an exit code that its op does not expect, or was killed."""

    def __init__(self, argv: Sequence[str], returncode: int) -> None:
        self.returncode = returncode
        how = f"exit code {returncode}" if returncode >= 0 else f"signal {-returncode}"
        super().__init__(f"{_shown(argv)} ended with {how}; what it printed is in the task's log")


class Program:
    """One program, from the record `Program` of the graph as JSON."""

    def __init__(self, code: Mapping[str, Any], elsewhere: Elsewhere | None = None) -> None:
        """With `elsewhere` it is run there."""
        self._elsewhere = elsewhere
        self._argv: Sequence[Parts] = code["argv"]
        self._stdin: str | None = code.get("stdin")
        self._stdout: str | None = code.get("stdout")
        self._files: Mapping[str, str] = code.get("files") or {}
        self._outputs: Mapping[str, str] = code.get("outputs") or {}
        self._lists = frozenset(code.get("lists", ()))
        self._optional = frozenset(code.get("optional", ()))
        self._shape: str = code.get("shape", "one")
        self._of: str = code.get("of", "")
        self._exit_codes = frozenset(code.get("exit_codes", (0,)))
        self._written: Mapping[str, Parts] = code.get("written") or {}
        self._env: Mapping[str, Parts] = code.get("env") or {}
        self._texts: Mapping[str, str | None] = code.get("texts") or {}
        self._told_inside: Mapping[str, Any] | None = code.get("inside")

    def __call__(self, **values: Any) -> Any:
        """Run the program in the working folder; its outputs.

        Raises:
            CodeError: the program is not on this machine.
            ProgramError: it failed.
            OpError: an output is not there.
        """
        for port, name in self._files.items():
            if values.get(port) is not None:
                values[port] = _place(values[port], name)
        inside = self._inside()
        try:
            return self._called(values, inside)
        finally:
            if inside is not None:
                inside.end()

    def _called(self, values: dict[str, Any], inside: Inside | None) -> Any:
        if inside is not None:
            inside.bring(values)
        for name, parts in self._written.items():
            text = _joined(parts, values)
            if inside is None:
                _place(text, name)
            else:
                inside.write(name, text)
        printed = self._run(values, inside)
        results = {name: self._output(name, pattern) for name, pattern in self._outputs.items()}
        if inside is not None:
            results.update((name, self._taken(name, inside)) for name in inside.outputs)
        if self._stdout is not None and self._stdout not in self._outputs:
            results[self._stdout] = printed
        return self._result({name: self._as_text(name, value) for name, value in results.items()})

    def _inside(self) -> Inside | None:
        if self._told_inside is None:
            return None
        if self._elsewhere is None:
            raise OpError("this program needs the container of its image; run it at an executor that has containers")
        from sciflow.runner.inside import Inside

        return Inside(self._told_inside, tempfile.mkdtemp(dir=".."))

    def _taken(self, name: str, inside: Inside) -> Path | None:
        taken = inside.take(name)
        if not taken and name not in self._optional and self._texts.get(name) is None:
            raise inside.missing(name)
        return Path(taken) if taken else None

    def _as_text(self, name: str, value: Any) -> Any:
        """Of outputs that are text: without one newline at the end; what is printed is in the log, too."""
        if name not in self._texts:
            return value
        if value is None:
            return self._texts[name]
        if isinstance(value, Path):
            value = value.read_text(encoding="utf-8", errors="replace")
        text: str = value
        return text[:-1] if text[-1:] == "\n" else text

    def _run(self, values: Mapping[str, Any], inside: Inside | None) -> str | None:
        """Run the program; what it has printed, if that is an output as text."""
        argv = [argument for parts in self._argv for argument in _fill(parts, values)]
        env = {name: _joined(parts, values) for name, parts in self._env.items()}
        sys.stdout.flush()
        given = None if self._stdin is None else values.get(self._stdin)
        with self._input(given) as stdin, self._output_file() as stdout:
            returncode = self._call(argv, stdin, stdout, env, None if inside is None else inside.outfit)
            if self._stdout in self._texts:
                _show(stdout)
            if returncode not in self._exit_codes:
                raise ProgramError(argv, returncode)
            if self._stdout is None or self._stdout in self._outputs:
                return None
            stdout.seek(0)
            text: bytes = stdout.read()
            return text.decode(errors="replace")

    def _call(self, argv: Sequence[str], stdin: Any, stdout: Any, env: Mapping[str, str], outfit: Outfit | None) -> int:
        if self._elsewhere is None:
            return call(argv, stdin, stdout, {**os.environ, **env} if env else None)
        returncode = self._elsewhere.call(argv, stdin, stdout, env, outfit)
        return returncode if returncode in self._exit_codes else self._elsewhere.check(returncode, argv)

    def _input(self, given: object) -> Any:
        if given is None or isinstance(given, Path):
            return open(given or os.devnull, "rb")
        file = tempfile.NamedTemporaryFile(dir="..")  # noqa: SIM115  closed by the caller
        file.write(_text(given).encode())
        file.seek(0)
        return file

    def _output_file(self) -> Any:
        if self._stdout is None:
            return open(1, "wb", closefd=False)  # the task's log
        if self._stdout in self._outputs:
            return open(self._outputs[self._stdout], "wb")
        return tempfile.NamedTemporaryFile(dir="..")  # beside the working folder, where it is not left over

    def _output(self, name: str, pattern: str) -> object:
        if GLOB_CHARACTERS & set(pattern):
            found = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]
        else:
            found = [Path(pattern)] if os.path.lexists(pattern) else []
        if name in self._lists and (found or GLOB_CHARACTERS & set(pattern)):
            return found
        if not found and name in self._optional:
            return None
        if len(found) != 1:
            what = f"{len(found)} of them" if found else "none"
            raise OpError(
                f"output {name}: expected a file {pattern!r}, found {what}; the program has left {_listing()}"
            )
        return found[0]

    def _result(self, results: dict[str, Any]) -> Any:
        if self._shape == "none":
            return None
        if self._shape == "dict":
            absent = () if self._told_inside is not None else self._optional
            return {name: value for name, value in results.items() if value is not None or name not in absent}
        if self._shape in ("namedtuple", "dataclass"):
            return Record(self._of, self._shape, results)
        return next(iter(results.values()), None)


def _joined(parts: Parts, values: Mapping[str, Any]) -> str:
    return "".join(part if isinstance(part, str) else _text(values[part["port"]]) for part in parts)


def _show(printed: Any) -> None:
    """What was printed, in the task's log as well."""
    import shutil

    printed.seek(0)
    shutil.copyfileobj(printed, sys.stdout.buffer)
    sys.stdout.flush()


def _fill(parts: Parts, values: Mapping[str, Any]) -> list[str]:
    """One element of argv; a list, or None, that stands alone becomes as many arguments as it has elements."""
    if len(parts) == 1 and not isinstance(parts[0], str):
        value = values[parts[0]["port"]]
        if value is None:
            return []
        if isinstance(value, (list, tuple)):
            return [_text(item) for item in value]
    return [_joined(parts, values)]


def _text(value: object) -> str:
    if isinstance(value, EnumValue):
        value = value.tree.get("value", value.name)
    if isinstance(value, (str, int, float, Path)):
        return str(value)
    raise OpError(f"a program takes text, numbers and files as arguments, found {type(value).__name__}")


def _place(value: Any, name: str) -> Any:
    """Bring an input under the name by which the program knows it: a file by moving its copy, a value by writing it."""
    target = Path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(value, Path):
        os.rename(value, target)
    else:
        target.write_text(_text(value), encoding="utf-8", newline="")
    return target


def _listing() -> str:
    names = sorted(os.listdir("."))
    return ", ".join(map(repr, names[:10])) + (" ..." if len(names) > 10 else "") or "nothing"


def _shown(argv: Sequence[str]) -> str:
    import shlex

    text = shlex.join(argv)
    return text if len(text) <= 200 else text[:197] + "..."
