"""Quotas, as `quota` and Lustre's `lfs quota` tell them; many sites have other programs, and then nothing is known."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from sciflow.errors import HostError
from sciflow.executors.batch.depot import Depot

ASK_S = 20.0
# `-w`: a line each, however long; `-p`: numbers without units
_ASK = 'quota -w -p 2> /dev/null; lfs quota -q -u "$(id -un)" "$1" 2> /dev/null; true'


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of a limit: blocks of 1 KiB, files. A limit of 0 is none."""

    what: str
    blocks: int
    block_limit: int
    files: int
    file_limit: int


def quotas(depot: Depot, folder: str) -> Iterator[Quota]:
    """What the machine says of this user; nothing if it says nothing."""
    try:
        said = depot.run(("sh", "-c", _ASK, "sh", folder), timeout_s=ASK_S)
    except HostError:
        return
    yield from parse(said.stdout.decode(errors="replace"))


def parse(text: str) -> Iterator[Quota]:
    """The lines of both programs: name, blocks, soft and hard limit, grace, files, soft and hard limit, grace."""
    for line in text.splitlines():
        words = line.split()
        if len(words) < 8 or not words[0].startswith("/"):
            continue
        numbers = [re.sub(r"[*k]$", "", word) for word in words[1:8]]
        if all(number.isdigit() for number in (*numbers[:3], *numbers[4:7])):
            blocks, soft, hard = map(int, numbers[:3])
            files, soft_files, hard_files = map(int, numbers[4:7])
            yield Quota(
                what=words[0],
                blocks=blocks,
                block_limit=soft or hard,
                files=files,
                file_limit=soft_files or hard_files,
            )


def full_share(quota: Quota) -> float:
    """The larger of the two shares that are used."""
    by_blocks = quota.blocks / quota.block_limit if quota.block_limit else 0.0
    by_files = quota.files / quota.file_limit if quota.file_limit else 0.0
    return max(by_blocks, by_files)
