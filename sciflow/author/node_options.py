"""The options of one node, as records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import msgspec

from sciflow.author.options import FAN_ONLY
from sciflow.author.reference import Ref
from sciflow.author.secret import SecretRef
from sciflow.core.expr import Expr, Output, leaves
from sciflow.core.graph import Fan, Node, Policy, Resources, Secret
from sciflow.runner.names import type_name

if TYPE_CHECKING:
    from sciflow.author.tracer import GraphTracer, Site

_RESOURCES = Resources.__struct_fields__
_POLICY = Policy.__struct_fields__
_FAN = ("chunk", "parallelism", "min_success")


def node_of(site: Site, tracer: GraphTracer, *, fan: Fan | None, inputs: dict[str, Expr]) -> Node:
    """The node that a call makes; what is wrong with its options is noted."""
    options = _Options(_fit_settings(site, tracer, fan), tracer, site.where)
    return Node(
        id=tracer.new_id(options.settings.get("name") or site.template),
        template=site.template,
        inputs=inputs,
        after=options.after(),
        when=tracer.condition,
        fan=None if fan is None else msgspec.structs.replace(fan, **options.among(_FAN)),
        key=options.key(fan, inputs),
        policy=options.policy(),
        resources=Resources(**options.among(_RESOURCES)),
        executor=options.place("executor"),
        image=options.place("image"),
        where=site.where,
    )


def _fit_settings(site: Site, tracer: GraphTracer, fan: Fan | None) -> Mapping[str, Any]:
    """The settings of a call whose values can be."""
    settings = site.target.settings
    if not settings:
        return settings
    from sciflow.author.option_check import unfit_values

    wrong = list(unfit_values(settings, site.where))
    tracer.problems.extend(wrong)
    said = {p.what.split()[1] for p in wrong}
    good = {name: value for name, value in settings.items() if name not in said}
    _refuse_misplaced(good.keys(), tracer, of_run=site.target.run_only, fan=fan, where=site.where)
    return good


def _refuse_misplaced(
    settings: AbstractSet[str], tracer: GraphTracer, *, of_run: frozenset[str], fan: Fan | None, where: str
) -> None:
    for name in sorted(of_run & settings):
        tracer.say(
            where,
            f"option {name} is of a run, not of a call",
            expected="an option of a node",
            found=name,
            fix=f"give it where the workflow is run: .options({name}=...).run(...)",
        )
    for name in sorted(FAN_ONLY & settings) if fan is None else ():
        tracer.say(
            where,
            f"option {name} is of a fan, and this is one call",
            expected=".map(...) or .product(...)",
            found="a plain call",
            fix=f"leave {name} out",
        )


class _Options(msgspec.Struct, frozen=True):
    """The options of one call, each as the record of a node has it."""

    settings: Mapping[str, Any]
    tracer: GraphTracer
    where: str

    def among(self, names: Iterable[str]) -> dict[str, Any]:
        """Those of these names that are given, as they are."""
        return {name: self.settings[name] for name in names if name in self.settings}

    def policy(self) -> Policy:
        """How the node's tasks are run."""
        given = self.among(_POLICY)
        for name in _AS_RECORDED.keys() & given.keys():
            given[name] = _AS_RECORDED[name](given[name])
        return Policy(**given)

    def key(self, fan: Fan | None, inputs: dict[str, Expr]) -> Expr | None:
        """The user's name for the node's tasks."""
        if "key" not in self.settings:
            return None
        from sciflow.author.key import key_of

        return key_of(self.settings["key"], self.tracer, fan=fan, inputs=inputs, where=self.where)

    def place(self, name: str) -> Expr | None:
        """The executor or image."""
        value = self.settings.get(name)
        if isinstance(value, (str, Ref)):
            return self.tracer.lift(value, where=self.where, what=name)
        if value is not None:
            self.tracer.say(
                self.where,
                f"option {name} cannot be {value!r}",
                expected="a name, or a reference to one",
                found=type(value).__name__,
                fix=f'write {name}="..."',
            )
        return None

    def after(self) -> tuple[str, ...]:
        """The nodes that references of `after` rest on."""
        given = self.settings.get("after", ())
        items = given if isinstance(given, (list, tuple)) else (given,)
        return tuple(dict.fromkeys(node for item in items for node in self._nodes(item)))

    def _nodes(self, item: Any) -> list[str]:
        expr = self.tracer.lift(item, where=self.where, what="after")
        nodes = [leaf.node for leaf in leaves(expr) if isinstance(leaf, Output)]
        if not nodes:
            self.tracer.say(
                self.where,
                "option after takes results of other nodes",
                expected="a reference, or a list of them",
                found=repr(item),
                fix="pass what the earlier call returned",
            )
        return nodes


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _classes(value: Any) -> tuple[str, ...]:
    return tuple(map(type_name, value if isinstance(value, Iterable) else (value,)))


def _locks(value: Any) -> Mapping[str, int]:
    return value if isinstance(value, Mapping) else dict.fromkeys(_texts(value), 1)


def _environment(value: Mapping[str, Any]) -> dict[str, str | Secret]:
    return {k: Secret(env=v.env, file=v.file) if isinstance(v, SecretRef) else v for k, v in value.items()}


_AS_RECORDED: Mapping[str, Callable[[Any], object]] = {
    "keep": _texts,
    "never_keep": _texts,
    "retry_on": _classes,
    "locks": _locks,
    "env": _environment,
}
