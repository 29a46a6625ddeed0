"""From what was said of a program to its record, checked against the signature."""

from __future__ import annotations

from typing import Literal

from sciflow.author.hole import Hole, pieces_of
from sciflow.author.program import Declaration
from sciflow.author.signature import Signature
from sciflow.core.graph import Program
from sciflow.core.naming import meant, names
from sciflow.core.ports import Type, accepts_none
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
        fields = self._fields()
        stdout, outputs = self._outputs(fields)
        return Program(
            argv=tuple(self._argument(a) for a in declared.argv),
            stdin=self._stdin(),
            stdout=stdout,
            files=files,
            outputs=outputs,
            lists=tuple(name for name, type_ in fields.items() if type_.name == "list" and name in outputs),
            optional=tuple(name for name, type_ in fields.items() if type_.name == "union" and accepts_none(type_)),
            shape=self._shape(fields),
            of=self.signature.output.of,
            exit_codes=declared.exit_codes,
        )

    def _stdin(self) -> str | None:
        port = (self.declaration.stdin or "").strip("{}")
        return port if port and self._is_port(port, "stdin") else None

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
            pieces = pieces_of(argument)
        except ValueError as error:
            self._say(
                f"argument {argument!r} cannot be read ({error})",
                expected="holes like {name}",
                found=argument,
                fix="write {{ and }} for braces that are meant",
            )
            return ()
        parts = [p if isinstance(p, str) else self._hole(p, argument) for p in pieces]
        return tuple(part for part in parts if part) or ("",)

    def _hole(self, hole: Hole, argument: str) -> Part:
        if hole.formatted:
            self._say(
                f"a hole of {argument!r} says how to format",
                expected=f"{{{hole.name}}}",
                found=argument,
                fix="hand the text over as an input",
            )
        if not self._is_port(hole.name, f"argument {argument!r}"):
            return {}
        self._check_hole(hole.name, argument, alone=f"{{{hole.name}}}" == argument)
        return {"port": hole.name}

    def _check_hole(self, name: str, argument: str, *, alone: bool) -> None:
        port = self.signature.ports[name]
        if not all(_is_writable(m.item if m.name in {"list", "tuple"} and alone else m) for m in port.type.members):
            split = port.type.name == "list" and not alone
            self._say(
                f"{{{name}}} of {argument!r} cannot be an argument",
                expected="text, a number, a file, or a list of them alone",
                found=f"{name}: {port.type}",
                fix="give the list an argument of its own" if split else "take text, a number or a file",
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
            self._check_inside(name, file)
        for name in fields.keys() & made:
            self._check_field(name, fields[name], is_file=name in outputs)

    def _check_inside(self, name: str, file: str) -> None:
        if file.startswith(("/", "~")) or ".." in file.split("/"):
            self._say(
                f"output {name} lies outside the working folder",
                expected="a name relative to it",
                found=file,
                fix="let the program write into its working folder",
            )

    def _check_field(self, name: str, type_: Type, *, is_file: bool) -> None:
        allowed = {"path", "list", "any", "none"} if is_file else {"str", "any", "none"}
        if not all(m.name in allowed for m in type_.members):
            is_left = not is_file and "Path" in str(type_)
            self._say(
                f"its result cannot be {type_}" if name == _WHOLE else f"{name} of its result cannot be {type_}",
                expected="Path or list[Path]" if is_file else "str, for what the program prints",
                found=str(type_),
                fix=f"name the file that it leaves: outputs={'...' if name == _WHOLE else {name: '...'}!r}"
                if is_left
                else "parse the file or text in an op of its own",
            )


def _is_writable(type_: Type) -> bool:
    return type_.name in _WRITABLE or type_.kind == "enum"
