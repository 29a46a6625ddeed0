"""What code an op consists of: its function and all of the user's own code that it reaches by name.

Each part has a hash of its content. Comments, formatting and docstrings do not count. Of installed packages that are
reached the versions count, and nothing of the standard library. A part is hashed by its syntax tree, so that the hash
is the same for each version of Python; a function whose source is not what was loaded is hashed by its bytecode.

The same code has the same identity in each process: nothing counts that one process has imported and another has not.
"""

from __future__ import annotations

import ast
import contextlib
import sys
from types import CodeType, FunctionType, ModuleType

from sciflow.runner.installed import file_of, files_of, hash_of, installed_part, is_installed, is_own
from sciflow.runner.names import SCRIPT
from sciflow.runner.source import Source, bytecode, content, imports
from sciflow.runner.spelling import Spelling
from sciflow.runner.used_names import used_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Iterator, Mapping

_MISSING = object()


def identity(function: Any) -> dict[str, str]:
    """The parts of the function's code, `module:qualname` -> hash of content, or installed package -> version.

    Classes and functions of the user's own modules count, and module-level constants.
    """
    walk = _Walk()
    walk.visit(function, "")
    while walk.pending:
        walk.pending.pop()()
    if not is_own(function.__code__.co_filename):
        walk.add(_part(function), hash_of(function.__code__.co_filename))
    return {part: _joined(hashes) for part, hashes in sorted(walk.parts.items())}


class _Walk:
    """Collects parts; each is looked at once. Parts of one name, such as two lambdas, count together."""

    def __init__(self) -> None:
        self.parts: dict[str, set[str]] = {}
        self.pending: list[Callable[[], None]] = []
        self._seen: dict[int, object] = {}  # an id is only good while its object lives
        self._constants: set[tuple[str, int]] = set()
        self._sources: dict[str, Source] = {}
        self._spelling = Spelling(self)

    def add(self, part: str, told: str) -> None:
        """Notes the hash, or version, of a part."""
        self.parts.setdefault(part, set()).add(told)

    def visit(self, found: Any, name: str) -> None:
        """Take up something that a name stands for; `name` is used for a constant."""
        if isinstance(found, (FunctionType, type, ModuleType)):
            if id(found) not in self._seen:
                self._seen[id(found)] = found
                self.pending.append(lambda: self._code(found))
        elif name and (name, id(found)) not in self._constants:
            self._constants.add((name, id(found)))
            self._seen[id(found)] = found
            self.pending.append(lambda: self.add(name, self._spelling.hash(found)))

    def name_of(self, code: Any) -> str:
        """How a function or class is spelled within a value; one without a name of its own by its content."""
        part = _part(code)
        if "<" not in part or not isinstance(code, FunctionType) or not is_own(code.__code__.co_filename):
            return part
        node, decorators = self._syntax(code, _Names(code))
        return f"{part} {bytecode(code.__code__) if node is None else content(node, decorators)}"

    # --- functions, classes, modules

    def _code(self, found: Any) -> None:
        if isinstance(found, FunctionType):
            self._function(found)
        elif isinstance(found, type):
            self._class(found)
        else:
            self._module(found)

    def _function(self, function: FunctionType) -> None:
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            self.visit(wrapped, f"{_part(function)}.<wrapped>")
        code, part = function.__code__, _part(function)
        if not is_own(code.co_filename):
            self.installed(function.__module__)
            for cell in _cells(function).values():
                self._spelling.reach(cell)
            return
        names = _Names(function)
        node, decorators = self._syntax(function, names)
        if "<" in part and (function.__defaults__ or function.__kwdefaults__):
            self.visit((function.__defaults__, function.__kwdefaults__), f"{part}.<defaults>")
        if node is None:
            self.add(part, bytecode(code))
            self._refer(((name,) for name in _code_names(code)), names)
            return
        self.add(part, content(node, decorators))
        self._refer(used_names(node, decorators), names)
        self._refer_imports(node, function.__globals__)

    def _syntax(self, function: FunctionType, names: _Names) -> tuple[Any, list[ast.expr]]:
        """Where a function stands in its source, if there is one, and its decorators that are not sciflow's."""
        code = function.__code__
        node = self._open(code.co_filename, function.__globals__).function(code)
        return node, [d for d in getattr(node, "decorator_list", []) if not _is_ours(d, names)]

    def _class(self, cls: type) -> None:
        for base in cls.__bases__:
            self.visit(base, "")
        module = sys.modules.get(cls.__module__)
        scope = {} if module is None else vars(module)
        methods = [f for f in map(_plain, vars(cls).values()) if isinstance(f, FunctionType)]
        file = scope.get("__file__") or next((f.__code__.co_filename for f in methods), None)
        if file is None or not is_own(file):
            self.installed(cls.__module__)
            return
        node = self._open(file, scope).class_(cls, [f.__code__ for f in methods])
        if node is None:
            self._loaded_class(cls, methods)
        else:
            self._written_class(cls, node, scope)

    def _loaded_class(self, cls: type, methods: list[FunctionType]) -> None:
        """A class for which there is no source."""
        self.add(_part(cls), _joined({bytecode(f.__code__) for f in methods}))
        for method in methods:
            self.visit(method, "")

    def _written_class(self, cls: type, node: ast.ClassDef, scope: Mapping[str, Any]) -> None:
        part = _part(cls)
        self.add(part, content(node, node.decorator_list))
        names = _Names(None, scope, part.partition(":")[0])
        self._refer(used_names(node, node.decorator_list), names)
        self._refer_imports(node, names.globals)

    def _module(self, module: ModuleType) -> None:
        """A module of which more is used than what a name says."""
        file = getattr(module, "__file__", None)
        if is_own(file) and file is not None:
            self._file(module.__name__, file)
        else:
            self.installed(module.__name__)

    def installed(self, module: str | None, file: str | None = None) -> None:
        """Notes the version of an installed package; nothing for the standard library."""
        top = (module or "").partition(".")[0]
        place = file or file_of(top)
        if module and place is not None and is_installed(place):
            name, version = installed_part(module, file or file_of(module) or place)
            self.add(name, version)

    # --- names

    def _refer(self, references: Iterable[tuple[str, ...]], names: _Names) -> None:
        for reference in references:
            found, name = names.find(reference)
            if found is not _MISSING:
                self.visit(found, name)

    def _refer_imports(self, node: ast.AST, scope: Mapping[str, Any]) -> None:
        """Follow imports that stand inside a function; their modules count as a whole, be they loaded yet or not."""
        for module, attribute in imports(node, scope.get("__package__") or ""):
            for name, file in files_of(module, attribute):
                if is_own(file):
                    self._file(name, file)
                elif is_installed(file):
                    self.installed(name, file)

    def _file(self, module: str, file: str) -> None:
        """A module of the user's as a whole, and all that it imports."""
        part = f"{_module(module)}:*"
        if part in self.parts or not file.endswith(".py"):
            return
        tree = self._open(file, {}).tree
        if tree is None:
            self.add(part, hash_of(file))
            return
        self.add(part, content(tree, []))
        package = module if file.endswith("__init__.py") else module.rpartition(".")[0]
        self.pending.append(lambda: self._refer_imports(tree, {"__package__": package}))

    def _open(self, file: str, scope: Mapping[str, Any]) -> Source:
        if file not in self._sources:
            self._sources[file] = Source(file, scope)
        return self._sources[file]


