"""Whether a constant, as a tree, is a value of a type. Pure; the user's classes are not needed.

What a tree cannot tell (whether one class derives from another, what a pickle holds) is taken as fitting: the runner
checks the value itself before the op is called.
"""

from __future__ import annotations

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.inference import constant_type
from sciflow.core.ports import NUMBERS, Type, fits

_OPEN = frozenset({"pickle", "value", "scalar", "broken"})  # tags that do not tell what they hold
_TEXT = 40


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """The first part of a value that does not fit: where in it, what was expected there, what was found."""

    at: str
    expected: Type
    found: str

    def inside(self, step: str) -> Misfit:
        """The same, one level further out."""
        return Misfit(at=step + self.at, expected=self.expected, found=self.found)


def misfit(tree: Tree, expected: Type) -> Misfit | None:
    """What keeps `tree` from being a value of `expected`; None if nothing does."""
    if expected.name == "any" or (isinstance(tree, dict) and tree.get("$") in _OPEN):
        return None
    match expected.name:
        case "union":
            return _in_union(tree, expected)
        case "object":
            return _as_object(tree, expected)
        case "list" | "set" | "frozenset" | "tuple" | "dict":
            return _as_container(tree, expected)
        case _:
            return _as_plain(tree, expected)


def _as_plain(tree: Tree, expected: Type) -> Misfit | None:
    match expected.name, tree:
        case "literal", _:
            fitting = any(v == tree and type(v) is type(tree) for v in expected.values)
        case "path", {"$": "artifact", "path": path, "kind": kind} if kind != (expected.kind or kind):
            return Misfit(at="", expected=expected, found=f"the {kind} {path}")
        case _:
            fitting = fits(constant_type(tree), expected)
    return None if fitting else _wrong(tree, expected)


def _wrong(tree: Tree, expected: Type) -> Misfit:
    return Misfit(at="", expected=expected, found=told(tree))


def told(tree: Tree) -> str:
    """A value in short: its type, and the value itself where that is plain."""
    type_ = constant_type(tree) if not isinstance(tree, (list, dict)) or "$" in tree else None
    if isinstance(tree, list):
        return f"a list of {len(tree)}" if tree else "an empty list"
    if type_ is None:
        return "a dict with keys " + ", ".join(map(repr, list(tree)[:5])) if tree else "an empty dict"
    if isinstance(tree, dict):
        return f"{type_} {tree['v']}" if tree["$"] in {"float", "complex"} else f"a {type_}"
    text = repr(tree)
    return "None" if tree is None else f"{type_} {text if len(text) <= _TEXT else text[: _TEXT - 1] + '…'}"


def _in_union(tree: Tree, expected: Type) -> Misfit | None:
    misfits = [misfit(tree, member) for member in expected.args]
    if None in misfits:
        return None
    deeper = [m for m in misfits if m is not None and m.at]
    return deeper[0] if len(deeper) == 1 else _wrong(tree, expected)


def _as_object(tree: Tree, expected: Type) -> Misfit | None:
    if expected.kind == "typeddict":
        return _as_typed_dict(tree, expected)
    if not isinstance(tree, dict) or "$" not in tree:
        return None if f"builtins:{type(tree).__name__}" == expected.of else _wrong(tree, expected)
    if tree.get("type") == expected.of:
        return _in_fields(tree.get("v"), expected)
    if expected.kind in {"namedtuple", "dataclass", "enum"} and tree["$"] not in {"record", "enum"}:
        return _wrong(tree, expected)
    known = constant_type(tree)
    closed = (
        known.name != "any"
        and known.of in {"ase.atoms:Atoms", "numpy:ndarray"}
        and expected.of.partition(":")[0] == known.of.partition(":")[0]
    )
    return _wrong(tree, expected) if closed and known.of != expected.of else None


def _in_fields(values: Tree, expected: Type) -> Misfit | None:
    if not isinstance(values, dict):
        return None
    for name, type_ in expected.fields.items():
        found = misfit(values[name], type_) if name in values else None
        if found is not None:
            return found.inside(f".{name}")
    return None


def _as_typed_dict(tree: Tree, expected: Type) -> Misfit | None:
    if not isinstance(tree, dict) or "$" in tree:
        return _wrong(tree, expected)
    missing = [n for n in expected.fields if n not in tree and n not in expected.optional]
    extra = [n for n in tree if n not in expected.fields]
    if missing or extra:
        return Misfit(at="", expected=expected, found=told(tree))
    for name, value in tree.items():
        found = misfit(value, expected.fields[name])
        if found is not None:
            return found.inside(f"[{name!r}]")
    return None


def _as_container(tree: Tree, expected: Type) -> Misfit | None:
    match expected.name, tree:
        case "list", list():
            return _in_items(tree, expected.args)
        case "dict", dict() if "$" not in tree:
            return _in_dict(list(tree.items()), expected)
        case "dict", {"$": "dict", "v": list(pairs)}:
            return _in_dict(pairs, expected)
        case ("set" | "frozenset" | "tuple") as name, {"$": str(tag), "v": list(items)} if tag == name:
            return _in_tuple(items, expected) if name == "tuple" else _in_items(items, expected.args)
        case "tuple", {"$": "record", "kind": "namedtuple", "v": dict(fields)}:
            return _in_tuple(list(fields.values()), expected)
        case _:
            return _wrong(tree, expected)


def _in_items(items: list[Tree], args: tuple[Type, ...]) -> Misfit | None:
    if not args or _all_plain(items, args[0]):
        return None
    for i, item in enumerate(items):
        found = misfit(item, args[0])
        if found is not None:
            return found.inside(f"[{i}]")
    return None


def _all_plain(items: list[Tree], item: Type) -> bool:
    """Whether all are of the plain type, told without looking at them one by one."""
    if item.name not in {*NUMBERS, "str"}:
        return item.name == "any"
    return all(k in {bool, int, float, str} and fits(Type(name=k.__name__), item) for k in set(map(type, items)))


def _in_dict(pairs: list[list[Tree]] | list[tuple[str, Tree]], expected: Type) -> Misfit | None:
    if not expected.args:
        return None
    for key, value in pairs:
        wrong_key = misfit(key, expected.args[0])
        if wrong_key is not None:
            return wrong_key.inside(f"[key {key!r}]")
        found = misfit(value, expected.args[1])
        if found is not None:
            return found.inside(f"[{key!r}]")
    return None


def _in_tuple(items: list[Tree], expected: Type) -> Misfit | None:
    if not expected.args or expected.variadic:
        return _in_items(items, expected.args)
    if len(items) != len(expected.args):
        return Misfit(at="", expected=expected, found=f"a tuple of {len(items)}")
    for i, (item, type_) in enumerate(zip(items, expected.args, strict=True)):
        found = misfit(item, type_)
        if found is not None:
            return found.inside(f"[{i}]")
    return None
