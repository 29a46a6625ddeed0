"""Writes down the nodes of one graph while the workflow's function is called with references."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sciflow.author.lift import Unencodable, lifted
from sciflow.author.location import user_place
from sciflow.author.node_options import node_of
from sciflow.author.reference import Ref
from sciflow.author.signature import Signature
from sciflow.author.verbs import Verbs
from sciflow.core.checking import truth_problem
from sciflow.core.expr import BROKEN, Call, Expr, Output
from sciflow.core.graph import Fan, Node, fanned
from sciflow.core.ports import ANY, Type
from sciflow.errors import Problem

if TYPE_CHECKING:
    from sciflow.author.session import Session


class Site(msgspec.Struct, frozen=True):
    """A line of the workflow that makes a node."""

    target: Verbs[..., Any]
    template: str
    signature: Signature
    where: str


class GraphTracer:
    """The tracer of one graph; `condition` is what must hold for the nodes made now."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.nodes: list[Node] = []
        self.condition: Expr | None = None
        self._counts: dict[str, int] = {}  # node ids, and how often each was asked for

    @property
    def problems(self) -> list[Problem]:
        """What has been found wrong so far, in all graphs."""
        return self.session.problems

    def call(self, target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Ref:
        """One node."""
        site = Site(target, *self.session.template(target), user_place())
        given = self._bound(site, args, kwargs) if site.signature.known else {}
        if target.fixed:
            given = {**target.fixed, **given}
        return self._node(site, {port: self._lift_input(site, port, value) for port, value in given.items()})

    def fan(
        self,
        target: Verbs[..., Any],
        mode: Literal["zip", "product"],
        lists: Sequence[Iterable[Any]],
        named: Mapping[str, Iterable[Any]],
    ) -> Ref:
        """One node with a slice per element."""
        site = Site(target, *self.session.template(target), user_place())
        over = {port: self._lift_input(site, port, as_list(v)) for port, v in self._bound(site, lists, named).items()}
        if not over:
            example = f"{site.template}.map({next(iter(site.signature.ports), 'x')}=[...])"
            what = f"a fan of {site.template} over nothing"
            self.say(site.where, what, expected="at least one list", found="none", fix=f"write {example}")
            return Ref(BROKEN, ANY, self)
        inputs = {port: self._lift_input(site, port, v) for port, v in target.fixed.items() if port not in over}
        return self._node(site, inputs, Fan(over=over, mode=mode))

    def suspend(self, message: str, output: Type, name: str, where: str) -> Ref:
        """A node that waits to be resumed."""
        template = self.session.suspend(name, message, output, where)
        id_ = self.new_id(template)
        self.nodes.append(Node(id=id_, template=template, when=self.condition, where=where))
        return Ref(Output(node=id_), output, self)

    def condition_of(self, value: Any, where: str) -> Expr:
        """The expression for a condition, which has to be true or false."""
        if isinstance(value, Ref):
            said = truth_problem(value._expr, value._type, where)  # noqa: SLF001
            if said is not None:
                self.problems.append(said)
                return BROKEN
        return self.lift(value, where=where, what="the condition")

    @contextmanager
    def under(self, condition: Expr) -> Iterator[None]:
        """Nodes made inside are run only where `condition` holds too."""
        outer = self.condition
        self.condition = condition if outer is None else Call(function="and", args=(outer, condition))
        try:
            yield
        finally:
            self.condition = outer

    def lift(self, value: Any, *, where: str, what: str, expected: str = "", pickled: bool = False) -> Expr:
        """The expression for a value; where it cannot be written down, a problem and something in its place."""
        try:
            return lifted(value, pickled=pickled, tracer=self)
        except Unencodable as error:
            what = f"{what} cannot be written into the workflow"
            self.say(where, what, expected=expected or "a value that travels", found=error.found, fix=error.fix)
            return BROKEN

    def say(self, where: str, what: str, *, expected: str, found: str, fix: str) -> None:
        """Note a problem and go on."""
        self.problems.append(Problem(where=where, what=what, expected=expected, found=found, fix=fix))

    def _lift_input(self, site: Site, name: str, value: Any) -> Expr:
        port = site.signature.ports.get(name)
        if port is None:
            return self.lift(value, where=site.where, what=name)
        what = f"{name} of {site.template}"
        return self.lift(value, where=site.where, what=what, expected=str(port.type), pickled=port.type.pickled)

    def _bound(self, site: Site, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name; unknown names are kept, for the graph's own check to report."""
        positional = site.signature.positional
        given = dict(zip(positional, args, strict=False))
        if len(args) > len(positional):
            self.say(
                site.where,
                f"{site.template} is given {len(args)} arguments by position",
                expected=f"at most {len(positional)}: {', '.join(positional)}",
                found=str(len(args)),
                fix="leave out what is too many, or name the keyword-only ones",
            )
        for name in [n for n in given if n in kwargs or n in site.target.fixed]:
            what = f"{site.template} is given {name} twice"
            self.say(site.where, what, expected="one value", found="two", fix="leave one of them out")
        for name in site.signature.position_only & kwargs.keys():
            what = f"{name} of {site.template} has no name for its callers"
            self.say(
                site.where, what, expected="an argument by position", found=f"{name}=...", fix=f"leave out `{name}=`"
            )
        return {**given, **kwargs} if kwargs else given

    def _node(self, site: Site, inputs: dict[str, Expr], fan: Fan | None = None) -> Ref:
        if hasattr(site.target, "declaration"):  # a program has no defaults of its own
            over = {} if fan is None else fan.over
            ports = site.signature.ports.values()
            inputs = {**{p.name: p.default for p in ports if p.default is not None and p.name not in over}, **inputs}
        node = node_of(site, self, fan=fan, inputs=inputs)
        self.nodes.append(node)
        return Ref(Output(node=node.id), fanned(site.signature.output, node.fan), self)

    def new_id(self, name: str) -> str:
        """A node id not used before: `name`, or `name-2` and so on."""
        count = self._counts.get(name, 0) + 1
        while count > 1 and f"{name}-{count}" in self._counts:
            count += 1
        made = name if count == 1 else f"{name}-{count}"
        self._counts[name] = count
        self._counts.setdefault(made, 1)
        return made


def as_list(value: Any) -> Any:
    """A range, generator or set given to a fan as the list it stands for; others as they are."""
    if isinstance(value, (list, tuple, Ref, str, bytes, dict)) or not isinstance(value, Iterable):
        return value
    return list(value)
