"""The pages of README and docs do what they say: their code blocks are run in order, each page a session of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = "import sys; sys.path.append(sys.argv[1]); from page import main; main(sys.argv[2])"
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s#]+)?(#[^)\s]+)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs_and_prints_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    bin_ = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": bin_, "COLUMNS": "120", "SCIFLOW_WORKERS": "2", "SCIFLOW_PROGRESS": "false"}
    argv = [sys.executable, "-c", RUN, str(Path(__file__).parent), str(page)]
    done = subprocess.run(argv, cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-8000:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text("utf-8")):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        linked = page.parent / target if target else page
        assert linked.exists(), f"{page.name}: nothing at {target}"
        if anchor and linked.suffix == ".md":
            assert anchor[1:] in anchors(linked), f"{page.name}: no heading {anchor} in {linked.name}"


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them in links."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index() -> None:
    linked = {target for target, _ in LINK.findall((ROOT / "docs" / "README.md").read_text("utf-8"))}
    assert {page.name for page in PAGES if page.parent.name == "docs"} - linked == {"README.md"}


def test_the_page_of_settings_has_every_setting() -> None:
    from sciflow.setting import SETTINGS

    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert [name for name in SETTINGS if f"| `{name}` |" not in page] == []


def test_the_pages_of_executors_and_storages_have_every_entry() -> None:
    from sciflow.executors.settings import ArgoSettings, BatchSettings, ContainerSettings, FuturesSettings
    from sciflow.storage.settings import S3Settings

    pages = {
        "hpc.md": BatchSettings,
        "containers.md": ContainerSettings,
        "futures.md": FuturesSettings,
        "argo.md": ArgoSettings,
        "storage.md": S3Settings,
    }
    for name, kind in pages.items():
        page = (ROOT / "docs" / name).read_text("utf-8")
        assert [field for field in kind.__struct_fields__ if f"`{field}`" not in page] == [], name


def test_the_page_of_expressions_has_every_operator_and_says_which_argo_spells() -> None:
    from sciflow.core.expr import OPERATORS

    page = (ROOT / "docs" / "expressions.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([^`]*)` \|.*\| (exact|bounded|runner) \|$", page.replace("\\|", "|"), re.MULTILINE))
    assert rows == {operator.spelling: operator.argo.value for operator in OPERATORS.values()}


def test_the_page_of_options_has_every_option() -> None:
    from sciflow.author.options import NODE_NAMES, WORKFLOW_NAMES

    page = (ROOT / "docs" / "options.md").read_text("utf-8")
    assert [name for name in sorted(NODE_NAMES | WORKFLOW_NAMES) if f"| `{name}` |" not in page] == []


def test_the_page_of_errors_has_every_public_exception() -> None:
    import sciflow

    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    public = [name for name in sciflow.__all__ if isinstance(getattr(sciflow, name), type)]
    exceptions = [name for name in public if issubclass(getattr(sciflow, name), Exception)]
    assert [name for name in exceptions if f"`{name}`" not in page] == []


def test_the_page_of_the_command_line_has_every_command() -> None:
    from sciflow.cli.main import COMMANDS

    page = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"| `{name}" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_executors_of_a_page_have_settings_that_will_do(page: Path) -> None:
    from sciflow.executors.settings import parse_executor

    for block in re.findall(r"^```toml\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        for name, table in tomllib.loads(block).get("executors", {}).items():
            parse_executor(name, table)
