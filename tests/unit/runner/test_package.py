"""What travels to a machine: the runner's zip, and the user's own modules."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tarfile
import textwrap
import time
import zipfile
from pathlib import Path

import pytest
from node_driver import PYTHONS, Node, sha256

import sciflow
from sciflow.errors import ConfigError
from sciflow.executors.package import SCRIPTS, Bundle, runner_zip, user_bundle


@pytest.fixture(params=list(PYTHONS))
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Node:
    python = PYTHONS[request.param]
    if python is None:
        pytest.skip("no Python 3.9 or 3.10 is installed here")
    return Node(tmp_path, python)


def test_the_runner_is_the_same_file_each_time_and_named_by_its_content() -> None:
    name, content = runner_zip()
    code = "import time, os; os.environ['TZ'] = 'Asia/Tokyo'; from sciflow.executors.package import runner_zip as r"
    argv = [sys.executable, "-c", f"{code}; print(r()[0])"]
    again = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=Path(sciflow.__file__).parents[1])
    assert again.stdout.strip() == name == sha256(content)


def test_the_zip_imports_nothing_that_a_node_has_not() -> None:
    allowed = {*sys.stdlib_module_names, "sciflow", "__future__"}
    lazily = {"numpy", "ase", "cloudpickle"}  # where a value or a function of that kind has been met
    with zipfile.ZipFile(io.BytesIO(runner_zip()[1])) as archive:
        for name in archive.namelist():
            for statement in ast.walk(ast.parse(archive.read(name))):
                names = []
                if isinstance(statement, ast.Import):
                    names = [alias.name for alias in statement.names]
                elif isinstance(statement, ast.ImportFrom):
                    names = [str(statement.module)]
                assert {n.partition(".")[0] for n in names} <= allowed | lazily, name


def test_every_public_name_can_be_imported_where_ops_run(node: Node) -> None:
    code = f"import sys; sys.path[:0] = [{str(node.zip)!r}]; from sciflow import {', '.join(sciflow.__all__)}"
    done = subprocess.run([node.argv[0], "-S", "-c", code], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr


def test_a_module_that_uses_all_of_sciflow_at_its_top_runs_on_a_node(node: Node) -> None:
    source = """
        from pathlib import Path
        from sciflow import (FatalError, Op, Pickled, Run, TransientError, adopt, choose, command, contains, context,
                             length, list_runs, not_, op, open_run, secret, sequence, suspend, text, when, workflow)

        @command("cat", stdin="x", stdout="result")
        def cat(x: str) -> str: ...

        pack = command("packmol", "-t", "{n}", inputs={"n": int}, outputs="out.pdb", retries=2)

        @op(retries=3, retry_on=[TransientError], env={"A": secret(env="HOME")}, timeout_s=10)
        def twice(x: str) -> str:
            return 2 * x

        @workflow(timeout_s=20)
        def wf(x: str) -> str:
            with when(length(x) > 2):
                twice(x)
            return choose(True, twice(x), x)

        loud = twice.options(key="k-{item}").partial(x="l")

        @op
        def f(x: str) -> str:
            with when(False):
                assert twice(x) is None
            assert twice.map(x=["a", "b"]) == ["aa", "bb"]
            assert not_(contains([1], 2)) and sequence(2) == [0, 1]
            assert context().attempt == 1
            try:
                open_run("last")
            except Exception as error:
                return text("{a} {b}", a=wf(x), b=error)
    """
    batch = node.batch(source, ["abc"])
    done = batch.run()
    assert done.returncode == 0, done.stderr
    reply = batch.ended()[1]
    assert reply[2] == "Succeeded", reply
    assert reply[3].startswith("abcabc open_run() needs sciflow's engine")


def test_a_script_that_starts_its_run_without_a_guard_is_loaded_up_to_that_line(node: Node) -> None:
    script = node.modules / "main.py"
    script.write_text(
        textwrap.dedent("""
            from sciflow import op, workflow

            @op
            def f(x: str) -> str:
                return x + __file__

            @workflow
            def wf(x: str) -> str:
                return f(x)

            run = wf.run("x")
            raise RuntimeError("never reached")
        """)
    )
    batch = node.batch("", ["a"])
    code = {"type": "function", "module": "__main__", "qualname": "f", "script": "/home/me/main.py"}
    from node_driver import frame

    common = frame({"op": 1, "name": "f", "code": code, "options": {}, "identity": False})
    do = frame({"do": 1, "fixed": {}, "columns": ["x"], "tasks": [[1, "tasks/f/0", 1, 0, None, None, ["a"]]]})
    (batch.folder / "requests").write_bytes(common + do)
    import json

    index = json.loads((batch.folder / "index.json").read_text())
    index |= {"common": [0, len(common)], "elements": [[len(common), len(do)]]}
    index["hello"] |= {"main": "$ROOT/code/main.py", "sys_path": ["$DEPOT/code"]}
    (batch.folder / "index.json").write_text(json.dumps(index))
    (node.root / "code").mkdir()
    script.rename(node.root / "code" / "main.py")
    assert batch.run().returncode == 0
    assert batch.ended()[1][2:4] == ["Succeeded", "a/home/me/main.py"]


def test_the_runner_is_compiled_once_per_machine_and_runs_without(node: Node) -> None:
    likenesses = list(node.zip.parent.glob("*.zip.*"))
    assert len(likenesses) == 1
    likenesses[0].unlink()
    batch = node.batch("def f(x: str) -> str: return x", ["a"])
    assert batch.run().returncode == 0
    assert batch.closing()["left"] == []


def test_with_its_likeness_the_zip_is_not_even_opened(node: Node) -> None:
    batch = node.batch("def f(x: str) -> str: return x", ["a"])
    node.zip.unlink()
    assert batch.run().returncode == 0
    assert batch.closing()["left"] == []


def test_a_likeness_that_is_cut_off_does_not_count(node: Node) -> None:
    (likeness,) = node.zip.parent.glob("*.zip.*")
    whole = likeness.read_bytes()
    likeness.unlink()  # it is shared with other tests
    likeness.write_bytes(whole[:-100_000])
    batch = node.batch("def f(x: str) -> str: return x", ["a"])
    assert batch.run().returncode == 0
    assert batch.closing()["left"] == []


def test_a_module_with_ops_has_a_worker_import_nothing_that_is_slow(node: Node) -> None:
    source = """
        import sys
        from sciflow import op, workflow

        @op(cpus=1)
        def f(x: str) -> str:
            slow = ("typing", "ctypes", "re", "inspect", "dataclasses", "json", "pathlib", "subprocess", "importlib")
            return ",".join(name for name in slow if name in sys.modules)
    """
    batch = node.batch(textwrap.dedent(source), ["a"])
    assert batch.run().returncode == 0
    assert batch.ended()[1][2:4] == ["Succeeded", ""]


# --- the user's modules


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


OWN = {
    "eos.py": "from helpers import tool\nimport numpy, json\nimport space.inner.deep\n",
    "helpers/__init__.py": "",
    "helpers/tool.py": "from . import other\nfrom ..nothing import x\nimport lonely\n",
    "helpers/other.py": "def f():\n    import late\n",
    "helpers/data/table.csv": "1,2\n",
    "helpers/__pycache__/tool.cpython-311.pyc": "",
    "helpers/.git/config": "",
    "helpers/runs/r1/run.db": "",
    "helpers/runs/r1/big": "",
    "lonely.py": "import eos\n",
    "late.py": "broken syntax here (",
    "space/inner/deep.py": "",
    "space/inner/unused.py": "",
    "unused.py": "",
    "unused_package/__init__.py": "",
}


def test_a_bundle_holds_what_a_module_leads_to_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, OWN)
    bundle = user_bundle(["eos"], [str(tmp_path), *sys.path])
    assert bundle.files == (
        "eos.py", "helpers/__init__.py", "helpers/data/table.csv", "helpers/other.py", "helpers/tool.py", "late.py",
        "lonely.py", "space/inner/deep.py",
    )  # fmt: skip
    assert bundle.name == sha256(bundle.content)
    assert contents(bundle)["helpers/data/table.csv"] == b"1,2\n"


def contents(bundle: Bundle) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(bundle.content)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def test_a_bundle_is_the_same_for_the_same_files_wherever_they_lie(tmp_path: Path) -> None:
    for name in ("here", "there"):
        write(tmp_path / name, OWN)
        time.sleep(0.02)
    first, second = (user_bundle(["eos"], [str(tmp_path / name)]) for name in ("here", "there"))
    assert first == second
    (tmp_path / "there" / "lonely.py").write_text("import eos, json\n")
    assert user_bundle(["eos"], [str(tmp_path / "there")]).name != first.name


def test_a_script_travels_with_what_it_imports_and_cannot_be_imported_itself(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "import lonely", "lonely.py": ""})
    script = str(tmp_path / "main.py")
    bundle = user_bundle([script], [str(tmp_path)])
    assert bundle.scripts == {script: f"{SCRIPTS}/0/main.py"}
    assert bundle.files == (f"{SCRIPTS}/0/main.py", "lonely.py")


def test_sciflow_ops_goes_along_wherever_it_is_installed(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "site-packages"
    write(site, {"sciflow_ops/__init__.py": "import other_package", "other_package/__init__.py": ""})
    write(tmp_path / "own", {"eos.py": "from sciflow_ops import x"})
    bundle = user_bundle(["eos"], [str(tmp_path / "own"), str(site)])
    assert bundle.files == ("eos.py", "sciflow_ops/__init__.py")


def test_what_is_installed_does_not_travel() -> None:
    assert user_bundle(["numpy", "json", "sciflow.testing.ops", "no_such_module"], sys.path).files == ()


def test_links_are_followed_and_loops_of_them_end(tmp_path: Path) -> None:
    write(tmp_path, {"pkg/__init__.py": "", "data/x.txt": "x"})
    (tmp_path / "pkg" / "data").symlink_to(tmp_path / "data")
    (tmp_path / "pkg" / "self").symlink_to(tmp_path / "pkg")
    assert user_bundle(["pkg"], [str(tmp_path)]).files == ("pkg/__init__.py", "pkg/data/x.txt")


def test_too_much_data_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, {"pkg/__init__.py": ""})
    with (tmp_path / "pkg" / "model.bin").open("wb") as file:
        file.truncate(60 << 20)
    with pytest.raises(ConfigError, match="model"):
        user_bundle(["pkg"], [str(tmp_path)])


def test_a_bundle_runs_on_a_node(node: Node, tmp_path: Path) -> None:
    own = tmp_path / "own"
    write(own, {"pkg/__init__.py": "", "pkg/m.py": "import tool\ndef f(x: str) -> str:\n    return tool.g(x)"})
    write(own, {"tool.py": "def g(x):\n    return x + '!'"})
    bundle = user_bundle(["pkg.m"], [str(own)])
    from node_driver import tar

    node.ask("unpack", {"root": str(node.root)}, tar({f"code/{bundle.name}.tar": bundle.content}))
    batch = node.batch("from pkg.m import f", ["a"], hello={
        "sys_path": [f"$DEPOT/code/{bundle.name}", str(node.modules)], "argv": [""], "main": None, "host": {},
        "inline_bytes": 4096,
    })  # fmt: skip
    batch.run()
    assert batch.ended()[1][3] == "a!"
