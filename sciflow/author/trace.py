"""Tracing: a workflow's function is called once with references, and what it calls is written down as a graph."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Iterator, Literal

from sciflow.author.active import TRACER
from sciflow.author.code import code_of
from sciflow.author.lift import Unencodable, lifted
from sciflow.author.location import user_place
from sciflow.author.node_options import NodeSettings, read_settings
from sciflow.author.reference import Ref
from sciflow.author.signature import Signature, read_signature
from sciflow.author.verbs import Verbs
from sciflow.author.workflow import Workflow
from sciflow.core.expr import Call, Const, Expr, Input, Output
from sciflow.core.graph import Fan, Graph, Node, OpTemplate, Template, WorkflowSpec
from sciflow.core.inference import item_type
from sciflow.core.ports import Type, list_of, optional
from sciflow.errors import InvalidWorkflow, Problem

BROKEN = Const(value={"$": "broken"})  # stands for a value whose problem has been said: fits every type


class Session:
    """One tracing of a workflow and of all that it calls; a template is made once per function."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.templates: dict[str, Template] = {}
        self._known: dict[int, tuple[Verbs[..., Any], str, Signature]] = {}

    def template(self, target: Verbs[..., Any]) -> tuple[str, Signature]:
        """The name and signature of an op's or workflow's template, made at the first call."""
        known = self._known.get(id(target.function))
        return (known[1], known[2]) if known is not None else self._make(target)

    def _make(self, target: Verbs[..., Any]) -> tuple[str, Signature]:
        is_graph = isinstance(target, Workflow)
        signature = read_signature(target.function, of="workflow" if is_graph else "op", problems=self.problems)
        name = free_name(legal_name(target.__name__), self.templates)
        self._known[id(target.function)] = (target, name, signature)
        if is_graph:
            self._trace(target, name, signature)  # type: ignore[arg-type]
        else:
            code, identity = code_of(target, signature, self.problems)
            self.templates[name] = OpTemplate(
                name=name, inputs=tuple(signature.ports.values()), output=signature.output,
                code=code, identity=identity, where=signature.where,
            )  # fmt: skip
        return name, signature

    def _trace(self, target: Workflow[..., Any], name: str, signature: Signature) -> None:
        blank = Graph(
            name=name, inputs=tuple(signature.ports.values()), nodes=(), output=signature.output, where=signature.where
        )
        self.templates[name] = blank  # a call of itself finds it by name
        tracer = GraphTracer(self)
        arguments = {p: Ref(Input(port=p), port.type, tracer) for p, port in signature.ports.items()}
        by_position = [arguments.pop(p) for p in signature.positional]
        with tracing(tracer):
            returned = target.function(*by_position, **arguments)
        on_exit = None if target.on_exit is None else self.template(target.on_exit)[0]
        self.templates[name] = Graph(
            name=name, inputs=blank.inputs, nodes=tuple(tracer.nodes), output=blank.output, where=blank.where,
            result=tracer.lift(returned, where=signature.where, what="the returned value"),
            on_exit=on_exit, timeout_s=target.timeout_s, parallelism=target.parallelism,
        )  # fmt: skip

    def spec(self, target: Verbs[..., Any]) -> WorkflowSpec:
        """The whole, traced, an op as a workflow of one node; `problems` tells what was found on the way."""
        name, signature = self.template(target)
        if not isinstance(target, Workflow):
            name = self._single(target, name, signature)
        return WorkflowSpec(name=legal_name(target.__name__), entry=name, templates=self.templates)

    def _single(self, target: Verbs[..., Any], name: str, signature: Signature) -> str:
        graph = free_name(name, self.templates)
        tracer = GraphTracer(self)
        inputs = {
            p: Ref(Input(port=p), port.type, tracer) for p, port in signature.ports.items() if p not in target.fixed
        }
        result = tracer.call(target, (), inputs)
        ports = tuple(signature.ports[p] for p in inputs)
        self.templates[graph] = Graph(
            name=graph, inputs=ports, nodes=tuple(tracer.nodes), result=tracer.lift(result, where="", what=name),
            output=signature.output, where=signature.where,
        )  # fmt: skip
        return graph


@contextmanager
def tracing(tracer: GraphTracer) -> Iterator[None]:
    """Calls of ops go to `tracer`."""
    token = TRACER.set(tracer)
    try:
        yield
    finally:
        TRACER.reset(token)


