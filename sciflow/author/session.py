"""One tracing of a workflow and of all that it calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from sciflow.author.active import TRACER
from sciflow.author.code import code_of, identity_of
from sciflow.author.location import user_place
from sciflow.author.reference import Ref
from sciflow.author.signature import Signature, read_signature
from sciflow.author.tracer import GraphTracer
from sciflow.author.verbs import Verbs
from sciflow.author.workflow import Workflow
from sciflow.core.expr import BROKEN, Input
from sciflow.core.graph import Graph, OpTemplate, Suspend, Template, WorkflowSpec
from sciflow.core.ports import Type
from sciflow.errors import InvalidWorkflow, Problem


class Session:
    """Templates by name, each made once per function, and what was found wrong on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.templates: dict[str, Template] = {}
        self._known: dict[int, tuple[Verbs[..., Any], str, Signature]] = {}  # by id of the function

    def spec(self, target: Verbs[..., Any]) -> WorkflowSpec:
        """The whole, traced; an op becomes a workflow of one node."""
        name, signature = self.template(target)
        if not isinstance(target, Workflow):
            name = self._single(target, name, signature)
        self._identify()
        return WorkflowSpec(name=legal_name(target.__name__), entry=name, templates=self.templates)

    def unfinished(self, target: Verbs[..., Any]) -> WorkflowSpec:
        """What was traced until a line that cannot be."""
        name = legal_name(target.__name__)
        return WorkflowSpec(name=name, entry=name, templates=self.templates)

    def template(self, target: Verbs[..., Any]) -> tuple[str, Signature]:
        """The name and signature of an op's or workflow's template, made at the first call."""
        known = self._known.get(id(target.function))
        return (known[1], known[2]) if known is not None else self._make(target)

    def suspend(self, name: str, message: str, output: Type, where: str) -> str:
        """A template that waits to be resumed; its name."""
        name = self._free(legal_name(name))
        self.templates[name] = Suspend(name=name, message=message, output=output, where=where)
        return name

    def _make(self, target: Verbs[..., Any]) -> tuple[str, Signature]:
        of = "workflow" if isinstance(target, Workflow) else "op"
        signature = read_signature(target.function, of=of, where=user_place(), problems=self.problems)
        name = self._free(legal_name(target.__name__))
        self._known[id(target.function)] = (target, name, signature)
        if isinstance(target, Workflow):
            self._trace(target, name, signature)
        else:
            code = code_of(target, signature, self.problems)
            ports = tuple(signature.ports.values())
            self.templates[name] = OpTemplate(
                name=name, inputs=ports, output=signature.output, code=code, where=signature.where
            )
        return name, signature

    def _trace(self, target: Workflow[..., Any], name: str, signature: Signature) -> None:
        ports = tuple(signature.ports.values())
        blank = Graph(name=name, inputs=ports, nodes=(), output=signature.output, where=signature.where)
        self.templates[name] = blank  # where the function calls itself, it finds its own name
        tracer = GraphTracer(self)
        arguments = {p.name: Ref(Input(port=p.name), p.type, tracer) for p in ports}
        by_position = [arguments.pop(name) for name in signature.positional]
        try:
            with tracing(tracer):
                returned = target.function(*by_position, **arguments)
        except InvalidWorkflow:  # what was traced until here is checked all the same
            self.templates[name] = msgspec.structs.replace(blank, nodes=tuple(tracer.nodes), result=BROKEN)
            raise
        self.templates[name] = msgspec.structs.replace(
            blank,
            nodes=tuple(tracer.nodes),
            result=tracer.lift(returned, where=signature.where, what="the returned value"),
            on_exit=self._exit_handler(target, name, signature.where),
            timeout_s=target.timeout_s,
            parallelism=target.parallelism,
        )

    def _exit_handler(self, target: Workflow[..., Any], name: str, where: str) -> str | None:
        """The template that is run at the end."""
        handler: object = target.on_exit
        if handler is None:
            return None
        if isinstance(handler, Verbs):
            made, signature = self.template(handler)
            # only a node has options, and arguments that are given before
            return self._single(handler, made, signature) if handler.settings or handler.fixed else made
        found = f"{getattr(handler, '__name__', handler)!s}, which is neither" if callable(handler) else repr(handler)
        self.problems.append(
            Problem(
                where=where,
                what=f"on_exit of {name} cannot be run",
                expected="an op or workflow with one input, phase: str",
                found=found,
                fix="write @op above the function" if callable(handler) else "name an op, or leave on_exit out",
            )
        )
        return None

    def _single(self, target: Verbs[..., Any], name: str, signature: Signature) -> str:
        """A graph whose one node is the op."""
        graph = self._free(name)
        tracer = GraphTracer(self)
        ports = tuple(port for name, port in signature.ports.items() if name not in target.fixed)
        result = tracer.call(
            target.without(target.run_names), (), {p.name: Ref(Input(port=p.name), p.type, tracer) for p in ports}
        )
        self.templates[graph] = Graph(
            name=graph,
            inputs=ports,
            nodes=tuple(tracer.nodes),
            result=tracer.lift(result, where=signature.where, what="the result"),
            output=signature.output,
            where=signature.where,
        )
        return graph

    def _identify(self) -> None:
        """Notes by what the ops are known whose outcomes the cache is asked for; the others need not be looked into."""
        graphs = [template for template in self.templates.values() if isinstance(template, Graph)]
        cached = {node.template for graph in graphs for node in graph.nodes if node.policy.cache}
        for target, name, _ in self._known.values():
            template = self.templates[name]
            if name in cached and isinstance(template, OpTemplate):
                self.templates[name] = msgspec.structs.replace(template, identity=identity_of(target))

    def _free(self, name: str) -> str:
        """`name`, or `name-2` and so on."""
        made, count = name, 1
        while made in self.templates:
            count += 1
            made = f"{name}-{count}"
        return made


@contextmanager
def tracing(tracer: GraphTracer) -> Iterator[None]:
    """Calls of ops go to `tracer`."""
    token = TRACER.set(tracer)
    try:
        yield
    finally:
        TRACER.reset(token)


def legal_name(name: str) -> str:
    """A function's name as a template's: ASCII letters, digits and underscores."""
    if name.isascii() and name.isidentifier() and name.strip("_") == name:
        return name
    import re
    import unicodedata

    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    text = re.sub(r"\W+", "_", plain).strip("_") or "op"
    return text if not text[0].isdigit() else f"_{text}"
