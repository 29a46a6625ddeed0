"""The options of one node, as records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from sciflow.author.key import key_of
from sciflow.author.option_check import unfit_values
from sciflow.author.options import FAN_ONLY, RUN_ONLY
from sciflow.author.reference import Ref
from sciflow.author.secret import SecretRef
from sciflow.author.verbs import Verbs
from sciflow.author.workflow import Workflow
from sciflow.core.expr import Expr, Output, leaves
from sciflow.core.graph import Fan, Node, Policy, Resources, Secret
from sciflow.runner.names import type_name

if TYPE_CHECKING:
    from sciflow.author.tracer import GraphTracer

_RESOURCES = frozenset(Resources.__struct_fields__)
_POLICY = frozenset(Policy.__struct_fields__)
_FAN = ("chunk", "workers", "parallelism", "min_success")
_DEFAULT_POLICY = Policy()
_DEFAULT_RESOURCES = Resources()


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that options say of a node."""

    name: str = ""
    min_success: float | None = None
    policy: Policy = _DEFAULT_POLICY
    resources: Resources = _DEFAULT_RESOURCES
    fan: Fan | None = None
    key: Expr | None = None
    after: tuple[str, ...] = ()
    executor: Expr | None = None
    image: Expr | None = None

    def node(self, *, id_: str, template: str, inputs: dict[str, Expr], when: Expr | None, where: str) -> Node:
        """The node that these settings and its inputs make."""
        return Node(
            id=id_, template=template, inputs=inputs, after=self.after, when=when, fan=self.fan, key=self.key,
            policy=self.policy, resources=self.resources, executor=self.executor, image=self.image, where=where,
        )  # fmt: skip


_PLAIN = NodeSettings()


def read_settings(
    target: Verbs[..., Any], tracer: GraphTracer, *, fan: Fan | None, inputs: dict[str, Expr], where: str
) -> NodeSettings:
    """The settings of the node that a call of `target` makes; what is wrong with them is noted."""
    settings = target.settings
    if not settings:
        return _PLAIN if fan is None else NodeSettings(fan=fan)
    wrong = list(unfit_values(settings, where))
    tracer.problems.extend(wrong)
    said = {p.what.split()[1] for p in wrong}
    good = {name: value for name, value in settings.items() if name not in said}
    _refuse_misplaced(
        good, tracer, of_run=RUN_ONLY if isinstance(target, Workflow) else frozenset(), fan=fan, where=where
    )
    return NodeSettings(
        name=good.get("name", ""),
        min_success=good.get("min_success") if fan is not None else None,
        policy=_policy(good),
        resources=Resources(**{n: good[n] for n in _RESOURCES & good.keys()}),
        fan=None if fan is None else msgspec.structs.replace(fan, **{n: good[n] for n in _FAN if n in good}),
        key=key_of(good["key"], tracer, fan=fan, inputs=inputs, where=where) if "key" in good else None,
        after=_ids(good.get("after", ()), tracer, where),
        executor=_place(good, "executor", tracer, where),
        image=_place(good, "image", tracer, where),
    )


def _refuse_misplaced(
    settings: Mapping[str, Any], tracer: GraphTracer, *, of_run: frozenset[str], fan: Fan | None, where: str
) -> None:
    for name in sorted(of_run & settings.keys()):
        tracer.say(
            where,
            f"option {name} is of a run, not of a call",
            expected="an option of a node",
            found=name,
            fix=f"give it where the workflow is run: .options({name}=...).run(...)",
        )
    for name in sorted(FAN_ONLY & settings.keys()) if fan is None else ():
        tracer.say(
            where,
            f"option {name} is of a fan, and this is one call",
            expected=".map(...) or .product(...)",
            found="a plain call",
            fix=f"leave {name} out",
        )


def _policy(settings: Mapping[str, Any]) -> Policy:
    given = {name: settings[name] for name in _POLICY & settings.keys()}
    if not given:
        return _DEFAULT_POLICY
    for name in {"keep", "never_keep"} & given.keys():
        given[name] = _texts(given[name])
    if "retry_on" in given:
        classes = given["retry_on"]
        given["retry_on"] = tuple(map(type_name, classes if isinstance(classes, Iterable) else (classes,)))
    if "locks" in given and not isinstance(given["locks"], Mapping):
        given["locks"] = dict.fromkeys(_texts(given["locks"]), 1)
    if "env" in given:
        given["env"] = {
            k: Secret(env=v.env, file=v.file) if isinstance(v, SecretRef) else v for k, v in given["env"].items()
        }
    return Policy(**given)


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _place(settings: Mapping[str, Any], name: str, tracer: GraphTracer, where: str) -> Expr | None:
    value = settings.get(name)
    if value is None:
        return None
    if not isinstance(value, (str, Ref)):
        tracer.say(
            where,
            f"option {name} cannot be {value!r}",
            expected="a name, or a reference to one",
            found=type(value).__name__,
            fix=f'write {name}="..."',
        )
        return None
    return tracer.lift(value, where=where, what=name)


def _ids(after: Any, tracer: GraphTracer, where: str) -> tuple[str, ...]:
    """The nodes that references of `after` rest on."""
    found: list[str] = []
    for item in after if isinstance(after, (list, tuple)) else (after,):
        nodes = [leaf.node for leaf in leaves(tracer.lift(item, where=where, what="after")) if isinstance(leaf, Output)]
        if not nodes:
            tracer.say(
                where,
                "option after takes results of other nodes",
                expected="a reference, or a list of them",
                found=repr(item),
                fix="pass what the earlier call returned",
            )
        found += [n for n in nodes if n not in found]
    return tuple(found)
