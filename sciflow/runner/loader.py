"""An op's code on the executing machine: by import, from a script's source, or unpickled.

What is found may be an `Op` of `sciflow` (or anything else that carries a function as `.function`) or the function.
"""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar
from types import CodeType, FunctionType, ModuleType

from sciflow.runner.failures import CodeError
from sciflow.runner.names import SCRIPT
from sciflow.runner.stale import remove_stale

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping

_LOADING: ContextVar[bool] = ContextVar("_LOADING", default=False)  # code is being loaded for its ops
HEADER = b"sciflow-pickle "


def load(code: Mapping[str, Any], *, root: str, main: str | None) -> Any:
    """The function that a `Function` record names.

    Args:
        code: the record as JSON.
        root: the run folder, which a pickle's file is relative to.
        main: the script's source as it was when the run began; without it the script itself is read.

    Raises:
        CodeError: it is not found here.
        Exception: whatever the user's module raises while it is imported.
    """
    if code.get("pickled"):
        found = _unpickle(code["pickled"], root)
    else:
        module = open_script(code["script"], source=main) if code.get("script") else _module(code["module"])
        found = _attribute(module, code["qualname"])
    function = found
    while not isinstance(function, FunctionType):
        function = getattr(function, "function", None)
        if function is None:
            raise CodeError(f"{code['module']}:{code['qualname']} is a {type(found).__name__}, not an op or a function")
    return function


def _module(name: str) -> ModuleType:
    if name not in sys.modules:
        remove_stale(name, sys.path)
    token = _LOADING.set(True)
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # what we compile must not outlive an edit
    try:
        __import__(name)
    except RunAtLoading:
        fix = 'put the call under `if __name__ == "__main__":`'
        raise CodeError(f"module {name} starts a run while it is imported; {fix}") from None
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is here, something that it imports is not
        raise CodeError(f"module {name} is not found here; sys.path is {os.pathsep.join(sys.path)}") from error
    finally:
        sys.dont_write_bytecode = kept
        _LOADING.reset(token)
    return sys.modules[name]


class RunAtLoading(BaseException):
    """Code that is only loaded for its ops starts a run. Not an `Exception`, so that no script hides it."""


def refuse_run() -> None:
    """Called where a run is about to start.

    Raises:
        RunAtLoading: the code that starts it is being loaded, for its ops.
    """
    if _LOADING.get():
        raise RunAtLoading


def open_script(script: str, source: str | None = None) -> ModuleType:
    """Run a script once, as module `SCRIPT`, which also becomes `__main__` for pickles and for its own classes.

    Its `if __name__ == "__main__"` block does not run, and it is left where it starts a run outside of such a block:
    the ops of that run stand above it.

    Args:
        script: its absolute path.
        source: a file with the text that is run under the script's name; without it the script's own.

    Raises:
        CodeError: the script cannot be read.
        Exception: whatever the script raises.
    """
    known = sys.modules.get(SCRIPT)
    if known is not None and known.__file__ == script:
        return known
    try:
        with open(source or script, "rb") as file:
            text = file.read()
    except OSError as error:
        raise CodeError(f"script {source or script} cannot be read: {error.strerror}") from error
    module = ModuleType(SCRIPT)
    module.__file__ = script
    before = sys.modules["__main__"]
    sys.modules[SCRIPT] = sys.modules["__main__"] = module
    try:
        _run_script(compile(text, script, "exec", dont_inherit=True), module)
    except BaseException:
        del sys.modules[SCRIPT]
        sys.modules["__main__"] = before
        raise
    return module


def _run_script(code: CodeType, module: ModuleType) -> None:
    token = _LOADING.set(True)
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # of modules beside the script
    try:
        exec(code, module.__dict__)  # noqa: S102  the user's own script
    except RunAtLoading:
        return
    finally:
        sys.dont_write_bytecode = kept
        _LOADING.reset(token)


def _attribute(module: ModuleType, qualname: str) -> Any:
    found: Any = module
    for part in qualname.split("."):
        if part == "<locals>":
            raise CodeError(f"{qualname} is made inside a function, where nobody finds it; move it to the module's top")
        try:
            found = getattr(found, part)
        except AttributeError:
            raise CodeError(f"module {module.__name__} ({module.__file__}) has no {qualname}") from None
    return found


def pickle_function(function: object) -> bytes:
    """A function of a notebook by value, for the `pickled` of a `Function` record.

    Raises:
        CodeError: it holds something that cannot be pickled.
    """
    import cloudpickle

    from sciflow.runner import notebook

    notebook.resolve_types(function)
    sent = {"function": function, "sources": notebook.sources(function)}
    try:
        data: bytes = cloudpickle.dumps(sent, protocol=5)
    except Exception as error:
        name = getattr(function, "__qualname__", repr(function))
        raise CodeError(f"{name} cannot be sent to a worker: it holds what cannot be pickled: {error}") from error
    return HEADER + _python().encode() + b"\n" + data


def _unpickle(pickled: str, root: str) -> Any:
    """`pickled` is base64, or a file of the run (whose name has a dot, which base64 has not)."""
    import pickle
    from binascii import a2b_base64

    if "." in pickled:
        with open(os.path.join(root, pickled), "rb") as file:
            data = file.read()
    else:
        data = a2b_base64(pickled)
    python = _python()
    if data.startswith(HEADER):
        line, _, data = data.partition(b"\n")
        python = line[len(HEADER) :].decode()
    if python != _python():
        raise CodeError(
            f"this op comes from a notebook of Python {python} and cannot run in Python {_python()}: use the same "
            "version here, or put the op into a module"
        )
    try:
        sent = pickle.loads(data)  # noqa: S301  the user's own code
    except ImportError as error:
        raise CodeError(f"the op needs {error.name or error}, which is not installed here") from error
    from sciflow.runner import notebook

    notebook.remember(sent["sources"])
    return sent["function"]


def _python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
