# ruff: noqa: E501  lines of the small programs in here, and of tables
"""Values come back equal, bit for bit, or are refused in words that help."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import pickle
import struct
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import ase
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms, FixBondLength
from ase.spacegroup import Spacegroup

from sciflow.runner import codec, text
from sciflow.runner.failures import CodecError


def there_and_back(value: Any, **options: Any) -> Any:
    tree = codec.encode(value, **options)
    written = text.dump(tree)
    assert json.loads(written) == tree or "NaN" in written
    return codec.decode(text.parse(written.encode().decode()), types=codec.import_type)


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 3


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Fit(NamedTuple):
    v0: float
    points: tuple[int, ...]


@dataclass(frozen=True)
class Settings:
    name: str
    kpts: tuple[int, int, int] = (1, 1, 1)
    more: dict[str, Any] = field(default_factory=dict)
    size: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", len(self.name))
        object.__setattr__(self, "derived", [1.5])


class Text(str):
    __slots__ = ()


PLAIN = [
    None,
    True,
    0,
    -1,
    2**62,
    1.5,
    -0.0,
    5e-324,
    1.7976931348623157e308,
    "",
    "ä\0\r\n\"'`${x}{{y}}\u2028🜁",
    [],
    {},
    [1, 2.5, "x", None, True, [], {}],
    {"a": {"b": [1]}, "": 0, "ü\0": "x"},
    b"\x00\xff",
    2**63,
    -(2**63),
    7**9000,
    [1, 10**400],
    (),
    (1, (2, [3])),
    [(1, 2)],
    {1: "a", None: "b", (1, 2): "c", 2.5: "d"},
    {"$": 1},
    {"$": {"$": "tuple", "v": []}},
    {1, 2, 3},
    frozenset({"a"}),
    set(),
    1 + 2j,
    complex(-0.0, float("inf")),
    Colour.RED,
    Level.HIGH,
    Access.READ | Access.WRITE,
    Fit(1.0, (1, 2)),
    Settings("abc", more={"x": [Fit(2.0, ())]}),
    PurePosixPath("a/b"),
    PureWindowsPath(r"c:\x"),
    dt.date(2024, 2, 29),
    dt.datetime(2024, 10, 27, 2, 30, 0, 1, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5.5), "IST")),
    dt.time(12, 30, fold=1),
    dt.timedelta(days=-1, microseconds=1),
]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: f"{type(value).__name__}-{str(type(value))[:20]}")
def test_a_value_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    again = there_and_back(value)
    assert again == value
    assert type(again) is type(value)
    assert pickle.dumps(again) == pickle.dumps(value) or isinstance(value, (set, frozenset, dict, list, tuple))


def test_the_sign_of_zero_is_kept() -> None:
    assert math.copysign(1, there_and_back([-0.0])[0]) == -1.0


def test_nan_and_infinities_come_back_inside_lists() -> None:
    nan, plus, minus = there_and_back([[float("nan")], float("inf"), {"x": float("-inf")}])
    assert math.isnan(nan[0])
    assert (plus, minus) == (math.inf, {"x": -math.inf})


def test_what_lies_beside_the_fields_of_a_dataclass_comes_back() -> None:
    assert there_and_back(Settings("abc")).derived == [1.5]


def test_equal_sets_are_written_alike() -> None:
    assert codec.encode({"b", "a", "c"}) == codec.encode({"c", "b", "a"})


def test_a_large_value_is_quick() -> None:
    value = {"numbers": [0.1 * n for n in range(400_000)], "text": "x" * 10_000_000}
    assert there_and_back(value) == value


ARRAYS = [
    np.arange(6, dtype=np.int16).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(24.0).reshape(2, 3, 4)[:, ::2, 1],
    np.array(5.0),
    np.zeros((0, 3)),
    np.zeros((2, 0), order="F"),
    np.array([np.nan, -0.0, np.inf]),
    np.array([1 + 2j], dtype=np.complex64),
    np.array(["a", "äöü"]),
    np.array([b"x\0", b""]),
    np.array([], dtype="U0"),
    np.array(["2024-01-01", "NaT"], dtype="datetime64[ns]"),
    np.array([1, 2], dtype="timedelta64[D]"),
    np.array([1, 2], dtype=">i4"),
    np.array([True, False]),
    np.array([1.5], dtype=np.longdouble),
    np.array([1.5], dtype=np.float16),
    np.array([(1, 2.0, "x")], dtype=[("a", "i4"), ("b", "f8"), ("c", "U3")]),
    np.zeros(2, dtype=np.dtype({"names": ["x", "y"], "formats": ["i1", "f8"], "offsets": [0, 16], "itemsize": 32})),
    np.zeros(2, dtype=np.dtype([("x", "i1"), ("y", "f8", (2, 2)), ("z", [("w", "i2")])], align=True)),
    np.array([b"ab"], dtype="V2"),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype.str}-{array.shape}")
def test_an_array_comes_back_with_its_bytes_dtype_shape_and_order(array: Any) -> None:
    again = there_and_back(array)
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert again.tobytes() == array.tobytes()
    assert again.flags.writeable
    assert again.flags.owndata
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        assert again.flags.f_contiguous


@pytest.mark.parametrize(
    "scalar",
    [
        np.float64(1.5), np.float32(0.1), np.int64(-1), np.bool_(True), np.complex128(1j), np.datetime64("2024-01-01", "us"),
        np.timedelta64(3, "h"), np.str_("a\0"), np.bytes_(b"a\0"), np.array((1, 2.0), dtype=[("a", "i4"), ("b", "f8")])[()],
    ],
    ids=lambda scalar: type(scalar).__name__,
)  # fmt: skip
def test_a_numpy_scalar_comes_back_as_itself(scalar: Any) -> None:
    again = there_and_back(scalar)
    assert type(again) is type(scalar)
    assert again == scalar
    assert again.dtype == scalar.dtype


def test_atoms_come_back_exactly() -> None:
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True) * (2, 1, 1)
    atoms.set_constraint([FixAtoms([0, 2]), FixBondLength(1, 3)])
    atoms.set_pbc([True, False, True])
    atoms.set_celldisp([0.1, 0.2, 0.3])
    atoms.info.update(key=np.arange(3), nested={"x": (1, None)}, spacegroup=Spacegroup(225))
    atoms.set_tags(range(8))
    atoms.set_array("charges", np.arange(8, dtype=np.float32))
    atoms.calc = EMT()
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    again = there_and_back({"atoms": [atoms]})["atoms"][0]
    assert type(again) is ase.Atoms
    assert list(again.arrays) == list(atoms.arrays)
    for name, array in atoms.arrays.items():
        assert again.arrays[name].dtype == array.dtype
        assert again.arrays[name].tobytes() == array.tobytes()
    assert again.cell.array.tobytes() == atoms.cell.array.tobytes()
    assert (again.pbc == atoms.pbc).all()
    assert again.get_celldisp().tolist() == atoms.get_celldisp().tolist()
    assert [c.todict() for c in again.constraints] == [c.todict() for c in atoms.constraints]
    assert again.info["spacegroup"] == atoms.info["spacegroup"]
    assert again.info["key"].tolist() == [0, 1, 2]
    assert again.info["nested"] == {"x": (1, None)}
    assert again.get_potential_energy() == energy
    assert again.get_forces().tobytes() == forces.tobytes()


def test_results_of_a_calculator_for_other_positions_are_left_out() -> None:
    atoms = bulk("Cu")
    atoms.calc = EMT()
    atoms.get_potential_energy()
    atoms.rattle(0.1)
    assert there_and_back(atoms).calc is None


REFUSED = [
    ("a\ud800", "lone surrogate"),
    ({"x": ["ok", "\udc00"]}, r"at \['x'\]\[1\]: the text has a lone surrogate"),
    (Text("x"), r"Text is a subclass of str and would not come back as itself; give str\(...\)"),
    ([1, (2, {"k": Fraction(1, 2)})], r"at \[1\]\[1\]\['k'\]: .*fractions.Fraction.*sciflow.Pickled\[Fraction\]"),
    (np.ma.array([1], mask=[True]), "MaskedArray.*filled"),
    (np.array([object()]), "dtype object"),
    (np.matrix([[1]]), "matrix is a subclass of ndarray"),
    (lambda: 0, "function"),
    (range(3), "range"),
    (bytearray(b"x"), "bytearray"),
    ({"a": Fit("\ud800", ())}, r"at \['a'\]\.v0: the text"),  # type: ignore[arg-type]
    ({1: {2: object()}}, r"at \[1\]\[2\]: "),
]


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(("value", "message"), REFUSED, ids=lambda part: type(part).__name__)
def test_what_would_not_come_back_is_refused_with_its_place_and_a_way_out(value: Any, message: str) -> None:
    with pytest.raises(CodecError, match=message):
        codec.encode(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(CodecError, match="holds itself"):
        codec.encode(loop)


def test_a_class_made_inside_a_function_is_refused() -> None:
    class Local(NamedTuple):
        x: int

    with pytest.raises(CodecError, match="made inside a function"):
        codec.encode(Local(1))


def test_what_may_be_pickled_is() -> None:
    value = {"half": Fraction(1, 2), "masked": np.ma.array([1, 2], mask=[True, False]), "plain": [1]}
    again = there_and_back(value, pickled=True)
    assert again["half"] == Fraction(1, 2)
    assert again["masked"].mask.tolist() == [True, False]
    assert codec.encode([1, Fraction(1, 3)], pickled=True)[1]["$"] == "pickle"


def test_a_pickle_of_another_python_says_so() -> None:
    tree = {"$": "pickle", "v": "AAAA", "python": "2.7"}
    with pytest.raises(CodecError, match=r"pickled by Python 2\.7, this is Python"):
        codec.decode(tree, types=codec.import_type)


def test_neutral_reading_needs_no_class_and_writes_the_same_tag_again() -> None:
    value = [Fit(1.5, (1,)), Settings("x"), Colour.RED, Access.READ | Access.WRITE, Fraction(1, 2), Path("/x/y.txt")]
    tree = codec.encode(value, pickled=True)
    fit, settings, colour, access, opaque, artifact = again = codec.decode(tree)
    assert (fit.v0, fit[1], len(fit), fit.type.endswith(":Fit")) == (1.5, (1,), 2, True)
    assert settings.kpts == (1, 1, 1)
    assert (colour.name, repr(opaque), artifact.name, str(artifact)) == ("RED", "<pickle>", "y.txt", "/x/y.txt")
    assert access == codec.decode(codec.encode(access))
    assert codec.encode(again) == tree


def test_a_class_that_has_changed_since_is_named() -> None:
    tree = codec.encode(Fit(1.0, ()))
    del tree["v"]["points"]
    with pytest.raises(CodecError, match="Fit has the fields v0, points, the stored value has v0"):
        codec.decode(tree, types=codec.import_type)


@pytest.mark.parametrize("tree", [{"$": "int"}, {"$": "tuple", "v": 3}, {"$": "record", "type": "x"}])
def test_a_damaged_tree_is_an_error_of_the_codec(tree: Any) -> None:
    with pytest.raises(CodecError):
        codec.decode(tree, types=codec.import_type)


def test_a_path_is_an_artifact_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    assert codec.encode([Path("x.cif"), Path("d")]) == [
        {"$": "artifact", "path": str(tmp_path / "x.cif"), "kind": "file"},
        {"$": "artifact", "path": str(tmp_path / "d"), "kind": "folder"},
    ]


def test_a_float_is_written_so_that_it_is_read_again_bit_for_bit() -> None:
    values = [struct.unpack("<d", struct.pack("<Q", n * 0x123456789ABCDF % 2**63))[0] for n in range(2000)]
    finite = [value for value in values if math.isfinite(value)]
    assert there_and_back(finite) == finite
