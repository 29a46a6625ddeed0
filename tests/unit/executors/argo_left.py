"""What tasks have left in a bucket, and who reads it."""

from __future__ import annotations

import json
from pathlib import Path

from sciflow.executors.argo.follow.followed import Followed
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.server.reaching import make_server
from sciflow.executors.settings import ArgoSettings
from sciflow.runner.hashing import file_hash, folder_hash

LAYOUT = Layout("", "run")


def folder(root: Path) -> Path:
    for part in ("artifacts", "values", "code"):
        (root / part).mkdir(parents=True)
    return root


def followed(bucket: Bucket, here: Path) -> Followed:
    """A workflow at whose server nothing answers."""
    server = make_server(ArgoSettings(server="http://127.0.0.1:9", namespace="argo", storage="bucket"))
    return Followed(server=server, bucket=bucket, layout=LAYOUT, here=here)


def artifact(root: Path, path: str) -> dict[str, object]:
    """The tag of a file or folder, as a runner makes it."""
    kind = "folder" if (root / path).is_dir() else "file"
    sha256, size = (folder_hash if kind == "folder" else file_hash)(str(root / path))
    return {"$": "artifact", "path": path, "kind": kind, "sha256": sha256, "size": size, "at": "argo"}


def ended(output: object, *, worker: str, shapes: object = ()) -> tuple[str, bytes]:
    """What the only task of a node has left: a key, and what is under it."""
    reply = [0, 0, "Succeeded", output, 0.0, 1.0, 0, 0]
    lines = [{"path": "node", "chunk": 0, "succeeded": 1}, shapes or {}, [-1, 1, worker, 0, 0, reply]]
    texts = [json.dumps(line, separators=(",", ":")) for line in lines]
    return LAYOUT.outcomes("node", 0), "\n".join(texts).encode() + b"\n"
