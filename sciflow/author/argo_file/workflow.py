"""A manifest as a whole: its arguments, the template that it begins with, and the one that is called at its end."""

from __future__ import annotations

import msgspec

from sciflow.author.argo_file import fields
from sciflow.author.argo_file.calls import Callee, Step, arguments_of, node_of
from sciflow.author.argo_file.fields import check
from sciflow.author.argo_file.interface import FILE, TEXT, global_port, named
from sciflow.author.argo_file.library import Entry, Library
from sciflow.author.argo_file.rewriting import rewritten
from sciflow.author.argo_file.running import duration, number
from sciflow.author.argo_file.scope import Scope
from sciflow.author.argo_file.source import At
from sciflow.author.argo_file.templates import Templates, input_tags
from sciflow.author.session import legal_name
from sciflow.core.expr import Build, Const, Expr, Input, Output
from sciflow.core.graph import Graph, Node, Template, WorkflowSpec
from sciflow.core.ports import ANY, NONE, Port, Type

MAIN = "main"
EXIT = "exit_handler"


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The workflow, what it is for, and what of the file has no meaning here."""

    spec: WorkflowSpec
    about: str
    notes: tuple[str, ...]


def name_of(document: At) -> str:
    """The name of a manifest."""
    return document.text("metadata", "name") or document.text("metadata", "generateName").rstrip("-") or "workflow"


class Workflow:
    """One manifest; `others` of the same file may be WorkflowTemplates to which it refers."""

    def __init__(self, main: At, documents: list[At], *, direct: bool) -> None:
        self._name = name_of(main)
        self._main = main
        self._others = {
            name_of(one): spec
            for one in documents
            if one.text("kind").endswith("WorkflowTemplate") and (spec := one.get("spec")) is not None
        }
        self._spec = self._own_spec()
        check(main, fields.WORKFLOW, "a manifest")
        check(self._spec, fields.SPEC, "a workflow")
        self._library = Library(self._spec, self._others)
        self._arguments = named(self._spec.list("arguments", "parameters"))
        self._artifacts = named(self._spec.list("arguments", "artifacts"))
        self._constants: dict[str, Expr] = self._constant_tags()
        self._templates = Templates(self._library, self._constants, direct=direct, taken=(MAIN, EXIT))

    def _own_spec(self) -> At:
        """The spec, with that of the WorkflowTemplate to which it refers beneath it."""
        spec = self._main.get("spec") or At({}, "spec", self._main.line, self._main.source)
        reference = spec.get("workflowTemplateRef")
        if reference is None:
            return spec
        other = self._others.get(reference.text("name"))
        if other is None:
            reference.named("WorkflowTemplate in this file", dict(self._others), reference.text("name"))
            return spec
        merged = {**other.fields, **spec.fields}
        if other.get("arguments") is not None and spec.get("arguments") is not None:
            merged["arguments"] = _merged(other.fields["arguments"], spec.fields["arguments"])
        return At(merged, spec.path, spec.line, spec.source)

    def _constant_tags(self) -> dict[str, Expr]:
        metadata = self._main.get("metadata")
        known: dict[str, Expr] = {
            "workflow.name": Const(value=self._name),
            "workflow.namespace": Const(value=self._main.text("metadata", "namespace") or "default"),
        }
        for kind in ("labels", "annotations"):
            part = None if metadata is None else metadata.get(kind)
            for name, at in ({} if part is None else part.fields).items():
                known[f"workflow.{kind}.{name}"] = Const(value=at.text())
        return known

    # --- the whole

    def imported(self) -> Imported:
        """The workflow."""
        entry = self._entry("entrypoint")
        handler = None if self._spec.get("onExit") is None else self._entry("onExit")
        templates: dict[str, Template] = {}
        main = self._main_graph(entry) if entry is not None else None
        if handler is not None:
            templates[EXIT] = self._exit_graph(handler)
        if main is not None:
            templates[MAIN] = main if handler is None else msgspec.structs.replace(main, on_exit=EXIT)
        about = self._main.text("metadata", "annotations", "workflows.argoproj.io/description")
        return Imported(
            spec=WorkflowSpec(
                name=legal_name(self._name),
                entry=MAIN,
                templates={**templates, **self._templates.made, **self._templates.graphs},
            ),
            about=about,
            notes=tuple(dict.fromkeys(self._main.source.notes)),
        )

    def _entry(self, field: str) -> Entry | None:
        name = self._spec.text(field)
        found = self._library.entries.get(name)
        home = self._spec.text("workflowTemplateRef", "name")
        found = found or self._library.entries.get(f"{home}/{name}")
        if found is None and not self._main.source.problems:
            at = self._spec.get(field) or self._spec
            at.named(f"template for {field}", self._library.entries, name)
        return found

    def _main_graph(self, entry: Entry) -> Graph:
        """The run's own graph: its inputs are the arguments; the steps of the entry template are its own."""
        known = {f"workflow.parameters.{name}": Input(port=legal_name(name)) for name in self._arguments}
        known |= {f"workflow.artifacts.{name}": Input(port=legal_name(name)) for name in self._artifacts}
        scope = Scope({**self._constants, **known})
        interface = self._templates.interface(entry)
        timeout_s = duration(self._spec.get("activeDeadlineSeconds"))
        most = self._spec.get("parallelism")
        parallelism = None if most is None else number(most, 1)
        if entry.kind not in ("dag", "steps"):
            node = self._single(entry, scope)
            return Graph(
                name=MAIN,
                inputs=self._ports(),
                nodes=(node,),
                result=Output(node=node.id),
                output=ANY,
                timeout_s=timeout_s,
                parallelism=parallelism,
                where=entry.at.where,
            )
        given = arguments_of(self._call_of(entry), Callee(name=entry.key, interface=interface), scope)
        graph = self._templates.graph(entry, MAIN, interface, {**scope.known, **input_tags(interface, given)})
        limits = [limit for limit in (graph.parallelism, parallelism) if limit is not None]
        return msgspec.structs.replace(
            graph,
            inputs=self._ports(),
            result=graph.result if interface.fields else _nothing(graph.result),
            timeout_s=timeout_s,
            parallelism=min(limits, default=None),
        )

    def _single(self, entry: Entry, scope: Scope) -> Node:
        callee = self._templates.callee(entry)
        step = Step(
            id=legal_name(entry.at.text("name")),
            callee=callee,
            inputs=arguments_of(self._call_of(entry), callee, scope),
            after=(),
            when=None,
            items=None,
            tolerant=False,
            parallelism=None,
            where=entry.at.where,
        )
        return node_of(step, self._templates.graphs)

    def _call_of(self, entry: Entry) -> At:
        """The workflow's arguments as those of a call of the template: each goes to the input of its name."""
        at = self._spec
        wanted = named(entry.at.list("inputs", "parameters"))
        parameters = [
            _given(one, "value", f"workflow.parameters.{name}")
            for name, one in self._arguments.items()
            if name in wanted
        ]
        artifacts = [_given(one, "from", f"workflow.artifacts.{name}") for name, one in self._artifacts.items()]
        arguments = {
            "parameters": At(parameters, "spec.arguments.parameters", at.line, at.source),
            "artifacts": At(artifacts, "spec.arguments.artifacts", at.line, at.source),
        }
        return At({"arguments": At(arguments, "spec.arguments", at.line, at.source)}, at.path, at.line, at.source)

    def _ports(self) -> tuple[Port, ...]:
        found = []
        for name, at in self._arguments.items():
            check(at, fields.PARAMETER, "a parameter")
            values = tuple(one.text() for one in at.list("enum"))
            type_ = Type(name="literal", values=values) if values else Type(name="str")
            default = at.get("value") or at.get("default")
            found.append(
                Port(
                    name=legal_name(name), type=type_, default=None if default is None else Const(value=default.text())
                )
            )
        for name, at in self._artifacts.items():
            check(at, fields.ARTIFACT, "an artifact")
            content = at.get("raw", "data")
            default_text = None if content is None else Const(value=content.text())
            type_ = Type(name="path") if content is None else FILE
            found.append(Port(name=legal_name(name), type=type_, default=default_text))
        return tuple(found)

    def _exit_graph(self, entry: Entry) -> Graph:
        """What is called at the end, with the phase; what else it is told are defaults, see `with_values`."""
        interface = self._templates.interface(entry)
        needs = {need for need in interface.needs if need != "status"}
        needs |= {f"parameters.{name}" for name in interface.parameters if name in self._arguments}
        known: dict[str, Expr] = {f"workflow.{need}": Input(port=global_port(need)) for need in needs}
        known["workflow.status"] = Input(port="phase")
        node = self._single(entry, Scope({**self._constants, **known}))
        ports = [Port(name="phase", type=Type(name="str"))]
        for need in sorted(needs):
            at = self._arguments.get(need.removeprefix("parameters."))
            default = None if at is None else at.get("value") or at.get("default")
            value = None if default is None else default.text()
            ports.append(Port(name=global_port(need), type=TEXT, default=Const(value=value)))
        return Graph(
            name=EXIT, inputs=tuple(ports), nodes=(node,), result=Const(value=None), output=NONE, where=entry.at.where
        )


def _nothing(result: Expr) -> Expr:
    """The result of a run whose entry template has no outputs: None, unless it says that the run has failed."""
    return rewritten(result, lambda e: Const(value=None) if isinstance(e, Build) and not e.parts else None)


def _given(argument: At, field: str, tag: str) -> At:
    """An argument of a call: what the tag stands for, under the argument's name."""
    value = At(f"{{{{{tag}}}}}", argument.path, argument.line, argument.source)
    return At({"name": argument.fields["name"], field: value}, argument.path, argument.line, argument.source)


def _merged(base: At, over: At) -> At:
    """Arguments with others before them, by name."""
    made = {}
    for kind in ("parameters", "artifacts"):
        ones = {**named(base.list(kind)), **named(over.list(kind))}
        made[kind] = At(list(ones.values()), over.path, over.line, over.source)
    return At(made, over.path, over.line, over.source)
