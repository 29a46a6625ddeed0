"""Container images as an archive of the form that `docker save` writes: made of tar files, without a registry."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """Layers, the lowest first, under a name of its own."""

    tag: str
    layers: tuple[Path, ...]
    entrypoint: tuple[str, ...] = ()
    env: tuple[str, ...] = ()


def write_archive(out: Path, *images: Image) -> None:
    """All images in one archive, a layer that several have only once. It appears when it is whole."""
    digests = {layer: _digest(layer) for layer in dict.fromkeys(layer for image in images for layer in image.layers)}
    beside = out.with_name(f".{out.name}.new")
    with tarfile.open(beside, "w") as archive:
        for layer, digest in digests.items():
            archive.add(layer, f"{digest}/layer.tar", filter=_plain)
        manifest = []
        for image in images:
            config = _config(image, [digests[layer] for layer in image.layers])
            name = f"{hashlib.sha256(config).hexdigest()}.json"
            _add(archive, name, config)
            layers = [f"{digests[layer]}/layer.tar" for layer in image.layers]
            manifest.append({"Config": name, "RepoTags": [image.tag], "Layers": layers})
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    beside.replace(out)


def write_layer(out: Path, root: Path, *, besides: Collection[Path] = ()) -> Path:
    """All below a folder but those paths, as it is, and all of it root's."""
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as layer:
        for path in below(root):
            if path not in besides:
                layer.add(path, str(path.relative_to(root)), recursive=False, filter=_of_root)
    return out


def below(root: Path) -> list[Path]:
    """All paths below a folder, a folder before what is in it."""
    return sorted(root.rglob("*"))


def write_files(root: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def _config(image: Image, digests: Sequence[str]) -> bytes:
    what: dict[str, object] = {"Env": [_PATH, *image.env], "WorkingDir": "/"}
    if image.entrypoint:
        what["Entrypoint"] = list(image.entrypoint)
    record = {
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": what,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        "history": [{"created_by": "sciflow's tests"}] * len(digests),
    }
    return json.dumps(record).encode()


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mode, entry.mtime = 0o644, 0
    return _of_root(entry)


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
