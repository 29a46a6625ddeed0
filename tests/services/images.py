"""Container images made without a registry: the files of a few Debian packages, put into a store that is only read."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.services import packages

PYTHON = "localhost/sciflow-test-python:1"
BARE = "localhost/sciflow-test-bare:1"  # a shell, no Python

_CONTENT = ("python3", "dash", "bash", "coreutils", "libstdc++6")  # the last is what compiled packages need
_NOT_NEEDED = ("usr/share/doc", "usr/share/locale", "usr/share/man", "usr/share/info")
_FOLDERS = ("dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/lib", "usr/lib64", "usr/sbin")
_PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"


def store() -> Path:
    """The store's folder, another one whenever the images should have other content."""
    recipe = hashlib.sha256(repr((1, _CONTENT, _NOT_NEEDED, _FOLDERS, _PASSWD)).encode()).hexdigest()
    return packages.cache() / f"images-{recipe[:12]}"


def built() -> bool:
    return (store() / "driver").is_file()


def driver() -> str:
    """The storage driver that works here: `overlay`, or `vfs`, which copies an image for each container."""
    return (store() / "driver").read_text("utf-8").strip()


def build() -> None:
    """Fills the store; nothing to do if it is there."""
    with packages.alone("images"):
        if built():
            return
        shutil.rmtree(store(), ignore_errors=True)
        store().mkdir(parents=True)
        with tempfile.TemporaryDirectory() as scratch:
            python = debian_root(Path(scratch) / "python", Path(scratch) / "apt", _CONTENT)
            bare = _root(Path(scratch) / "bare")
            shutil.copy2("/bin/busybox", bare / "usr/bin/busybox")
            packages.run(["chroot", str(bare), "/usr/bin/busybox", "--install", "-s", "/usr/bin"])
            chosen = driver_that_works(store())
            place = ["--root", str(store()), "--runroot", f"{scratch}/run", "--storage-driver", chosen]
            for folder, name in ((python, PYTHON), (bare, BARE)):
                _import(folder, name, place)
        (store() / "driver").write_text(chosen, "utf-8")


def debian_root(folder: Path, scratch: Path, content: Sequence[str]) -> Path:
    """A folder as a root file system: these packages and what they need."""
    _unpack_debian(_root(folder), scratch, content)
    return folder


def _root(folder: Path) -> Path:
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (folder / name).symlink_to(f"usr/{name}")
    (folder / "tmp").chmod(0o1777)
    (folder / "etc/passwd").write_text(_PASSWD, "utf-8")
    (folder / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n", "utf-8")
    return folder


def _unpack_debian(root: Path, scratch: Path, content: Sequence[str]) -> None:
    """The packages and what they need, found by an apt that believes nothing is installed; no script of theirs runs."""
    (scratch / "archives" / "partial").mkdir(parents=True)
    (scratch / "status").touch()
    packages.update()
    options = (
        f"Dir::State::status={scratch}/status",
        f"Dir::Cache::archives={scratch}/archives",
        "APT::Install-Recommends=false",
        "APT::Sandbox::User=root",
        "Debug::NoLocking=true",
    )
    chosen = [word for option in options for word in ("-o", option)]
    packages.run(["apt-get", "install", "--download-only", "-y", "-qq", *chosen, *content])
    for package in sorted((scratch / "archives").glob("*.deb")):
        listing = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", str(root), "--keep-directory-symlink"], stdin=listing.stdout, check=True)
        listing.wait()
    for name in _NOT_NEEDED:
        shutil.rmtree(root / name, ignore_errors=True)


def _import(folder: Path, name: str, place: list[str]) -> None:
    path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    archive = folder.with_suffix(".tar")
    packages.run(["tar", "-C", str(folder), "-cf", str(archive), "."])
    packages.run(["podman", *place, "import", "--quiet", "--change", path, str(archive), name])


def driver_that_works(folder: Path) -> str:
    """Whether the kernel can stack folders on the file system of that one: `overlay`, else `vfs`."""
    with tempfile.TemporaryDirectory(dir=folder) as text:
        lower, upper, work, merged = (Path(text) / name for name in ("lower", "upper", "work", "merged"))
        for each in (lower, upper, work, merged):
            each.mkdir()
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(merged)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            return "vfs"
        subprocess.run(["umount", str(merged)], check=False)
    return "overlay"
