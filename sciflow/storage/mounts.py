"""What kind of file system a folder lies on."""

from __future__ import annotations

from pathlib import Path

# File systems on which SQLite's write-ahead log does not work, because machines do not share memory through them.
NETWORK = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "lustre",
        "gpfs",
        "beegfs",
        "ceph",
        "fuse.sshfs",
        "afs",
        "9p",
        "fuse.glusterfs",
    }
)


def file_system(path: Path) -> str:
    """The kind of file system of `path`, as the kernel names it; empty where it does not tell."""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    full = str(path.resolve())
    best, kind = "", ""
    for line in lines:
        _, mount, name, *_ = line.split()
        point = mount.replace("\\040", " ")
        if (full == point or full.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, name
    return kind


def on_network(path: Path) -> bool:
    """Whether `path` lies on a network file system."""
    return file_system(path) in NETWORK
