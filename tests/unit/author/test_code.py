"""How an op's code is reached elsewhere: from a module, a script, `python -m`, or by value."""

import subprocess
import sys
import textwrap
from pathlib import Path

SCRIPT = textwrap.dedent(
    """
    from sciflow import op, workflow

    @op(cache=True)
    def energy(atoms: float) -> float:
        return atoms

    def make():
        @op(cache=True)
        def scaled(x: float) -> float:
            return 2 * x
        return scaled

    @workflow
    def eos(x: float) -> float:
        return make()(energy(x))

    for template in eos.spec().templates.values():
        if hasattr(template, "code"):
            code = template.code
            print(template.name, code.module, code.qualname, code.script, bool(code.pickled), bool(template.identity))
    """
)


def output(*arguments: str, cwd: Path, stdin: str = "") -> list[str]:
    root = str(Path(__file__).parents[3])
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=cwd, input=stdin, capture_output=True, text=True, check=False, env={"PYTHONPATH": f"{root}:{cwd}"}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_scripts_op_is_reached_by_its_file_and_one_made_in_a_function_by_value(tmp_path: Path) -> None:
    script = tmp_path / "eos.py"
    script.write_text(SCRIPT)
    assert output("eos.py", cwd=tmp_path) == [
        f"energy __main__ energy {script} False True",
        "scaled __main__ make.<locals>.scaled None True True",
    ]


def test_a_module_started_by_its_name_is_imported_elsewhere(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "eos.py").write_text(SCRIPT)
    assert output("-m", "package.eos", cwd=tmp_path)[0] == "energy package.eos energy None False True"


def test_what_was_typed_in_travels_by_value(tmp_path: Path) -> None:
    assert output("-", cwd=tmp_path, stdin=SCRIPT)[0] == "energy __main__ energy None True True"
