"""An op as a worker knows it: its code, what it takes and gives, and what may be kept of it."""

from __future__ import annotations

import os

from sciflow.runner.decoder import Decoder
from sciflow.runner.encoder import Encoder
from sciflow.runner.failures import CodecError
from sciflow.runner.selection import Selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Sequence

    from sciflow.runner.names import Resolver
    from sciflow.runner.packs import Pack
    from sciflow.runner.program import Elsewhere
    from sciflow.runner.stage import Stage
    from sciflow.runner.types import Check, Signature

    Tree = Any

SCALARS = frozenset({int, float, str, bool, type(None)})


class Options:
    """What the engine grants an op and asks of it."""

    __slots__ = ("cpus", "gpus", "isolate", "memory_mb", "selection", "timeout_s", "visible")

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.isolate = bool(options.get("isolate", False))
        self.selection = Selection(options.get("keep", ()), options.get("never_keep", ()))
        self.cpus = int(options.get("cpus", 1))
        self.memory_mb = int(options.get("memory_mb", 0))
        self.gpus: tuple[int, ...] = tuple(options.get("gpus", ()))
        self.visible: str = options.get("visible") or ",".join(map(str, self.gpus))  # as programs are told of them
        self.timeout_s: float | None = options.get("timeout_s")


class Operation:
    """Calls one function or program; binds trees to its parameters and makes a tree of its result."""

    def __init__(
        self,
        call: Any,
        signature: Signature,
        options: Options,
        *,
        where: str,
        types: Resolver | None,
        pack: Pack,
        stage: Stage,
    ) -> None:
        """`where` is the line where the op is written; `types` finds the classes of its values."""
        self.options = options
        self.where = where
        self._function = call
        self._signature = signature
        self._output_ok = signature.output.ok
        self._positional = signature.positional
        self._stage = stage
        self._pack = pack
        self._types = types
        self._encoder = Encoder(pickled=signature.pickled, artifact=stage.give)

    def fixed(self, trees: Mapping[str, Tree]) -> Fixed:
        """The inputs that all slices of a request share."""
        return Fixed(self, trees)

    def port(self, name: str) -> Check:
        """The check of an input.

        Raises:
            OpError: the function has no such parameter: its module is not the one that the workflow was made from.
        """
        return self._signature.input(name)

    def read(self, name: str, tree: Tree) -> Any:
        """The value of an input.

        Raises:
            CodecError: it cannot be read.
            PlaceError: a file of it is not there.
        """
        try:
            return Decoder(
                types=self._types, store=self._pack.load, artifact=lambda t: self._stage.take(name, t)
            ).decode(tree)
        except CodecError as error:
            raise CodecError(f"input {name}: {error}") from error

    def bind(self, fixed: Fixed, columns: Sequence[tuple[str, Check]], trees: Sequence[Tree]) -> dict[str, Any]:
        """The arguments of one slice, checked."""
        values = fixed.values()
        for (name, check), tree in zip(columns, trees):
            value = tree if type(tree) in SCALARS else self.read(name, tree)
            if not check.ok(value):
                check.require(value, f"input {name}")
            values[name] = value
        return values

    def call(self, values: dict[str, Any]) -> Any:
        """Run the user's code."""
        if self.options.gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.options.visible
        if self._positional:
            given = [values.pop(name) for name in self._positional if name in values]
            return self._function(*given, **values)
        return self._function(**values)

    def give(self, value: Any) -> Tree:
        """The tree of the result, checked; the places of its files are still open.

        Raises:
            OpError: it is not what the function's annotation says.
            CodecError: it has no form that can be stored.
        """
        if not self._output_ok(value):
            self._signature.output.require(value, "the result")
        if type(value) is int or type(value) is float or value is None:
            return self._encoder.write(value)
        try:
            return self._encoder.encode(value)
        except CodecError as error:
            raise CodecError(f"the result: {error}") from error


class Fixed:
    """Inputs that are the same for many slices; what could be changed by one is made anew for each."""

    __slots__ = ("_checked", "_made", "_operation", "_shared")

    def __init__(self, operation: Operation, trees: Mapping[str, Tree]) -> None:
        self._operation = operation
        self._shared: dict[str, Any] = {}
        self._made: list[tuple[str, Check, Tree]] = []
        for name, tree in trees.items():
            check = operation.port(name)
            if type(tree) in SCALARS:
                check.require(tree, f"input {name}")
                self._shared[name] = tree
            else:
                self._made.append((name, check, tree))
        self._checked = False

    def values(self) -> dict[str, Any]:
        """The inputs of one slice, its own to change."""
        if not self._made:
            return self._shared.copy()
        values = self._shared.copy()
        for name, check, tree in self._made:
            values[name] = self._operation.read(name, tree)
            if not self._checked:
                check.require(values[name], f"input {name}")
        self._checked = True
        return values


def of_function(function: Any, options: Options, *, pack: Pack, stage: Stage) -> Operation:
    """The operation of a Python function.

    Raises:
        CodeError: an annotation cannot be resolved.
    """
    from sciflow.runner.names import resolver
    from sciflow.runner.types import signature

    code = function.__code__
    where = f"{code.co_filename}:{code.co_firstlineno} in {code.co_name}"
    types = resolver(function.__globals__, function.__annotations__)
    return Operation(function, signature(function), options, where=where, types=types, pack=pack, stage=stage)


def of_program(
    request: Mapping[str, Any], options: Options, *, pack: Pack, stage: Stage, elsewhere: Elsewhere | None = None
) -> Operation:
    """The operation of a program, from the engine's request about it; with `elsewhere` it is run there."""
    from sciflow.runner.program import Program
    from sciflow.runner.types import ANYTHING, Signature

    call = Program(request["code"], elsewhere)
    anything = Signature(inputs=None, output=ANYTHING, pickled=False)
    return Operation(call, anything, options, where=f"op {request['name']}", types=None, pack=pack, stage=stage)
