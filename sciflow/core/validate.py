"""Everything that the records alone can tell to be wrong with a workflow, found before anything runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sciflow.core.conform import misfit
from sciflow.core.graph import Graph, OpTemplate, Program, Template, WorkflowSpec, ports_of
from sciflow.core.graph_check import GraphCheck
from sciflow.core.naming import meant, names, with_article
from sciflow.core.ordering import recursion_problems
from sciflow.errors import Problem


def validate(spec: WorkflowSpec) -> list[Problem]:
    """Every problem of a workflow, in the order of its templates and nodes."""
    ports = {name: ports_of(t) for name, t in spec.templates.items()}
    problems = list(_entry_problems(spec))
    for template in spec.templates.values():
        problems += _default_problems(template, spec.name if template.name == spec.entry else template.name)
        match template:
            case Graph():
                problems += GraphCheck(template, spec.templates, ports).problems()
            case OpTemplate(code=Program() as program):
                problems += _program_problems(template, program)
    problems += recursion_problems(spec)
    return problems


def _entry_problems(spec: WorkflowSpec) -> Iterator[Problem]:
    entry = spec.templates.get(spec.entry)
    if not isinstance(entry, Graph):
        yield Problem(
            where="",
            what=f"workflow {spec.name} has no graph to start with",
            expected=names(spec.templates),
            found=f"{spec.entry!r}, {'which is not there' if entry is None else 'an op'}",
            fix=meant(spec.entry, spec.templates),
        )


def _default_problems(template: Template, name: str) -> Iterator[Problem]:
    """The graph made for a single op goes by the op's name, so that its mistakes are told once."""
    for port in ports_of(template).values():
        wrong = None if port.default is None else misfit(port.default.value, port.type)
        if wrong is not None:
            fix = f"give {with_article(wrong.expected)} as default"
            if wrong.found == "None":
                fix = f"annotate {port.name} as {port.type} | None"
            elif wrong.near:
                fix = f"did you mean {wrong.near!r}?"
            yield Problem(
                where=template.where,
                what=f"the default of {port.name} of {name}{wrong.at} does not fit",
                expected=str(wrong.expected),
                found=wrong.found,
                fix=fix,
            )


def _program_problems(template: OpTemplate, program: Program) -> Iterator[Problem]:
    ports = ports_of(template)
    for name in [n for n in program.ports if n not in ports]:
        yield Problem(
            where=template.where,
            what=f"command {template.name} has a hole {{{name}}} that is no input",
            expected=names(sorted(ports)),
            found=name,
            fix=meant(name, ports),
        )
