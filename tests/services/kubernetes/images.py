"""The images of the cluster, which came from no registry: pause, Argo's executor, two with Python, one without."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.services import packages
from tests.services.images import debian_root
from tests.services.kubernetes import programs
from tests.services.kubernetes.archive import Image, below, write_archive, write_files, write_layer

PAUSE = "localhost/pause:1"
EXECUTOR = "localhost/argoexec:test"
BASE = "localhost/sciflow-base:test"  # what images/base/Containerfile says: Python, msgspec, minio, paramiko
ASE = "localhost/sciflow-ase:test"  # and ASE, NumPy and SciPy on top
TOOL = "localhost/sciflow-tool:test"  # a shell and the usual small programs, no Python

_PAUSE = Path(__file__).with_name("pause.c")
_FORM = 1  # another number whenever the code below makes other images of the same parts
_CONTENT = ("python3", "dash", "bash", "coreutils", "grep", "findutils", "gzip", "sed", "tar", "libstdc++6")
_CONTENT_OF_TOOL = ("dash", "coreutils")
_CONTAINERFILE = Path(__file__).parents[3] / "images/base/Containerfile"
_OF_BASE = tuple(re.findall(r"'([\w-]+)>=[^']*'", _CONTAINERFILE.read_text("utf-8")))
_OF_ASE = ("ase", "numpy", "scipy")
_SITE = "usr/local/lib/{python}/dist-packages"
_CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
_ENV = tuple(" ".join(re.findall(r"^ENV (.*)$", _CONTAINERFILE.read_text("utf-8"), re.MULTILINE)).split())
_EXECUTOR_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/\nargo:x:8737:8737:argo:/tmp:/\n",
    "etc/group": "root:x:0:\nargo:x:8737:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def archives() -> tuple[Path, ...]:
    """What containerd imports; each has another name whenever it should have other content."""
    kept = programs.home() / "images"
    python = _hash(_FORM, _CONTENT, _pinned(*_OF_BASE), _pinned(*_OF_ASE), _ENV)
    return (
        kept / f"pause-{_hash(_FORM, _PAUSE.read_text('utf-8'))}.tar",
        kept / f"argoexec-{_hash(_FORM, _EXECUTOR_FILES, programs.folder().name)}.tar",
        kept / f"python-{python}.tar",
        kept / f"tool-{_hash(_FORM, _CONTENT_OF_TOOL)}.tar",
    )


def build() -> None:
    """Makes those that are not there."""
    for archive, make in zip(archives(), (_pause, _executor, _python, _tool), strict=True):
        if archive.is_file():
            continue
        archive.parent.mkdir(parents=True, exist_ok=True)
        for older in archive.parent.glob(f"{archive.name.partition('-')[0]}-*.tar"):
            older.unlink()
        with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
            make(archive, Path(scratch))


def _pause(out: Path, scratch: Path) -> None:
    root = scratch / "root"
    root.mkdir()
    packages.run(["cc", "-Os", "-static", "-s", "-o", str(root / "pause"), str(_PAUSE)])
    write_archive(out, Image(PAUSE, (write_layer(scratch / "layer.tar", root),), entrypoint=("/pause",)))


def _executor(out: Path, scratch: Path) -> None:
    root = scratch / "root"
    write_files(root, _EXECUTOR_FILES)
    (root / "bin").mkdir()
    shutil.copy2(programs.folder() / "argoexec", root / "bin" / "argoexec")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    _trust(root)
    write_archive(out, Image(EXECUTOR, (write_layer(scratch / "layer.tar", root),), entrypoint=("argoexec",)))


def _python(out: Path, scratch: Path) -> None:
    """Two images that share their lower layer. The packages have the versions of the environment of the tests."""
    root = debian_root(scratch / "root", scratch / "apt", _CONTENT)
    (root / "usr/bin/python").symlink_to("python3")
    python = (root / "usr/bin/python3").readlink().name
    _trust(root)
    _pip(root, python, *_pinned(*_OF_BASE))
    base = write_layer(scratch / "base.tar", root)
    there = frozenset(below(root))
    _pip(root, python, "--no-deps", *_pinned(*_OF_ASE))
    ase = write_layer(scratch / "ase.tar", root, besides=there)
    write_archive(out, Image(BASE, (base,), env=_ENV), Image(ASE, (base, ase), env=_ENV))


def _tool(out: Path, scratch: Path) -> None:
    root = debian_root(scratch / "root", scratch / "apt", _CONTENT_OF_TOOL)
    write_archive(out, Image(TOOL, (write_layer(scratch / "layer.tar", root),)))


def _trust(root: Path) -> None:
    """Certificates as this machine has them."""
    (root / _CERTIFICATES).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(f"/{_CERTIFICATES}", root / _CERTIFICATES)


def _pip(root: Path, python: str, *arguments: str) -> None:
    """Wheels for the image's Python, which need not be ours, and all compiled: a pod may have nowhere to write."""
    site = root / _SITE.format(python=python)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    wheels = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python.removeprefix('python')}"]
    packages.run([*pip, *wheels, "--root-user-action=ignore", "--target", str(site), *arguments])
    folders = [f"/usr/lib/{python}", f"/usr/local/lib/{python}"]
    packages.run(["chroot", str(root), "/usr/bin/python3", "-m", "compileall", "-q", "-x", "/tests?/", *folders])


def _pinned(*names: str) -> list[str]:
    return [f"{name}=={version(name)}" for name in names]


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
