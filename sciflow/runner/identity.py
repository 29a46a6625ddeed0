"""What code an op consists of: its function and all of the user's own code that it reaches by name.

Each part has a hash of its content. Comments, formatting and docstrings do not count; nor does what lies in the
standard library or in installed packages, which are known by their versions. A part is hashed by its syntax tree, so
that the hash is the same for each version of Python; a function whose source is not what was loaded is hashed by its
bytecode.
"""

from __future__ import annotations

import ast
import contextlib
import os
import sys
from types import CodeType, FunctionType, ModuleType

from sciflow.runner.failures import CodecError
from sciflow.runner.names import SCRIPT
from sciflow.runner.source import Source, bytecode, content, dotted_names, imports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Mapping

_STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_MISSING = object()


def identity(function: Any) -> dict[str, str]:
    """The parts of the function's code, `module:qualname` -> hash of content.

    Classes and functions of the user's own modules count, and module-level constants of plain values.
    """
    walk = _Walk()
    walk.visit(function, "")
    while walk.pending:
        walk.pending.pop()()
    return dict(sorted(walk.parts.items()))


def is_own(file: str | None) -> bool:
    """Whether a file is the user's: neither of Python, nor of an installed package, nor of sciflow."""
    if not file or file.startswith("<frozen"):
        return False
    return not (
        file.startswith((_STANDARD, _OURS)) or f"{os.sep}site-packages{os.sep}" in file or "dist-packages" in file
    )


class _Walk:
    """Collects parts; each is looked at once."""

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}
        self.pending: list[Any] = []
        self._seen: set[int] = set()
        self._kept: list[object] = []  # an id is only good while its object lives
        self._sources: dict[str, Source] = {}

    def visit(self, found: Any, name: str) -> None:
        """Take up something that a name stands for; `name` is used for a constant."""
        function = found
        while not isinstance(function, (FunctionType, type, ModuleType)) and hasattr(function, "function"):
            function = function.function  # an Op or a Workflow
        if id(function) in self._seen:
            return
        if isinstance(function, FunctionType):
            self._once(function)
            self.pending.append(lambda: self._function(function))
        elif isinstance(function, type):
            self._once(function)
            self.pending.append(lambda: self._class(function))
        elif not isinstance(function, ModuleType) and name:
            self._constant(found, name)

    def _once(self, found: object) -> None:
        self._seen.add(id(found))
        self._kept.append(found)

    def _function(self, function: FunctionType) -> None:
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            self.visit(wrapped, "")
        code = function.__code__
        if not is_own(code.co_filename):
            return
        names = _Names(function)
        node = self._source(code, function.__globals__).function(code)
        part = f"{_module(function.__module__)}:{function.__qualname__}"
        if node is None:
            self.parts[part] = bytecode(code)
            self._refer(((name,) for name in _code_names(code)), names)
            return
        decorators = (
            [d for d in node.decorator_list if not _is_ours(d, names)] if not isinstance(node, ast.Lambda) else []
        )
        self.parts[part] = content(node, decorators)
        self._refer(dotted_names([node], decorators), names)
        self._refer_imports(node, function.__globals__)

    def _class(self, cls: type) -> None:
        module = sys.modules.get(cls.__module__)
        functions = [f for f in map(_plain, vars(cls).values()) if isinstance(f, FunctionType)]
        file = getattr(module, "__file__", None) or next((f.__code__.co_filename for f in functions), None)
        for base in cls.__bases__:
            self.visit(base, "")
        if not is_own(file) or file is None:
            return
        part = f"{_module(cls.__module__)}:{cls.__qualname__}"
        node = self._open(file, vars(module) if module else {}).class_(cls, [f.__code__ for f in functions])
        if node is None:
            self.parts[part] = "".join(bytecode(f.__code__) for f in functions)[:64]
            for function in functions:
                self.visit(function, "")
            return
        self.parts[part] = content(node, node.decorator_list)
        names = _Names(None, vars(module) if module else {}, part.partition(":")[0])
        self._refer(dotted_names([node], node.decorator_list), names)
        self._refer_imports(node, names.globals)

    def _constant(self, value: object, name: str) -> None:
        from hashlib import sha256

        from sciflow.runner.codec import encode
        from sciflow.runner.text import dump

        if name in self.parts:
            return
        try:
            self.parts[name] = sha256(dump(encode(value)).encode()).hexdigest()
        except CodecError:  # no plain value: its class is what can be said of it
            self.visit(type(value), "")

    def _refer(self, references: Iterator[tuple[str, ...]], names: _Names) -> None:
        for reference in references:
            found, name = names.find(reference)
            if found is not _MISSING:
                self.visit(found, name)

    def _refer_imports(self, node: ast.AST, scope: Mapping[str, Any]) -> None:
        """Follow imports that stand inside a function; a module that is not loaded yet counts as a whole."""
        for module_name, attribute in imports(node, scope.get("__package__") or ""):
            module = sys.modules.get(module_name)
            if module is None:
                self._unloaded(module_name)
            elif is_own(getattr(module, "__file__", None)) and attribute:
                self.visit(getattr(module, attribute, None), f"{_module(module_name)}:{attribute}")

    def _unloaded(self, name: str) -> None:
        from importlib.util import find_spec

        try:
            spec = find_spec(name)
        except (ImportError, ValueError, AttributeError):
            return
        if spec is not None and is_own(spec.origin) and spec.origin is not None and spec.origin.endswith(".py"):
            tree = self._open(spec.origin, {}).tree
            if tree is not None:
                self.parts[f"{name}:*"] = content(tree, [])

    def _source(self, code: CodeType, scope: Mapping[str, Any]) -> Source:
        return self._open(code.co_filename, scope)

    def _open(self, file: str, scope: Mapping[str, Any]) -> Source:
        if file not in self._sources:
            self._sources[file] = Source(file, scope)
        return self._sources[file]


