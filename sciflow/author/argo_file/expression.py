"""Conditions as Argo has them, in text: `when`, `depends` and `{{=...}}` share operators, and differ in what a word is.

Pure: text in, expression out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from sciflow.core.expr import Build, Call, Const, Expr, Text

Unit: TypeAlias = str | Expr  # a character, or a value in its place
Words = Callable[[list[Unit]], Expr]
Calls = Callable[[str, tuple[Expr, ...]], Expr]

_OPERATORS = (
    "==",
    "!=",
    "<=",
    ">=",
    "&&",
    "||",
    "=~",
    "!~",
    "<",
    ">",
    "!",
    "+",
    "*",
    "/",
    "%",
    "(",
    ")",
    "?",
    ":",
    ",",
)
_LEVELS: Sequence[Mapping[str, str]] = (
    {"||": "or"},
    {"&&": "and"},
    {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"},
    {"+": "add", "-": "sub"},
    {"*": "mul", "/": "truediv", "%": "mod"},
)


class Unreadable(Exception):
    """The text is no such condition; says why."""


class Token(msgspec.Struct, frozen=True):
    """An operator, a text in quotes, or a word."""

    operator: str = ""
    quoted: Expr | None = None
    word: list[Unit] = []


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """How words are written and what they stand for; `marks` may be in them beside letters and digits."""

    words: Words
    calls: Calls
    marks: str
    brackets: bool = False  # whether `a['b']` means `a.b`


def read(units: Sequence[Unit], language: Language) -> Expr:
    """The expression that is written there.

    Raises:
        Unreadable: there is none, or it has parts that are not known here.
    """
    return _Parser(_Lexer(units, language).tokens(), language).whole()


def joined(units: Sequence[Unit]) -> Expr:
    """Characters and values as one text."""
    parts: list[str | Expr] = []
    for unit in units:
        if isinstance(unit, str) and parts and isinstance(parts[-1], str):
            parts[-1] += unit
        else:
            parts.append(unit)
    match parts:
        case []:
            return Const(value="")
        case [str() as text]:
            return Const(value=text)
        case [only] if not isinstance(only, str):
            return only
        case _:
            return Text(parts=tuple(p if isinstance(p, str) else Call(function="plain", args=(p,)) for p in parts))


class _Lexer:
    def __init__(self, units: Sequence[Unit], language: Language) -> None:
        self._units = units
        self._language = language
        self._at = 0

    def tokens(self) -> list[Token]:
        found = []
        while self._at < len(self._units):
            unit = self._units[self._at]
            if isinstance(unit, str) and unit.isspace():
                self._at += 1
            elif isinstance(unit, str) and unit in "'\"`":
                found.append(Token(quoted=joined(self._quoted(unit))))
            else:
                found.append(self._token())
        return found

    def _token(self) -> Token:
        unit = self._units[self._at]
        if not self._in_word(unit):
            two = "".join(u if isinstance(u, str) else " " for u in self._units[self._at : self._at + 2])
            operator = next((o for o in (*_OPERATORS, "-") if two.startswith(o)), None)
            if operator is None:
                raise Unreadable(f"{two[:1]!r} is not known here")
            self._at += len(operator)
            return Token(operator=operator)
        return self._word()

    def _word(self) -> Token:
        word: list[Unit] = []
        while self._at < len(self._units):
            unit = self._units[self._at]
            if self._in_word(unit):
                word.append(unit)
                self._at += 1
            elif unit == "[" and self._language.brackets:
                word += self._bracket()
            else:
                break
        text = "".join(u for u in word if isinstance(u, str))
        return Token(operator=text) if text in ("-", "in") and len(word) == len(text) else Token(word=word)

    def _bracket(self) -> list[Unit]:
        self._at += 1
        quote = self._units[self._at] if self._at < len(self._units) else ""
        if not isinstance(quote, str) or quote not in ("'", '"'):
            raise Unreadable("expected a name in quotes behind [")
        inner = self._quoted(quote)
        if self._at >= len(self._units) or self._units[self._at] != "]":
            raise Unreadable("expected ] behind the name")
        self._at += 1
        return [".", *inner]

    def _quoted(self, quote: str) -> list[Unit]:
        inner: list[Unit] = []
        self._at += 1
        while self._at < len(self._units):
            unit = self._units[self._at]
            self._at += 1
            if unit == quote:
                return inner
            if unit == "\\" and self._at < len(self._units):
                unit = self._units[self._at]
                self._at += 1
            inner.append(unit)
        raise Unreadable(f"a {quote} has no end")

    def _in_word(self, unit: Unit) -> bool:
        return not isinstance(unit, str) or unit.isalnum() or unit == "_" or unit in self._language.marks


class _Parser:
    def __init__(self, tokens: list[Token], language: Language) -> None:
        self._tokens = tokens
        self._language = language
        self._at = 0

    def whole(self) -> Expr:
        found = self._choice()
        if self._at < len(self._tokens):
            raise Unreadable("there is more behind its end: put texts with blanks in quotes")
        return found

    def _takes(self, *operators: str) -> str:
        here = self._tokens[self._at].operator if self._at < len(self._tokens) else ""
        if here and here in operators:
            self._at += 1
            return here
        return ""

    def _needs(self, operator: str) -> None:
        if not self._takes(operator):
            raise Unreadable(f"expected {operator}")

    def _choice(self) -> Expr:
        condition = self._level(0)
        if not self._takes("?"):
            return condition
        then = self._choice()
        self._needs(":")
        return Call(function="choose", args=(condition, then, self._choice()))

    def _level(self, level: int) -> Expr:
        if level == len(_LEVELS):
            return self._single()
        left = self._level(level + 1)
        while operator := self._takes(*_LEVELS[level], *(("in", "=~", "!~") if level == 2 else ())):
            if operator in ("=~", "!~"):
                raise Unreadable(f"{operator} is not known here: compare with ==")
            if operator == "in":
                left = Call(function="contains", args=(self._several(), left))
            else:
                left = Call(function=_LEVELS[level][operator], args=(left, self._level(level + 1)))
        return left

    def _several(self) -> Expr:
        self._needs("(")
        return Build(kind="list", parts=self._arguments())

    def _arguments(self) -> tuple[Expr, ...]:
        found: list[Expr] = []
        while not self._takes(")"):
            found.append(self._choice())
            if not self._takes(","):
                self._needs(")")
                break
        return tuple(found)

    def _single(self) -> Expr:
        if self._takes("!"):
            return Call(function="not", args=(self._single(),))
        if self._takes("-"):
            return Call(function="neg", args=(self._single(),))
        if self._takes("("):
            inner = self._choice()
            self._needs(")")
            return inner
        if self._at >= len(self._tokens) or self._tokens[self._at].operator:
            raise Unreadable("a value is missing")
        token = self._tokens[self._at]
        self._at += 1
        if token.quoted is not None:
            return token.quoted
        if self._takes("("):
            return self._language.calls("".join(map(str, token.word)), self._arguments())
        return self._language.words(token.word)
