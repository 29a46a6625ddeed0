"""What a command line names: `eos.py:eos`, `package.module:eos`, or `flow.yaml`, a manifest of Argo."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import click
import msgspec

from sciflow.author.verbs import Verbs
from sciflow.author.workflow import Workflow
from sciflow.cli.main import unknown
from sciflow.core.graph import WorkflowSpec
from sciflow.runner.loader import open_script

OURS = str(Path(__file__).parents[1])
MANIFESTS = (".yaml", ".yml")


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A target as its records; of a manifest also its file, the workflow's name in it and what was left aside."""

    verbs: Verbs[..., Any]
    spec: WorkflowSpec
    file: str = ""
    name: str = ""
    notes: tuple[str, ...] = ()


def is_target(text: str) -> bool:
    """Whether it names a workflow, and not a run."""
    return ":" in text or text.endswith((".py", *MANIFESTS))


def open_workflow(text: str) -> Opened:
    """The workflow that `text` names, checked.

    Raises:
        click.UsageError: there is none.
        InvalidWorkflow: every mistake that was found.
    """
    from sciflow.author.launch import spec_of

    file, _, name = text.rpartition(":") if not text.endswith(MANIFESTS) else (text, "", "")
    if not file.endswith(MANIFESTS):
        target = open_target(text)
        return Opened(verbs=target, spec=spec_of(target))
    from sciflow.author.argo_file.reading import read_manifest

    made = read_manifest(file, name)

    def described() -> None:
        """Nothing: the work is in the records."""

    described.__name__, described.__doc__ = made.spec.name, made.about
    return Opened(verbs=Workflow(described), spec=made.spec, file=file, name=name, notes=made.notes)


def open_target(text: str) -> Verbs[..., Any]:
    """The object that `text` names; a file or module with one workflow needs no name.

    Raises:
        click.UsageError: no such file, module or name, or it is neither workflow nor op.
    """
    place, colon, name = text.rpartition(":")
    if not colon:
        place, name = text, ""
    module = _open(place)
    known = {key: value for key, value in vars(module).items() if isinstance(value, Verbs)}
    return _named(known, name, place) if name else _only(known, place)


def _open(place: str) -> ModuleType:
    """The script run, or the module imported; what goes wrong in it is shown without our own frames."""
    is_script = place.endswith(".py") or Path(place).is_file()
    if is_script and not Path(place).is_file():
        raise click.UsageError(f"no such file: {place}")
    try:
        return _open_script(Path(place)) if is_script else _import(place)
    except Exception as error:
        told = "".join(traceback.format_exception(type(error), error, _users_part(error.__traceback__))).rstrip()
        raise click.UsageError(f"{place} cannot be loaded:\n{told}") from error


def _open_script(path: Path) -> ModuleType:
    sys.path.insert(0, str(path.absolute().parent))
    return open_script(str(path.absolute()))


def _import(name: str) -> ModuleType:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    __import__(name)
    return sys.modules[name]


def _users_part(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is neither ours nor of the import system."""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(OURS) and "importlib" not in file:
            return trace
        trace = trace.tb_next
    return None


def _named(known: dict[str, Verbs[..., Any]], name: str, place: str) -> Verbs[..., Any]:
    if name not in known:
        there = f"\n{place} has: {', '.join(known)}" if known else f"\n{place} has no workflow and no op"
        raise click.UsageError(unknown("workflow or op", name, known) + there)
    return known[name]


def _only(known: dict[str, Verbs[..., Any]], place: str) -> Verbs[..., Any]:
    workflows = [name for name, found in known.items() if isinstance(found, Workflow)]
    candidates = workflows or list(known)
    if len(candidates) != 1:
        named = ", ".join(f"{place}:{name}" for name in candidates) or "it has no workflow and no op"
        raise click.UsageError(f"which workflow of {place} is meant? {named}")
    return known[candidates[0]]