class GraphTracer:
    """Writes down the nodes of one graph."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.nodes: list[Node] = []
        self.conditions: list[Expr] = []
        self._ids: dict[str, int] = {}
        self._condition: Expr | None = None

    @property
    def problems(self) -> list[Problem]:
        """What has been found wrong so far, in all graphs."""
        return self.session.problems

    def call(self, target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Ref:
        """One node."""
        where = user_place()
        template, signature = self.session.template(target)
        given = self._bound(target, signature, args, kwargs, where)
        inputs = {port: self.lift(value, where=where, what=port, signature=signature) for port, value in given.items()}
        return self._node(target, template, signature.output, inputs, None, where)

    def fan(
        self, target: Verbs[..., Any], mode: Literal["zip", "product"],
        lists: Sequence[Iterable[Any]], named: Mapping[str, Iterable[Any]],
    ) -> Ref:  # fmt: skip
        """One node with a slice per element."""
        where = user_place()
        template, signature = self.session.template(target)
        over = self._bound(target, signature, lists, named, where, fan=True)
        if not over:
            self.say(
                where,
                f"a fan of {template} over nothing",
                "at least one list",
                "none",
                f"{template}.map({next(iter(signature.ports), 'x')}=[...])",
            )
        fixed = {
            p: self.lift(v, where=where, what=p, signature=signature) for p, v in target.fixed.items() if p not in over
        }
        columns = {p: self.lift(listed(v), where=where, what=p, signature=signature) for p, v in over.items()}
        return self._node(target, template, signature.output, fixed, Fan(over=columns, mode=mode), where)

    def _bound(
        self, target: Verbs[..., Any], signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any], where: str, *, fan: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        given = dict(zip(signature.positional, args, strict=False))
        if len(args) > len(signature.positional):
            self.say(
                where, f"{target.__name__} is given {len(args)} arguments by position",
                f"at most {len(signature.positional)}: {', '.join(signature.positional) or 'none'}", str(len(args)), "name the others",
            )  # fmt: skip
        fixed = {} if fan else target.fixed
        for name in [n for n in given if n in kwargs or n in target.fixed]:
            self.say(where, f"{target.__name__} is given {name} twice", "one value", "two", "leave one out")
        return {**fixed, **given, **kwargs} if fixed or kwargs else given

    def _node(
        self, target: Verbs[..., Any], template: str, output: Type, inputs: dict[str, Expr], fan: Fan | None, where: str,
    ) -> Ref:  # fmt: skip
        settings = read_settings(target, self, fan=fan, inputs=inputs, where=where)
        id_ = self.new_id(settings.name or template)
        self.nodes.append(settings.node(id_=id_, template=template, inputs=inputs, when=self.condition, where=where))
        if fan is not None:
            output = list_of(optional(output) if settings.min_success is not None else output)
        return Ref(Output(node=id_), output, self)

    @property
    def condition(self) -> Expr | None:
        """What must hold for the nodes made now."""
        return self._condition

    @contextmanager
    def under(self, condition: Expr) -> Iterator[None]:
        """Nodes made inside are run only where `condition` holds too."""
        outer = self._condition
        self._condition = condition if outer is None else Call(function="and", args=(outer, condition))
        try:
            yield
        finally:
            self._condition = outer

    def new_id(self, name: str) -> str:
        """A node id not used before: `name`, or `name-2` and so on."""
        count = self._ids.get(name, 0) + 1
        self._ids[name] = count
        made = name if count == 1 else f"{name}-{count}"
        if count > 1 and made in self._ids:
            return self.new_id(name)
        self._ids.setdefault(made, 1)
        return made

    def lift(self, value: Any, *, where: str, what: str, signature: Signature | None = None) -> Expr:
        """The expression for a value; where it cannot be written down, a problem and something in its place."""
        if type(value) is Ref and value._tracer is self:  # noqa: SLF001
            return value._expr  # noqa: SLF001
        port = None if signature is None else signature.ports.get(what)
        try:
            return lifted(value, pickled=port is not None and port.type.pickled, tracer=self)
        except Unencodable as error:
            self.say(
                where,
                f"{what} cannot be written into the workflow",
                str(port.type) if port else "a value that travels",
                error.found,
                error.fix,
            )
            return BROKEN

    def say(self, where: str, what: str, expected: str, found: str, fix: str) -> None:
        """Note a problem and go on."""
        self.session.problems.append(Problem(where=where, what=what, expected=expected, found=found, fix=fix))


def listed(value: Any) -> Any:
    """A range, generator or set given to a fan as the list it stands for; others as they are."""
    if isinstance(value, (list, tuple, Ref, str, bytes, dict)) or not isinstance(value, Iterable):
        return value
    return list(value)


def legal_name(name: str) -> str:
    """A function's name as a template's: ASCII letters, digits and underscores."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    text = re.sub(r"\W+", "_", plain).strip("_") or "op"
    return text if not text[0].isdigit() else f"_{text}"


def free_name(name: str, taken: Mapping[str, object]) -> str:
    """`name`, or `name-2` and so on."""
    made, count = name, 1
    while made in taken:
        count += 1
        made = f"{name}-{count}"
    return made
