"""Reuse: by key from an earlier run, and by content from the cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sciflow import context, op, secret, workflow
from tests.conformance.table import Case, Refusal, only, phases_of, story


@op
def add(a: int, b: int = 1) -> int:
    return a + b


@op
def total(numbers: list[int]) -> int:
    return sum(numbers)


@op
def write(text: str, name: str) -> Path:
    Path(name).write_text(text)
    return Path(name)


@op
def read(file: Path) -> str:
    return file.read_text()


# --- by key


@workflow
def keyed(numbers: list[int]) -> int:
    return total.options(key="sum")(add.options(key="add-{a}-{item}").map(a=numbers))


keys = Case(
    "a key is filled with the slice's number and its inputs",
    keyed,
    inputs={"numbers": [5, 7]},
    result=14,
    check=lambda run: _keys(run, "add", ["add-5-0", "add-7-1"]),
)


def _keys(run: Any, step: str, expected: list[str]) -> None:
    assert [task.key for task in run.tasks(step)] == expected


@workflow
def same_keys(numbers: list[int]) -> list[int]:
    return [add.options(key="one")(1), add.options(key="one")(2)]


@workflow
def bad_keys(numbers: list[int]) -> list[list[int]]:
    return [add.options(key="a b/c").map(a=numbers), add.options(key="fixed").map(a=numbers)]


CASES = [
    Refusal("a key that two tasks share is refused", same_keys, inputs={"numbers": []}, says=("key 'one'",)),
    Refusal(
        "a key of characters that file systems or Argo refuse, or without a hole in a fan, is refused",
        bad_keys,
        inputs={"numbers": []},
        says=("'a b/c'", "same key"),
        problems=3,
    ),
]


@workflow
def keyed_by_value(names: list[str]) -> list[str]:
    return named.options(key="{name}").map(name=names)


@op
def named(name: str) -> str:
    return name


colliding_keys = Case(
    "slices whose keys turn out the same fail, and say which key",
    keyed_by_value,
    inputs={"names": ["a", "b", "a"]},
    phase="Failed",
    failed=("named/2",),
    phases={"named/0": "Succeeded", "named/1": "Succeeded"},
    report=("named/2", "'a'"),
)


@story("a task is reused by its key, with what it gave back or with an edited output")
def reused_by_key(backend: Any) -> None:
    first = backend.run(keyed, {"numbers": [1, 2, 3]})
    assert first.result == 9
    run = backend.run(keyed, {"numbers": [1, 2, 3]}, reuse={"add-1-0": only(first, "add/0"), "add-3-2": 40})
    assert run.result == 2 + 3 + 40
    assert [task.cached for task in run.tasks("add")] == [True, False, True]
    assert not only(run, "total").cached
    assert "add-3-2" in run.explain("add/2")


@workflow
def keyed_files(texts: list[str]) -> list[str]:
    files = write.partial(name="n.txt").options(key="file-{item}").map(text=texts)
    return read.map(file=files)


@story("a task whose output is a file is reused by its key, with its file or another in its place")
def file_reused_by_key(backend: Any) -> None:
    first = backend.run(keyed_files, {"texts": ["a", "b"]})
    mine = backend.desk / "edited.txt"
    mine.write_text("edited")
    reuse = {"file-0": only(first, "write/0"), "file-1": mine}
    run = backend.run(keyed_files, {"texts": ["x", "y"]}, reuse=reuse)
    mine.write_text("edited later")
    assert run.result == ["a", "edited"]


@story("a value given for a key is checked against what the op gives")
def reused_is_checked(backend: Any) -> None:
    run = backend.run(keyed_files, {"texts": ["x"]}, reuse={"file-0": 7.5})
    assert run.phase.value == "Failed"
    (error,) = run.errors
    assert "reuse gives float 7.5 for key 'file-0'" in error.message


# --- by content


SOURCE = '''
from pathlib import Path
from sciflow import context, op, workflow

FACTOR = {factor}

def helper(x):
    """{docstring}"""
    return x * {helper}

@op(cache=True)
def scale(x: int, offset: int = 0) -> int:
    return helper(x) * FACTOR + offset

@op(cache=True)
def grown(file: Path, suffix: str = "!") -> Path:
    Path("grown.txt").write_text(file.read_text() + suffix)
    return Path("grown.txt")

@op
def length(file: Path) -> int:
    return len(file.read_text())

@workflow
def scaled(numbers: list[int]) -> list[int]:
    return scale.map(x=numbers)

@workflow
def with_options(x: int) -> int:
    return scale.options({options})(x)

@workflow
def sized(files: list[Path]) -> list[int]:
    return length.map(file=grown.map(file=files))
'''


def source(**changes: Any) -> str:
    """The user's module, with some of it changed."""
    return SOURCE.format(**{"factor": 2, "helper": 1, "docstring": "Helps.", "options": "cpus=1", **changes})


def _cached(run: Any, step: str) -> list[bool]:
    assert set(phases_of(run, step)) == {"Succeeded"}, run.report()
    return [task.cached for task in run.tasks(step)]


@story("the cache gives what the same code made of the same inputs, in another run")
def cache_hit(backend: Any) -> None:
    module = backend.module("conformance_cached", source())
    first = backend.run(module.scaled, {"numbers": [1, 2]})
    assert _cached(first, "scale") == [False, False]
    run = backend.run(module.scaled, {"numbers": [2, 1, 3]})
    assert run.result == [4, 2, 6]
    assert _cached(run, "scale") == [True, True, False]
    assert first.id in run.explain("scale/0")
    assert "scale/1" in run.explain("scale/0")


