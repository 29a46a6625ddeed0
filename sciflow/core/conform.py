"""Whether a constant, as a tree, is a value of a type. Pure; the user's classes are not needed.

What a tree cannot tell (whether one class derives from another, what a pickle holds) is taken as fitting: the runner
checks the value itself before the op is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.inference import constant_type
from sciflow.core.naming import nearest, with_article
from sciflow.core.ports import NUMBERS, Type, fits

_OPEN = frozenset({"pickle", "value", "broken"})  # tags that do not tell what they hold
_CLOSED = frozenset({"ase.atoms:Atoms", "numpy:ndarray"})  # of their packages, no other class is written with their tag
_TEXT = 40


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """The first part of a value that does not fit: where in it, what was expected there, what was found."""

    at: str
    expected: Type
    found: str
    value: Tree = None  # what was found, where that is text

    @property
    def near(self) -> str | None:
        """The text of a `Literal` that was probably meant."""
        literals = (m.values for m in self.expected.members if m.name == "literal")
        texts = [text for values in literals for text in values if isinstance(text, str)]
        return nearest(self.value, texts) if isinstance(self.value, str) else None


def misfit(tree: Tree, expected: Type) -> Misfit | None:
    """What keeps `tree` from being a value of `expected`; None if nothing does."""
    if expected.name == "any" or (isinstance(tree, dict) and tree.get("$") in _OPEN):
        return None
    return _CHECKS.get(expected.name, _as_plain)(tree, expected)


def told(tree: Tree) -> str:
    """A value in short: its type, and the value itself where that is plain."""
    match tree:
        case None:
            return "None"
        case list():
            return f"a list of {len(tree)}" if tree else "an empty list"
        case {"$": "float" | "complex", "v": value}:
            return f"{constant_type(tree)} {value}"
        case {"$": "enum", "type": str(of), "name": str(name)}:
            return f"{of.partition(':')[2]}.{name}"
        case {"$": _}:
            return with_article(constant_type(tree))
        case dict():
            return "a dict with keys " + ", ".join(map(repr, list(tree)[:5])) if tree else "an empty dict"
    text = repr(tree)
    return f"{constant_type(tree)} {text if len(text) <= _TEXT else text[: _TEXT - 1] + '…'}"


def _wrong(tree: Tree, expected: Type) -> Misfit:
    return Misfit(at="", expected=expected, found=told(tree), value=tree if isinstance(tree, str) else None)


def _first(parts: Iterable[tuple[str, Tree, Type]]) -> Misfit | None:
    """The first misfit among parts of a value, each with the step that leads to it."""
    for step, tree, expected in parts:
        found = misfit(tree, expected)
        if found is not None:
            return msgspec.structs.replace(found, at=step + found.at)
    return None


def _as_plain(tree: Tree, expected: Type) -> Misfit | None:
    return None if fits(constant_type(tree), expected) else _wrong(tree, expected)


def _as_literal(tree: Tree, expected: Type) -> Misfit | None:
    return None if any(v == tree and type(v) is type(tree) for v in expected.values) else _wrong(tree, expected)


def _as_path(tree: Tree, expected: Type) -> Misfit | None:
    match tree:
        case {"$": "artifact", "path": path, "kind": kind} if kind != (expected.kind or kind):
            return Misfit(at="", expected=expected, found=f"the {kind} {path}")
        case _:
            return _as_plain(tree, expected)


def _in_union(tree: Tree, expected: Type) -> Misfit | None:
    misfits = [misfit(tree, member) for member in expected.args]
    if None in misfits:
        return None
    deeper = [m for m in misfits if m is not None and m.at]
    return deeper[0] if len(deeper) == 1 else _wrong(tree, expected)


def _as_object(tree: Tree, expected: Type) -> Misfit | None:
    match tree:
        case _ if expected.kind == "typeddict":
            return _as_typed_dict(tree, expected)
        case {"$": _, "type": of, "v": {**values}} if of == expected.of:
            return _first((f".{n}", values[n], t) for n, t in expected.fields.items() if n in values)
        case {"$": _, "type": of} if of == expected.of:
            return None
        case {"$": _}:
            fitting = not _of_another_class(tree, expected)
        case _:
            fitting = f"builtins:{type(tree).__name__}" == expected.of
    return None if fitting else _wrong(tree, expected)


def _of_another_class(tree: dict[str, Tree], expected: Type) -> bool:
    if expected.kind in {"namedtuple", "dataclass", "enum"} and tree["$"] not in {"record", "enum"}:
        return True
    known = constant_type(tree).of
    package = known.partition(":")[0]
    return known in _CLOSED and known != expected.of and package == expected.of.partition(":")[0]


def _as_typed_dict(tree: Tree, expected: Type) -> Misfit | None:
    if not isinstance(tree, dict) or "$" in tree:
        return _wrong(tree, expected)
    required = expected.fields.keys() - expected.optional
    if not required <= tree.keys() <= expected.fields.keys():
        return _wrong(tree, expected)
    return _first((f"[{name!r}]", value, expected.fields[name]) for name, value in tree.items())


def _as_list(tree: Tree, expected: Type) -> Misfit | None:
    return _in_items(tree, expected) if isinstance(tree, list) else _wrong(tree, expected)


def _as_set(tree: Tree, expected: Type) -> Misfit | None:
    match tree:
        case {"$": tag, "v": list(items)} if tag == expected.name:
            return _in_items(items, expected)
        case _:
            return _wrong(tree, expected)


def _as_tuple(tree: Tree, expected: Type) -> Misfit | None:
    match tree:
        case {"$": "tuple", "v": list(items)}:
            return _in_tuple(items, expected)
        case {"$": "record", "kind": "namedtuple", "v": dict(fields)}:
            return _in_tuple(list(fields.values()), expected)
        case _:
            return _wrong(tree, expected)


def _as_dict(tree: Tree, expected: Type) -> Misfit | None:
    match tree:
        case {"$": "dict", "v": list(pairs)}:
            return _first(_entries(pairs, expected))
        case dict() if "$" not in tree:
            return _first(_entries(tree.items(), expected))
        case _:
            return _wrong(tree, expected)


def _entries(pairs: Iterable[Iterable[Tree]], expected: Type) -> Iterator[tuple[str, Tree, Type]]:
    key_type, value_type = expected.entry
    for key, value in pairs:
        yield f"[key {key!r}]", key, key_type
        yield f"[{key!r}]", value, value_type


def _in_items(items: list[Tree], expected: Type) -> Misfit | None:
    if _all_plain(items, expected.item):
        return None
    return _first((f"[{i}]", item, expected.item) for i, item in enumerate(items))


def _all_plain(items: list[Tree], item: Type) -> bool:
    """Whether all are of the plain type, told without looking at them one by one."""
    if item.name not in {*NUMBERS, "str"}:
        return item.name == "any"
    return all(k in {bool, int, float, str} and fits(Type(name=k.__name__), item) for k in set(map(type, items)))


def _in_tuple(items: list[Tree], expected: Type) -> Misfit | None:
    if not expected.args or expected.variadic:
        return _in_items(items, expected)
    if len(items) != len(expected.args):
        return Misfit(at="", expected=expected, found=f"a tuple of {len(items)}")
    return _first((f"[{i}]", item, type_) for i, (item, type_) in enumerate(zip(items, expected.args, strict=True)))


_CHECKS: Mapping[str, Callable[[Tree, Type], Misfit | None]] = {
    "union": _in_union,
    "object": _as_object,
    "literal": _as_literal,
    "path": _as_path,
    "list": _as_list,
    "set": _as_set,
    "frozenset": _as_set,
    "tuple": _as_tuple,
    "dict": _as_dict,
}
