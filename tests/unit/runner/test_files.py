# ruff: noqa: E501  lines of the small programs in here, and of tables
"""Files of a slice: staged, collected, hashed, kept."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from driver import Worker

from sciflow.runner.hashing import Copier, file_hash, folder_hash

BASICS = """
    import os, shutil, socket, subprocess, sys
    from pathlib import Path
    from typing import Any, Dict, List, NamedTuple, Optional, Tuple
"""


def started(start: Any, code: str, name: str = "f", **options: Any) -> Worker:
    worker: Worker = start(BASICS + code)
    worker.op(name, **options)
    return worker


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def recorded(path: Path) -> dict[str, Any]:
    sha256, size = folder_hash(str(path)) if path.is_dir() else file_hash(str(path))
    kind = "folder" if path.is_dir() else "file"
    return {"$": "artifact", "path": str(path), "kind": kind, "sha256": sha256, "size": size}


def test_a_file_in_and_a_file_out(start: Any, tmp_path: Path) -> None:
    code = (
        "\n    def f(p: Path) -> Path:\n        Path('o.txt').write_text(p.read_text().upper()); return Path('o.txt')\n"
    )
    worker = started(start, code)
    (tmp_path / "a.txt").write_text("abc")
    ended = worker.do(fixed={"p": recorded(tmp_path / "a.txt")}, path="tasks/f/1")[0]
    assert ended.output == {
        "$": "artifact", "path": "tasks/f/1/o.txt", "kind": "file", "sha256": hashlib.sha256(b"ABC").hexdigest(), "size": 3,
    }  # fmt: skip
    assert ended.extra == {"files": True}
    assert (worker.root / "tasks/f/1/o.txt").read_text() == "ABC"


def test_an_op_that_edits_its_input_touches_nobodys_file(start: Any, tmp_path: Path) -> None:
    code = """
    def f(p: Path) -> Path:
        with p.open("a") as file: file.write("more")
        return p
    """
    worker = started(start, code)
    (tmp_path / "a.txt").write_text("abc")
    tree = recorded(tmp_path / "a.txt")
    outputs = [e.output for e in worker.do([tree], [tree], columns=("p",))]
    assert (tmp_path / "a.txt").read_text() == "abc"
    assert [(worker.root / o["path"]).read_text() for o in outputs] == ["abcmore"] * 2
    assert [o["path"] for o in outputs] == ["tasks/step/1/a.txt", "tasks/step/2/a.txt"]


def test_lists_and_dicts_of_files_keep_order_and_names(start: Any, tmp_path: Path) -> None:
    code = """
    def f(ps: List[Path], d: Dict[str, Path]) -> Dict[str, List[Path]]:
        assert [p.name for p in ps] == ["x", "x", "y\\n'ü \\""], ps
        assert [p.read_text() for p in ps] == ["1", "2", "3"]
        return {k: [*ps, v] for k, v in d.items()}
    """
    files = [tmp_path / "a/x", tmp_path / "b/x", tmp_path / "y\n'ü \""]
    for number, file in enumerate(files, 1):
        file.parent.mkdir(exist_ok=True)
        file.write_text(str(number))
    trees = [recorded(file) for file in files]
    ended = started(start, code).do(fixed={"ps": trees, "d": {"k": trees[0]}})[0]
    assert ended.phase == "Succeeded", ended.error
    assert [Path(o["path"]).name for o in ended.output["k"]] == ["x", "x", "y\n'ü \"", "x"]
    assert [o["sha256"] for o in ended.output["k"]] == [t["sha256"] for t in [*trees, trees[0]]]


def test_folders_travel_with_links_and_empty_folders(start: Any, tmp_path: Path) -> None:
    code = """
    def f(d: Path) -> Path:
        assert (d / "empty").is_dir() and (d / "link").is_symlink() and os.access(d / "run.sh", os.X_OK)
        os.symlink(d.absolute() / "sub/x", d / "absolute")
        os.symlink("/etc/hostname", d / "outside")
        return d
    """
    source = tmp_path / "data"
    (source / "empty").mkdir(parents=True)
    (source / "sub").mkdir()
    (source / "sub/x").write_text("x")
    (source / "run.sh").write_text("#!")
    (source / "run.sh").chmod(0o755)
    (source / "link").symlink_to("sub/x")
    worker = started(start, code)
    ended = worker.call_tree(d=recorded(source))
    kept = worker.root / ended.output["path"]
    assert names(kept) == ["absolute", "empty", "link", "outside", "run.sh", "sub", "sub/x"]
    assert [(kept / name).readlink() for name in ("absolute", "link")] == [Path("sub/x")] * 2
    assert not (kept / "outside").is_symlink()
    assert (ended.output["kind"], ended.output["sha256"]) == ("folder", folder_hash(str(kept))[0])
    again = worker.call_tree(d={**ended.output, "sha256": "0"})
    assert (again.phase, again.error["kind"]) == ("Error", "place")


def test_the_hash_of_a_folder_sees_content_names_and_the_executable_bit(tmp_path: Path) -> None:
    seen = set()

    def look() -> None:
        seen.add(folder_hash(str(tmp_path))[0])

    look()
    (tmp_path / "d").mkdir()
    look()
    (tmp_path / "d/x").write_text("1")
    look()
    (tmp_path / "d/x").chmod(0o755)
    look()
    (tmp_path / "d/x").write_text("2")
    look()
    (tmp_path / "l").symlink_to("d")
    look()
    assert len(seen) == 6
    os.utime(tmp_path / "d/x", (1, 1))
    look()
    assert len(seen) == 6


def test_the_hash_of_a_folder_stays_what_it_was_in_the_first_version(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, mode in (("data", 0o644), ("tool", 0o755)):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(mode)
    (tmp_path / "link").symlink_to("tool")
    kept = folder_hash(str(tmp_path))
    facts = [f"{x}\0{hashlib.sha256(name).hexdigest()}" for x, name in (("-", b"data"), ("x", b"tool"))]
    lines = [f"data\0file\0{facts[0]}", "empty\0folder\0", "link\0link\0tool", f"tool\0file\0{facts[1]}"]
    assert kept == (hashlib.sha256("".join(f"{line}\0\n" for line in lines).encode()).hexdigest(), 8)
    (tmp_path / "data").chmod(0o755)
    assert folder_hash(str(tmp_path), programs={"tool"}) == kept != folder_hash(str(tmp_path))


def test_an_empty_folder_is_an_output(start: Any) -> None:
    ended = started(start, "\n    def f() -> Path: os.mkdir('d'); return Path('d')\n").call()
    assert (ended.output["path"], ended.output["kind"], ended.output["size"]) == ("tasks/step/1/d", "folder", 0)


def test_outputs_inside_one_another_and_given_twice(start: Any) -> None:
    code = """
    class Out(NamedTuple):
        file: Path
        folder: Path
        again: Path
    def f() -> Out:
        os.makedirs("d/e"); Path("d/e/x").write_text("1")
        return Out(Path("d/e/x"), Path("d").absolute(), Path("d/e/x"))
    """
    fields = started(start, code).call().output["v"]
    assert fields["file"] == fields["again"]
    assert [fields[n]["path"] for n in ("file", "folder")] == ["tasks/step/1/d/e/x", "tasks/step/1/d"]


def test_an_output_that_lies_inside_an_input(start: Any, tmp_path: Path) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/x").write_text("1")
    worker = started(start, "\n    def f(d: Path) -> Path: return d / 'e/x'\n")
    assert worker.call(d=tmp_path / "d").output["path"] == "tasks/step/1/x"
    assert (tmp_path / "d/e/x").exists()


def test_a_link_as_an_output_is_the_file_that_it_leads_to(start: Any) -> None:
    worker = started(start, "\n    def f() -> Path: os.symlink('/etc/hostname', 'l'); return Path('l')\n")
    output = worker.call().output
    assert not (worker.root / output["path"]).is_symlink()
    assert output["size"] == Path("/etc/hostname").stat().st_size


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("os.mkfifo('p'); return Path('p')", "'p' is neither a file nor a folder"),
        ("os.mkdir('d'); os.mkfifo('d/p'); return Path('d')", "'p', which is neither a file nor a folder"),
        (
            "os.mkdir('d'); os.symlink('/no/where', 'd/l'); return Path('d')",
            "'l', which leads to '/no/where', where nothing is",
        ),
        ("os.symlink('/etc', 'd'); return Path('d/hostname')", "outside the op's working folder"),
        ("Path('a').write_text(''); return Path('b')", "found in the working folder: 'a'"),
    ],
)
def test_an_output_that_is_no_file_is_told(start: Any, body: str, message: str) -> None:
    ended = started(start, f"\n    def f() -> Path: {body}\n").call()
    assert (ended.phase, ended.error["kind"]) == ("Failed", "contract")
    assert message in ended.error["message"]


def test_what_is_left_is_kept_also_after_a_failure(start: Any) -> None:
    code = """
    def f(i: int) -> int:
        os.mkdir("d"); Path("d/x").write_text("x"); Path("log").write_text("log"); os.mkdir("e")
        return 1 // i
    """
    worker = started(start, code)
    ended = worker.do([1], [0], columns=("i",))
    assert [e.phase for e in ended] == ["Succeeded", "Failed"]
    assert all(e.extra["files"] for e in ended)
    for task in ("1", "2"):
        assert names(worker.root / "tasks/step" / task) == ["d", "d/x", "e", "log"]


def test_patterns_say_what_is_kept_and_what_never(start: Any) -> None:
    code = """
    def f() -> Path:
        os.makedirs("d/e")
        for name in ("a.log", "a.tmp", "d/b.log", "d/e/POTCAR", "POTCAR", "d/c"): Path(name).write_text(name)
        os.mkdir("out"); Path("out/x").write_text("1"); Path("out/POTCAR").write_text("licensed")
        return Path("out")
    """
    worker = started(start, code, keep=["*.log", "d/e"], never_keep=["POTCAR"])
    assert worker.call().phase == "Succeeded"
    assert names(worker.root / "tasks/step/1") == ["a.log", "d", "d/b.log", "out", "out/x"]
    worker = started(
        start, "\n    def f() -> Path: Path('POTCAR').write_text(''); return Path('POTCAR')\n", never_keep=["POT*"]
    )
    assert "must never be kept" in worker.call().error["message"]
    assert not (worker.root / "tasks/step").exists()


def test_a_second_attempt_sets_aside_what_the_first_has_left(start: Any) -> None:
    code = """
    def f() -> int:
        c = __import__("sciflow.runner.context", fromlist=["x"]).context()
        Path(f"attempt{c.attempt}").write_text("")
        return 1 // (c.attempt - 1)
    """
    worker = started(start, code)
    assert worker.do(path="tasks/f")[0].phase == "Failed"
    assert worker.do(path="tasks/f", attempt=2)[0].phase == "Succeeded"
    assert names(worker.root / "tasks/f") == ["attempt2"]
    assert names(worker.root / "tasks/f~1") == ["attempt1"]
    assert worker.do(path="tasks/../..", attempt=2)[0].error["kind"] == "place"


def test_nothing_kept_makes_no_folder(start: Any) -> None:
    worker = started(start, "\n    def f() -> int: Path('x').write_text(''); os.unlink('x'); return 1\n")
    assert worker.call().extra == {}
    assert names(worker.root / "tasks") == []


def test_a_missing_or_changed_input_is_the_places_fault(start: Any, tmp_path: Path) -> None:
    worker = started(start, "\n    def f(p: Path) -> int: return 1\n")
    (tmp_path / "a").write_text("abc")
    tree = recorded(tmp_path / "a")
    (tmp_path / "a").write_text("abd")
    changed, missing = worker.do([tree], [{**tree, "path": "tasks/none"}], columns=("p",))
    assert (changed.phase, changed.error["kind"], missing.phase) == ("Error", "place", "Error")
    assert "was changed after its content was recorded" in changed.error["message"]
    assert "input p: " in missing.error["message"]
    assert "No such file" in missing.error["message"]


def test_files_travel_between_slices_by_their_records(start: Any) -> None:
    code = """
    def f(p: Optional[Path] = None) -> Path:
        Path("n").write_text(str(1 + int(p.read_text() if p else 0))); return Path("n")
    """
    worker = started(start, code)
    output = worker.call().output
    for _ in range(3):
        output = worker.call_tree(p=output).output
    assert (worker.root / output["path"]).read_text() == "4"


def test_scratch_on_another_file_system(start: Any, tmp_path: Path) -> None:
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    scratch = shm / f"sciflow-{os.getpid()}"
    code = "\n    def f() -> Path: os.mkdir('d'); Path('d/x').write_text('1'); os.symlink('x', 'd/l'); Path('left').write_text(''); return Path('d')\n"
    worker = start(BASICS + code, scratch=str(scratch))
    try:
        worker.op("f")
        ended = worker.call()
        assert ended.phase == "Succeeded", ended.error
        assert names(worker.root / "tasks/step/1") == ["d", "d/l", "d/x", "left"]
    finally:
        import shutil

        shutil.rmtree(scratch)


def test_a_copy_shares_nothing_with_its_source(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1_000_000)
    Copier().file(str(tmp_path / "a"), str(tmp_path / "b"), sha256=file_hash(str(tmp_path / "a"))[0])
    with (tmp_path / "b").open("r+b") as file:
        file.write(b"y")
    assert (tmp_path / "a").read_bytes() == b"x" * 1_000_000


# ---- programs


def program(**code: Any) -> dict[str, Any]:
    argv = [[part] if isinstance(part, str) else part for part in code.pop("argv")]
    return {"type": "program", "argv": argv, **code}


def test_a_copy_that_stands_for_itself_has_no_links_out_of_it(tmp_path: Path) -> None:
    source, beside = tmp_path / "in", tmp_path / "beside"
    source.mkdir(), beside.mkdir()
    (beside / "POTCAR").write_text("far")
    (source / "near").write_text("near")
    for link, text in {"far": "../beside/POTCAR", "all": beside, "near-too": source / "near", "lost": "../no"}.items():
        (source / link).symlink_to(text)
    Copier().standalone(str(source), str(tmp_path / "copy"))
    found = {name: (path := tmp_path / "copy" / name).is_symlink() for name in names(tmp_path / "copy")}
    assert found == {"all": False, "all/POTCAR": False, "far": False, "lost": True, "near": False, "near-too": True}
    assert path.readlink() == Path("near")
    assert (tmp_path / "copy/far").read_text() == "far"


def test_a_link_to_a_folder_in_which_it_lies_is_refused(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir(), other.mkdir()
    (one / "up").symlink_to("..")
    with pytest.raises(OSError, match="in which it lies itself"):
        Copier().standalone(str(one), str(tmp_path / "copy"))
    (one / "up").unlink()
    (one / "there").symlink_to(other)
    (other / "back").symlink_to(one)
    with pytest.raises(OSError, match="in which it lies itself"):
        Copier().standalone(str(one), str(tmp_path / "copy-2"))


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (
            "os.mkdir('d'); os.symlink('..', 'd/up'); return Path('d')",
            "'up', which leads to '..', a folder in which it lies",
        ),
        ("Path(os.fsdecode(b'x\\xff')).touch(); return Path(os.fsdecode(b'x\\xff'))", "a name that is not UTF-8"),
    ],
)
def test_an_output_that_cannot_be_kept_fails_its_task_alone(start: Any, made: str, told: str) -> None:
    worker = started(
        start,
        f"""
    def f(bad: bool) -> Optional[Path]:
        if not bad: return None
        {made}
    """,
    )
    assert told in worker.call(bad=True).error["message"]
    assert worker.call(bad=False).phase == "Succeeded"


def test_a_program_takes_arguments_and_files_without_a_shell(start: Any, tmp_path: Path) -> None:
    (tmp_path / "my file").write_text("abc")
    worker = start()
    code = program(
        argv=[
            "sh",
            "-c",
            'printf "%s|" "$@" > args; cat in.txt > copy',
            "sh",
            [{"port": "items"}],
            ["x=", {"port": "n"}],
            [{"port": "p"}],
        ],
        files={"p": "in.txt"},
        outputs={"args": "args", "copies": "cop*"},
        lists=["copies"],
        shape="dict",
    )
    assert worker.load(code)[3] is None
    hostile = ["$(touch x)", "a b", "`id`", "'\"", "{{x}}", "%s", "\r\n"]
    ended = worker.call(items=hostile, n=1.5, p=tmp_path / "my file")
    assert ended.phase == "Succeeded", ended.error
    assert (worker.root / ended.output["args"]["path"]).read_bytes().decode() == "|".join(
        [*hostile, "x=1.5", "in.txt"]
    ) + "|"
    assert [o["size"] for o in ended.output["copies"]] == [3]
    assert (tmp_path / "my file").exists()


def test_what_a_program_prints_is_its_result_or_its_log(start: Any) -> None:
    worker = start()
    worker.load(program(argv=["cat"], stdin="text", stdout="result"))
    assert worker.call(text="a\0b\r\n").output == "a\0b\r\n"
    worker.load(program(argv=["cat"], stdin="text", stdout="result", outputs={"result": "out.txt"}))
    assert worker.call(text="abc").output["path"] == "tasks/step/2/out.txt"
    worker.load(program(argv=["cat"], stdin="text", shape="none"))
    ended = worker.call(text="to the log\n")
    assert (ended.output, ended.stdout_end) == (None, len("to the log\n"))


def test_a_program_gives_a_record(start: Any) -> None:
    worker = start()
    code = program(argv=["touch", "a"], outputs={"a": "a", "b": "b"}, optional=["b"], shape="namedtuple", of="ops:Out")
    worker.load(code)
    assert worker.call().output["type"] == "ops:Out"
    assert worker.call().output["v"]["b"] is None


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ({"argv": ["sh", "-c", "exit 3"]}, ("Failed", "user", 3, None, "ended with exit code 3")),
        ({"argv": ["sh", "-c", "kill -11 $$"]}, ("Failed", "user", None, "SIGSEGV", "signal 11")),
        ({"argv": ["no-such-program"]}, ("Error", "code", None, None, "'no-such-program' is not found here")),
        (
            {"argv": ["true"], "outputs": {"o": "x"}},
            ("Failed", "contract", None, None, "output o: expected a file 'x', found none"),
        ),
        (
            {"argv": ["touch", "x1", "x2"], "outputs": {"o": "x*"}},
            ("Failed", "contract", None, None, "found 2 of them"),
        ),
        ({"argv": ["sh", "-c", "exit 3"], "exit_codes": [0, 3], "shape": "none"}, ("Succeeded", None, None, None, "")),
    ],
    ids=json.dumps,
)
def test_a_failing_program_says_how(start: Any, code: dict[str, Any], facts: tuple[Any, ...]) -> None:
    worker = start()
    worker.load(program(**code))
    ended = worker.call()
    error = ended.error
    assert (ended.phase, error.get("kind"), error.get("exit_code"), error.get("signal")) == facts[:4]
    assert facts[4] in error.get("message", "")
