"""The nodes of a workflow as Argo packs them where they are many (Argo Workflows 3.7, `workflow/packer`)."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec


def unpacked(packed: str) -> bytes:
    """The nodes as JSON."""
    return gzip.decompress(base64.b64decode(packed))


def packed_nodes(nodes: Mapping[str, Any]) -> str:
    """The other way round."""
    return base64.b64encode(gzip.compress(msgspec.json.encode(nodes), zlib.Z_BEST_SPEED, mtime=0)).decode()
