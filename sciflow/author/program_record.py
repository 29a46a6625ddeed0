"""From what was said of a program to its record, checked against the signature."""

from __future__ import annotations

import re
from string import Formatter
from typing import Literal

from sciflow.author.program import Declaration
from sciflow.author.signature import Signature
from sciflow.core.graph import Program
from sciflow.core.naming import meant, names
from sciflow.core.ports import NONE, Type, accepts_none
from sciflow.errors import Problem

Part = str | dict[str, str]
_WRITABLE = frozenset({"bool", "int", "float", "str", "path", "literal", "any", "none"})
_WHOLE = "result"  # the only output of a program whose result is no record


class ProgramReader:
    """Makes the record of one program; what is wrong is added to `problems`."""

    def __init__(self, declaration: Declaration, signature: Signature, name: str, problems: list[Problem]) -> None:
        self.declaration = declaration
        self.signature = signature
        self.name = name
        self.problems = problems

    def record(self) -> Program:
        """The program as a record."""
        declared = self.declaration
        files = {port: name for port, name in declared.files.items() if self._is_port(port, "files")}
        stdin = None if declared.stdin is None else declared.stdin.strip("{}")
        fields = self._fields()
        stdout, outputs = self._outputs(fields)
        return Program(
            argv=tuple(self._argument(a) for a in declared.argv),
            stdin=stdin if stdin is not None and self._is_port(stdin, "stdin") else None,
            stdout=stdout,
            files=files,
            outputs=outputs,
            lists=tuple(name for name, type_ in fields.items() if type_.name == "list" and name in outputs),
            optional=tuple(name for name, type_ in fields.items() if type_.name == "union" and accepts_none(type_)),
            shape=self._shape(fields),
            of=self.signature.output.of,
            exit_codes=declared.exit_codes,
        )

    def _shape(self, fields: dict[str, Type]) -> Literal["none", "one", "dict", "namedtuple", "dataclass"]:
        match self.signature.output.kind:
            case "namedtuple" | "dataclass" as kind:
                return kind
            case _:
                return "none" if not fields else "one" if list(fields) == [_WHOLE] else "dict"

    def _say(self, what: str, *, expected: str, found: str, fix: str) -> None:
        what = f"command {self.name}: {what}"
        self.problems.append(Problem(where=self.declaration.where, what=what, expected=expected, found=found, fix=fix))

    def _is_port(self, name: str, place: str) -> bool:
        ports = self.signature.ports
        if name not in ports:
            self._say(
                f"{place} names {name!r}, which is no input", expected=names(ports), found=name, fix=meant(name, ports)
            )
        return name in ports

    def _argument(self, argument: str) -> tuple[Part, ...]:
        """One argument as text and holes."""
        try:
            pieces = list(Formatter().parse(argument))
        except ValueError as error:
            self._say(
                f"argument {argument!r} cannot be read ({error})",
                expected="holes like {name}",
                found=argument,
                fix="write {{ and }} for braces that are meant",
            )
            return ()
        parts: list[Part] = []
        for literal, name, spec, conversion in pieces:
            parts += [literal] if literal else []
            if name is None:
                continue
            if spec or conversion:
                self._say(
                    f"a hole of {argument!r} says how to format",
                    expected=f"{{{name}}}",
                    found=argument,
                    fix="hand the text over as an input",
                )
            if self._is_port(name, f"argument {argument!r}"):
                parts.append({"port": name})
                self._check_hole(name, argument, alone=f"{{{name}}}" == argument)
        return tuple(parts) or ("",)

    def _check_hole(self, name: str, argument: str, *, alone: bool) -> None:
        port = self.signature.ports[name]
        members = port.type.args if port.type.name == "union" else (port.type,)
        items = [m.args[0] if m.name in {"list", "tuple"} and m.args and alone else m for m in members]
        if not all(m.name in _WRITABLE or m.kind == "enum" for m in items):
            fix = (
                "give the list an argument of its own"
                if port.type.name == "list" and not alone
                else "take text, a number or a file"
            )
            self._say(
                f"{{{name}}} of {argument!r} cannot be an argument",
                expected="text, a number, a file, or a list of them alone",
                found=f"{name}: {port.type}",
                fix=fix,
            )

    def _fields(self) -> dict[str, Type]:
        """The parts of the result by name."""
        output, declared = self.signature.output, self.declaration
        if output.name == "object" and output.kind in {"namedtuple", "dataclass", "typeddict"}:
            return output.fields
        if output.name == "dict" and not isinstance(declared.outputs, str):
            return dict.fromkeys(declared.outputs, output.args[1])
        return {} if output.name == "none" else {_WHOLE: output}

    def _outputs(self, fields: dict[str, Type]) -> tuple[str | None, dict[str, str]]:
        """Which output takes what is printed, and where the others are left."""
        declared = self.declaration.outputs
        outputs = dict(declared) if not isinstance(declared, str) else {_WHOLE: declared} if declared else {}
        stdout = self.declaration.stdout
        if list(fields) == [_WHOLE]:
            if len(outputs) == 1:
                outputs = {_WHOLE: next(iter(outputs.values()))}
            elif not outputs:
                outputs = {_WHOLE: stdout} if stdout is not None and fields[_WHOLE].name == "path" else {}
                stdout = _WHOLE
        self._check_outputs(fields, outputs, stdout)
        return stdout, outputs

    def _check_outputs(self, fields: dict[str, Type], outputs: dict[str, str], stdout: str | None) -> None:
        made = {*outputs, *([stdout] if stdout else [])}
        for name in [n for n in fields if n not in made]:
            self._say(
                f"nothing says where {name} of its result comes from",
                expected=f"outputs={{{name!r}: 'file'}}, or stdout={name!r}",
                found=names(sorted(made)),
                fix=f"name the file that the program leaves for {name}",
            )
        for name in sorted(made - fields.keys()):
            self._say(f"its result has no field {name!r}", expected=names(fields), found=name, fix=meant(name, fields))
        for name, file in outputs.items():
            if re.match(r"/|~", file) or ".." in file.split("/"):
                self._say(
                    f"output {name} lies outside the working folder",
                    expected="a name relative to it",
                    found=file,
                    fix="let the program write into its working folder",
                )
        for name in fields.keys() & made:
            self._check_field(name, fields[name], is_file=name in outputs)

    def _check_field(self, name: str, type_: Type, *, is_file: bool) -> None:
        members = [m for m in (type_.args if type_.name == "union" else (type_,)) if m != NONE]
        if not all(m.name in ({"path", "list", "any"} if is_file else {"str", "any"}) for m in members):
            self._say(
                f"{name} of its result cannot be {type_}",
                expected="Path or list[Path]" if is_file else "str, for what the program prints",
                found=str(type_),
                fix="parse the file or text in an op of its own",
            )
