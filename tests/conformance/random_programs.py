"""Programs at random, as a user might write them: the text of workflows over the ops of `random_ops`.

`programs()` is the one strategy. A program is text, so that a falsifying example can be read, kept and run as it is.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from sciflow import InvalidWorkflow, Workflow
from tests.conformance.random_expressions import (
    FILE,
    FILES,
    FLAG,
    HOLES,
    INT,
    LIST,
    MAYBE,
    PARTS,
    SOME,
    Expressions,
    Scope,
)

HEAD = """\
from pathlib import Path

from sciflow import choose, contains, length, not_, sequence, text, when, workflow
from tests.conformance.random_ops import (
    Parts, add, fallback, fragile, large, lenient, maybe, parts, read, read_all, shaky, told, total, upto, written,
)
"""
TYPES = {INT: "int", LIST: "list[int]", PARTS: "Parts", MAYBE: "int | None", FILE: "Path", HOLES: "list[int | None]"}
AWKWARD = ("in", "len", "let", "not_", "plan", "a_b", "a", "a_plan", "on", "item", "true", "None_")  # names of nodes
OF_ONE = {  # ops of one int: what they give
    "add": INT, "parts": PARTS, "upto": LIST, "large": INT, "fragile": INT, "shaky": INT, "written": FILE,
    "fallback": INT, "maybe": INT,
}  # fmt: skip
FANNED = {INT: LIST, FILE: FILES}  # what a fan of ops with that output gives


@dataclass(frozen=True)
class Program:
    """The text of a workflow and those it calls; `name` is the outermost, which takes `n` and `k`."""

    name: str
    source: str
    n: int
    k: int

    def workflow(self) -> Workflow[..., Any]:
        """The workflow itself."""
        made: Workflow[..., Any] = module_of(self.source)[self.name]
        return made


def module_of(source: str) -> dict[str, Any]:
    """What a module of that text has in it."""
    file = f"<program {hash(source):x}>"
    linecache.cache[file] = (len(source), None, f"{HEAD}{source}".splitlines(keepends=True), file)
    made: dict[str, Any] = {"__name__": "program"}
    exec(compile(f"{HEAD}{source}", file, "exec"), made)
    return made


@dataclass(frozen=True)
class Signature:
    """A workflow that others may call: with `n`, and `k` that has a default."""

    name: str
    gives: str


class Writer(Expressions):
    """Writes one workflow."""

    def __init__(self, draw: st.DrawFn, callees: Sequence[Signature], head: str) -> None:
        super().__init__(draw)
        self._callees = callees
        self._head = head
        self.lines: list[str] = []
        self._indent = 1
        self._count = 0

    def say(self, line: str) -> None:
        self.lines.append("    " * self._indent + line)

    def name(self, kind: str, line: str, scope: Scope) -> str:
        """A new name for what an expression gives."""
        self._count += 1
        name = f"{kind[0]}{self._count}"
        self.say(f"{name} = {line}")
        scope.of(kind).append(name)
        return name

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.say(head)
        self._indent += 1
        yield
        self._indent -= 1

    # --- nodes

    def options(self, *, fan: bool, op: bool, **given: Any) -> str:
        """`.options(...)`, or nothing."""
        chosen = dict(given)
        if self.sometimes(15):
            chosen["name"] = self.one_of(AWKWARD)
        if fan and self.sometimes(20):
            chosen["parallelism"] = self.one_of((1, 2))
        if fan and op and self.sometimes(30):
            chosen["chunk"] = self.one_of((1, 2))
        if op and self.sometimes(10):
            chosen["retries"] = 1
        return f".options({', '.join(f'{name}={value!r}' for name, value in chosen.items())})" if chosen else ""

    def op_call(self, scope: Scope) -> None:
        op = self.one_of(list(OF_ONE))
        self.name(OF_ONE[op], f"{op}{self.options(fan=False, op=True)}({self.int_(scope)})", scope)

    def gather(self, scope: Scope) -> None:
        absent = [name for kind, name, _ in scope.absent if kind == INT]
        ways = [(LIST, "total"), (HOLES, "lenient"), (FILE, "read"), (FILES, "read_all")]
        calls = [
            (INT if op != "read_all" else LIST, f"{op}{{}}({name})") for kind, op in ways for name in scope.of(kind)
        ]
        calls += [(INT, f"{op}{{}}({name})") for name in absent + scope.of(MAYBE) for op in ("maybe",)]
        calls += [(INT, f"fallback{{}}({name})") for name in absent]
        if not calls:
            return self.op_call(scope)
        gives, call = self.one_of(calls)
        self.name(gives, call.format(self.options(fan=False, op=True)), scope)
        return None

    def op_fan(self, scope: Scope) -> None:
        op = self.one_of(("add", "add", "add", "fragile", "fragile", "shaky", "written", "upto", "parts"))
        tolerant = op in ("fragile", "shaky") and self.sometimes(60)
        chosen = {"min_success": self.one_of((0, 1, 2, 0.5, 0.9))} if tolerant else {}
        made = self.options(fan=True, op=True, **chosen)
        kind = HOLES if tolerant else FANNED.get(OF_ONE[op], "other")
        if op != "add" or self.sometimes():
            line = f"{op}{made}.map(a={self.list_(scope)})"
        else:
            line = self.one_of((
                f"{op}{made}.product(a={self.list_(scope)}, b={self.list_(scope)})",
                f"{op}{made}.map(a={self.list_(scope)}, b={self.list_(scope)})",
                f"{op}{made}.partial(b={self.int_(scope)}).map(a={self.list_(scope)})",
            ))  # fmt: skip
        self.name(kind, line, scope)

    def sub_graph(self, scope: Scope) -> None:
        if not self._callees:
            return self.op_fan(scope)
        callee = self.one_of(self._callees)
        fan = self.sometimes()
        tolerant = fan and self.sometimes(40)
        made = self.options(fan=fan, op=False, **({"min_success": self.one_of((0, 1, 0.5))} if tolerant else {}))
        given = f", k={self.int_(scope)}" if self.sometimes(40) else ""
        if not fan:
            self.name(callee.gives, f"{callee.name}{made}({self.int_(scope)}{given})", scope)
            return None
        lists = {INT: HOLES if tolerant else LIST, MAYBE: HOLES, FILE: "other" if tolerant else FILES}
        fixed = f".partial(k={self.int_(scope)})" if given else ""
        self.name(lists.get(callee.gives, "other"), f"{callee.name}{made}{fixed}.map(n={self.list_(scope)})", scope)
        return None

    def guarded(self, scope: Scope, depth: int) -> None:
        condition = self.name(FLAG, self.condition(scope), scope)
        inner = scope.inner()
        with self.block(f"with when({condition}):"):
            for _ in range(self.one_of((1, 1, 2))):
                self.statement(inner, depth + 1)
        for kind in (INT, LIST):
            new = [name for name in inner.of(kind) if name not in scope.of(kind)]
            scope.absent += [(kind, name, condition) for name in new]
        scope.absent += [(kind, name, f"({condition} & {c})") for kind, name, c in inner.absent]
        if depth == 0 and self.sometimes(30):
            self.say(f"otherwise = not_({condition})")
            with self.block("with when(otherwise):"):
                self.statement(scope.inner(), depth + 1)

    def statement(self, scope: Scope, depth: int = 0) -> None:
        ways = [self.op_call, self.op_call, self.op_fan, self.op_fan, self.sub_graph, self.gather, self.gather]
        if depth < 2 and self.sometimes(25):
            self.guarded(scope, depth)
        else:
            self.one_of(ways)(scope)

    def result(self, scope: Scope) -> tuple[str, str]:
        """What the workflow gives, and its kind."""
        guarded = [(name, cond) for kind, name, cond in scope.absent if kind == INT]
        match self.one_of((INT, INT, LIST, PARTS, MAYBE, FILE)):
            case "list":
                return LIST, self.list_(scope)
            case "parts":
                share = f"{self.one_of(scope.of(PARTS))}.share" if scope.of(PARTS) else "0.5"
                number, items = self.int_(scope), self.list_(scope)
                return (
                    PARTS,
                    f"Parts({number}, {self.condition(scope)}, {share}, {items}, text('{{a}}', a={self.int_(scope)}))",
                )
            case "maybe" if guarded:
                name, _ = self.one_of(guarded)
                return MAYBE, name
            case "file" if scope.of(FILE):
                return FILE, self.one_of(scope.of(FILE))
            case _:
                return INT, self.int_(scope)

    def write(self, *, statements: int) -> tuple[str, str]:
        """The text, and the kind of what it gives."""
        scope = Scope({INT: ["n", "k"]})
        for _ in range(statements):
            self.statement(scope)
        gives, result = self.result(scope)
        head = self._head.format(gives=TYPES[gives])
        return "\n".join([head, *self.lines, f"    return {result}", "", ""]), gives


LOOP = """
@workflow
def {name}(n: int, k: int = 0) -> int:
    again = (k < n) & (k < {rounds})
    with when(again):
        rest = {name}(n - 1, add(k))
    return choose(again, rest, n * 10 + k)

