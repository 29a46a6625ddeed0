"""The type of an expression, from the types of its leaves. Pure.

`None` as an answer means that Python would refuse the operation for values of these types; what is not known is `Any`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain

from sciflow.core.expr import Tree
from sciflow.core.ports import ANY, NONE, NUMBERS, Type, enum_of, fits, list_of

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
_NUMPY_NUMBERS = {"i": "int", "u": "uint", "f": "float", "c": "complex"}
_NUMPY_TEXTS = {"text": "str_", "bytes": "bytes_"}
_NUMPY_OTHERS = {"b": "bool", "M": "datetime64", "m": "timedelta64", "V": "void"}
_DERIVED = {"float64": "float", "complex128": "complex", "str_": "str", "bytes_": "bytes"}
_PLAIN = {bool: BOOL, int: INT, float: FLOAT, str: STR, type(None): NONE}
_OPEN = frozenset({"any", "union", "object", "literal"})  # what an operator does with them is not known
_SEQUENCES = frozenset({"list", "tuple", "str", "bytes"})
_SIZED = _SEQUENCES | {"set", "frozenset", "dict", "any", "object"}
_OF_COMPLEX = {"abs": FLOAT, "floordiv": None, "mod": None, "round": None}


def union_of(members: list[Type]) -> Type:
    """The smallest union of types; `Any` if one of them is."""
    flat: list[Type] = []
    for part in chain.from_iterable(member.members for member in members):
        if part not in flat:
            flat.append(part)
    wide = _without_narrower_numbers(flat)
    if not wide or "any" in {part.name for part in wide}:
        return ANY
    return wide[0] if len(wide) == 1 else Type(name="union", args=tuple(wide))


def _without_narrower_numbers(types: list[Type]) -> list[Type]:
    """An int is a float: of several numbers the widest says it all."""
    present = {type_.name for type_ in types}
    numbers = [name for name in NUMBERS if name in present]
    return [type_ for type_ in types if type_.name not in numbers[:-1]]


def constant_type(tree: Tree) -> Type:
    """The type of a value that is written into the graph."""
    plain = _PLAIN.get(type(tree))
    if plain is not None:
        return plain
    match tree:
        case list():
            return list_of(union_of([constant_type(t) for t in tree]))
        case {"$": "tuple", "v": list(items)}:
            return Type(name="tuple", args=tuple(map(constant_type, items)))
        case {"$": "record", "type": str(of), "kind": str(kind)}:
            return Type(name="object", of=of, kind=kind, fields=_fields(tree))
        case {"$": "enum"}:
            return enum_of(tree)
        case {"$": "scalar", "dtype": str(dtype)}:
            return _scalar_type(dtype)
        case {"$": str(tag)}:
            return _TAGGED.get(tag, ANY)
        case _:
            return Type(name="dict", args=(STR, union_of([constant_type(t) for t in tree.values()])))


def _scalar_type(dtype: str) -> Type:
    """The type of a numpy scalar, with the class of Python's that it derives from, if any."""
    kind, size = dtype[1:2], dtype[2:]
    if dtype in _NUMPY_TEXTS:
        of = _NUMPY_TEXTS[dtype]
    elif kind in _NUMPY_NUMBERS and size.isdigit():
        of = f"{_NUMPY_NUMBERS[kind]}{8 * int(size)}"
    else:
        of = _NUMPY_OTHERS.get(kind, "generic")
    base = _DERIVED.get(of)
    return Type(name="object", of=f"numpy:{of}", kind="class", bases=() if base is None else (f"builtins:{base}",))


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
            found = [attribute_type(member, name) for member in of.args]
            known = [type_ for type_ in found if type_ is not None]
            return union_of(known) if len(known) == len(found) else None
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
            key, value = of.entry
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
            return lists.item
        case "tuple":
            return union_of(list(lists.args))
        case "object" if lists.kind == "namedtuple":
            return union_of(list(lists.fields.values()))
        case _:
            return None


def call_type(function: str, args: tuple[Type, ...]) -> Type | None:
    """The type of an operator or function of `OPERATORS`, applied."""
    typed = _CALLS.get(function)
    return _arithmetic(function, args) if typed is None else typed(*args)


def _truth(*_args: Type) -> Type:
    return BOOL


def _either(*args: Type) -> Type:
    return union_of(list(args[-2:]))  # the first of three is the condition


def _order(left: Type, right: Type) -> Type | None:
    def family(type_: Type) -> str:
        return "number" if type_.name in NUMBERS[:3] else type_.name

    return BOOL if family(left) == family(right) or {left.name, right.name} & _OPEN else None


def _length(of: Type) -> Type | None:
    return INT if of.name in _SIZED else None


def _range(*bounds: Type) -> Type | None:
    return list_of(INT) if all(fits(b, INT) for b in bounds) else None


_CALLS: Mapping[str, Callable[..., Type | None]] = {
    **dict.fromkeys(("eq", "ne", "not", "contains"), _truth),
    **dict.fromkeys(("lt", "le", "gt", "ge"), _order),
    **dict.fromkeys(("and", "or", "choose"), _either),
    "len": _length,
    "range": _range,
    **dict.fromkeys(("plain", "json_of", "json_of_texts", "json_of_results"), lambda *_: STR),
    "plains": lambda *_: list_of(STR),
    **dict.fromkeys(("json_list", "pick", "present"), lambda *_: list_of(ANY)),
    **dict.fromkeys(("scalar", "refuse"), lambda *_: ANY),
}


def _arithmetic(function: str, args: tuple[Type, ...]) -> Type | None:
    names = {a.name for a in args}
    if names & _OPEN:
        return ANY
    if names <= set(NUMBERS):
        return _number(function, args)
    match function:
        case "add":
            return _joined(*args)
        case "mul":
            return _repeated(*args)
        case _:
            return None


def _joined(left: Type, right: Type) -> Type | None:
    match left.name, right.name:
        case "tuple", "tuple":
            return Type(name="tuple")
        case "list", "list":
            return list_of(union_of([*left.args, *right.args]))
        case name, other:
            return left if name == other and name in _SEQUENCES else None


def _repeated(left: Type, right: Type) -> Type | None:
    sequence, count = (left, right) if left.name in _SEQUENCES else (right, left)
    if sequence.name not in _SEQUENCES or count.name not in {"int", "bool"}:
        return None
    return Type(name="tuple") if sequence.name == "tuple" else sequence


def _number(function: str, args: tuple[Type, ...]) -> Type | None:
    widest = max((a.name for a in args), key=NUMBERS.index)
    if widest == "complex":
        return _OF_COMPLEX.get(function, Type(name="complex"))
    match function:
        case "truediv":
            return FLOAT
        case "round":
            return INT if len(args) == 1 or args[0].name in {"bool", "int"} else args[0]
        case "pow" if widest in {"bool", "int"}:
            return ANY  # an int, or a float where the exponent is negative
        case _:
            return INT if widest == "bool" else Type(name=widest)
