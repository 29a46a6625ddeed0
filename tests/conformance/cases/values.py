# ruff: noqa: DTZ001  moments without a zone are values too
"""Values: every type arrives equal, bit for bit, through a run's input, an op's input and output, and the result."""

from __future__ import annotations

import datetime as dt
import enum
import math
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Generic, Literal, NamedTuple, Optional, TypedDict, TypeVar

from sciflow import Pickled, choose, op, workflow
from tests.conformance.table import Case, Refusal, only, story, through

MB = 2**20
T = TypeVar("T")
QUOTES = "'single' \"double\" `back` “curly” «angled» \\'escaped\\'"
HOSTILE = [
    QUOTES, "{{x}}", "{{=x}}", "{{workflow.name}}", "${x}", "$(touch x)", "`touch x`", "; rm -rf x", "a\0b", "\r\n",
    "\n", "\t",
    "%s %d %n", "{0} {x!r}", "", " ", "null", "true", "1e5", "0x1F", "~", "-", "--flag", "# no comment", "<!-- x -->",
    "\u2028\u2029", "\ufeffbom", "e\u0301 é", "文字🙂", "\x1b[31mred\x1b[0m", "\x7f\x80\x9f", "$",
    '{"$": "int"}', "\U0010ffff",
]  # fmt: skip


class Colour(enum.Enum):
    RED = "red"
    BLUE = ("b", 2)


class Level(enum.IntEnum):
    LOW = 1


@dataclass(frozen=True)
class Inner:
    name: str
    values: tuple[float, ...] = ()


@dataclass
class Outer:
    inner: Inner
    many: list[Inner] = field(default_factory=list)
    colour: Colour = Colour.RED


class Pair(NamedTuple):
    left: int
    right: Inner


class Options(TypedDict, total=False):
    depth: int
    label: str


@op
def echo_any(value: object) -> object:
    return value


@op
def echo_float(value: float) -> float:
    return value


@op
def echo_int(value: int) -> int:
    return value


@op
def echo_text(value: str) -> str:
    return value


@op
def echo_tuple(value: tuple[int, str, tuple[float, ...]]) -> tuple[int, str, tuple[float, ...]]:
    return value


@op
def echo_set(value: set[int]) -> set[int]:
    return value


@op
def echo_frozen(value: frozenset[str]) -> frozenset[str]:
    return value


@op
def echo_bytes(value: bytes) -> bytes:
    return value


@op
def echo_complex(value: complex) -> complex:
    return value


@op
def echo_dict(value: dict[int, list[str]]) -> dict[int, list[str]]:
    return value


@op
def echo_outer(value: Outer) -> Outer:
    return value


@op
def echo_pair(value: Pair) -> Pair:
    return value


@op
def echo_options(value: Options) -> Options:
    return value


@op
def echo_colour(value: Colour) -> Colour:
    return value


@op
def echo_level(value: Level) -> Level:
    return value


@op
def echo_literal(value: Literal["a", 2]) -> Literal["a", 2]:
    return value


@op
def echo_optional(value: Optional[int]) -> Optional[int]:  # noqa: UP045  both spellings are met
    return value


@op
def echo_datetime(value: dt.datetime) -> dt.datetime:
    return value


@op
def echo_date(value: dt.date) -> dt.date:
    return value


@op
def echo_delta(value: dt.timedelta) -> dt.timedelta:
    return value


@op
def echo_purepath(value: PurePosixPath) -> PurePosixPath:
    return value


