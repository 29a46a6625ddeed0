"""Expressions at random, of what there is in a workflow so far. See `random_programs`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

INT, FLAG, LIST, PARTS, FILE, FILES, HOLES, MAYBE = "int", "flag", "list", "parts", "file", "files", "holes", "maybe"
SOME = st.integers(-2, 7)


@dataclass
class Scope:
    """What there is in a graph so far, by kind; `absent` has what a condition guards, and the condition."""

    names: dict[str, list[str]] = field(default_factory=dict)
    absent: list[tuple[str, str, str]] = field(default_factory=list)  # kind, name, condition

    def of(self, kind: str) -> list[str]:
        return self.names.setdefault(kind, [])

    def inner(self) -> Scope:
        return Scope({kind: list(names) for kind, names in self.names.items()}, [])


class Expressions:
    """Draws what stands in one workflow."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def one_of(self, choices: Sequence[Any]) -> Any:
        return self._draw(st.sampled_from(list(choices)))

    def sometimes(self, percent: int = 50) -> bool:
        return bool(self._draw(st.integers(1, 100)) > 100 - percent)

    def int_(self, scope: Scope, depth: int = 0) -> str:
        ways = ["const", *["name"] * 6]
        ways += ["sum", "rest", "half", "len", "choose", "field", "at"] if depth < 2 else []
        match self.one_of(ways):
            case "name" if scope.of(INT):
                return str(self.one_of(scope.of(INT)[-5:]))
            case "sum":
                sign = self.one_of("+-*")
                return f"({self.int_(scope, depth + 1)} {sign} {self.int_(scope, depth + 1)})"
            case "rest":
                by = self.one_of((2, 3, -3, self.int_(scope, depth + 1)))
                return f"({self.int_(scope, depth + 1)} % {by})"
            case "half":
                return f"({self.int_(scope, depth + 1)} // {self.one_of((2, -3))})"
            case "len" if scope.of(LIST) + scope.of(HOLES):
                return f"length({self.one_of(scope.of(LIST) + scope.of(HOLES))})"
            case "choose":
                otherwise, condition = self.int_(scope, depth + 1), self.condition(scope, depth + 1)
                guarded = [(name, cond) for kind, name, cond in scope.absent if kind == INT]
                if guarded and self.sometimes(70):
                    name, condition = self.one_of(guarded)
                    return f"choose({condition}, {name}, {otherwise})"
                return f"choose({condition}, {self.int_(scope, depth + 1)}, {otherwise})"
            case "field" if scope.of(PARTS):
                return f"{self.one_of(scope.of(PARTS))}.number"
            case "at" if scope.of(LIST) and self.sometimes(30):
                return f"{self.one_of(scope.of(LIST))}[{self.one_of((0, 1, -1))}]"
            case _:
                return str(self._draw(SOME))

    def condition(self, scope: Scope, depth: int = 0) -> str:
        ways = ["compare", "compare", "flag", "truth"] + (
            ["both", "any", "not", "float", "in", "name"] if depth < 2 else []
        )
        match self.one_of(ways):
            case "flag" if scope.of(FLAG):
                return str(self.one_of(scope.of(FLAG)))
            case "both":
                return f"({self.condition(scope, depth + 1)} & {self.condition(scope, depth + 1)})"
            case "any":
                return f"({self.condition(scope, depth + 1)} | {self.condition(scope, depth + 1)})"
            case "not":
                return f"not_({self.condition(scope, depth + 1)})"
            case "float" if scope.of(PARTS):
                return f"({self.one_of(scope.of(PARTS))}.share {self.one_of(('<', '>='))} {self.one_of((0.5, 1))})"
            case "name" if scope.of(PARTS):
                return f"({self.one_of(scope.of(PARTS))}.name {self.one_of(('==', '!='))} '{{{{=2}}}} \\'\"\\n')"
            case "in" if scope.of(LIST):
                return f"contains({self.one_of(scope.of(LIST))}, {self.int_(scope, depth + 1)})"
            case "truth" if scope.of(PARTS):
                return f"({self.one_of(scope.of(PARTS))}.flag == {self.one_of((True, False))})"
            case _:
                sign = self.one_of(("<", "<=", ">", "==", "!="))
                return (
                    f"({self.int_(scope, depth + 1)} {sign} {self.one_of((self.int_(scope, depth + 1), '2', '2.5'))})"
                )

    def list_(self, scope: Scope) -> str:
        ways = ("name", "name", "name", "name", "const", "range", "range", "built", "field", "field", "choose", "empty")
        match self.one_of(ways):
            case "name" if scope.of(LIST):
                return str(self.one_of(scope.of(LIST)))
            case "const":
                return str(self._draw(st.lists(SOME, max_size=3)))
            case "range":
                return f"sequence({self.int_(scope, 1)} % 4)"
            case "built":
                return f"[{self.int_(scope, 1)}, {self.int_(scope, 1)}]"
            case "field" if scope.of(PARTS):
                return f"{self.one_of(scope.of(PARTS))}.items"
            case "choose" if scope.of(LIST):
                guarded = [(name, cond) for kind, name, cond in scope.absent if kind == LIST]
                if guarded:
                    name, condition = self.one_of(guarded)
                    return f"choose({condition}, {name}, {self.one_of(scope.of(LIST))})"
                return f"choose({self.condition(scope, 1)}, {self.one_of(scope.of(LIST))}, [1])"
            case "empty":
                return "[]"
            case _:
                return f"[{self.int_(scope, 1)}, {self.int_(scope, 1)}, {self.int_(scope, 1)}]"
