"""What is said to suspended nodes: which of them a value is for, and whether it fits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePath

from sciflow.core.conform import misfit
from sciflow.core.expr import Tree
from sciflow.core.graph import Suspend, WorkflowSpec
from sciflow.core.job import SINGLE
from sciflow.core.naming import with_article
from sciflow.core.ports import Type, accepts_none
from sciflow.core.records import Phase
from sciflow.engine.control import Inbox, Request, Verb
from sciflow.engine.origin import stored_spec
from sciflow.engine.records_db import Reader
from sciflow.engine.records_writer import Writer
from sciflow.engine.values import whole_text
from sciflow.errors import InvalidInput, Problem, RunError
from sciflow.runner import codec
from sciflow.runner.failures import CodecError


def answers(reader: Reader, value: object, node: str, *, inbox: Inbox) -> list[Request]:
    """The requests that give `value` to the suspended node meant; without either, to all that wait for no value.

    Raises:
        RunError: there is no value, and nothing goes on without one.
        InvalidInput: no such node waits, several wait and none is named, or the value is not of the type waited for.
    """
    waiting = waiting_nodes(reader)
    if value is None and not node:
        return _told_to_go_on(reader, waiting, inbox)
    path = node or _only(waiting)
    if path not in waiting:
        raise _refusal(f"{path} does not wait for an answer", " or ".join(waiting) or "nothing waits", path)
    return [_request(path, _checked(value, waiting[path], path))]


def _told_to_go_on(reader: Reader, waiting: Mapping[str, Type], inbox: Inbox) -> list[Request]:
    """The requests to all nodes that wait for no value."""
    told = [_request(path, None) for path, type_ in waiting.items() if accepts_none(type_)]
    stuck = reader.text("phase") == Phase.SUSPENDED and reader.text("because") != ""
    if waiting and stuck and not told and not inbox.answered():
        raise _silence(waiting)
    return told


def _only(waiting: Mapping[str, Type]) -> str:
    if len(waiting) != 1:
        found = "nothing waits" if not waiting else "several wait: " + ", ".join(waiting)
        raise _refusal("it is not clear which node the value is for", "one suspended node", found)
    return next(iter(waiting))


def waiting_nodes(reader: Reader) -> dict[str, Type]:
    """The paths of the suspended nodes, with the types of what they wait for."""
    templates = stored_spec(reader).templates
    rows = [(row.path, templates[row.template]) for row in reader.nodes() if row.phase is Phase.SUSPENDED]
    return {path: template.output for path, template in rows if isinstance(template, Suspend)}


def given_answers(db: Writer, spec: WorkflowSpec, root: Path) -> dict[str, bytes]:
    """What was given at suspended nodes, by their paths, as far as it is recorded; `root`: the run folder."""
    rows = [row for row in db.nodes() if isinstance(spec.templates.get(row.template), Suspend)]
    texts = {row.path: db.output(row.id, SINGLE) for row in rows if row.phase is Phase.SUCCEEDED}
    return {path: whole_text(text, root) for path, text in texts.items() if text is not None}


def _checked(value: object, type_: Type, path: str) -> Tree:
    try:
        tree = codec.encode(value, pickled=type_.pickled, artifact=_artifact)
    except CodecError as error:
        raise _refusal(f"the answer to {path} cannot be used", str(type_), str(error)) from error
    wrong = misfit(tree, type_)
    if wrong is not None:
        place = f", at {wrong.at}," if wrong.at else ""
        raise _refusal(f"the answer to {path}{place} does not fit", str(wrong.expected), wrong.found)
    return tree


def _artifact(path: PurePath) -> Tree:
    """A file of the user's own, which the engine takes into the run."""
    if not os.path.exists(path):
        raise CodecError(f"{path} (not there)")
    return {"$": "artifact", "path": os.path.abspath(path), "kind": "folder" if os.path.isdir(path) else "file"}


def _request(path: str, tree: Tree) -> Request:
    return Request(verb=Verb.RESUME, node=path, value=tree)


def _silence(waiting: Mapping[str, Type]) -> RunError:
    listed = ", ".join(f"{path} waits for {with_article(type_)}" for path, type_ in waiting.items())
    path = next(iter(waiting))
    fix = f'resume(value, node="{path}"), or: sciflow resume RUN --node {path} --value VALUE'
    return RunError(f"nothing can go on before a value is given: {listed}\n    fix:      {fix}")


def _refusal(what: str, expected: str, found: str) -> InvalidInput:
    fix = "name a node that waits, with a value of its type: `sciflow resume RUN --node ... --value ...`, or resume()"
    return InvalidInput([Problem(where="", what=what, expected=expected, found=found, fix=fix)])
