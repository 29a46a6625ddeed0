"""From trees to values. The kinds of tags stand in one table; the module of a kind is imported when one comes by."""

from __future__ import annotations

from sciflow.runner.failures import CodecError
from sciflow.runner.neutral import EnumValue, Opaque, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from sciflow.runner.names import Resolver

    Tree = Any


class Decoder:
    """Reads trees; one per call of `decode`."""

    __slots__ = ("artifact", "store", "types")

    def __init__(
        self, *, types: Resolver | None, store: Callable[[Tree], Tree] | None, artifact: Callable[[Tree], object]
    ) -> None:
        self.types = types
        self.store = store
        self.artifact = artifact

    def decode(self, tree: Tree) -> Any:
        """The value of a whole tree."""
        try:
            return self.read(tree)
        except (KeyError, ValueError, TypeError, LookupError) as error:
            raise CodecError(f"not a value that sciflow has written: {type(error).__name__}: {error}") from error

    def read(self, tree: Tree) -> Any:
        """The value of a part of a tree."""
        if type(tree) is list:
            kinds = set(map(type, tree))
            return list(map(self.read, tree)) if dict in kinds or list in kinds else tree[:]
        if type(tree) is not dict:
            return tree
        kind = tree.get("$")
        if kind is None:
            return {key: self.read(value) for key, value in tree.items()}
        reader = _READERS.get(kind)
        if reader is not None:
            return reader(self, tree)
        if self.types is not None:
            raise CodecError(f"a value of kind {kind!r} cannot be read: it was written by a newer sciflow")
        return Opaque(tree)


def _read_dict(decoder: Decoder, tree: Tree) -> Any:
    return {decoder.read(key): decoder.read(value) for key, value in tree["v"]}


def _read_record(decoder: Decoder, tree: Tree) -> Any:
    fields = {name: decoder.read(field) for name, field in tree["v"].items()}
    extra = {name: decoder.read(field) for name, field in tree.get("extra", {}).items()}
    if decoder.types is None:
        return Record(tree["type"], tree["kind"], fields, extra)
    from sciflow.runner import records

    return records.put_together(decoder.types(tree["type"]), tree["kind"], fields, extra)


def _read_enum(decoder: Decoder, tree: Tree) -> Any:
    if decoder.types is None:
        return EnumValue(tree)
    cls = decoder.types(tree["type"])
    return cls[tree["name"]] if "name" in tree else cls(decoder.read(tree["value"]))


def _read_purepath(_: Decoder, tree: Tree) -> Any:
    from pathlib import PurePosixPath, PureWindowsPath

    return (PureWindowsPath if tree.get("flavour") == "windows" else PurePosixPath)(tree["v"])


def _read_stored(decoder: Decoder, tree: Tree) -> Any:
    return Opaque(tree) if decoder.store is None else decoder.read(decoder.store(tree))


def _read_pickle(decoder: Decoder, tree: Tree) -> Any:
    if decoder.types is None:
        return Opaque(tree)
    from sciflow.runner import pickles

    return pickles.read(tree)


def _read_date(_: Decoder, tree: Tree) -> Any:
    from sciflow.runner import dates

    return dates.read(tree)


def _read_array(decoder: Decoder, tree: Tree) -> Any:
    if decoder.types is None and not _installed("numpy"):
        return Opaque(tree)
    from sciflow.runner import arrays

    return arrays.read(tree)


def _read_atoms(decoder: Decoder, tree: Tree) -> Any:
    if decoder.types is None and not _installed("ase"):
        return Opaque(tree)
    from sciflow.runner import atoms

    return atoms.read(decoder, tree)


def _read_bytes(_: Decoder, tree: Tree) -> bytes:
    from binascii import a2b_base64

    return a2b_base64(tree["v"])


def _installed(package: str) -> bool:
    try:
        __import__(package)
    except ImportError:
        return False
    return True


_READERS: dict[str, Callable[[Decoder, Tree], Any]] = {
    "float": lambda _, tree: float(tree["v"]),
    "int": lambda _, tree: int(tree["v"], 16),
    "complex": lambda decoder, tree: complex(*map(decoder.read, tree["v"])),
    "bytes": _read_bytes,
    "tuple": lambda decoder, tree: tuple(map(decoder.read, tree["v"])),
    "set": lambda decoder, tree: set(map(decoder.read, tree["v"])),
    "frozenset": lambda decoder, tree: frozenset(map(decoder.read, tree["v"])),
    "dict": _read_dict,
    "purepath": _read_purepath,
    "datetime": _read_date,
    "date": _read_date,
    "time": _read_date,
    "timedelta": _read_date,
    "enum": _read_enum,
    "record": _read_record,
    "ndarray": _read_array,
    "scalar": _read_array,
    "atoms": _read_atoms,
    "spacegroup": _read_atoms,
    "pickle": _read_pickle,
    "artifact": lambda decoder, tree: decoder.artifact(tree),
    "value": _read_stored,
}
