"""The type of an expression, from the types of its leaves. Pure.

`None` as an answer means that Python would refuse the operation for values of these types; what is not known is `Any`.
"""

from __future__ import annotations

from sciflow.core.expr import Tree
from sciflow.core.ports import ANY, NONE, NUMBERS, Type, fits, list_of

BOOL = Type(name="bool")
INT = Type(name="int")
FLOAT = Type(name="float")
STR = Type(name="str")
PATH = Type(name="path")

_TAGGED = {
    "float": FLOAT,
    "int": INT,
    "complex": Type(name="complex"),
    "bytes": Type(name="bytes"),
    "artifact": PATH,
    "atoms": Type(name="object", of="ase.atoms:Atoms", kind="class"),
    "ndarray": Type(name="object", of="numpy:ndarray", kind="class"),
    "purepath": Type(name="object", of="pathlib:PurePath", kind="class"),
    **{n: Type(name="object", of=f"datetime:{n}", kind="class") for n in ("datetime", "date", "time", "timedelta")},
}
_PLAIN = {bool: BOOL, int: INT, float: FLOAT, str: STR, type(None): NONE}
_COMPARED = frozenset({"eq", "ne", "not", "contains"})
_ORDERED = frozenset({"lt", "le", "gt", "ge"})
_SEQUENCES = frozenset({"list", "tuple", "str", "bytes"})
_SIZED = _SEQUENCES | {"set", "frozenset", "dict"}


def union_of(members: list[Type]) -> Type:
    """The smallest union of types; `Any` if one of them is."""
    flat: list[Type] = []
    for member in members:
        for part in member.args if member.name == "union" else (member,):
            if part.name == "any":
                return ANY
            if part not in flat:
                flat.append(part)
    wide = [t for t in flat if not any(o is not t and _absorbs(o, t) for o in flat)]
    return wide[0] if len(wide) == 1 else Type(name="union", args=tuple(wide)) if wide else ANY


def _absorbs(wide: Type, narrow: Type) -> bool:
    return wide.name in NUMBERS and narrow.name in NUMBERS and fits(narrow, wide)


def constant_type(tree: Tree) -> Type:
    """The type of a value that is written into the graph."""
    plain = _PLAIN.get(type(tree))
    if plain is not None:
        return plain
    match tree:
        case list():
            return list_of(union_of([constant_type(t) for t in tree]))
        case {"$": "tuple", "v": list(items)}:
            return (
                Type(name="tuple", args=tuple(map(constant_type, items)), variadic=False)
                if items
                else Type(name="tuple")
            )
        case {"$": "record" | "enum", "type": str(of)}:
            return Type(name="object", of=of, kind=tree.get("kind", "enum"), fields=_fields(tree))
        case {"$": str(tag)}:
            return _TAGGED.get(tag, ANY)
        case _:
            return Type(name="dict", args=(STR, union_of([constant_type(t) for t in tree.values()])))


def _fields(tree: dict[str, Tree]) -> dict[str, Type]:
    fields = tree.get("v")
    return {name: constant_type(t) for name, t in fields.items()} if isinstance(fields, dict) else {}


def attribute_type(of: Type, name: str) -> Type | None:
    """The type of `of.name`."""
    match of.name:
        case "any":
            return ANY
        case "object":
            return of.fields.get(name)
        case "dict" if not of.args:
            return ANY
        case "union":
            members = [attribute_type(member, name) for member in of.args]
            return None if None in members else union_of([m for m in members if m is not None])
        case _:
            return None


def element_type(of: Type, index: Type, *, at: Tree = None) -> Type | None:
    """The type of `of[index]`; `at` is the index itself where it is written into the graph."""
    match of.name:
        case "any":
            return ANY
        case "list" | "str" | "bytes" | "tuple":
            return _item_type(of, at) if fits(index, INT) else None
        case "dict":
            key, value = of.args or (ANY, ANY)
            return value if fits(index, key) else None
        case "object":
            return _field_type(of, index, at)
        case _:
            return None


def _item_type(of: Type, at: Tree) -> Type | None:
    match of.name:
        case "str":
            return STR
        case "bytes":
            return INT
        case "tuple" if of.args and not of.variadic and isinstance(at, int):
            return of.args[at] if -len(of.args) <= at < len(of.args) else None
        case _:
            return union_of(list(of.args))


def _field_type(of: Type, index: Type, at: Tree) -> Type | None:
    match of.kind:
        case "namedtuple":
            return element_type(Type(name="tuple", args=tuple(of.fields.values())), index, at=at)
        case "typeddict" if isinstance(at, str):
            return of.fields.get(at)
        case "typeddict" if fits(index, STR):
            return union_of(list(of.fields.values()))
        case "class":
            return ANY if of.of == "numpy:ndarray" else None
        case _:
            return None


def item_type(lists: Type) -> Type | None:
    """The type of the elements that a fan takes from a list."""
    match lists.name:
        case "any":
            return ANY
        case "list":
            return lists.args[0] if lists.args else ANY
        case "tuple":
            return union_of(list(lists.args))
        case "object" if lists.kind == "namedtuple":
            return union_of(list(lists.fields.values()))
        case _:
            return None


def call_type(function: str, args: tuple[Type, ...]) -> Type | None:
    """The type of an operator or function of `OPERATORS`, applied."""
    if function in _COMPARED:
        return BOOL
    if function in _ORDERED:
        return BOOL if _comparable(*args) else None
    match function:
        case "and" | "or":
            return union_of(list(args))
        case "choose":
            return union_of(list(args[1:]))
        case "len":
            return INT if args[0].name in _SIZED | {"any", "object"} else None
        case "range":
            return list_of(INT) if all(fits(a, INT) for a in args) else None
        case _:
            return _arithmetic(function, args)


def _comparable(left: Type, right: Type) -> bool:
    def family(type_: Type) -> str:
        return "number" if type_.name in NUMBERS[:3] else type_.name

    open_ended = {"any", "union", "object", "literal"}
    return family(left) == family(right) or bool({left.name, right.name} & open_ended)


def _arithmetic(function: str, args: tuple[Type, ...]) -> Type | None:
    names = {a.name for a in args}
    if names & {"any", "union", "object", "literal"}:
        return ANY
    if names <= set(NUMBERS):
        return _number(function, args)
    left, right = args[0], args[-1]
    if function == "add" and left.name == right.name and left.name in _SEQUENCES:
        return Type(name="tuple") if left.name == "tuple" else _joined(left, right)
    if function == "mul" and {"int", "bool"} & names:
        sequence = left if left.name in _SEQUENCES else right
        return (Type(name="tuple") if sequence.name == "tuple" else sequence) if sequence.name in _SEQUENCES else None
    return None


def _joined(left: Type, right: Type) -> Type:
    return list_of(union_of([*left.args, *right.args])) if left.name == "list" else left


def _number(function: str, args: tuple[Type, ...]) -> Type | None:
    widest = max((a.name for a in args), key=NUMBERS.index)
    match function:
        case "truediv":
            return Type(name="complex") if widest == "complex" else FLOAT
        case "floordiv" | "mod" if widest == "complex":
            return None
        case "abs" if widest == "complex":
            return FLOAT
        case "round":
            return INT if len(args) == 1 or args[0].name in {"bool", "int"} else args[0]
        case "pow" if widest in {"bool", "int"}:
            return ANY  # an int, or a float where the exponent is negative
        case _:
            return INT if widest == "bool" else Type(name=widest)