@story("a change of an input misses the cache, and explain names the input")
def cache_input(backend: Any) -> None:
    module = backend.module("conformance_cached", source())
    backend.run(module.scaled, {"numbers": [1]})
    run = backend.run(module.scaled, {"numbers": [5]})
    assert _cached(run, "scale") == [False]
    assert "input 'x' differs" in run.explain("scale/0")
    assert "code" not in run.explain("scale/0")


@story("a change of the op's code, or of what it calls or uses, misses the cache, and explain names the code")
def cache_code(backend: Any) -> None:
    backend.run(backend.module("conformance_cached", source()).scaled, {"numbers": [1]})
    for changes, part in (({"helper": 3}, "helper"), ({"factor": 5}, "FACTOR")):
        module = backend.module("conformance_cached", source(**changes))
        run = backend.run(module.scaled, {"numbers": [1]})
        assert _cached(run, "scale") == [False], changes
        assert part in run.explain("scale/0"), run.explain("scale/0")
        assert "input" not in run.explain("scale/0")


@story("a change of comments or documentation alone does not miss the cache")
def cache_comments(backend: Any) -> None:
    backend.run(backend.module("conformance_cached", source()).scaled, {"numbers": [1]})
    changed = source(docstring="Helps a lot.") + "\n# a comment\n"
    run = backend.run(backend.module("conformance_cached", changed).scaled, {"numbers": [1]})
    assert _cached(run, "scale") == [True]


@story("an option that can change the result misses the cache and explain names it; one that cannot does not")
def cache_options(backend: Any) -> None:
    def go(options: str) -> Any:
        return backend.run(backend.module("conformance_cached", source(options=options)).with_options, {"x": 1})

    go("cpus=1")
    harmless = go("retries=3, timeout_s=50, priority=2")
    assert _cached(harmless, "scale") == [True]
    run = go('env={"MODE": "other"}')
    assert _cached(run, "scale") == [False]
    assert "env" in run.explain("scale")


@story("a change of a file's content misses the cache and explain names the input; its place and age do not matter")
def cache_content(backend: Any) -> None:
    module = backend.module("conformance_cached", source())
    files = [backend.desk / name for name in ("a.txt", "b.txt")]
    for file in files:
        file.write_text(file.name)
    backend.run(module.sized, {"files": files})
    moved = backend.desk / "elsewhere"
    moved.mkdir()
    (moved / "a.txt").write_text("a.txt")
    files[1].write_text("changed")
    run = backend.run(module.sized, {"files": [moved / "a.txt", files[1]]})
    assert run.result == [6, 8]
    assert _cached(run, "grown") == [True, False]
    assert "input 'file' differs" in run.explain("grown/1")


@story("a run that took a file from the cache does not need the run that made it")
def cache_stands_alone(backend: Any) -> None:
    module = backend.module("conformance_cached", source())
    file = backend.desk / "a.txt"
    file.write_text("a")
    first = backend.run(module.sized, {"files": [file]})
    second = backend.run(module.sized, {"files": [file]})
    assert _cached(second, "grown") == [True]
    _remove(first)
    assert second.output("grown")[0].read_text() == "a!"
    third = backend.run(module.sized, {"files": [file]})
    assert third.result == [2]


def _remove(run: Any) -> None:
    import shutil

    shutil.rmtree(run.folder)


@story("an op that does not ask for the cache runs again")
def no_cache(backend: Any) -> None:
    backend.run(keyed, {"numbers": [1]})
    run = backend.run(keyed, {"numbers": [1]})
    assert [task.cached for task in run.tasks()] == [False, False]
    assert "cache" in run.explain("total")


@story("a failure is not taken from the cache")
def failures_not_cached(backend: Any) -> None:
    for _ in range(2):
        run = backend.run(always_failing, {"x": 1})
        assert run.phase.value == "Failed"
        assert not only(run, "always_failing").cached


@op(cache=True)
def always_failing(x: int) -> int:
    raise ValueError(x)


@op(cache=True, env={"DIAL": secret(env="CONFORMANCE_DIAL")})
def versioned(x: int) -> int:
    context().needs(version=os.environ["DIAL"])
    context().record(host="somewhere")
    return x


@story("a plan says what is cached, how many slices there are where it is known, and why the rest would run")
def planned(backend: Any) -> None:
    module = backend.module("conformance_cached", source())
    backend.run(module.scaled, {"numbers": [1, 2]})
    (step,) = backend.plan(module.scaled, {"numbers": [1, 2, 3]}).steps
    assert (step.path, step.slices, step.cached) == ("scale", 3, 2)
    assert "x" in step.reason
    assert len(backend.runs()) == 1, "a plan runs nothing"


@story("facts that an op says it needs are part of what the cache goes by")
def cache_needs(backend: Any) -> None:
    backend.dial("1.0")
    first = backend.run(versioned, {"x": 1})
    assert only(first, "versioned").facts == {"host": "somewhere"}
    assert _cached(backend.run(versioned, {"x": 1}), "versioned") == [True]
    backend.dial("2.0")
    backend.run(versioned, {"x": 2})  # tells of the new version
    assert _cached(backend.run(versioned, {"x": 1}), "versioned") == [False]