ZONE = dt.timezone(dt.timedelta(hours=5, minutes=45), "Kathmandu")
CASES = [
    Case(
        "JSON values arrive as they are",
        **through(
            echo_any,
            [None, True, False, 0, -1, 1.5, "text", [], {}, [1, [2, [3, {"a": None}]]], {"z": 1, "a": [True, 1, 1.0]}],
        ),
    ),
    Case(
        "floats arrive bit for bit, NaN and infinities too",
        **through(
            echo_float,
            [0.1, -0.0, 1e308, 5e-324, math.pi, math.nan, math.inf, -math.inf, 1e22, 123456789.123456789, 3],
        ),
    ),
    Case("integers of any size arrive", **through(echo_int, [2**63 - 1, -(2**63), 2**64, -(2**200), 10**400, 0])),
    Case("hostile text arrives", **through(echo_text, HOSTILE)),
    Case("hostile text arrives within values", **through(echo_any, [{text: [text] for text in HOSTILE}, HOSTILE])),
    Case("tuples stay tuples", **through(echo_tuple, [(1, "a", (1.0, 2.0)), (2, "b", ())])),
    Case("sets stay sets", **through(echo_set, [{3, 1, 2}, set()])),
    Case("frozen sets stay frozen", **through(echo_frozen, [frozenset({"a", "b"})])),
    Case("bytes arrive", **through(echo_bytes, [b"", bytes(range(256)), b"'\"{{x}}"])),
    Case("complex numbers arrive", **through(echo_complex, [1 + 2j, complex(-0.0, math.nan), complex(math.inf, -0.0)])),
    Case("dicts with keys that are not text arrive", **through(echo_dict, [{2: ["a"], 1: []}, {}])),
    Case("dicts with tuples and reserved words for keys arrive", **through(echo_any, [{(1, "a"): 1}, {"$": "int"}])),
    Case(
        "dataclasses within dataclasses arrive",
        **through(echo_outer, [Outer(Inner("a", (1.0,)), [Inner("b")], Colour.BLUE), Outer(Inner(QUOTES))]),
    ),
    Case("named tuples arrive", **through(echo_pair, [Pair(1, Inner("x", (math.nan,)))])),
    Case("typed dicts arrive", **through(echo_options, [{"depth": 1}, {"label": "{{x}}", "depth": 2}])),
    Case("enums arrive", **through(echo_colour, [Colour.RED, Colour.BLUE])),
    Case("integer enums arrive", **through(echo_level, [Level.LOW])),
    Case("literals arrive", **through(echo_literal, ["a", 2])),
    Case("optional values arrive", **through(echo_optional, [None, 0])),
    Case(
        "moments arrive with zone and fold",
        **through(
            echo_datetime,
            [
                dt.datetime(2024, 2, 29, 12, 30, 1, 5), dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
                dt.datetime(2024, 1, 1, tzinfo=ZONE), dt.datetime(2024, 10, 27, 2, 30, fold=1),
            ],
        ),
    ),
    Case("dates arrive", **through(echo_date, [dt.date(1, 1, 1), dt.date(9999, 12, 31)])),
    Case("durations arrive", **through(echo_delta, [dt.timedelta(days=-1, microseconds=1), dt.timedelta.max])),
    Case("pure paths are values", **through(echo_purepath, [PurePosixPath("/no/such/file"), PurePosixPath("a b")])),
]  # fmt: skip


# --- large


@op
def repeated(text: str, times: int) -> str:
    return text * times


@op
def many_numbers(count: int) -> list[float]:
    return [i / 7 for i in range(count)]


@op
def length_of(text: str) -> int:
    return len(text)


@op
def summed(numbers: list[float]) -> float:
    return sum(numbers)


class Large(NamedTuple):
    text: str
    length: int
    sum: float


