"""An op that is a program: argv with holes filled, run without a shell, its files taken as outputs."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

from sciflow.runner.failures import CodeError, OpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Sequence

    Tree = Any

GLOB_CHARACTERS = frozenset("*?[")


class ProgramError(Exception):
    """A program ended with an exit code that its op does not expect, or was killed."""

    def __init__(self, argv: Sequence[str], returncode: int) -> None:
        self.returncode = returncode
        how = f"exit code {returncode}" if returncode >= 0 else f"signal {-returncode}"
        super().__init__(f"{_shown(argv)} ended with {how}; what it printed is in the task's log")


class Program:
    """One program, from the record `Program` of the graph as JSON.

    With one output the result is that output, with several it is a dict of them, or the NamedTuple or TypedDict that
    `output` (a `Type` of the graph as JSON) names.
    """

    def __init__(self, code: Mapping[str, Any], output: Mapping[str, Any] | None = None) -> None:
        self._argv: Sequence[Sequence[str | Mapping[str, str]]] = code["argv"]
        self._stdin: str | None = code.get("stdin")
        self._stdout: str | None = code.get("stdout")
        self._files: Mapping[str, str] = code.get("files") or {}
        self._outputs: Mapping[str, str] = code.get("outputs") or {}
        self._exit_codes = frozenset(code.get("exit_codes", (0,)))
        self._type = output or {}

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
        argv = [argument for parts in self._argv for argument in _fill(parts, values)]
        printed = self._run(argv, values)
        results = {name: self._output(name, pattern) for name, pattern in self._outputs.items()}
        if self._stdout is not None:
            results[self._stdout] = self._printed(printed)
        return self._result(results)

    def _run(self, argv: list[str], values: Mapping[str, Any]) -> Path | None:
        program = argv[0] if "/" in argv[0] else shutil.which(argv[0])
        if program is None:
            raise CodeError(f"program {argv[0]!r} is not found here; PATH is {os.environ.get('PATH', '')}")
        printed = None if self._stdout is None else Path(self._stdout_name())
        sys.stdout.flush()
        given = None if self._stdin is None else values.get(self._stdin)
        try:
            with _opened_input(given) as stdin, _opened_output(printed) as stdout:
                text = None if isinstance(given, Path) or given is None else _text(given).encode()
                source: Any = {"input": text} if text is not None else {"stdin": stdin}
                ended = subprocess.run(argv, executable=program, stdout=stdout, check=False, **source)
        except (FileNotFoundError, PermissionError) as error:
            raise CodeError(f"program {program!r} cannot be started: {error.strerror}") from error
        if ended.returncode not in self._exit_codes:
            raise ProgramError(argv, ended.returncode)
        return printed

    def _stdout_name(self) -> str:
        pattern = self._outputs.get(str(self._stdout), f"{self._stdout}.txt")
        return f"{self._stdout}.txt" if GLOB_CHARACTERS & set(pattern) else pattern

    def _printed(self, printed: Path | None) -> object:
        assert printed is not None
        if self._type_of(str(self._stdout)).get("name", "str") == "path":
            return printed
        text = printed.read_text(encoding="utf-8", errors="replace")
        printed.unlink()
        return text

    def _output(self, name: str, pattern: str) -> object:
        kind = self._type_of(name).get("name")
        if not GLOB_CHARACTERS & set(pattern):
            if not os.path.lexists(pattern):
                raise OpError(f"output {name}: the program has left no {pattern!r}; found: {_listing()}")
            return [Path(pattern)] if kind == "list" else Path(pattern)
        found = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]
        if kind != "path":
            return found
        if len(found) != 1:
            raise OpError(f"output {name}: expected one file {pattern!r}, found {len(found)}: {_listing()}")
        return found[0]

    def _type_of(self, name: str) -> Mapping[str, Any]:
        fields: Mapping[str, Any] = self._type.get("fields") or {}
        return fields.get(name) or ({} if fields else self._type)

    def _result(self, results: dict[str, Any]) -> Any:
        kind = self._type.get("kind")
        if kind in ("namedtuple", "dataclass"):
            from sciflow.runner.neutral import Record

            return Record(self._type["of"], kind, {name: results[name] for name in self._type["fields"]})
        if kind == "typeddict" or len(results) > 1:
            return results
        return next(iter(results.values()), None)


def _fill(parts: Sequence[str | Mapping[str, str]], values: Mapping[str, Any]) -> list[str]:
    """One element of argv; a list, or None, that stands alone becomes as many arguments as it has elements."""
    if len(parts) == 1 and not isinstance(parts[0], str):
        value = values[parts[0]["port"]]
        if value is None:
            return []
        if isinstance(value, (list, tuple)):
            return [_text(item) for item in value]
    return ["".join(part if isinstance(part, str) else _text(values[part["port"]]) for part in parts)]


def _text(value: object) -> str:
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


def _opened_input(given: object) -> Any:
    return open(given if isinstance(given, Path) else os.devnull, "rb")


def _opened_output(printed: Path | None) -> Any:
    if printed is None:
        return open(1, "wb", closefd=False)
    return open(printed, "wb")


def _listing() -> str:
    names = sorted(os.listdir("."))
    return ", ".join(map(repr, names[:10])) + (" ..." if len(names) > 10 else "") or "nothing"


def _shown(argv: Sequence[str]) -> str:
    import shlex

    text = shlex.join(argv)
    return text if len(text) <= 200 else text[:197] + "..."
