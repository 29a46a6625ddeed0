"""The row of clusters: an array job of Slurm over SSH, beside a script written by hand."""

from __future__ import annotations

from benchmarks.records import OURS, Quantity, Row, Side, Target

BY_HAND = "by hand"
FEW = "a tenth"


def cluster(size: int) -> Row:
    """A fan of `size` slices as one array job."""
    return Row(
        name="cluster",
        work=f"{size:,} trivial slices as one array job of Slurm, its machine reached by SSH",
        sides=(
            Side(name=OURS, work="cluster_work:ours", size=size),
            Side(name=FEW, work="cluster_work:ours", size=size // 10),
            Side(name=BY_HAND, work="cluster_work:by_hand", size=size),
        ),
        quantities=(
            Quantity(name="time", unit="s", peer=BY_HAND, target=Target(of="ratio", most=1.2)),
            Quantity(name="calls by SSH", unit="", figure="calls", peer=FEW),
        ),
        note="calls: beside those of a tenth of the slices; they go by the time that a run takes, not by its slices",
    )
