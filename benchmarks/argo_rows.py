"""The rows of Argo: a fan in a few pods beside one pod for each slice, a chain beside a bare one."""

from __future__ import annotations

from benchmarks.records import OURS, Quantity, Row, Side, Target

EACH = "a pod each"
AS_IT_IS = "32 pods"
ONE_POD = "one pod"
CHAIN = "bare chain"


def argo_fan(size: int) -> Row:
    """A fan of `size` slices; the peer has a tenth of them, and its time is taken ten times."""
    few = max(1, size // 10)
    return Row(
        name="argo-fan",
        work=f"{size:,} short slices on Argo, in ten pods",
        sides=(
            Side(name=OURS, work="argo_work:fan_in_ten", size=size, most=1),
            Side(name=AS_IT_IS, work="argo_work:fan", size=size, most=1),
            Side(name=EACH, work="argo_work:pods", size=few, most=1),
        ),
        quantities=(
            Quantity(
                name="time", unit="s", peer=EACH, peer_scale=size / few, target=Target(of="ratio", most=0.05),
            ),
            Quantity(name="time in 32 pods, the default", unit="s", side=AS_IT_IS, peer=EACH, peer_scale=size / few),
            Quantity(name="CPU, all pods", unit="s", figure="pods_cpu_s", peer=EACH, peer_scale=size / few),
            Quantity(name="the Workflow, largest", unit="kB", figure="object_kb"),
        ),
        note=f"the peer: withSequence, {few} pods, each a script that does the same; taken {size // few} times",
    )  # fmt: skip


def argo_chain(steps: int) -> Row:
    """A chain of ops, each in a pod."""
    return Row(
        name="argo-chain",
        work=f"chain of {steps} ops on Argo",
        sides=(
            Side(name=OURS, work="argo_work:chain", size=steps, most=1),
            Side(name=ONE_POD, work="argo_work:chain", size=1, most=1),
            Side(name=CHAIN, work="argo_work:bare_chain", size=steps, most=1),
        ),
        quantities=(
            Quantity(name="time a step", unit="s", scale=1 / steps, peer=CHAIN),
            Quantity(name="CPU of pods a step", unit="s", figure="pods_cpu_s", scale=1 / steps, peer=CHAIN),
            Quantity(name="time of one op", unit="s", side=ONE_POD),
        ),
        note="the peer hands an artifact from pod to pod, a script in the same image",
    )
