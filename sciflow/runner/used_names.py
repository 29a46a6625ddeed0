"""Which names a piece of syntax takes from outside: not its parameters, not what it binds itself."""

from __future__ import annotations

import ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NONE: frozenset[str] = frozenset()


def used_names(node: ast.AST, decorators: Sequence[ast.AST]) -> Iterator[tuple[str, ...]]:
    """The names that a definition uses, `a.b.c` as one, without its own decorators, but with those given."""
    for decorator in decorators:
        yield from _used(decorator, _NONE)
    if isinstance(node, _FUNCTIONS):
        yield from _in_function(node, _NONE)
        return
    skipped = getattr(node, "decorator_list", [])
    for child in ast.iter_child_nodes(node):
        if child not in skipped:
            yield from _used(child, _NONE)


def _used(node: ast.AST, bound: frozenset[str]) -> Iterator[tuple[str, ...]]:
    name = _dotted(node)
    if name:
        if name[0] not in bound:
            yield name
    elif isinstance(node, _FUNCTIONS):
        for decorator in getattr(node, "decorator_list", []):
            yield from _used(decorator, bound)
        yield from _in_function(node, bound)
    elif isinstance(node, _COMPREHENSIONS):
        yield from _in_comprehension(node, bound)
    else:
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id not in bound:
            yield (node.target.id,)  # a global that is read and written
        for child in ast.iter_child_nodes(node):
            yield from _used(child, bound)


def _in_function(node: Any, bound: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """Defaults and annotations stand outside of a function's own names."""
    yield from _used(node.args, bound)
    if getattr(node, "returns", None) is not None:
        yield from _used(node.returns, bound)
    names, freed = _bound(node)
    body = node.body if isinstance(node.body, list) else [node.body]
    for statement in body:
        yield from _used(statement, bound - freed | names)


def _in_comprehension(node: Any, bound: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """Its first list stands outside of its own names."""
    first = node.generators[0]
    yield from _used(first.iter, bound)
    names = {n.id for generator in node.generators for n in ast.walk(generator.target) if isinstance(n, ast.Name)}
    inside = bound | names
    for generator in node.generators:
        parts = [*generator.ifs] if generator is first else [generator.iter, *generator.ifs]
        for part in parts:
            yield from _used(part, inside)
    for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
        yield from _used(part, inside)


def _bound(node: Any) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a function binds, and those that it declares to be global."""
    args = node.args
    given = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    names = {argument.arg for argument in given if argument is not None}
    freed: set[str] = set()
    pending: list[Any] = [*node.body] if isinstance(node.body, list) else [node.body]
    while pending:
        part = pending.pop()
        names.update(_binds(part))
        if isinstance(part, ast.Global):
            freed.update(part.names)
        elif isinstance(part, _COMPREHENSIONS):  # of what it binds, only `:=` counts outside of it
            pending += [inner for inner in ast.walk(part) if isinstance(inner, ast.NamedExpr)]
        elif not isinstance(part, (*_NAMED, ast.Lambda)):
            pending.extend(ast.iter_child_nodes(part))
    return frozenset(names - freed), frozenset(freed)


_BINDING = {"ExceptHandler": "name", "MatchAs": "name", "MatchStar": "name", "MatchMapping": "rest"}  # of text


def _binds(node: Any) -> list[str]:
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, _NAMED):
        return [node.name]
    field = _BINDING.get(type(node).__name__)
    name = None if field is None else getattr(node, field)
    return [] if name is None else [name]


def _dotted(node: ast.AST) -> tuple[str, ...]:
    steps: list[str] = []
    while isinstance(node, ast.Attribute):
        steps.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or not (steps or isinstance(node.ctx, ast.Load)):
        return ()
    return (node.id, *reversed(steps))
