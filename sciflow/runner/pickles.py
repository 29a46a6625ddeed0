"""Values that travel as pickles, because their port's type says `Pickled[T]`."""

from __future__ import annotations

import io
import pickle
import sys
from binascii import a2b_base64, b2a_base64

from sciflow.runner.failures import CodecError
from sciflow.runner.names import SCRIPT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
PROTOCOL = 5


def write(value: object) -> Tree:
    """The tree of `value` as a pickle; functions and classes that have no importable name go by value.

    Raises:
        CodecError: it cannot be pickled.
    """
    data = _dumps(value)
    return {"$": "pickle", "v": b2a_base64(data, newline=False).decode("ascii"), "python": PYTHON}


def _dumps(value: object) -> bytes:
    try:
        return pickle.dumps(value, protocol=PROTOCOL)
    except Exception as error:  # noqa: BLE001  whatever the class's own code raises
        problem = error
    try:
        import cloudpickle

        return cloudpickle.dumps(value, protocol=PROTOCOL)  # type: ignore[no-any-return, unused-ignore]
    except Exception as error:  # noqa: BLE001
        reason = problem if isinstance(error, ImportError) else error
        raise CodecError(f"a value of type {type(value).__qualname__} cannot be pickled: {reason}") from reason


class _Unpickler(pickle.Unpickler):
    """Knows that a script's classes may have been pickled inside a worker."""

    def find_class(self, module: str, name: str) -> Any:
        return super().find_class("__main__" if module == SCRIPT and SCRIPT not in sys.modules else module, name)


def read(tree: Tree) -> Any:
    """The inverse of `write`.

    Raises:
        CodecError: it cannot be unpickled here; says so if Python's version is another one.
    """
    try:
        return _Unpickler(io.BytesIO(a2b_base64(tree["v"]))).load()
    except Exception as error:
        raise CodecError(f"a pickled value cannot be read{_mismatch(tree['python'])}: {error}") from error


def _mismatch(python: str) -> str:
    return "" if python == PYTHON else f" (it was pickled by Python {python}, this is Python {PYTHON})"
