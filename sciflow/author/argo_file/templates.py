"""Templates as ops, graphs and waits, each made at its first call."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sciflow.author.argo_file import fields
from sciflow.author.argo_file.calls import Callee
from sciflow.author.argo_file.fields import check
from sciflow.author.argo_file.graph import graph_of
from sciflow.author.argo_file.interface import Interface, global_port, named, read_interface
from sciflow.author.argo_file.library import Entry, Library
from sciflow.author.argo_file.program import image_of, op_of
from sciflow.author.argo_file.running import duration, policy_of, resources_of
from sciflow.author.argo_file.source import At
from sciflow.author.session import legal_name
from sciflow.core.expr import Const, Expr, Input
from sciflow.core.graph import Graph, OpTemplate, Program, Suspend, Template
from sciflow.core.ports import ANY, NONE, Type

LOCAL = Const(value="local")


class Templates:
    """Those made so far, under names that are free; `taken` are names that are not."""

    def __init__(
        self, library: Library, constants: Mapping[str, Expr], *, direct: bool, taken: tuple[str, ...]
    ) -> None:
        """`constants`: what the workflow's tags stand for that are the same everywhere."""
        self.made: dict[str, Template] = {}
        self.graphs: dict[str, Graph] = {}  # around single templates, see `calls`
        self._library = library
        self._constants = constants
        self._direct = direct
        self._callees: dict[str, Callee] = {}
        self._taken = set(taken)

    def called(self, task: At, home: str) -> Callee | None:
        """The template that a step or task names."""
        found = self._library.called(task, home)
        return None if found is None else self.callee(found)

    def interface(self, entry: Entry) -> Interface:
        """What a template takes and gives."""
        library = self._library
        return read_interface(entry.at, needs=library.needs[entry.key], result=entry.key in library.printed)

    def callee(self, entry: Entry) -> Callee:
        """A template as its callers see it."""
        if entry.key in self._callees:
            return self._callees[entry.key]
        name = self._free(legal_name(entry.at.text("name") or "inline"))
        interface = self.interface(entry)
        callee = Callee(name=name, interface=interface)
        tags = {f"workflow.{need}": Input(port=global_port(need)) for need in interface.needs}
        match entry.kind:
            case "container" | "script":
                callee = self._program(entry, callee, {**self._constants, **tags})
            case "suspend":
                callee = self._suspend(entry, callee)
            case _:
                self._callees[entry.key] = callee  # it may call itself
                known = {**self._constants, **tags, **input_tags(interface, {})}
                self.made[name] = self.graph(entry, name, interface, known)
        self._callees[entry.key] = callee
        return callee

    def graph(self, entry: Entry, name: str, interface: Interface, known: Mapping[str, Expr]) -> Graph:
        """A template of steps or a DAG; `known` are its tags but for its own tasks."""
        check(entry.at, fields.GRAPH_TEMPLATE, "a template")
        return graph_of(
            entry.at, name, interface, known, find=lambda task: self.called(task, entry.home), graphs=self.graphs
        )

    def _program(self, entry: Entry, callee: Callee, tags: Mapping[str, Expr]) -> Callee:
        check(entry.at, fields.PROGRAM_TEMPLATE, "a template")
        container = entry.at.get(entry.kind)
        assert container is not None
        volumes = {*self._library.volumes, *named(entry.at.list("volumes"))}
        self.made[callee.name] = op_of(
            entry.at, callee.name, callee.interface, tags, volumes=volumes, direct=self._direct
        )
        image = None if self._direct else image_of(entry.at, callee.interface, tags)
        return msgspec.structs.replace(
            callee, image=image, policy=policy_of(entry.at), resources=resources_of(container)
        )

    def _suspend(self, entry: Entry, callee: Callee) -> Callee:
        check(entry.at, fields.SUSPEND_TEMPLATE, "a template")
        suspend = entry.at.get("suspend")
        if suspend is not None:
            check(suspend, fields.SUSPEND, "suspend")
        wait_s = duration(entry.at.get("suspend", "duration"))
        if wait_s is not None:  # nobody is asked, and this machine waits
            program = Program(argv=(("sleep",), (f"{wait_s:g}",)), shape="dict")
            self.made[callee.name] = OpTemplate(
                name=callee.name, inputs=(), output=ANY, code=program, where=entry.at.where
            )
            return msgspec.structs.replace(callee, takes_inputs=False, executor=LOCAL)
        self.made[callee.name] = Suspend(
            name=callee.name,
            message=entry.at.text("name"),
            output=_answer(callee),
            where=entry.at.where,
        )
        return msgspec.structs.replace(callee, takes_inputs=False)

    def _free(self, name: str) -> str:
        made, count = name, 1
        while made in self._taken:
            count += 1
            made = f"{name}_{count}"
        self._taken.add(made)
        return made


def _answer(callee: Callee) -> Type:
    """The type of what a wait is given at the resume; an input of the same name says among what to choose."""
    interface = callee.interface
    types: dict[str, Type] = {}
    for name, at in interface.out_parameters.items():
        if "supplied" not in (at.get("valueFrom") or at).fields:
            at.say(
                "is given at the resume", expected="valueFrom: {supplied: {}}", found=str(at.plain()), fix="write it"
            )
        asked = interface.parameters.get(name)
        values = () if asked is None else tuple(one.text() for one in asked.at.list("enum"))
        field = interface.fields[f"parameters/{name}"]
        types[field] = Type(name="literal", values=values) if values else Type(name="str")
    return Type(name="object", kind="typeddict", of=f"argo:{callee.name}", fields=types) if types else NONE


def input_tags(interface: Interface, given: Mapping[str, Expr]) -> dict[str, Expr]:
    """The tags that name a graph's inputs; what is `given` stands in their place."""
    known: dict[str, Expr] = {}
    for name, one in interface.parameters.items():
        known[f"inputs.parameters.{name}"] = given.get(one.port) or Input(port=one.port)
    for name, one in interface.artifacts.items():
        known[f"inputs.artifacts.{name}"] = given.get(one.port) or Input(port=one.port)
    return known
