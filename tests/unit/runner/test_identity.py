# ruff: noqa: E501  lines of the small programs in here, and of tables
"""The identity of an op changes with what it computes, and with nothing else."""

from __future__ import annotations

import importlib
import linecache
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sciflow.runner.identity import identity

OPS = """
    import math
    import numpy as np
    import helpers
    from helpers import scaled as times, Table
    from sciflow.runner.failures import OpError

    LIMIT = 3
    TABLE = {"Cu": [3.6]}
    UNUSED = 1

    class Base:
        def value(self):
            return 1

    class Model(Base):
        '''A model.'''
        factor = LIMIT

        def value(self):
            return super().value() + inner()

    def inner():
        return 7

    def other():
        return 8

    def f(x: int) -> float:
        '''Doc.'''
        # a comment
        model = Model()
        return times(x) + helpers.deep.shift(TABLE["Cu"][0]) + math.pi + np.pi + model.value() + Table().n

    def lazy():
        from late import thing
        return thing()

    def outer(n):
        def made(x):
            return x + n + inner()
        return made

    closure = outer(5)
    square = lambda x: x * x
"""
HELPERS = """
    import deep
    def scaled(x):
        return x * 2
    class Table:
        n = 4
"""
FILES = {
    "ops": OPS,
    "helpers": HELPERS,
    "deep": "def shift(x):\n    return x + 1\n",
    "late": "def thing():\n    return 1\n",
}

Parts = Callable[..., dict[str, str]]


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    """`parts("f", ops=(old, new))`: the identity of a function after an edit of one file."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def forget() -> None:
        for name in FILES:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()

    def make(name: str, **edits: tuple[str, str]) -> dict[str, str]:
        forget()
        for file, source in FILES.items():
            old, new = edits.get(file, ("", ""))
            text = textwrap.dedent(source)
            assert old in text
            (tmp_path / f"{file}.py").write_text(text.replace(old, new) if old else text)
        return identity(getattr(importlib.import_module("ops"), name))

    yield make
    forget()


def test_all_of_the_users_own_code_that_is_reached_counts(parts: Parts) -> None:
    assert sorted(parts("f")) == [
        "deep:shift", "helpers:Table", "helpers:scaled", "numpy", "ops:Base", "ops:LIMIT", "ops:Model", "ops:TABLE", "ops:f", "ops:inner",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "part"),
    [
        ({"ops": ("return 7", "return 9")}, "ops:inner"),
        ({"ops": ("LIMIT = 3", "LIMIT = 4")}, "ops:LIMIT"),
        ({"ops": ("[3.6]", "[3.7]")}, "ops:TABLE"),
        ({"ops": ("+ math.pi", "- math.pi")}, "ops:f"),
        ({"ops": ("        return 1\n", "        return 2\n")}, "ops:Base"),
        ({"helpers": ("x * 2", "x * 3")}, "helpers:scaled"),
        ({"helpers": ("n = 4", "n = 5")}, "helpers:Table"),
        ({"deep": ("x + 1", "x + 2")}, "deep:shift"),
    ],
    ids=str,
)
def test_an_edit_changes_the_part_that_it_is_in(parts: Parts, edit: dict[str, tuple[str, str]], part: str) -> None:
    before, after = parts("f"), parts("f", **edit)
    assert {name for name in before if after[name] != before[name]} == {part}


@pytest.mark.parametrize(
    "edit",
    [
        {"ops": ("# a comment", "# another\n\n")},
        {"ops": ("'''Doc.'''", "'''Another text.'''")},
        {"ops": ("    '''Doc.'''\n", "")},
        {"ops": ("'''A model.'''", "")},
        {"ops": ("return 8", "return 9")},
        {"ops": ("UNUSED = 1", "UNUSED = 2")},
        {"ops": ("model = Model()", "model   =   (  Model( ) )")},
        {"helpers": ("    return x * 2", "    return (x *\n        2)")},
    ],
    ids=str,
)
def test_what_changes_nothing_does_not_count(parts: Parts, edit: dict[str, tuple[str, str]]) -> None:
    assert parts("f") == parts("f", **edit)


def test_imports_inside_a_function_are_followed(parts: Parts) -> None:
    before = parts("lazy")
    assert before != parts("lazy", late=("return 1", "return 2"))


def test_closures_and_lambdas_count_with_what_they_hold(parts: Parts) -> None:
    before = parts("closure")
    assert set(before) == {"ops:outer.<locals>.made", "ops:outer.<locals>.made.n", "ops:inner"}
    assert before != parts("closure", ops=("outer(5)", "outer(6)"))
    assert before != parts("closure", ops=("x + n", "x - n"))
    assert parts("square") != parts("square", ops=("x * x", "x + x"))


def test_source_that_was_edited_after_it_was_loaded_is_not_taken_for_the_code(parts: Parts, tmp_path: Path) -> None:
    loaded = parts("f")
    function = sys.modules["ops"].f
    path = tmp_path / "ops.py"
    path.write_text(path.read_text().replace("+ math.pi", "- math.pi"))
    assert identity(function)["ops:f"] == identity(function)["ops:f"] != loaded["ops:f"]
    edited = parts("f", ops=("+ math.pi", "- math.pi"))
    path.write_text(path.read_text().replace("- math.pi", "+ math.pi"))
    assert identity(function)["ops:f"] != edited["ops:f"]


def test_code_without_source_has_an_identity() -> None:
    scope: dict[str, object] = {"__name__": "nowhere"}
    exec("def f(x):\n    'doc'\n    return x + 1", scope)
    assert list(identity(scope["f"])) == ["nowhere:f"]


REACHED = """
    import functools, operator, re
    import numpy as np

    def helper(x):
        return x * 1
    class Settings:
        def __init__(self, k):
            self.k = k
        def value(self):
            return self.k + 1
    TABLE = {"f": [helper]}
    PART = functools.partial(helper)
    VECTOR = np.vectorize(helper)
    GET = TABLE.get
    SETTINGS = Settings(3)
    METHOD = SETTINGS.value
    PATTERN = re.compile("abc")
    PAIR = {"a": lambda x: x, "b": lambda x: -x}
    ROOT = np.sqrt
    def adds(n):
        def inner(x):
            return x + n
        return inner
    ADDS = [adds(3), adds(5)]
    def wraps(f):
        @functools.wraps(f)
        def wrapper(x):
            return f(x)
        return wrapper
    @functools.lru_cache
    def kept(x):
        return x + 10
    @wraps
    def wrapped(x):
        return x + 20
    @functools.singledispatch
    def single(x):
        return 0
    @single.register
    def _(x: int):
        return 30

    def by_table(x): return TABLE["f"][0](x)
    def by_partial(x): return PART(x)
    def by_vector(x): return VECTOR(x)
    def by_get(x): return GET("f")(x)
    def by_kept(x): return kept(x)
    def by_wrapped(x): return wrapped(x)
    def by_single(x): return single(x)
    def by_settings(x): return SETTINGS.value()
    def by_method(x): return METHOD()
    def by_pattern(x): return PATTERN.match(x)
    def by_pair(x): return PAIR["a"](x)
    def by_adds(x): return ADDS[0](x)
    def by_root(x): return ROOT(x)
