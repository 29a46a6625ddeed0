"""A file with a manifest of Argo as a workflow of ours: the same records that a script's workflow becomes.

    file --source--> places and values --library--> templates --program, graph--> ops and graphs --> WorkflowSpec

Everything that is wrong is told at once, with file and line. What a graph says is checked as any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from sciflow.author.argo_file.interface import global_port
from sciflow.author.argo_file.source import At, Source
from sciflow.author.argo_file.workflow import EXIT, Imported, Workflow, name_of
from sciflow.core.expr import Const, Tree
from sciflow.core.graph import Graph, Template, WorkflowSpec
from sciflow.core.validate import validate
from sciflow.errors import InvalidWorkflow, Problem


def read_manifest(path: str, name: str = "", *, direct: bool = False) -> Imported:
    """The workflow of a file; of several, the one of that name. `direct`: programs run on this machine itself.

    Raises:
        InvalidWorkflow: everything in it that is wrong, or not known here.
        MissingExtra: the package that reads YAML is not there.
    """
    source = Source(path)
    documents = source.documents()
    main = _chosen(documents, name, source)
    made = Workflow(main, documents, direct=direct).imported()
    problems = list(dict.fromkeys(source.problems)) or validate(made.spec)
    if problems:
        raise InvalidWorkflow(problems)
    return made


def with_values(spec: WorkflowSpec, values: Mapping[str, Tree]) -> WorkflowSpec:
    """With the run's own values for what the exit handler knows of the workflow: it is called with the phase alone."""
    handler = spec.templates.get(EXIT)
    entry = spec.templates[spec.entry]
    if not isinstance(handler, Graph) or not isinstance(entry, Graph):
        return spec
    given = {global_port(port.name): values[port.name] for port in entry.inputs if port.name in values}
    ports = tuple(
        msgspec.structs.replace(port, default=Const(value=given[port.name])) if port.name in given else port
        for port in handler.inputs
    )
    templates: dict[str, Template] = {**spec.templates, EXIT: msgspec.structs.replace(handler, inputs=ports)}
    return msgspec.structs.replace(spec, templates=templates)


def _chosen(documents: list[At], name: str, source: Source) -> At:
    """The document that is to be run."""
    kinds = [document.text("kind") for document in documents]
    for kind in ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate"):
        ones = [document for document in documents if document.text("kind") == kind]
        if name:
            ones = [one for one in ones if name in (one.text("metadata", "name"), name_of(one))]
        if len(ones) == 1:
            return ones[0]
        if ones:
            told = ", ".join(f"{source.path}:{name_of(one)}" for one in ones)
            raise source.stopped(Problem(where=source.path, what=f"which workflow is meant? {told}"))
    raise source.stopped(_absent(source, name, kinds))


def _absent(source: Source, name: str, kinds: Iterable[str]) -> Problem:
    found = ", ".join(kind or "a document without kind" for kind in kinds) or "an empty file"
    return Problem(
        where=source.path,
        what=f"has no workflow {name!r}" if name else "has no workflow",
        expected="kind: Workflow or WorkflowTemplate",
        found=found,
        fix="run other kinds on Argo itself",
    )
