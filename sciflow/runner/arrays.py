"""Numpy arrays and scalars as trees: their bytes, dtype, shape and memory order."""

from __future__ import annotations

from binascii import a2b_base64

import numpy as np

from sciflow.runner.encoder import Encoder, Fault, to_base64
from sciflow.runner.failures import CodecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any

_TEXTS = {"text": np.str_, "bytes": np.bytes_}
_RAW_KINDS = "biufcmMSUV"  # kinds whose bytes are the whole value


def write(encoder: Encoder, value: Any) -> Tree | None:
    """The tree of an array or scalar; None: not numpy's, or it can only be pickled.

    Raises:
        CodecError: a subclass of ndarray, such as a masked array.
    """
    if isinstance(value, np.generic):
        return _write_scalar(encoder, value)
    if not isinstance(value, np.ndarray):
        return None
    if type(value) is not np.ndarray:
        if encoder.pickled:
            return None
        raise Fault(
            f"{type(value).__name__} is a subclass of ndarray and would not come back as itself; {_mend(value)}"
        )
    dtype = _write_dtype(value.dtype)
    if dtype is None:
        if encoder.pickled:
            return None
        raise Fault(
            f"an array of dtype {value.dtype} has no form that gives it back; use numbers, or sciflow.Pickled[...]"
        )
    order: Any = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    data = value.tobytes(order) if value.nbytes else b""
    return {"$": "ndarray", "dtype": dtype, "shape": list(value.shape), "order": order, "v": to_base64(data)}


def _mend(value: Any) -> str:
    if isinstance(value, np.ma.MaskedArray):
        return "give .filled(...) or the data and the mask as two arrays"
    return "give numpy.asarray(...)"


def _write_scalar(encoder: Encoder, value: Any) -> Tree | None:
    if type(value) is np.str_:
        return {"$": "scalar", "dtype": "text", "v": encoder.write(str.__getitem__(value, slice(None)))}
    if type(value) is np.bytes_:
        return {"$": "scalar", "dtype": "bytes", "v": to_base64(bytes.__getitem__(value, slice(None)))}
    dtype = _write_dtype(value.dtype)
    return None if dtype is None else {"$": "scalar", "dtype": dtype, "v": to_base64(value.tobytes())}


def _write_dtype(dtype: Any) -> Tree | None:
    """The dtype as JSON; None where that would not give it back."""
    if dtype.hasobject or dtype.kind not in _RAW_KINDS:
        return None
    if dtype.names is None and dtype.subdtype is None:
        return dtype.str if np.dtype(dtype.str) == dtype else None
    tree = _describe(dtype)
    return tree if _read_dtype(tree) == dtype else None


def _describe(dtype: Any) -> Tree:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": _describe(base), "shape": list(shape)}
    if dtype.names is None:
        return dtype.str
    fields = [(name, *dtype.fields[name]) for name in dtype.names]  # (name, dtype, offset[, title])
    return {
        "names": [field[0] for field in fields],
        "formats": [_describe(field[1]) for field in fields],
        "offsets": [field[2] for field in fields],
        "titles": [field[3] if len(field) > 3 else None for field in fields],
        "itemsize": dtype.itemsize,
        "aligned": dtype.isalignedstruct,
    }


def _read_dtype(tree: Tree) -> Any:
    if isinstance(tree, str):
        return np.dtype(tree)
    if "base" in tree:
        return np.dtype((_read_dtype(tree["base"]), tuple(tree["shape"])))
    description = {key: value for key, value in tree.items() if key != "aligned"}
    description["formats"] = [_read_dtype(part) for part in tree["formats"]]
    if not any(tree["titles"]):
        del description["titles"]
    describe: Any = np.dtype
    return describe(description, align=tree["aligned"])


def read(tree: Tree) -> Any:
    """The inverse of `write`; the array owns its memory and may be written to.

    Raises:
        CodecError: fewer or more bytes than the shape says.
    """
    if tree["dtype"] in ("text", "bytes"):
        return _TEXTS[tree["dtype"]](tree["v"] if tree["dtype"] == "text" else a2b_base64(tree["v"]))
    dtype = _read_dtype(tree["dtype"])
    data = a2b_base64(tree["v"])
    if tree["$"] == "scalar":
        return np.frombuffer(data, dtype, 1)[0] if data else np.zeros((), dtype)[()]
    array = np.zeros(tuple(tree["shape"]), dtype, order=tree["order"])
    if array.nbytes != len(data):
        raise CodecError(
            f"an array of shape {array.shape} and dtype {dtype} needs {array.nbytes} bytes, found {len(data)}"
        )
    if data:
        flat = np.frombuffer(data, dtype).reshape(array.shape, order=tree["order"])
        array[...] = flat
    return array
