"""Gives a node's expressions their values: inputs, lists of a fan, conditions, keys and places."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import msgspec

from sciflow.core.evaluation import Absent, condition, evaluate
from sciflow.core.expr import Const, Expr, Index, Input, Item, Output, Tree
from sciflow.core.graph import Fan, Graph, OpTemplate, Suspend
from sciflow.core.job import SINGLE, Need
from sciflow.core.ports import Port, accepts_none
from sciflow.core.records import Phase
from sciflow.core.spelling import spelled
from sciflow.engine.activation import Activation, NodeRun, TaskSet
from sciflow.engine.graph_index import const_text
from sciflow.engine.journal import Values
from sciflow.runner import codec
from sciflow.runner.failures import CodecError

NULL = b"null"
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


class BindingError(Exception):
    """An expression of a node has no value; the message says which and why."""


class NodeScope:
    """What leaves stand for inside one activation; with `elements`, inside one slice too."""

    def __init__(
        self, home: Activation, values: Values, *, slice_: int = SINGLE, items: dict[str, bytes] | None = None
    ) -> None:
        self._home = home
        self._values = values
        self._slice = slice_
        self._items = items or {}

    def leaf(self, expr: Input | Output | Item | Index) -> Tree:
        """See `core.evaluation.Scope`."""
        match expr:
            case Index():
                return self._slice
            case Item(port=port):
                return self.unfold(parse(self._items[port]))
            case Input(port=port):
                return self.unfold(parse(self._home.inputs[port]))
            case Output(node=node):
                return self.unfold(parse(output_text(self._home, node, self._values)))

    def unfold(self, tree: Tree) -> Tree:
        """See `core.evaluation.Scope`."""
        return self._values.unfold(tree)

    def decode(self, tree: Tree) -> object:
        """See `core.evaluation.Scope`."""
        match tree:
            case {"$": "enum", "is": plain}:  # a member of an IntEnum counts as the int that it is
                return codec.decode(plain)
            case _:
                return codec.decode(tree)

    def encode(self, value: object) -> Tree:
        """See `core.evaluation.Scope`."""
        return codec.encode(value)


def parse(text: bytes) -> Tree:
    """JSON text as a tree; integers of any size, unlike msgspec's."""
    return json.loads(text)


def output_text(home: Activation, node: str, values: Values) -> bytes:
    """The text of a node's output.

    Raises:
        Absent: the node was skipped.
    """
    run = home.nodes[home.index.position[node]]
    if run.phase is Phase.SKIPPED:
        raise Absent(run.path)
    if run.output is None:
        assert run.tasks is not None
        run.output = values.fold(values.gather(run.number, run.tasks.total))
    return run.output


def text_of(expr: Expr, home: Activation, values: Values) -> bytes:
    """The text of an expression; what only passes through is not parsed."""
    match expr:
        case Const():
            return const_text(expr)
        case Input(port=port):
            return home.inputs[port]
        case Output(node=node):
            return output_text(home, node, values)
        case _:
            return _guarded(expr, NodeScope(home, values))


def _guarded(expr: Expr, scope: NodeScope) -> bytes:
    try:
        return msgspec.json.encode(evaluate(expr, scope))
    except (LookupError, TypeError, ArithmeticError, ValueError, AttributeError, CodecError) as error:
        raise BindingError(f"{type(error).__name__}: {error}") from error


def holds(run: NodeRun, values: Values) -> bool:
    """Whether the node's `when` is true; false also if it rests on a skipped node."""
    if run.node.when is None:
        return True
    try:
        return condition(run.node.when, NodeScope(run.home, values))
    except Absent:
        return False
    except (LookupError, TypeError, ArithmeticError, ValueError, AttributeError, CodecError) as error:
        what = f"the condition of {run.node.id}, {spelled(run.node.when)},"
        raise BindingError(f"{what} has no value: {type(error).__name__}: {error}") from error


def input_texts(run: NodeRun, ports: Sequence[Port], values: Values) -> dict[str, bytes]:
    """The texts of the node's inputs that all its slices share; a skipped source leaves the default, or None."""
    known = {port.name: port for port in ports}
    texts = {}
    for name, expr in run.node.inputs.items():
        try:
            texts[name] = values.fold(text_of(expr, run.home, values))
        except Absent as source:
            texts[name] = _absent(known[name], str(source))
        except BindingError as error:
            raise BindingError(f"input {name!r} has no value: {error}") from error
    return texts


def _absent(port: Port, source: str) -> bytes:
    if port.default is not None:
        return const_text(port.default)
    if accepts_none(port.type):
        return NULL
    raise BindingError(f"input {port.name!r} comes from {source}, which was skipped, and has no default")


