"""A template of steps or of a DAG as a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from graphlib import TopologicalSorter

import msgspec

from sciflow.author.argo_file import fields
from sciflow.author.argo_file.calls import Callee, Step, arguments_of, node_of
from sciflow.author.argo_file.fields import check
from sciflow.author.argo_file.interface import Interface, named
from sciflow.author.argo_file.items import items_of
from sciflow.author.argo_file.running import number
from sciflow.author.argo_file.scope import UNKNOWN, Scope
from sciflow.author.argo_file.source import At
from sciflow.author.argo_file.statuses import (
    Depends,
    Standing,
    all_of,
    conditions,
    failed,
    read_depends,
    verdict,
)
from sciflow.author.session import legal_name
from sciflow.core.absence import conjuncts
from sciflow.core.expr import Attr, Build, Call, Const, Element, Expr, Output, leaves
from sciflow.core.graph import Graph, Node
from sciflow.core.ordering import find_cycle
from sciflow.core.ports import ANY

Find = Callable[[At], Callee | None]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A step or task as it is written; `before` are the names of those that it comes after."""

    name: str
    id: str
    at: At
    callee: Callee
    before: tuple[str, ...]
    depends: Depends | None
    forgiven: bool
    tolerant: bool
    fan: bool


def graph_of(
    at: At, name: str, interface: Interface, known: Mapping[str, Expr], *, find: Find, graphs: dict[str, Graph]
) -> Graph:
    """The graph; `known` are the tags that stand for inputs and for things of the workflow."""
    return _Reader(at, name, interface, known, find=find, graphs=graphs).graph()


