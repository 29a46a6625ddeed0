"""The rows of storages: a bucket of SeaweedFS on this machine, beside rclone."""

from __future__ import annotations

from benchmarks.records import OURS, Quantity, Row, Side, Target

RCLONE = "rclone"


def stored_large(size: int) -> Row:
    return _row("stored-large", "large", size, f"a file of {size:,} MiB, put into a bucket and brought back")


def stored_many(size: int) -> Row:
    return _row("stored-many", "many", size, f"a folder of {size:,} files of 1 kB, put into a bucket and brought back")


def _row(name: str, work: str, size: int, words: str) -> Row:
    return Row(
        name=name,
        work=words,
        sides=(
            Side(name=OURS, work=f"storage_work:{work}", size=size),
            Side(name=RCLONE, work=f"storage_work:{work}_rclone", size=size),
        ),
        quantities=(
            Quantity(name="put", unit="s", figure="put_s", peer=RCLONE, target=Target(of="ratio", most=1.25)),
            Quantity(name="  CPU, without the server", unit="s", figure="put_cpu_s", peer=RCLONE),
            Quantity(name="get", unit="s", figure="get_s", peer=RCLONE, target=Target(of="ratio", most=1.25)),
            Quantity(name="  CPU, without the server", unit="s", figure="get_cpu_s", peer=RCLONE),
        ),
        note="each with a fresh server, the content checked by its SHA-256; rclone copy with its defaults",
    )
