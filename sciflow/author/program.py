"""`command`: a program as an op.

Standard library only and clean for Python 3.9: user modules import it wherever their ops run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, TypeVar, overload

from sciflow.author.location import user_place
from sciflow.author.op import Op
from sciflow.author.options import OP_NAMES, check_names
from sciflow.author.verbs import P, R_co

if TYPE_CHECKING:
    from typing import Unpack

    from sciflow.author.options import OpOptions

R = TypeVar("R")


class Declaration(NamedTuple):
    """What was said of a program, before it is checked against the signature."""

    argv: tuple[str, ...]
    stdin: str | None
    stdout: str | None
    files: Mapping[str, str]
    outputs: str | Mapping[str, str]
    exit_codes: tuple[int, ...]
    where: str


class Command(Op[P, R_co]):
    """An op whose work is done by a program; its function gives the types alone."""

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        declaration: Declaration,
        fixed: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(function, fixed=fixed, settings=settings)
        self.declaration = declaration

    def _call_here(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        from sciflow.author.program_here import run_here

        result: R_co = run_here(self, args, {**self.fixed, **kwargs})
        return result

    def _more(self) -> dict[str, Any]:
        return {"declaration": self.declaration}

    def __repr__(self) -> str:
        return f"<command {self.__name__}: {' '.join(self.declaration.argv)}>"


@overload
def command(
    program: str,
    /,
    *argv: str,
    stdin: str | None = None,
    stdout: str | None = None,
    files: Mapping[str, str] | None = None,
    outputs: str | Mapping[str, str] = ...,
    exit_codes: Sequence[int] = (0,),
    **options: Unpack[OpOptions],
) -> Callable[[Callable[P, R]], Op[P, R]]: ...


@overload
def command(
    program: str,
    /,
    *argv: str,
    inputs: Mapping[str, Any],
    stdin: str | None = None,
    stdout: str | None = None,
    files: Mapping[str, str] | None = None,
    outputs: str | Mapping[str, str] = ...,
    exit_codes: Sequence[int] = (0,),
    **options: Unpack[OpOptions],
) -> Op[..., Any]: ...


def command(
    program: str,
    /,
    *argv: str,
    inputs: Mapping[str, Any] | None = None,
    stdin: str | None = None,
    stdout: str | None = None,
    files: Mapping[str, str] | None = None,
    outputs: str | Mapping[str, str] = "",
    exit_codes: Sequence[int] = (0,),
    **options: Any,
) -> Any:
    """Make an op of a program. No shell is involved: every element of `argv` is one argument.

    As a decorator it takes inputs, their types, defaults and the result's type from the function below it, whose body
    is never run, so that types stay true for mypy and an editor::

        @command("packmol", "-t", "{tolerance}", stdin="recipe", outputs="packed.pdb")
        def packmol(recipe: Path, tolerance: float = 2.0) -> Path:
            raise NotImplementedError  # for mypy, which wants a body

    With `inputs` it gives the op at once: `packmol = command("packmol", inputs={"recipe": Path}, stdin="recipe", ...)`.

    Args:
        program: the program's name or path, looked up where the task runs.
        argv: arguments; `{name}` stands for an input, as a whole argument or as part of one (`--t={tolerance}`). A
            list alone in an argument becomes several. A file becomes its path. `{{` and `}}` are braces.
        inputs: names and types of the inputs, for the form without a function.
        stdin: the input that the program reads: text, or a file's content.
        stdout: the field of the result that takes what is printed: text, or a file if `outputs` names one for it. Where
            the whole result is text, it is what is printed; where it is a Path, `stdout` is the file's name.
        files: input -> name under which it lies in the working folder.
        outputs: what the program leaves in the working folder: the name of one file or folder, or field -> name. A
            pattern (`*.xyz`) is the one file that matches; for a field of type list[Path], all that match, sorted.
        exit_codes: those that mean success.
        options: as of `op`.

    Raises:
        InvalidWorkflow: no such option.
    """
    check_names(options, OP_NAMES, "command")
    declaration = Declaration(
        (program, *argv), stdin, stdout, {} if files is None else files, outputs, tuple(exit_codes), user_place()
    )

    def decorate(function: Callable[P, R]) -> Command[P, R]:
        return Command(function, declaration=declaration, settings=options)

    if inputs is None:
        return decorate
    from sciflow.author.program_stub import stub_of

    return decorate(stub_of(declaration, inputs))