class _Reader:
    def __init__(
        self,
        at: At,
        name: str,
        interface: Interface,
        known: Mapping[str, Expr],
        *,
        find: Find,
        graphs: dict[str, Graph],
    ) -> None:
        self._at = at
        self._name = name
        self._interface = interface
        self._graphs = graphs
        self._find = find
        self._prefix = "steps" if at.get("steps") is not None else "tasks"
        self._tasks = self._sorted(self._dag() if self._prefix == "tasks" else self._steps())
        tags = dict(known)
        for task in self._tasks:
            tags.update(_outputs(task, f"{self._prefix}.{task.name}"))
        self._scope = Scope(tags)
        self._standings: dict[str, Standing] = {}
        self._whens: dict[str, Expr] = {}  # of nodes, by id

    def graph(self) -> Graph:
        """The graph itself."""
        parallelism = self._at.get("parallelism")
        most = None if parallelism is None else number(parallelism, 1)
        nodes = tuple(self._node(task, most) for task in self._tasks)
        return Graph(
            name=self._name,
            inputs=self._interface.ports,
            nodes=nodes,
            result=self._result(),
            output=ANY,
            parallelism=most,
            where=self._at.where,
        )

    # --- what is written

    def _steps(self) -> list[Task]:
        found: list[Task] = []
        before: tuple[str, ...] = ()
        for group in self._at.list("steps"):
            tasks: list[Task] = []
            for one in [group] if isinstance(group.data, dict) else group.items:
                check(one, fields.STEP, "a step")
                tasks += self._task(one, before, None, {task.name for task in (*found, *tasks)})
            found += tasks
            before = tuple(task.name for task in tasks) or before
        return found

    def _dag(self) -> list[Task]:
        dag = self._at.get("dag")
        assert dag is not None
        check(dag, fields.DAG, "a dag")
        ones = named(dag.list("tasks"))
        self._check_mixed(dag, list(ones.values()))
        found: list[Task] = []
        for one in ones.values():
            check(one, fields.TASK, "a task")
            depends = one.get("depends")
            read = None if depends is None else read_depends(depends, list(ones))
            before = [name for name, _ in read.looks] if read is not None else self._dependencies(one, ones)
            found += self._task(one, tuple(dict.fromkeys(before)), read, {task.name for task in found})
        looked = {name for task in found if task.depends and not task.depends.plain for name, _ in task.depends.looks}
        return [msgspec.structs.replace(task, tolerant=True) if task.name in looked else task for task in found]

    def _check_mixed(self, dag: At, tasks: list[At]) -> None:
        """Argo does not take these together, and neither do we."""
        has = {name for task in tasks for name in ("depends", "dependencies", "continueOn") if task.get(name)}
        other = has & {"dependencies", "continueOn"}
        if "depends" in has and other:
            names = " and ".join(sorted({"depends", *other}))
            fix = "write depends alone: a && (b.Succeeded || b.Failed)"
            dag.say(
                "uses what cannot be mixed", expected="depends, or dependencies and continueOn", found=names, fix=fix
            )

    def _dependencies(self, task: At, ones: Mapping[str, At]) -> list[str]:
        found = []
        for one in task.list("dependencies"):
            if one.text() in ones:
                found.append(one.text())
            else:
                one.named("task", dict(ones), one.text())
        return found

    def _task(self, at: At, before: tuple[str, ...], depends: Depends | None, taken: set[str]) -> list[Task]:
        name = at.text("name")
        if not name or name in taken:
            at.say("needs a name of its own", expected="name: ...", found=name or "none", fix="give it one")
        callee = self._find(at)
        if callee is None:
            return []
        go_on = at.get("continueOn")
        if go_on is not None:
            check(go_on, fields.CONTINUE_ON, "continueOn")
        forgiven = "true" in (at.text("continueOn", "failed"), at.text("continueOn", "error"))
        ids = {legal_name(other) for other in taken}
        return [
            Task(
                name=name,
                id=_free(legal_name(name), ids),
                at=at,
                callee=callee,
                before=before,
                depends=depends,
                forgiven=forgiven,
                tolerant=forgiven,
                fan=any(at.get(kind) is not None for kind in ("withItems", "withParam", "withSequence")),
            )
        ]

    def _sorted(self, tasks: list[Task]) -> list[Task]:
        """In an order in which every task comes after those it needs."""
        known = {task.name: task for task in tasks}
        needs = {task.name: [name for name in task.before if name in known] for task in tasks}
        ring = find_cycle(needs)
        if ring:
            self._at.say(f"tasks wait for one another: {' -> '.join([*ring, ring[0]])}", fix="take one of them out")
            return []
        return [known[name] for name in TopologicalSorter(needs).static_order()]

    # --- what it becomes

    def _node(self, task: Task, parallelism: int | None) -> Node:
        scope = msgspec.structs.replace(self._scope, items=task.fan)
        when_at = task.at.get("when")
        when = None if when_at is None else self._held(scope.condition(when_at))
        before = tuple(name for name in task.before if name in self._standings)
        whole_depends = task.depends if len(before) == len(task.before) else None  # else it was told what is missing
        runs = conditions(whole_depends, before, self._standings)
        self._standings[task.name] = Standing(
            id=task.id,
            runs=runs,
            when=when,
            tolerant=task.tolerant,
            forgiven=task.forgiven,
            fan=task.fan,
            before=before,
            follows=task.depends is None or task.depends.plain,
        )
        parts = (*runs, *(() if when is None else (when,)))
        whole = all_of(parts) if parts else None
        if whole is not None:
            self._whens[task.id] = whole
        step = Step(
            id=task.id,
            callee=task.callee,
            inputs=arguments_of(task.at, task.callee, scope),
            after=tuple(self._standings[name].id for name in before),
            when=whole,
            items=items_of(task.at, self._scope) if task.fan else None,
            tolerant=task.tolerant,
            parallelism=parallelism,
            where=task.at.where,
        )
        return node_of(step, self._graphs)

    def _held(self, when: Expr) -> Expr:
        """With the conditions in front under which there is what it looks at: it is false where that was left out."""
        nodes = dict.fromkeys(leaf.node for leaf in leaves(when) if isinstance(leaf, Output))
        parts: list[Expr] = []
        for node in nodes:
            parts += [part for part in conjuncts(self._whens.get(node)) if part not in parts]
        return all_of((*parts, when))

    def _result(self) -> Expr:
        interface = self._interface
        parts: dict[str, Expr] = {}
        for name, at in interface.out_parameters.items():
            parts[interface.fields[f"parameters/{name}"]] = self._parameter(at)
        for name, at in interface.out_artifacts.items():
            source = at.get("from")
            if source is None:
                at.say("does not say where it comes from", expected="from: ...", found="none", fix="name an output")
            parts[interface.fields[f"artifacts/{name}"]] = self._scope.text(source)
        whole = Build(kind="dict", keys=tuple(parts), parts=tuple(parts.values()))
        bad = verdict(self._standings)
        if bad is None:
            return whole
        why = "a task has failed, and a task that was to come after its success was left out"
        return Call(function="choose", args=(bad, Call(function="refuse", args=(Const(value=why),)), whole))

    def _parameter(self, at: At) -> Expr:
        source = at.get("valueFrom")
        if at.get("value") is not None:
            return self._scope.text(at.get("value"))
        if source is not None:
            check(source, fields.VALUE_FROM, "valueFrom")
            if (text := source.get("parameter")) is not None:
                return self._scope.text(text)
            if (text := source.get("expression")) is not None:
                return self._scope.expression(text, text.text())
        at.say("does not say where it comes from", expected="valueFrom: {parameter: ...}", found="none",
               fix="name an output of a task")  # fmt: skip
        return UNKNOWN


def _outputs(task: Task, prefix: str) -> Iterable[tuple[str, Expr]]:
    """The tags that stand for what a task gives, and for what has become of it."""
    whole = Output(node=task.id)
    present = Call(function="present", args=(whole,))
    standing = Standing(
        id=task.id, runs=(), when=None, tolerant=True, forgiven=False, fan=task.fan, before=(), follows=True
    )
    if task.tolerant:
        status = (failed(standing), Const(value="Failed"), Const(value="Succeeded"))
        yield f"{prefix}.status", Call(function="choose", args=status)
    for key, field in task.callee.interface.fields.items():
        kind, _, name = key.partition("/")
        tag = f"{prefix}.outputs.{kind}" + (f".{name}" if name else "")
        several = Call(function="pick", args=(present, Const(value=field)))
        if task.fan and kind != "artifacts":
            gathered = "json_of_results" if kind == "result" else "json_of_texts"
            yield tag, Call(function=gathered, args=(several,))
        elif task.tolerant and not task.fan:
            yield tag, Element(of=several, index=Const(value=0))
        elif not task.fan:
            yield tag, Attr(of=whole, name=field)
    if task.fan and all(key.startswith("parameters/") for key in task.callee.interface.fields):
        yield f"{prefix}.outputs.parameters", Call(function="json_of", args=(present,))


def _free(name: str, taken: set[str]) -> str:
    count, made = 1, name
    while made in taken:
        count += 1
        made = f"{name}_{count}"
    return made
