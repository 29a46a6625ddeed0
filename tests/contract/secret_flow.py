"""Workflows whose tasks are given secrets, and look for those that are none of theirs."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from sciflow import command, op, secret, workflow

TOOL = "localhost/sciflow-tool:test"  # a shell, no Python
PLAIN = "not-a-secret-1d0c"  # printed by tasks: who finds this would find a secret, too
OF_ENV, OF_FILE = secret(env="SECRET_OF_ENV"), secret(file="/nowhere/secret.txt")
PLACES = ("/var/run", "/run", "/etc", "/tmp", "/sciflow", "/argo", "/home", "/root")
LARGEST = 20_000_000  # bytes of a file that is looked at
ACCOUNT = Path("/var/run/secrets/kubernetes.io")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@op(env={"FIRST": OF_ENV, "SECOND": OF_FILE}, cache=True)
def use(digests: list[str]) -> bool:
    print(PLAIN, "used")
    return [digest(os.environ["FIRST"]), digest(os.environ["SECOND"])] == digests


@op(env={"FIRST": OF_ENV})
def fail(number: int) -> int:
    key = os.environ["FIRST"]
    print(PLAIN, "fails, with a key of", len(key))
    raise RuntimeError(f"{PLAIN}: the service takes no {number}")


@command("sh", "-c", f'printf "%s" "$FIRST" | sha256sum; echo {PLAIN} >&2', stdout="found", image=TOOL,
         env={"FIRST": OF_FILE})  # fmt: skip
def use_in_program() -> str: ...  # type: ignore[empty-body]


@command(
    "sh",
    "-c",
    f'echo {PLAIN} >&2; printf "%s" "$FIRST" | wc -c >&2; exit 3',
    image="localhost/sciflow-tool:test",
    env={"FIRST": OF_ENV},
)
def fail_in_program() -> None: ...


@op(env={"PLAIN": PLAIN})
def look(digests: list[str]) -> dict[str, list[str]]:
    """Where in this container words are of which the digest is known, by the digest; and what should not be there."""
    found = {"": [str(ACCOUNT)] if ACCOUNT.exists() else []}
    found[""] += [name for name in os.environ if name.startswith("AWS_")]
    files = [path for place in PLACES for path in sorted(Path(place).rglob("*")) if path.is_file()]
    for path in (*files, *Path("/proc").glob("*/environ"), *Path("/proc").glob("*/cmdline")):
        for word in {digest(word) for word in words(path)}.intersection(digests):
            found.setdefault(word, []).append(str(path))
    return {what: places for what, places in found.items() if places}


def words(path: Path) -> list[str]:
    try:
        content = path.read_bytes() if path.stat().st_size < LARGEST else b""
    except OSError:
        return []
    return [word.decode() for word in set(re.findall(rb"[A-Za-z0-9+/_.=-]{8,}", content))]


@workflow
def careful(mine: list[str], others: list[str]) -> tuple[bool, str, dict[str, list[str]]]:
    fail(5)
    fail_in_program()
    return use(mine), use_in_program(), look(others)
