"""Files over a connection that can run programs: no SFTP, so what a server has switched off is not missed.

The far side needs a POSIX sh with dd, wc, head, tail, mv, and one of sha256sum, shasum, openssl, python3. A file comes
as a part beside its place, whose name holds the hash of the content: a later call goes on with it, and two that write
at the same time write the same bytes to the same places. It gets its name when its hash is right, so it is there whole
or not at all.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import time
from pathlib import Path

from sciflow.errors import HostRefused
from sciflow.executors.transports.command import command
from sciflow.executors.transports.link import Ended, Link, blocks

BLOCK = 1 << 16  # parts go on at multiples of this
SMALL_BYTES = 1 << 20  # smaller ones come in one round trip, and from their beginning
ROUNDS = 3  # for content that arrives damaged, or changes while it is read

_DAMAGED, _SHORT = 91, 92

_SUM = """
sum() {
  if command -v sha256sum; then sha256sum <&3 >&4; elif command -v shasum; then shasum -a 256 <&3 >&4
  elif command -v openssl; then openssl dgst -sha256 -r <&3 >&4
  else python3 -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest(), "-")' <&3 >&4
  fi 4>&1 >/dev/null 2>&1 | while read -r word rest; do printf %s "$word"; done
}
"""
_PUT = (
    _SUM
    + """
target=$1 part=$2 size=$3 sum=$4 skip=$5
[ -d "$target" ] && { echo "$target is a folder" >&2; exit 93; }
mkdir -p -- "$6" || exit 1
said=$(dd of="$part" bs=65536 seek="$skip" conv=notrunc 2>&1 >/dev/null) || { echo "$said" >&2; exit 1; }
[ "$(wc -c 2>/dev/null <"$part")" -eq "$size" ] 2>/dev/null || part=$target
[ "$(wc -c 2>/dev/null <"$part")" -eq "$size" ] 2>/dev/null || exit 92
[ "$(sum 3<"$part")" = "$sum" ] || { [ "$part" = "$target" ] || rm -f -- "$part"; exit 91; }
[ "$part" = "$target" ] && exit 0
mv -f -- "$part" "$target" 2>/dev/null && exit 0
[ "$(sum 3<"$target")" = "$sum" ] || mv -f -- "$part" "$target"
"""
)
_SIZE = '[ -f "$1" ] && wc -c <"$1" || echo 0'
_GET = (
    _SUM
    + """
[ -e "$1" ] || { echo "no such file" >&2; exit 94; }
[ -f "$1" ] || { echo "not a file" >&2; exit 94; }
size=$(wc -c <"$1") || exit 1
size=$((size))
sum=$(head -c "$size" <"$1" | sum 3<&0)
printf '%s %s\\n' "$size" "$sum"
[ "$size" -gt "$2" ] || head -c "$size" <"$1"
"""
)
_REST = 'tail -c +"$2" <"$1" | head -c "$3"'


def put(link: Link, source: Path, target: str, *, host: str, timeout_s: float) -> None:
    """Brings a file there.

    Raises:
        HostUnreachable: the connection broke; the next call goes on.
        HostRefused: the target cannot be written (no permission, no room), or what arrives is damaged each time.
    """
    end = time.monotonic() + timeout_s
    folder, name = posixpath.split(target)
    for _ in range(ROUNDS):
        digest, size = _hash(source), source.stat().st_size
        part = posixpath.join(folder, part_name(name, digest))
        skip = 0
        if size > SMALL_BYTES:
            skip = min(int(_shell(link, _SIZE, part, end=end)[1]), size) // BLOCK
        arguments = (target, part, str(size), digest, str(skip), folder)
        argv = ["sh", "-c", _PUT, "sh", *arguments]
        ended = link.call(command(argv), blocks(source, offset=skip * BLOCK), len, timeout_s=end - time.monotonic())
        if ended.code == 0:
            return
        if ended.code not in (_DAMAGED, _SHORT):
            raise HostRefused(f"{host}: cannot write {target}: {_said(ended)}")
    raise HostRefused(f"{host}: {source} arrived damaged {ROUNDS} times, or changes while it is read")


def get(link: Link, source: str, target: Path, *, host: str, timeout_s: float) -> None:
    """Brings a file from there; the errors of `put`."""
    end = time.monotonic() + timeout_s
    target.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(ROUNDS):
        code, answer, said = _shell(link, _GET, source, str(SMALL_BYTES), end=end)
        if code != 0:
            raise HostRefused(f"{host}: cannot read {source}: {said}")
        head, _, content = answer.partition(b"\n")
        size, digest = int(head.split()[0]), head.split()[1].decode()
        part = target.parent / part_name(target.name, digest)
        if size <= SMALL_BYTES:
            found = hashlib.sha256(content).hexdigest()
            if found == digest:
                part.write_bytes(content)
        else:
            found = _fetch(link, source, part, size, host=host, end=end)
        if found == digest:
            os.replace(part, target)
            return
        part.unlink(missing_ok=True)
    raise HostRefused(f"{host}: {source} arrived damaged {ROUNDS} times, or changes while it is read")


def _fetch(link: Link, source: str, part: Path, size: int, *, host: str, end: float) -> str:
    """Completes a part; the hash of what it holds then."""
    hashed = hashlib.sha256()
    with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b", buffering=0) as file:
        at = 0
        while at < size and (block := file.read(min(BLOCK, size - at))):
            hashed.update(block)
            at += len(block)

        def write(block: bytes) -> None:
            hashed.update(block)
            view = memoryview(block)
            while view:
                view = view[file.write(view) :]

        argv = ["sh", "-c", _REST, "sh", source, str(at + 1), str(size - at)]
        ended = link.call(command(argv), (), write, timeout_s=end - time.monotonic())
        if ended.code != 0:
            raise HostRefused(f"{host}: cannot read {source}: {_said(ended)}")
        file.truncate(size)
    return hashed.hexdigest()


def _shell(link: Link, script: str, *arguments: str, end: float) -> tuple[int, bytes, str]:
    out: list[bytes] = []
    argv = ["sh", "-c", script, "sh", *arguments]
    ended = link.call(command(argv), (), out.append, timeout_s=end - time.monotonic())
    return ended.code, b"".join(out), _said(ended)


def _said(ended: Ended) -> str:
    return ended.stderr.decode(errors="replace").strip() or f"exit code {ended.code}"


def part_name(name: str, digest: str) -> str:
    """Beside a file of any name, and never too long."""
    return f".{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:8]}-{digest[:32]}.part"


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