class _Names:
    """What names mean where a piece of code stands."""

    def __init__(self, function: FunctionType | None, scope: Mapping[str, Any] | None = None, module: str = "") -> None:
        self.globals: Mapping[str, Any] = function.__globals__ if function is not None else scope or {}
        self._cells: dict[str, Any] = {}
        self._module = module or _module(getattr(function, "__module__", ""))
        if function is not None:
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
                with contextlib.suppress(ValueError):  # not set yet
                    self._cells[name] = cell.cell_contents
            self._inside = f"{function.__qualname__}."

    def find(self, reference: tuple[str, ...]) -> tuple[Any, str]:
        """The object that a dotted name stands for, as far as modules go, and a name for it if it is a constant."""
        first, *rest = reference
        if first in self._cells:
            return self._cells[first], f"{self._module}:{self._inside}{first}"
        found = self.globals.get(first, _MISSING)
        name = f"{self._module}:{first}"
        for step in rest:
            if not isinstance(found, ModuleType):
                break
            if not is_own(getattr(found, "__file__", None)):
                return _MISSING, ""
            name = f"{_module(found.__name__)}:{step}"
            found = getattr(found, step, _MISSING)
        return found, name


def _is_ours(decorator: ast.expr, names: _Names) -> bool:
    """Whether a decorator is sciflow's own, whose options are accounted for elsewhere."""
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    while isinstance(target, ast.Attribute):
        target = target.value
    found = names.globals.get(target.id) if isinstance(target, ast.Name) else None
    module = getattr(found, "__module__", None) or getattr(found, "__name__", "")
    return str(module).partition(".")[0] == "sciflow"


def _plain(attribute: Any) -> Any:
    """The function behind a method, property or static method."""
    return getattr(attribute, "fget", None) or getattr(attribute, "__func__", attribute)


def _code_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_names(constant)


def _module(name: str | None) -> str:
    return "__main__" if name == SCRIPT else name or ""


__all__ = ["identity", "is_own"]
