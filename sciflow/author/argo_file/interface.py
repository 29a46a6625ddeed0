"""What a template takes and gives: its ports and the fields of its output, under names that we have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from sciflow.author.argo_file import fields
from sciflow.author.argo_file.fields import check
from sciflow.author.argo_file.source import At
from sciflow.author.argo_file.tags import tags_of
from sciflow.author.session import legal_name
from sciflow.core.ports import NONE, Port, Type

TEXT = Type(name="union", args=(Type(name="str"), NONE))  # None: what it comes from was skipped
FILE = Type(name="union", args=(Type(name="path"), Type(name="str"), NONE))  # a text becomes a file
GLOBAL = re.compile(r"\bworkflow\.(parameters\.[\w.-]+|status\b)|\bworkflow\.parameters\[['\"]([^'\"]+)['\"]\]")
RESULT = re.compile(r"\b(?:steps|tasks)(?:\.([\w-]+)|\[['\"]([^'\"]+)['\"]\])\.outputs\.result\b")


class Given(msgspec.Struct, frozen=True):
    """An input: its port, and where it is written."""

    port: str
    at: At


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """By Argo's names: inputs, and the fields of the output; `needs` of the workflow are handed on to it."""

    parameters: Mapping[str, Given]
    artifacts: Mapping[str, Given]
    raw: Mapping[str, At]  # artifacts whose content stands in the template
    out_parameters: Mapping[str, At]
    out_artifacts: Mapping[str, At]
    fields: Mapping[str, str]  # parameters/NAME, artifacts/NAME or result -> field
    needs: frozenset[str]

    @property
    def ports(self) -> tuple[Port, ...]:
        """Its input ports."""
        texts = [given.port for given in self.parameters.values()] + [global_port(name) for name in sorted(self.needs)]
        files = [given.port for given in self.artifacts.values()]
        return (
            *(Port(name=name, type=TEXT) for name in dict.fromkeys(texts)),
            *(Port(name=name, type=FILE) for name in files),
        )

    def output(self, name: str) -> Type:
        """The type of what it gives."""
        types = {field: FILE if key.startswith("artifacts/") else TEXT for key, field in self.fields.items()}
        return Type(name="object", kind="typeddict", of=f"argo:{name}", fields=types)


def global_port(name: str) -> str:
    """The port by which a template is told something of the workflow."""
    return "workflow_" + legal_name(name.removeprefix("parameters."))


def globals_of(at: At) -> frozenset[str]:
    """What a template's texts say of the workflow."""
    found = set()
    for text in at.texts():
        for match in GLOBAL.finditer(text.data):
            found.add(match.group(1) or f"parameters.{match.group(2)}")
    return frozenset(found)


def results_in(at: At) -> set[str]:
    """The steps or tasks whose printed result is asked for."""
    return {one or two for text in at.texts() for one, two in RESULT.findall(text.data)}


def read_interface(at: At, *, needs: frozenset[str], result: bool) -> Interface:
    """The inputs and outputs of a template; with `result`, what it prints is an output."""
    for name in ("inputs", "outputs"):
        if (part := at.get(name)) is not None:
            check(part, fields.PORTS, name)
    taken: set[str] = {global_port(name) for name in needs}
    parameters = {name: Given(_free(name, taken), one) for name, one in named(at.list("inputs", "parameters")).items()}
    given, raw = {}, {}
    for name, one in named(at.list("inputs", "artifacts")).items():
        check(one, fields.GIVEN_ARTIFACT, "an input artifact")
        content = one.get("raw", "data")
        if content is not None:
            raw[name] = content
        else:
            given[name] = Given(_free(name, taken), one)
    out = {
        "parameters": named(at.list("outputs", "parameters")),
        "artifacts": named(at.list("outputs", "artifacts")),
    }
    found: dict[str, str] = {"result": "result"} if result else {}
    used = set(found)
    for kind, ones in out.items():
        for name, one in ones.items():
            check(one, fields.PARAMETER if kind == "parameters" else fields.ARTIFACT, f"an output of {kind}")
            found[f"{kind}/{name}"] = _unused(
                name if kind == "parameters" or name not in used else f"{name}-file", used
            )
    for given_one in parameters.values():
        check(given_one.at, fields.PARAMETER, "an input parameter")
    return Interface(
        parameters=parameters,
        artifacts=given,
        raw=raw,
        out_parameters=out["parameters"],
        out_artifacts=out["artifacts"],
        fields=found,
        needs=needs,
    )


def named(ones: Iterable[At]) -> dict[str, At]:
    """A list of things with a name each, by name."""
    found: dict[str, At] = {}
    for one in ones:
        name = one.text("name")
        if not name or name in found:
            one.say("needs a name of its own", expected="name: ...", found=name or "none", fix="give it one")
        else:
            found[name] = one
    return found


def _free(name: str, taken: set[str]) -> str:
    return _unused(legal_name(name), taken)


def _unused(name: str, taken: set[str]) -> str:
    """`name`, or with a number behind it."""
    made, count = name, 1
    while made in taken:
        count += 1
        made = f"{name}_{count}"
    taken.add(made)
    return made


def has_tags(at: At | None) -> bool:
    """Whether a value is not written out."""
    return at is not None and any(tags_of(text.data) for text in at.texts())