def split_object(text: bytes) -> dict[str, bytes]:
    """The members of a JSON object as texts."""
    return {name: bytes(raw) for name, raw in _OBJECT.decode(text).items()}


def join_object(texts: Mapping[str, bytes]) -> bytes:
    """The inverse of `split_object`."""
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), text) for name, text in texts.items()) + b"}"


def slice_texts(run: NodeRun, slice_: int) -> dict[str, bytes]:
    """What a task of a node is given: what all its slices have, and what this one takes from the lists."""
    assert run.tasks is not None
    return split_object(run.fixed) | dict(zip(run.tasks.columns, run.tasks.elements(slice_), strict=True))


def graph_inputs(graph: Graph, texts: dict[str, bytes]) -> dict[str, bytes]:
    """`texts`, with the defaults of the ports that are missing."""
    defaults = {p.name: const_text(p.default) for p in graph.inputs if p.default is not None}
    return defaults | texts


def ports_of(template: OpTemplate | Graph | Suspend) -> Sequence[Port]:
    """The template's input ports."""
    return () if isinstance(template, Suspend) else template.inputs


def task_set(run: NodeRun, values: Values) -> TaskSet:
    """The tasks of a node: one, or a slice per element of its lists."""
    fan = run.node.fan
    if fan is None:
        return TaskSet(total=1)
    lists = {port: _elements(port, expr, run, values) for port, expr in fan.over.items()}
    if fan.mode == "product":
        return _product(lists)
    lengths = {port: len(texts) for port, texts in lists.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{port} has {n}" for port, n in lengths.items())
        raise BindingError(f"the lists of a fan must be equally long: {told}")
    return TaskSet(total=next(iter(lengths.values())), single=False, columns=tuple(lists), lists=tuple(lists.values()))


def _product(lists: dict[str, Sequence[bytes]]) -> TaskSet:
    lengths = [len(texts) for texts in lists.values()]
    strides = [math.prod(lengths[i + 1 :]) for i in range(len(lengths))]
    columns = tuple(lists)
    total = math.prod(lengths)
    return TaskSet(total=total, single=False, columns=columns, lists=tuple(lists.values()), strides=strides)


def _elements(port: str, expr: Expr, run: NodeRun, values: Values) -> Sequence[bytes]:
    try:
        return values.elements(text_of(expr, run.home, values))
    except Absent as source:
        raise BindingError(f"the list of {port!r} comes from {source}, which was skipped") from None
    except (TypeError, BindingError) as error:
        raise BindingError(f"no list for {port!r} to fan out over: {error}") from error


def key_of(run: NodeRun, slice_: int, elements: Sequence[bytes], values: Values) -> str | None:
    """The user's key of a task, its holes filled."""
    if run.node.key is None or run.tasks is None:
        return None
    items = dict(zip(run.tasks.columns, elements, strict=True))
    scope = NodeScope(run.home, values, slice_=slice_, items=items)
    try:
        return str(codec.decode(parse(_guarded(run.node.key, scope))))
    except (Absent, BindingError) as error:
        raise BindingError(f"the key has no value: {error}") from None


def need_of(run: NodeRun, values: Values, default_executor: str) -> Need:
    """Where and with what the node's tasks run."""
    executor = _word(run.node.executor, run, values) or default_executor
    env = tuple(sorted(run.node.policy.env.items()))
    return Need(executor=executor, resources=run.node.resources, env=env, image=_word(run.node.image, run, values))


def _word(expr: Expr | None, run: NodeRun, values: Values) -> str | None:
    try:
        return None if expr is None else str(codec.decode(parse(text_of(expr, run.home, values))))
    except Absent as source:
        raise BindingError(f"the place rests on {source}, which was skipped") from None


def fan_of(run: NodeRun) -> Fan:
    """The fan of a node that has none: no limits."""
    return run.node.fan or Fan(over={})


def least_successes(run: NodeRun) -> int:
    """How many of the node's tasks must succeed."""
    total = run.tasks.total if run.tasks is not None else 0
    match fan_of(run).min_success:
        case None:
            return total
        case int() as count:
            return min(count, total)
        case float() as ratio:
            return math.ceil(round(ratio * total, 9))  # 0.7 of 10 is 7, whatever binary fractions make of it


def result_text(home: Activation, values: Values) -> bytes:
    """The text of what a graph gives back; null if it rests on a skipped node.

    Raises:
        BindingError: the expression has no value.
    """
    try:
        return values.fold(text_of(home.index.graph.result, home, values))
    except Absent:
        return NULL
