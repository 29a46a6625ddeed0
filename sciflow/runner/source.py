"""Python source as syntax: where a loaded function or class stands in it, what it contains, which names it uses."""

from __future__ import annotations

import ast
from types import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Mapping, Sequence, Union

    FunctionNode = Union[ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda]

_UNIMPORTANT = frozenset({"ctx", "kind", "type_comment", "type_ignores", "decorator_list"})
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Source:
    """One file's source, or a notebook cell's; empty if it cannot be read."""

    def __init__(self, file: str, scope: Mapping[str, Any]) -> None:
        import linecache

        linecache.checkcache(file)
        text = "".join(linecache.getlines(file, dict(scope)))
        self.tree: ast.Module | None = None
        self._codes: list[CodeType] = []
        try:
            if text:
                self.tree = ast.parse(text)
                self._codes = list(_codes(compile(self.tree, file, "exec", dont_inherit=True)))
        except (SyntaxError, ValueError):
            self.tree = None

    def function(self, code: CodeType) -> FunctionNode | None:
        """The definition that `code` was compiled from; None if the source says something else by now."""
        if self.tree is None or not any(code == known for known in self._codes):
            return None
        name, line = code.co_name, code.co_firstlineno
        found = [node for node in ast.walk(self.tree) if isinstance(node, _DEFINITIONS) and _first_line(node) == line]
        named = [node for node in found if getattr(node, "name", "<lambda>") == name]
        return named[0] if len(named) == 1 else None

    def class_(self, cls: type, codes: Sequence[CodeType]) -> ast.ClassDef | None:
        """The definition of a class, if the source still has its methods as they were loaded (`codes`)."""
        if self.tree is None or any(_is_of(code, self._codes) is False for code in codes):
            return None
        body: Sequence[ast.stmt] = self.tree.body
        node: ast.ClassDef | None = None
        for name in cls.__qualname__.split("."):
            inside = [
                n for statement in body for n in ast.walk(statement) if isinstance(n, ast.ClassDef) and n.name == name
            ]
            if not inside:
                return None
            node = inside[-1]
            body = node.body
        return node


def _is_of(code: CodeType, known: Sequence[CodeType]) -> bool | None:
    """Whether code is among those known; None: it was made by a decorator, such as a dataclass's `__init__`."""
    if not known or code.co_filename != known[0].co_filename:
        return None
    return any(code == one for one in known)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _first_line(node: Any) -> int:
    """As the compiler counts: a function begins with its first decorator."""
    decorators = getattr(node, "decorator_list", [])
    return int(decorators[0].lineno if decorators else node.lineno)


def content(node: ast.AST, decorators: Sequence[ast.AST]) -> str:
    """The hash of a piece of syntax without its own decorators, but with those given."""
    from hashlib import sha256

    digest = sha256()
    for part in (*decorators, node):
        digest.update("".join(_write(part, top=part is node)).encode(errors="backslashreplace"))
    return digest.hexdigest()


def _write(node: Any, *, top: bool = False) -> Iterator[str]:
    """Syntax as text that is the same in each version of Python: without what is empty, and without docstrings."""
    if isinstance(node, ast.AST):
        yield from _write_node(node, top=top)
    elif isinstance(node, list):
        for item in node:
            yield from _write(item)
            yield ","
    elif type(node) is int:
        yield hex(node)
    else:
        yield f"{type(node).__name__}:{node!r}"


def _write_node(node: ast.AST, *, top: bool) -> Iterator[str]:
    yield f"{type(node).__name__}("
    for name, value in ast.iter_fields(node):
        if _counts(name, value, top=top):
            yield f"{name}="
            yield from _write(_without_docstring(node, value) if name == "body" else value)
    if isinstance(node, ast.Constant) and node.value is None:
        yield "None"
    yield ")"


def _counts(name: str, value: Any, *, top: bool) -> bool:
    """Whether a field says anything; decorators do inside, and those at the top are given apart."""
    if value is None or value == []:
        return False
    return name not in _UNIMPORTANT or (name == "decorator_list" and not top)


def _without_docstring(node: ast.AST, body: Any) -> Any:
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)):
        return body
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return body[1:]
    return body


def bytecode(code: CodeType) -> str:
    """The hash of compiled code, for want of its source."""
    from hashlib import sha256

    digest = sha256(code.co_code)
    for constant in code.co_consts:
        digest.update((bytecode(constant) if isinstance(constant, CodeType) else _spelled(constant)).encode())
    digest.update(repr((code.co_names, code.co_varnames, code.co_freevars)).encode())
    return digest.hexdigest()


def _spelled(constant: object) -> str:
    if isinstance(constant, frozenset):
        return ",".join(sorted(map(_spelled, constant)))
    return hex(constant) if type(constant) is int else ascii(constant)


def imports(node: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    """What is imported inside: module and attribute (empty for a whole module)."""
    for found in ast.walk(node):
        if isinstance(found, ast.Import):
            yield from ((alias.name, "") for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            above = package.rsplit(".", found.level - 1)[0] if found.level else ""
            module = ".".join(part for part in (above, found.module) if part)
            yield from ((module, alias.name) for alias in found.names)
