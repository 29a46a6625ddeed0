"""Values as trees: JSON with tags, which give every value back equal, bit for bit.

    encode(value) -> tree        decode(tree) -> value

`decode` reads neutrally unless told how to find classes: records become `Record`, enums `EnumValue`, artifacts
`Artifact`, anything else unknown `Opaque`; nothing is imported and nothing unpickled. With `types=import_type` (or
`names.resolver`) it gives the user's own classes.
"""

from __future__ import annotations

import os

from sciflow.runner.decoder import Decoder
from sciflow.runner.encoder import Encoder, Fault
from sciflow.runner.names import import_type, resolver
from sciflow.runner.neutral import Artifact, EnumValue, Opaque, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import PurePath
    from typing import Any, Callable

    from sciflow.runner.names import Resolver

    Tree = Any

__all__ = ["Artifact", "EnumValue", "Fault", "Opaque", "Record", "decode", "encode", "import_type", "resolver"]


def encode(value: object, *, pickled: bool = False, artifact: Callable[[PurePath], Tree] | None = None) -> Tree:
    """The tree of `value`.

    Args:
        pickled: write what has no form of its own as a pickle, in place of refusing it.
        artifact: the tree of a path; without it, that of the absolute path.

    Raises:
        CodecError: says where in the value, what was found, and what to do.
    """
    return Encoder(pickled=pickled, artifact=artifact or _absolute).encode(value)


def decode(
    tree: Tree,
    *,
    types: Resolver | None = None,
    store: Callable[[Tree], Tree] | None = None,
    artifact: Callable[[Tree], object] | None = None,
) -> Any:
    """The value of `tree`; containers are always new.

    Args:
        types: the class of a name; without it the tree is read neutrally.
        store: the tree of a `value` tag, which is stored elsewhere.
        artifact: the value of an `artifact` tag; without it `Artifact`.

    Raises:
        CodecError: the tree is not one of ours, or a class is not to be found here.
    """
    return Decoder(types=types, store=store, artifact=artifact or Artifact).decode(tree)


def _absolute(path: PurePath) -> Tree:
    place = os.path.abspath(path)
    return {"$": "artifact", "path": place, "kind": "folder" if os.path.isdir(place) else "file"}
