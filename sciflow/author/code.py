"""How an op's code is reached where it runs: by import, from the script, or pickled by value."""

from __future__ import annotations

import base64
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sciflow.author.signature import Signature, resolved_hints
from sciflow.author.verbs import Verbs, find
from sciflow.core.graph import Function, Program
from sciflow.errors import Problem
from sciflow.runner.names import SCRIPT


def code_of(target: Verbs[..., Any], signature: Signature, problems: list[Problem]) -> Function | Program:
    """How the op's code is reached, or the program that it starts."""
    declaration = getattr(target, "declaration", None)
    if declaration is not None:
        from sciflow.author.program_record import ProgramReader

        return ProgramReader(declaration, signature, target.__name__, problems).record()
    function = target.function
    if not inspect.isfunction(function):  # which has been said
        return Function(module="", qualname=target.__name__)
    return function_code(function, target, signature.where, problems)


def identity_of(target: Verbs[..., Any]) -> dict[str, str]:
    """By what the code of an op is known: its parts and their hashes; empty for a program."""
    if getattr(target, "declaration", None) is not None or not inspect.isfunction(target.function):
        return {}
    from sciflow.runner.identity import identity

    return identity(target.function)


def function_code(
    function: Callable[..., Any], target: Verbs[..., Any], where: str, problems: list[Problem]
) -> Function:
    """The shortest way to the function that works in another process."""
    module, qualname = function.__module__, function.__qualname__
    module = "__main__" if module == SCRIPT else module  # a script that the command line has opened
    if "<" not in qualname and reached(module, qualname, function):
        if module != "__main__":
            return Function(module=module, qualname=qualname)
        spec = getattr(sys.modules["__main__"], "__spec__", None)
        if spec is not None and spec.origin == source_of(function):  # started by `python -m`
            return Function(module=spec.name, qualname=qualname)
        script = script_of(function)
        if script is not None:
            if _is_guarded(function, script):
                problems.append(_guarded_problem(target.__name__, where))
            return Function(module="__main__", qualname=qualname, script=script)
    return Function(module=module, qualname=qualname, pickled=pickled(function, target.__name__, where, problems))


def reached(module: str, qualname: str, function: Callable[..., Any]) -> bool:
    """Whether the name leads to this function, or to the op made of it."""
    if module not in sys.modules:
        return False
    found = find(module, qualname)
    return found is function or getattr(found, "function", None) is function


def script_of(function: Callable[..., Any]) -> str | None:
    """The file of `__main__`, if the function was written in it."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None:
        return None
    path = Path(file).absolute()
    return str(path) if Path(source_of(function)).absolute() == path and path.is_file() else None


def _is_guarded(function: Callable[..., Any], script: str) -> bool:
    """Whether the function stands in the script's `if __name__ == "__main__"` block."""
    import linecache

    line = inspect.unwrap(function).__code__.co_firstlineno
    if not linecache.getline(script, line)[:1].isspace():
        return False
    import ast

    blocks = ast.parse("".join(linecache.getlines(script))).body
    block = next(b for b in reversed(blocks) if b.lineno <= line)
    return isinstance(block, ast.If) and "__name__" in ast.unparse(block.test)


def _guarded_problem(name: str, where: str) -> Problem:
    guard = 'if __name__ == "__main__":'
    return Problem(
        where=where,
        what=f"op {name} stands under `{guard}`, which is not run where ops run",
        expected="a function at the top of the script",
        found=f"a function under `{guard}`",
        fix=f"move {name}, and what it uses, above that line",
    )


def source_of(function: Callable[..., Any]) -> str:
    """The file that the function was written in."""
    return str(inspect.unwrap(function).__code__.co_filename)


def pickled(function: Callable[..., Any], name: str, where: str, problems: list[Problem]) -> str:
    """The function by value, as base64; what cannot be pickled is named."""
    from sciflow.runner.failures import CodeError
    from sciflow.runner.loader import pickle_function

    hints = resolved_hints(function, where, [])
    if hints is not None:
        function.__annotations__ = hints  # text that names local classes would mean nothing elsewhere
    try:
        return base64.b64encode(pickle_function(function)).decode()
    except CodeError as error:
        culprit = _culprit(function)
        problems.append(
            Problem(
                where=where,
                what=f"op {name} is not at the top of a module, and uses what cannot be sent to another process",
                expected="variables that can be pickled",
                found=f"{culprit} ({str(error.__cause__).partition(chr(10))[0]})",
                fix="make it inside the op, or pass what it is made of as an argument",
            )
        )
        return ""


def _culprit(function: Callable[..., Any]) -> str:
    """The variable of the function that cannot be pickled."""
    import cloudpickle

    code = function.__code__
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    values = {name: cell.cell_contents for name, cell in cells.items()}
    values.update({n: p.default for n, p in inspect.signature(function).parameters.items() if p.default is not p.empty})
    values.update({n: function.__globals__[n] for n in code.co_names if n in function.__globals__})
    for name, value in values.items():
        try:
            cloudpickle.dumps(value)
        except Exception:  # noqa: BLE001  as above
            return f"{name}, a {type(value).__name__}"
    return "something it refers to"