class _Names:
    """What names mean where a piece of code stands."""

    def __init__(self, function: FunctionType | None, scope: Mapping[str, Any] | None = None, module: str = "") -> None:
        self.globals: Mapping[str, Any] = function.__globals__ if function is not None else scope or {}
        self._cells = _cells(function) if function is not None else {}
        self._module = module or _module(getattr(function, "__module__", ""))
        self._inside = f"{function.__qualname__}." if function is not None else ""

    def find(self, reference: tuple[str, ...]) -> tuple[Any, str]:
        """The object that a dotted name stands for, as far as modules go, and a name for it if it is a constant."""
        first, *rest = reference
        if first in self._cells:
            found, name = self._cells[first], f"{self._module}:{self._inside}{first}"
        else:
            found, name = self.globals.get(first, _MISSING), f"{self._module}:{first}"
        for step in rest:
            if not isinstance(found, ModuleType) or not _is_own_module(found):
                break
            name = f"{_module(found.__name__)}:{step}"
            found = getattr(found, step, _MISSING)
        return found, name


def _cells(function: FunctionType) -> dict[str, Any]:
    """The variables that a function has from the functions around it."""
    cells: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        with contextlib.suppress(ValueError):  # not set yet
            cells[name] = cell.cell_contents
    return cells


def _is_own_module(module: ModuleType) -> bool:
    file = file_of(module.__name__) or getattr(module, "__file__", None)
    return is_own(file)


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


def _part(code: Any) -> str:
    return f"{_module(code.__module__)}:{code.__qualname__}"


def _module(name: str | None) -> str:
    """The module's name, which is the same where ops run: a script is `__main__`, but for one of `python -m`."""
    if name == "__main__":
        started = getattr(getattr(sys.modules["__main__"], "__spec__", None), "name", "")
        return name if not started or started.startswith("sciflow.") else started
    return "__main__" if name == SCRIPT else name or ""


def _joined(hashes: set[str]) -> str:
    from hashlib import sha256

    return sha256("".join(sorted(hashes)).encode()).hexdigest() if len(hashes) != 1 else next(iter(hashes))


__all__ = ["identity", "is_own"]