"""


@st.composite
def programs(draw: st.DrawFn, *, prefix: str = "", exits: bool = False) -> Program:
    """A program that Sciflow takes. `prefix` begins the names of its workflows; `exits`: some have an exit handler."""
    callees: list[Signature] = []
    texts = []
    if draw(st.integers(0, 9)) == 0:
        callees.append(Signature(f"{prefix}loop", INT))
        texts.append(LOOP.format(name=f"{prefix}loop", rounds=draw(st.integers(1, 3))))
    for level in range(draw(st.sampled_from((0, 1, 1, 2)))):
        name = f"{prefix}g{level}"
        text, gives = Writer(draw, callees, f"\n@workflow\ndef {name}(n: int, k: int = 2) -> {{gives}}:").write(
            statements=draw(st.integers(1, 3))
        )
        texts.append(text)
        callees.append(Signature(name, gives))
    decorator = "@workflow(on_exit=told)" if exits and draw(st.booleans()) else "@workflow"
    name = f"{prefix}main"
    text, _ = Writer(draw, callees, f"\n{decorator}\ndef {name}(n: int, k: int) -> {{gives}}:").write(
        statements=draw(st.integers(2, 5))
    )
    made = Program(name, "".join([*texts, text]), draw(SOME), draw(SOME))
    try:
        made.workflow().spec()
    except (InvalidWorkflow, ArithmeticError):  # the latter from constants
        assume(False)
    return made


def programs_at_random(count: int, *, start: int, exits: bool = False) -> list[Program]:
    """So many programs, the same each time; each has names of its own for its workflows."""
    return [_at_random(number, exits=exits) for number in range(start, start + count)]


def _at_random(number: int, *, exits: bool) -> Program:
    found: list[Program] = []

    @seed(number)
    @settings(
        max_examples=4,  # of which the first are the simplest
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(prefix=f"p{number}_", exits=exits))
    def draw(program: Program) -> None:
        found.append(program)

    draw()
    return found[-1]
