"""What the tags of one template stand for, and text with such tags as expressions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import msgspec

from sciflow.author.argo_file import expression
from sciflow.author.argo_file.expression import Language, Unit, Unreadable
from sciflow.author.argo_file.source import At
from sciflow.author.argo_file.tags import parts_of
from sciflow.core.expr import Attr, Call, Const, Expr, Item
from sciflow.core.json_texts import scalar
from sciflow.core.naming import nearest

ITEM = Item(port="item")  # until it is known by which port a slice takes its element
UNKNOWN = Const(value="")  # stands where a problem has been told
_FUNCTIONS = {"string": "plain", "toString": "plain", "asInt": "scalar", "asFloat": "scalar", "int": "scalar"}


class Scope(msgspec.Struct, frozen=True):
    """The names that a template's tags may have, and what they stand for; with `items`, `item` is one as well."""

    known: Mapping[str, Expr]
    items: bool = False

    def text(self, at: At | None) -> Expr:
        """A text, its tags replaced."""
        if at is None:
            return UNKNOWN
        return expression.joined(self._units(at.text(), at))

    def condition(self, at: At) -> Expr:
        """A `when`: bare words are texts, and what a tag stands for is read as a number or truth value if it is one."""
        units = self._units(at.text(), at)
        if len(units) == 1 and not isinstance(units[0], str):
            return Call(function="scalar", args=(units[0],)) if not _is_truth(units[0]) else units[0]
        return self._read(units, Language(words=_govaluate, calls=_no_calls, marks=".-/:@#$"), at)

    def expression(self, at: At, text: str) -> Expr:
        """What stands behind `{{=`: names are names."""

        def words(units: list[Unit]) -> Expr:
            word = "".join(unit for unit in units if isinstance(unit, str))
            value = scalar(word)
            return self._named(word, at) if isinstance(value, str) else Const(value=value)

        return self._read(list(text), Language(words=words, calls=_called, marks=".", brackets=True), at)

    def _read(self, units: list[Unit], language: Language, at: At) -> Expr:
        try:
            return expression.read(units, language)
        except Unreadable as error:
            at.say(
                f"this condition cannot be read: {error}",
                expected="==, !=, <, <=, >, >=, &&, ||, !, (), in (...) on tags, numbers and texts",
                found=at.text(),
                fix="write it with these, or run the file on Argo itself: argo submit",
            )
            return Const(value=True)

    def _units(self, text: str, at: At) -> list[Unit]:
        units: list[Unit] = []
        for part in parts_of(text):
            if isinstance(part, str):
                units.extend(part)
                continue
            value = self.expression(at, part.path) if part.expression else self._named(part.path, at)
            units += list(value.value) if isinstance(value, Const) and isinstance(value.value, str) else [value]
        return units

    def _named(self, name: str, at: At) -> Expr:
        if name in self.known:
            return self.known[name]
        if self.items and name == "item":
            return Call(function="plain", args=(ITEM,))
        if self.items and name.startswith("item."):
            return Call(function="plain", args=(Attr(of=ITEM, name=name.removeprefix("item.")),))
        near = nearest(name, self.known)
        at.say(
            f"{{{{{name}}}}} is not known here",
            expected=", ".join(sorted(self.known)) or "no tags",
            found=name,
            fix=f"did you mean {near}?" if near else "leave it out, or run the file on Argo itself: argo submit",
        )
        return UNKNOWN


def _is_truth(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.function in {"eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not"}


def _govaluate(units: list[Unit]) -> Expr:
    found = expression.joined(units)
    if isinstance(found, Const):
        return Const(value=scalar(found.value))
    return Call(function="scalar", args=(found,))


def _no_calls(name: str, _: tuple[Expr, ...]) -> NoReturn:
    raise Unreadable(f"the function {name} is not known here")


def _called(name: str, args: tuple[Expr, ...]) -> Expr:
    function = _FUNCTIONS.get(name)
    if function is None or len(args) != 1:
        known = ", ".join(_FUNCTIONS)
        raise Unreadable(f"the function {name} is not known here, but {known}")
    return Call(function=function, args=args)