@workflow
def large_values(text: str, times: int) -> Large:
    long = repeated(text, times)
    return Large(long, length_of(long), summed(many_numbers(times // 10)))


def _kept_small(run: Any) -> None:
    """Large values are not in the database."""
    assert (run.folder / "run.db").stat().st_size < MB


a_large_value = Case(
    "a value of 10 MB goes from op to op and comes out",
    large_values,
    inputs={"text": "0123456789", "times": MB},
    check=_kept_small,
    result=Large("0123456789" * MB, 10 * MB, sum(i / 7 for i in range(MB // 10))),
)


@workflow
def large_input(text: str) -> int:
    return length_of(text)


a_large_input = Case("a value of 10 MB goes into a run", large_input, inputs={"text": "ü" * 10 * MB}, result=10 * MB)


@workflow
def large_fan(texts: list[str]) -> list[int]:
    return length_of.map(text=repeated.partial(times=1000).map(text=texts))


large_slices = Case(
    "slices hand on values too large to be kept inline",
    large_fan,
    inputs={"texts": ["abcdefghij", "ü" * 5000, ""]},
    result=[10_000, 5_000_000, 0],
)


# --- what does not travel


class Odd:
    """Has no form of its own."""

    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Odd) and other.x == self.x

    __hash__ = None  # type: ignore[assignment]


@op
def make_odd(x: int) -> Pickled[Odd]:
    return Odd(x)


@op
def echo_odd(odd: Pickled[Odd]) -> Pickled[Odd]:
    assert odd == Odd(5)
    return odd


@workflow
def pickles(x: int) -> Pickled[Odd]:
    return echo_odd(make_odd(x))


pickled = Case("a picklable object travels where the type says so", pickles, inputs={"x": 5}, result=Odd(5))


@op
def hides(x: int) -> object:
    return [1, {"deep": Odd(x)}]


not_pickled = Case(
    "another object is refused where the type does not say so, with its place in the value",
    hides,
    inputs={"x": 1},
    phase="Failed",
    failed=("hides",),
    report=("hides", "[1]['deep']", "Odd"),
)


@op
def surrogate(x: int) -> dict[str, str]:
    return {"name": "a\ud800b"}


a_surrogate = Case(
    "a lone surrogate in an output is refused, with its place",
    surrogate,
    inputs={"x": 1},
    phase="Failed",
    failed=("surrogate",),
    report=("surrogate", "name", "surrogate"),
)
surrogate_input = Refusal(
    "a lone surrogate in an input is refused, with its place",
    echo_any,
    inputs={"value": ["fine", "\udc80"]},
    says=("value of echo_any", "[1]", "surrogate"),
)


@story("an unannotated op is refused")
def unannotated(backend: Any) -> None:
    @op
    def bare(x, y: int):  # type: ignore[no-untyped-def]
        return x

    @workflow
    def uses_bare() -> int:
        return bare(1, 2)  # type: ignore[no-any-return]

    Refusal("", uses_bare, says=("bare", "x"), problems=2).play(backend)


@story("one slice's value does not change another's, though both are one object")
def no_sharing(backend: Any) -> None:
    run = backend.run(shared, {"table": {"n": [0]}})
    assert run.result == [[0, 0], [0, 1], [0, 2]]
    assert only(run, "appended/2").inputs == {"table": {"n": [0]}, "x": 2}


@op
def appended(table: dict[str, list[int]], x: int) -> list[int]:
    table["n"].append(x)
    return table["n"]


@workflow
def shared(table: dict[str, list[int]]) -> list[list[int]]:
    return appended.partial(table=table).options(chunk=3).map(x=[0, 1, 2])


class Rung(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Phase(str, enum.Enum):  # noqa: UP042  the older way
    SOLID = "solid"


@op
def name_of(level: Literal[Rung.HIGH, "none"]) -> str:
    return level if isinstance(level, str) else level.name


@workflow
def counted(n: int) -> list[int]:
    return [echo_int(choose(n + 1 == 3, n, 0)), choose(n == Rung.HIGH, 1, 0)]


@dataclass(frozen=True)
class Box(Generic[T]):
    content: T


@op
def unpacked(box: Box[list[int]]) -> Box[int]:
    return Box(box.content[0] if len(box.content) == 1 else "several")  # type: ignore[arg-type]


int_members = Case(
    "members of an IntEnum arrive as themselves where an int is expected", **through(echo_int, [Rung.LOW, 3])
)
float_members = Case("an IntEnum's member is a float too", **through(echo_float, [Rung.HIGH]))
text_members = Case(
    "members of an enum of texts arrive as themselves where text is expected", **through(echo_text, [Phase.SOLID])
)
computed_members = Case(
    "an IntEnum's member is computed and compared with as an int",
    counted,
    inputs={"n": Rung.HIGH},
    result=[Rung.HIGH, 1],
)
literal_members = Case("a Literal may name members of an enum", name_of, inputs={"level": Rung.HIGH}, result="HIGH")
other_member = Refusal(
    "a member that the Literal does not name is refused",
    name_of,
    inputs={"level": Rung.LOW},
    says=("level of name_of", "Literal[Rung.HIGH, 'none']", "Rung"),
)
generic = Case("a generic dataclass arrives", unpacked, inputs={"box": Box([1])}, result=Box(1))
wrong_content = Refusal(
    "the parameter of a generic dataclass is checked",
    unpacked,
    inputs={"box": Box([1, "a"])},
    says=("box of unpacked", ".content[1]", "expected: int"),
)
wrong_output = Case(
    "the parameter of a generic dataclass is checked in what an op gives back",
    unpacked,
    inputs={"box": Box([1, 2])},
    phase="Failed",
    failed=("unpacked",),
    report=("the result.content: expected int, found str 'several'",),
)