"""


def _reached(name: str, old: str = "", new: str = "") -> dict[str, str]:
    source = textwrap.dedent(REACHED)
    assert old in source
    file = "reached_by_identity.py"
    text = source.replace(old, new) if old else source
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    module = types.ModuleType("reached_by_identity")
    module.__file__ = file
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, file, "exec"), module.__dict__)
        return identity(getattr(module, name))
    finally:
        del sys.modules[module.__name__]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("by_table", "x * 1", "x * 100"),
        ("by_partial", "x * 1", "x * 100"),
        ("by_vector", "x * 1", "x * 100"),
        ("by_get", "x * 1", "x * 100"),
        ("by_kept", "x + 10", "x - 10"),
        ("by_wrapped", "x + 20", "x - 20"),
        ("by_wrapped", "return f(x)", "return -f(x)"),
        ("by_single", "return 0", "return 1"),
        ("by_single", "return 30", "return 31"),
        ("by_settings", "self.k + 1", "self.k + 2"),
        ("by_settings", "Settings(3)", "Settings(4)"),
        ("by_method", "Settings(3)", "Settings(4)"),
        ("by_pattern", '"abc"', '"abd"'),
        ("by_pair", '"a": lambda x: x, "b": lambda x: -x', '"b": lambda x: x, "a": lambda x: -x'),
        ("by_adds", "adds(3), adds(5)", "adds(5), adds(3)"),
        ("by_adds", "x + n", "x - n"),
        ("by_root", "np.sqrt", "np.exp"),
    ],
)
def test_code_that_is_reached_through_tables_decorators_and_objects_counts(name: str, old: str, new: str) -> None:
    before = _reached(name)
    assert before == _reached(name)
    assert before != _reached(name, old, new)


NAMES = """
    x = 1
    total = 2
    k = 3
    e = 4
    real = 5
    def f(x):
        total = x + 1
        with open("a") as e:
            pass
        return [k for k in range(total)], lambda real: real
    def g(ks):
        return [k for k in ks if k], real
    def h():
        global total
        total += 1
"""


@pytest.mark.parametrize(("name", "parts"), [("f", {"f"}), ("g", {"g", "real"}), ("h", {"h", "total"})])
def test_globals_that_have_the_name_of_a_variable_of_the_function_do_not_count(name: str, parts: set[str]) -> None:
    text = textwrap.dedent(NAMES)
    linecache.cache["names_of.py"] = (len(text), None, text.splitlines(keepends=True), "names_of.py")
    scope: dict[str, object] = {"__name__": "names_of"}
    exec(compile(text, "names_of.py", "exec"), scope)
    assert set(identity(scope[name])) == {f"names_of:{part}" for part in parts}


def test_what_a_function_imports_counts_the_same_whether_it_is_loaded_or_not(parts: Parts) -> None:
    before = parts("lazy")
    importlib.import_module("late")
    assert identity(sys.modules["ops"].lazy) == before


def test_installed_packages_count_with_their_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "site-packages"
    (place / "noted").mkdir(parents=True)
    (place / "noted" / "__init__.py").write_text("def f(x):\n    return x\n")
    (place / "Noted-1.5.dist-info").mkdir()
    (place / "bare_package.py").write_text("def f(x):\n    return x\n")
    monkeypatch.syspath_prepend(place)
    (tmp_path / "user_of_packages.py").write_text(
        "import noted\nimport bare_package as b\ndef use(x):\n    return noted.f(b.f(x))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("user_of_packages")
    found = identity(module.use)
    assert found["Noted"] == "1.5"
    assert set(found) == {"Noted", "bare_package:*", "user_of_packages:use"}
    before = identity(module.b.f)
    (place / "bare_package.py").write_text("def f(x):\n    return x * 2\n")
    assert identity(module.b.f) != before
    assert identity(module.use) != found
