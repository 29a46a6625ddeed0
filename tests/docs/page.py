"""The code blocks of a page, read and run.

A page is one session in an empty folder. Its blocks are run in order:

    ```python       a cell, as in a notebook; one that begins with `# name.py` is that file
    ```toml         one that begins with `# name.toml` is that file; others are not read
    ```console      lines that begin with `$ ` are commands for the shell
    ```text         right behind one of these: what it prints, `...` for what differs from run to run

Comments in HTML before a block: `<!-- not run -->`, `<!-- raises NAME -->` for a cell whose exception's text is what
the text block shows, `<!-- exit N -->` for the exit code of the last command.

    python -c 'from page import main; main("PAGE.md")'        in the folder; without a `__main__` file, as in a notebook
"""

from __future__ import annotations

import contextlib
import io
import linecache
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>.*?) -->\n+)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$(?P<gap>\n*)", re.MULTILINE | re.DOTALL
)
FILE = re.compile(r"# (\S+\.(?:py|toml|sh|csv))\n")


@dataclass(frozen=True)
class Block:
    """One block: where it stands in its page, and what it is to print."""

    line: int
    kind: str
    text: str
    mark: str = ""
    printed: str | None = None


def blocks(page: str) -> list[Block]:
    """The blocks of a page that are to be run, each with its output."""
    found: list[Block] = []
    end = -1
    for match in BLOCK.finditer(page):
        line = page.count("\n", 0, match.start("text")) + 1
        if match["kind"] == "text":
            if found and match.start() == end and not found[-1].mark.startswith("not run"):
                last = found.pop()
                found.append(Block(last.line, last.kind, last.text, last.mark, match["text"]))
        else:
            found.append(Block(line, match["kind"], match["text"], match["mark"] or ""))
        end = match.end()
    return [block for block in found if not block.mark.startswith("not run")]


def run(block: Block, name: str) -> str | None:
    """Run a block; what it printed, or None if there is nothing to compare."""
    file = FILE.match(block.text)
    match block.kind:
        case "python" | "toml" if file:
            Path(file[1]).write_text(block.text, "utf-8")
            return None
        case "python":
            return run_cell(block, f"<{name}:{block.line}>")
        case "console":
            return "".join(run_commands(block))
        case _:
            return None


def run_cell(block: Block, file: str) -> str:
    """Run Python as a notebook does: in `__main__`, its source known for tracebacks."""
    expected = re.fullmatch(r"raises (\w+)", block.mark)
    linecache.cache[file] = (len(block.text), None, block.text.splitlines(keepends=True), file)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(block.text, file, "exec", dont_inherit=True), vars(sys.modules["__main__"]))
        except BaseException as error:
            if expected is None or type(error).__name__ != expected[1]:
                raise
            return f"{printed.getvalue()}{expected[1]}: {error}\n"
    assert expected is None, f"{file} did not raise {expected[1]}"
    return printed.getvalue()


def run_commands(block: Block) -> Iterator[str]:
    """Run the commands of a console block; each and what it printed."""
    exit_code = re.fullmatch(r"exit (\d+)", block.mark)
    code = 0
    for command in re.findall(r"^\$ (.*(?:\\\n.*)*)$", block.text, re.MULTILINE):
        done = subprocess.run(
            command, shell=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        code = done.returncode
        assert exit_code or code == 0, f"line {block.line}: {command}\nexit code {code}\n{done.stdout}"
        yield f"$ {command}\n{done.stdout}"
    assert exit_code is None or code == int(exit_code[1]), f"line {block.line}: exit code {code}, not {exit_code[1]}"


def expected_of(block: Block) -> str | None:
    """What a block is to print: its text block; of the console, also what it shows itself."""
    if block.kind != "console":
        return block.printed
    shows = any(not line.startswith("$ ") and line.strip() for line in block.text.replace("\\\n", " ").splitlines())
    return block.text if shows else block.printed and block.text + block.printed


def fits(printed: str, expected: str) -> bool:
    """Whether a text is what was expected, but for white space, and for what stands in place of `...`."""
    pattern = re.escape(" ".join(expected.split())).replace(r"\ ", " ")
    return re.fullmatch(re.sub(r" ?\\\.\\\.\\\. ?", ".*", pattern), " ".join(printed.split()), re.DOTALL) is not None


def main(page: str) -> None:
    """Run a page in the working folder.

    Raises:
        AssertionError: a block prints something else than the page says.
    """
    path = Path(page)
    sys.path.insert(0, "")
    for block in blocks(path.read_text("utf-8")):
        try:
            printed = run(block, path.name)
        except BaseException:
            print(f"--- {path.name}:{block.line}\n{block.text}", file=sys.stderr)
            raise
        expected = expected_of(block)
        if expected is not None and printed is not None:
            shown = f"{path.name}:{block.line}\n--- the page shows\n{expected}\n--- printed\n{printed}"
            assert fits(printed, expected), shown
