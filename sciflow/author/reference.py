"""References: what stands in a workflow for a value that is known only while running.

A `Ref` answers attributes, `[...]`, comparisons and arithmetic with further references. What would need the value
itself (`if`, iterating, `int()`, an f-string) raises at once and names what to use instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NoReturn

from sciflow.author.location import user_place
from sciflow.core.expr import Attr, Call, Const, Element, Expr
from sciflow.core.inference import attribute_type, call_type, constant_type, element_type
from sciflow.core.ports import ANY, Type
from sciflow.core.spelling import spelled
from sciflow.errors import InvalidWorkflow, Problem

_DEEPEST = 200
_UFUNCS: Mapping[str, str] = {  # numpy's operators, which `numpy.float64(2) * reference` comes down to
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "truediv",
    "floor_divide": "floordiv",
    "remainder": "mod",
    "power": "pow",
    "negative": "neg",
    "absolute": "abs",
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "bitwise_and": "and",
    "bitwise_or": "or",
}


class Ref:
    """A value of a workflow that is not known yet."""

    __slots__ = ("_depth", "_expr", "_tracer", "_type")

    def __init__(self, expr: Expr, type_: Type, tracer: object, *, depth: int = 0) -> None:
        self._depth = depth  # how many operations lie one in another
        self._expr = expr
        self._type = type_
        self._tracer = tracer

    def __getattr__(self, name: str) -> Ref:
        if name.startswith("_"):
            raise AttributeError(name)
        return Ref(Attr(of=self._expr, name=name), attribute_type(self._type, name) or ANY, self._tracer)

    def __getitem__(self, index: object) -> Ref:
        if isinstance(index, slice):
            refuse(f"a slice of {told(self)}", "an index, or the whole", "pass the list to an op and slice it there")
        if not isinstance(index, (int, str, Ref)):
            refuse(f"{index!r} as an index of {told(self)}", "an int, a str or a reference", "index by int or str")
        expr = index._expr if isinstance(index, Ref) else Const(value=index)  # noqa: SLF001
        at = None if isinstance(index, Ref) else index
        type_ = element_type(self._type, type_in_graph(index, expr), at=at)
        return Ref(Element(of=self._expr, index=expr), type_ or ANY, self._tracer)

    def __iter__(self) -> Iterator[Ref]:
        count = _fixed_length(self._type)
        if count is None:
            refuse(
                f"iterating {told(self)}",
                "a list that is known now",
                "use .map(...) to call an op once per element, or pass the whole list to an op",
            )
        return iter([self[i] for i in range(count)])

    def __bool__(self) -> NoReturn:  # noqa: PLE0304
        refuse(
            f"`if`, `while`, `and`, `or`, `not` or `in` on {told(self)}",
            "a value that is known now",
            "use `with when(condition):` for nodes, choose(condition, a, b) for a value; "
            "`&`, `|`, not_(...), contains(...) for conditions",
        )

    def __len__(self) -> int:
        count = _fixed_length(self._type)
        if count is None:
            refuse(f"len() of {told(self)}", "a value that is known now", "use length(...)")
        return count

    def __contains__(self, item: object) -> NoReturn:
        refuse(f"`in` on {told(self)}", "a value that is known now", "use contains(container, item)")

    def __str__(self) -> NoReturn:  # noqa: PLE0307
        refuse(f"text of {told(self)}", "a value that is known now", 'use text("...{x}...", x=reference)')

    def __format__(self, spec: str) -> NoReturn:
        refuse(
            f"an f-string or format() with {told(self)}",
            "a value that is known now",
            'use text("...{x}...", x=reference)',
        )

    def __int__(self) -> NoReturn:
        refuse(f"int() of {told(self)}", "a value that is known now", "convert inside an op")

    def __float__(self) -> NoReturn:
        refuse(f"float() of {told(self)}", "a value that is known now", "convert inside an op")

    def __complex__(self) -> NoReturn:
        refuse(f"complex() of {told(self)}", "a value that is known now", "convert inside an op")

    def __index__(self) -> NoReturn:  # noqa: PLE0305
        refuse(
            f"{told(self)} as an index, or in range()",
            "a value that is known now",
            "use reference[...] or sequence(...)",
        )

    def __fspath__(self) -> NoReturn:
        refuse(
            f"{told(self)} as a path of this machine", "a file that is there now", "pass it to an op and open it there"
        )

    def __array_ufunc__(self, ufunc: object, method: str, *operands: object, **options: object) -> Ref:
        name = str(getattr(ufunc, "__name__", ufunc))
        function = _UFUNCS.get(name) if method == "__call__" and not options else None
        if function is None:
            name = name if method == "__call__" else f"{name}.{method}"
            refuse(f"numpy.{name} of {told(self)}", "a value that is known now", "compute it inside an op")
        return applied(function, *operands)

    def __array__(self, *_args: object, **_kwargs: object) -> NoReturn:
        refuse(f"an array of {told(self)}", "a value that is known now", "make the array inside an op")

    def __call__(self, *_args: object, **_kwargs: object) -> NoReturn:
        refuse(f"calling {told(self)}", "an op", "methods are known only while running: call them inside an op")

    def __setitem__(self, index: object, value: object) -> NoReturn:
        refuse(f"assigning to an element of {told(self)}", "a new value", "return the changed value from an op")

    def __reduce__(self) -> NoReturn:
        refuse(
            f"pickling {told(self)}", "a value that is known now", "pass it to the op as an argument, not by a closure"
        )

    def __repr__(self) -> str:
        return f"<{told(self)}>"

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Ref:  # type: ignore[override]
        return applied("eq", self, other)

    def __ne__(self, other: object) -> Ref:  # type: ignore[override]
        return applied("ne", self, other)

    def __lt__(self, other: object) -> Ref:
        return applied("lt", self, other)

    def __le__(self, other: object) -> Ref:
        return applied("le", self, other)

    def __gt__(self, other: object) -> Ref:
        return applied("gt", self, other)

    def __ge__(self, other: object) -> Ref:
        return applied("ge", self, other)

    def __and__(self, other: object) -> Ref:
        return applied("and", self, other)

    def __rand__(self, other: object) -> Ref:
        return applied("and", other, self)

    def __or__(self, other: object) -> Ref:
        return applied("or", self, other)

    def __ror__(self, other: object) -> Ref:
        return applied("or", other, self)

    def __invert__(self) -> Ref:
        return applied("not", self)

    def __add__(self, other: object) -> Ref:
        return applied("add", self, other)

    def __radd__(self, other: object) -> Ref:
        return applied("add", other, self)

    def __sub__(self, other: object) -> Ref:
        return applied("sub", self, other)

    def __rsub__(self, other: object) -> Ref:
        return applied("sub", other, self)

    def __mul__(self, other: object) -> Ref:
        return applied("mul", self, other)

    def __rmul__(self, other: object) -> Ref:
        return applied("mul", other, self)

    def __truediv__(self, other: object) -> Ref:
        return applied("truediv", self, other)

    def __rtruediv__(self, other: object) -> Ref:
        return applied("truediv", other, self)

    def __floordiv__(self, other: object) -> Ref:
        return applied("floordiv", self, other)

    def __rfloordiv__(self, other: object) -> Ref:
        return applied("floordiv", other, self)

    def __mod__(self, other: object) -> Ref:
        return applied("mod", self, other)

    def __rmod__(self, other: object) -> Ref:
        return applied("mod", other, self)

    def __pow__(self, other: object) -> Ref:
        return applied("pow", self, other)

    def __rpow__(self, other: object) -> Ref:
        return applied("pow", other, self)

    def __neg__(self) -> Ref:
        return applied("neg", self)

    def __abs__(self) -> Ref:
        return applied("abs", self)

    def __round__(self, digits: int | None = None) -> Ref:
        return applied("round", self) if digits is None else applied("round", self, digits)


def applied(function: str, *operands: object) -> Ref:
    """A reference to the result of an operator; at least one operand is a reference."""
    from sciflow.author.lift import Unencodable, lifted

    tracer: object = None
    depth = 0
    types: list[Type] = []
    exprs: list[Expr] = []
    for operand in operands:
        if isinstance(operand, Ref):
            tracer = operand._tracer  # noqa: SLF001
            depth = max(depth, operand._depth + 1)  # noqa: SLF001
        try:
            exprs.append(lifted(operand))
        except Unencodable as error:
            refuse(f"an operator on {error.found}", "a reference or a value that can be written down", error.fix)
        types.append(type_in_graph(operand, exprs[-1]))
    if depth > _DEEPEST:
        what = f"an expression of more than {_DEEPEST} operations, one in another"
        refuse(what, "a short expression", "collect the values in a list and let an op do it: total([...])")
    type_ = call_type(function, tuple(types)) or ANY
    return Ref(Call(function=function, args=tuple(exprs)), type_, tracer, depth=depth)


def type_in_graph(value: object, expr: Expr) -> Type:
    """The type of a value that was lifted to `expr`."""
    if isinstance(value, Ref):
        return value._type  # noqa: SLF001
    return constant_type(expr.value) if isinstance(expr, Const) else ANY


def told(ref: Ref) -> str:
    """A reference in words: what it refers to and its type."""
    return f"a reference to {spelled(ref._expr)}: {ref._type}"  # noqa: SLF001


def refuse(what: str, expected: str, fix: str) -> NoReturn:
    """Raise for a line that cannot be traced further; what was found before joins it in `spec_of`.

    Raises:
        InvalidWorkflow: always.
    """
    found = "a reference, whose value is known only while running"
    problem = Problem(where=user_place(), what=what, expected=expected, found=found, fix=fix)
    raise InvalidWorkflow([problem])


def _fixed_length(type_: Type) -> int | None:
    if type_.name == "object" and type_.kind == "namedtuple":
        return len(type_.fields)
    return len(type_.args) if type_.name == "tuple" and type_.args and not type_.variadic else None
